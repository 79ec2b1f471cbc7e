"""Image data: synthetic digits, and readers for MNIST and Fashion-MNIST.

`synthetic_digits` needs no file and no network, and returns the slant, thickness, ... of every
image. `mnist` and `fashion_mnist` read the real data from disk, and download them if you ask.
"""

import math
import os
import time
from pathlib import Path

import numpy as np

from miniae.digits import synthetic_digits
from miniae.plumbing.archives import atomic
from miniae.plumbing.foreign import asked, explains, message
from miniae.plumbing.glossary import DATASET, NAMES

__all__ = ["fashion_mnist", "load_idx", "mnist", "synthetic_digits"]

_FILES = (
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
)  # fmt: skip
# SHA-256 of the unzipped content, in the order of _FILES: zipped files differ between mirrors.
_SHA256 = {
    "mnist": (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    "fashion_mnist": (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
}
_MIRRORS = {
    "mnist": (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    "fashion_mnist": (
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
}
__getattr__ = asked("miniae.datasets", NAMES)
_IDX_DTYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def load_idx(path):
    """Read an IDX file, zipped with gzip or not; the first bytes decide, not the name.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    ndarray
        With the file's shape and dtype (uint8, int8, int16, int32, float32 or float64), in native
        byte order, writable.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not exactly one complete IDX array. The message has the path and the reason.
        The sizes in the header are compared with the file before memory is allocated.

    References
    ----------
    Y. LeCun, C. Cortes, C. Burges, "The MNIST database", http://yann.lecun.com/exdb/mnist: two
    zero bytes, the code of the dtype, the rank, each size as a big-endian uint32, then the values,
    big-endian, in C order.
    """
    import gzip
    import zlib

    with open(path, "rb") as file:
        on_disk = os.fstat(file.fileno()).st_size
        zipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        try:
            # Deflate shrinks data by a factor of at most 1032: this bounds the unzipped size.
            content = gzip.GzipFile(fileobj=file) if zipped else file
            return _parse_idx(content, on_disk * 1032 if zipped else on_disk)
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise ValueError(f"{path}: damaged gzip data ({error}); download it again") from error
        except ValueError as error:
            raise ValueError(f"{path}: {error}; is it a complete IDX file?") from error


def _parse_idx(file, room):
    """Read one IDX array from an open file that has at most `room` bytes of content."""
    magic = _read(file, 4)
    if len(magic) < 4:
        raise ValueError(f"truncated header: it has {len(magic)} of the first 4 bytes")
    if magic[:2] != b"\0\0":
        raise ValueError(f"bad magic number 0x{magic.hex()}: the first two bytes must be zero")
    code, rank = magic[2:]
    if code not in _IDX_DTYPES:
        known = ", ".join(f"0x{known:02x}" for known in _IDX_DTYPES)
        raise ValueError(f"unknown dtype code 0x{code:02x}, must be one of {known}")
    if rank > 32:
        raise ValueError(f"rank {rank} is above 32, the limit of NumPy")
    sizes = _read(file, 4 * rank)
    if len(sizes) < 4 * rank:
        raise ValueError(f"truncated header: it has {len(sizes)} of {4 * rank} bytes of sizes")
    shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4")) if rank else ()
    dtype = np.dtype(_IDX_DTYPES[code])
    # Python ints do not overflow. A size of 0 must not hide another size that is too large.
    needed = math.prod(shape) * dtype.itemsize
    if needed > room or math.prod(size or 1 for size in shape) > 2**48:
        raise ValueError(
            f"shape {shape} of {dtype.name} takes {needed} bytes, too large for this file"
        )
    data = _read(file, needed + 1)
    if len(data) != needed:
        what = "truncated data" if len(data) < needed else "trailing bytes"
        raise ValueError(f"{what}: shape {shape} of {dtype.name} takes exactly {needed} bytes")
    # The bytearray is writable, so the array is writable too.
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _read(file, count):
    """Read at most `count` bytes, 1 MiB at a time: memory grows only with the real content."""
    data = bytearray()
    while len(data) < count and (chunk := file.read(min(count - len(data), 2**20))):
        data += chunk
    return data


@explains(DATASET)
def mnist(split="train", folder=None, *, download=False):
    """Load MNIST: 60,000 training or 10,000 test images of handwritten digits.

    Each split has two files, such as ``train-images-idx3-ubyte`` and ``train-labels-idx1-ubyte``,
    with or without ``.gz``. They are read from the first folder that has both: `folder` if given,
    ``$MINIAE_DATA/mnist``, and the user's cache (``miniae/mnist`` in ``$XDG_CACHE_HOME`` or
    ``~/.cache``, on Windows in ``%LOCALAPPDATA%``).

    Parameters
    ----------
    split : {"train", "test"}
        The test files are those named ``t10k``.
    folder : str or path-like, optional
        The folder to look in first, and to download into.
    download : bool
        If the files are not found, download them by HTTPS (train 10 MB, test 2 MB) into `folder`
        or the cache, and check their SHA-256. Existing files are not checked.

    Returns
    -------
    images : float32, (n, 28, 28)
        0 is background, 1 is full ink.
    labels : int64, (n,)
        0 to 9.

    Raises
    ------
    ValueError
        If `split` is unknown, or a file is damaged or not what its name says.
    FileNotFoundError
        If the files are not found. The message lists the folders.
    ConnectionError
        If no mirror has the right file. The message lists the mirrors and the reasons.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
    recognition", Proc. IEEE 86(11), 1998.
    """
    return _load("mnist", split, folder, download)


@explains(DATASET)
def fashion_mnist(split="train", folder=None, *, download=False):
    """Load Fashion-MNIST: 28x28 images of clothes in ten classes, in the format of MNIST.

    Parameters, return values and errors are as in `mnist`. The folders end in ``fashion_mnist``,
    and the downloads are 26 MB (train) and 4 MB (test). The classes are T-shirt,
    trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle boot.

    References
    ----------
    H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
    learning algorithms", arXiv:1708.07747, 2017.
    """
    return _load("fashion_mnist", split, folder, download)


def _no_load_data():
    raise AttributeError(message("a function of datasets", "'load_data'", DATASET["load_data"]))


# Keras' mnist is a module. A function can only explain itself when it is called.
mnist.load_data = fashion_mnist.load_data = _no_load_data


def _load(name, split, folder, download):
    if split not in ("train", "test"):
        raise ValueError(f"split must be 'train' or 'test', got {split!r}")
    files = _FILES[:2] if split == "train" else _FILES[2:]
    places = _places(name)
    if folder is not None:
        places.insert(0, Path(folder).expanduser())
    found = next((at for at in places if all(_find(at, file) for file in files)), None)
    if found is None:
        found = places[-1] if folder is None else places[0]  # the cache, or the given folder
        if not download:
            looked = "\n".join(f"  {place}" for place in places)
            raise FileNotFoundError(
                f"{name} {split!r} needs {files[0]} and {files[1]} (or .gz), which are not in\n"
                f"{looked}\n"
                f"Pass download=True to download them into {found}, or put {', '.join(_FILES)} "
                f"there, or set MINIAE_DATA to a folder with the files in its subfolder {name}."
            )
        _download(name, found, files)
    paths = [_find(found, file) for file in files]
    images, labels = (load_idx(path) for path in paths)
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28):
        raise ValueError(
            f"{paths[0]} has {images.dtype} {images.shape}, must be uint8 (n, 28, 28): "
            "is it the file of images?"
        )
    if labels.dtype != np.uint8 or labels.shape != images.shape[:1] or (labels > 9).any():
        raise ValueError(
            f"{paths[1]} has {labels.dtype} {labels.shape}, must be uint8 {images.shape[:1]} "
            f"from 0 to 9, one for each image in {paths[0]}: are both files of the same split?"
        )
    images = images.astype(np.float32)
    images /= 255
    return images, labels.astype(np.int64)


def _places(name):
    """Return the folders to look in if none is given; downloads go into the last."""
    windows = os.name == "nt"
    cache = os.environ.get("LOCALAPPDATA" if windows else "XDG_CACHE_HOME")
    cache = cache or os.path.expanduser("~/AppData/Local" if windows else "~/.cache")
    roots = [Path(cache, "miniae")]
    if os.environ.get("MINIAE_DATA"):
        roots.insert(0, Path(os.environ["MINIAE_DATA"]).expanduser())
    return [root / name for root in roots]


def _find(folder, file):
    """Return the path of `file` or `file`.gz in `folder`, or None."""
    return next((p for p in (folder / file, folder / f"{file}.gz") if p.is_file()), None)


def _download(name, folder, files=_FILES, *, mirrors=None, timeout=30.0, max_bytes=2**26):
    """Download the `files` that `folder` does not have, each from the first mirror that works."""
    import gzip
    import hashlib
    import http.client
    import io
    import zlib

    folder.mkdir(parents=True, exist_ok=True)
    for file, sha256 in zip(_FILES, _SHA256[name], strict=True):
        if file not in files or _find(folder, file):
            continue
        failures = []
        for mirror in mirrors or _MIRRORS[name]:
            url = f"{mirror}{file}.gz"
            try:
                data = _fetch(url, timeout, max_bytes)
                content = _read(gzip.GzipFile(fileobj=io.BytesIO(data)), max_bytes)
                if hashlib.sha256(content).hexdigest() != sha256:
                    raise ValueError("wrong SHA-256 of the unzipped content")
                break
            except (OSError, ValueError, EOFError, zlib.error, http.client.HTTPException) as error:
                failures.append(f"  {url}: {type(error).__name__}: {error}")
        else:
            raise ConnectionError(
                f"could not download {file}.gz of {name}:\n" + "\n".join(failures) + "\nTry again "
                f"later, or put {', '.join(_FILES)} (or .gz) from another source into {folder}."
            )
        with atomic(folder / f"{file}.gz") as out:
            out.write(data)


def _fetch(url, timeout, max_bytes):
    """Return the bytes at `url`: HTTPS only, unless everything stays on this machine."""
    from urllib.error import HTTPError
    from urllib.request import HTTPRedirectHandler, build_opener

    class Redirects(HTTPRedirectHandler):
        def redirect_request(self, req, fp, code, msg, headers, newurl):
            try:
                _refuse_plain_http(req.full_url, newurl)
            except ValueError:
                fp.close()
                raise
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    _refuse_plain_http(url)
    give_up = time.monotonic() + 30 * timeout  # `timeout` limits each wait, this the whole
    data = bytearray()
    try:
        opened = build_opener(Redirects).open(url, timeout=timeout)
    except HTTPError as error:  # it holds the response, and so the connection
        error.close()
        raise
    with opened as response:
        while chunk := response.read1(2**16):
            data += chunk
            if len(data) > max_bytes:
                raise ValueError(f"larger than {max_bytes} bytes")
            if time.monotonic() > give_up:
                raise TimeoutError(f"not finished after {30 * timeout:g} seconds")
    return data


def _refuse_plain_http(*urls):
    """Raise ValueError unless the last of these redirects is HTTPS, or all are loopback."""
    from urllib.parse import urlsplit

    parts = [urlsplit(url) for url in urls]
    local = all(p.scheme == "http" and p.hostname in ("127.0.0.1", "localhost") for p in parts)
    if parts[-1].scheme != "https" and not local:
        raise ValueError(f"{urls[-1]} is refused: only https is safe (or http on this machine)")
