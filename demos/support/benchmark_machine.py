"""What the times of speed/benchmark.py depend on: processor, vector instructions, BLAS, versions.

--simd avx2 runs every library without AVX-512, as on a processor that does not have it. Each reads
a variable of its own when it is loaded. All of them were seen to act, with NumPy 2.4, PyTorch 2.13
and JAX 0.10 on a processor with AVX-512:

NPY_DISABLE_CPU_FEATURES  NumPy's own loops. `numpy.lib.introspect.opt_func_info` names X86_V3 for
    tanh and exp in place of X86_V4.
OPENBLAS_CORETYPE         NumPy's matrix products. threadpoolctl names Haswell, not SkylakeX.
ATEN_CPU_CAPABILITY       PyTorch's own loops. `torch.backends.cpu.get_cpu_capability()` is AVX2.
MKL_ENABLE_INSTRUCTIONS   PyTorch's matrix products. MKL_VERBOSE=1 prints AVX2; a product of 512 x
    512 took 8.2 ms in place of 2.9.
ONEDNN_MAX_CPU_ISA        PyTorch's convolutions. ONEDNN_VERBOSE=1 prints jit:avx2, not avx512_core.
XLA_FLAGS                 JAX's compiled loops. The object files that --xla_dump_to writes have no
    registers of AVX-512 any more. Its compiled-in matrix products were not examined.
"""

import contextlib
import os
import platform
import subprocess
from datetime import datetime
from pathlib import Path

import numpy as np

import miniae

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
SIMD = ("native", "avx2")


def numpy_features():
    """Return the vector instructions that NumPy has loops for and this process uses, a list."""
    try:
        from numpy._core import _multiarray_umath as core
    except ImportError:  # NumPy 1
        from numpy.core import _multiarray_umath as core
    known = [*core.__cpu_baseline__, *core.__cpu_dispatch__]
    return [name for name in known if core.__cpu_features__.get(name)]


def environment(simd, threads):
    """Return the environment variables of a worker: threads, and without AVX-512 if simd is avx2.

    NumPy refuses to switch off what it or the processor does not have, so its list is computed
    here. Up to NumPy 2.3 the names begin with AVX512; since 2.4 most of them are one, X86_V4.
    """
    found = {**os.environ, **dict.fromkeys(THREADS, str(threads)), "JAX_PLATFORMS": "cpu"}
    found.pop("PYTHONDONTWRITEBYTECODE", None)  # imports are timed with compiled modules
    if simd == "avx2":
        wide = [name for name in numpy_features() if "AVX512" in name or name == "X86_V4"]
        if wide:
            found["NPY_DISABLE_CPU_FEATURES"] = " ".join(wide)
        found["OPENBLAS_CORETYPE"] = "Haswell"
        found["ATEN_CPU_CAPABILITY"] = "avx2"
        found["MKL_ENABLE_INSTRUCTIONS"] = "AVX2"
        found["ONEDNN_MAX_CPU_ISA"] = "AVX2"
        flags = found.get("XLA_FLAGS", "")
        found["XLA_FLAGS"] = f"{flags} --xla_cpu_max_isa=AVX2".strip()
    return found


def blas():
    """Return the BLAS of NumPy with the kernel that it chose, such as "openblas SkylakeX".

    The kernel is known where threadpoolctl is installed (scikit-learn needs it).
    """
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        config = np.show_config(mode="dicts") if hasattr(np, "show_config") else {}
        return config.get("Build Dependencies", {}).get("blas", {}).get("name", "unknown")
    found = [
        f"{library['internal_api']} {library.get('architecture', '')}".strip()
        for library in threadpool_info()
        if library["user_api"] == "blas" and "numpy" in library["filepath"].lower()
    ]
    return ", ".join(sorted(set(found))) or "unknown"


def describe_process():
    """Return what this process computes with, a dict: the worker prints it."""
    return {"features": numpy_features(), "blas": blas()}


def commit():
    """Return the measured commit, with "+" if files have changed since; "" if there is no git."""
    git = ["git", "-C", str(Path(__file__).parent)]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        name, changed = (
            subprocess.run([*git, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                           text=True, check=True).stdout.strip()
            for words in (("rev-parse", "--short", "HEAD"), ("status", "--porcelain", "-uno"))
        )  # fmt: skip
        return f"{name}+" if changed else name
    return ""


def load_average():
    """Return the load averages over 1, 5 and 15 minutes, a list; [] where there are none."""
    return [round(each, 2) for each in os.getloadavg()] if hasattr(os, "getloadavg") else []


def cpu_name():
    """Return the name of the processor."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line for line in lines if line.startswith("model name")).split(": ")[1]
    return platform.processor()


def machine(chosen, process):
    """Return what the times depend on, a dict; `process` is what a worker said of itself."""
    return {
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "cpu": cpu_name(), "cores": os.cpu_count(), "threads": chosen.threads,
        "system": platform.platform(), "python": platform.python_version(),
        "numpy": np.__version__, "miniae": miniae.__version__, "commit": commit(),
        "data": chosen.data, "load_before": load_average(), **process,
    }  # fmt: skip


def where(machine):
    """Return the processor and its instructions in some words, for the heading of a table."""
    features = " ".join(machine.get("features", [])) or "unknown"
    return f"{machine['cpu']}; NumPy uses {features}; BLAS {machine.get('blas', 'unknown')}"


@contextlib.contextmanager
def cores(n):
    """Restrict this process, and those it starts, to n cores, where the system supports it."""
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    try:
        if n < len(before):
            os.sched_setaffinity(0, sorted(before)[:n])
        yield
    finally:
        if n < len(before):
            os.sched_setaffinity(0, before)
