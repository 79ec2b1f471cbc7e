"""Mutation testing: break the code on purpose, in one place at a time, and see that a test fails.

    python tests/mutate.py                      all modules of TESTS below
    python tests/mutate.py losses --every 10    a tenth of one of them
    python tests/mutate.py losses --lines 53 77 only what stands on these lines

Operators are exchanged, terms dropped, constants changed, conditions turned round, statements left
out; docstrings and the words of error messages are not touched. A mutant that no test kills is
printed with its line: either a test is missing, or nobody could tell the difference. Those of the
second kind are in mutants.md, each with the reason.
"""

import argparse
import ast
import copy
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
NEEDED = ("miniae", "tests", "setup.cfg", "pyproject.toml")
SECONDS = 60  # of processor time for one file of tests, which takes three: mutants may loop
PATIENCE = 900  # seconds on the clock, for those that wait for ever; a busy machine is slow
TESTS = {  # one after the other until one fails; what kills no more mutants is not here
    "layers": "test_layers proof/test_gradcheck",
    "losses": "test_losses test_fused test_missing proof/test_gradcheck",
    "fused": "test_fused",
    "optim": "test_optim",
    "vae": "test_vae variants/test_variants variants/test_conditional "
    "variants/test_importance_weighted proof/test_gradcheck",
    "activations": "test_activations",
    "attention": "test_attention",
    "conv": "test_conv test_conv1d test_conv_phases",
    "normalization": "test_normalization",
    "pooling": "test_pooling",
    "recurrent": "test_recurrent test_recurrent_formulas",
    "variants/token_layers": "variants/test_sequence",
    "variants/tokens": "variants/test_sequence",
}
SWAPS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.MatMult: ast.Mult, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.And: ast.Or, ast.Or: ast.And, ast.Is: ast.IsNot,
    ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip


def variants(node):
    """Yield a mutated copy for each way to break one node."""
    if isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp) and type(node.op) in SWAPS:
        other = copy.deepcopy(node)
        other.op = SWAPS[type(node.op)]()
        yield other
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        yield copy.deepcopy(node.left)  # without the second term
    elif isinstance(node, ast.AugAssign) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ):
        yield ast.Pass()  # without the statement
    elif isinstance(node, ast.Compare):
        for i, operator in enumerate(node.ops):
            other = copy.deepcopy(node)
            other.ops[i] = SWAPS[type(operator)]()
            yield other
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
        yield copy.deepcopy(node.operand)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield ast.Constant(node.value + 1)


def mutants(source):
    """Yield (line, what, mutated source) for every way to break a file."""
    tree = ast.parse(source)
    skip = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr | ast.Raise):
            skip |= {id(inside) for inside in ast.walk(node)}
    for node in ast.walk(tree):
        for field, value in ast.iter_fields(node):
            several = isinstance(value, list)
            for i, child in enumerate(value if several else [value]):
                if not isinstance(child, ast.AST) or id(child) in skip:
                    continue
                for other in variants(child):
                    if several:
                        value[i] = other
                    else:
                        setattr(node, field, other)
                    what = (
                        f"{ast.unparse(child)} -> {ast.unparse(ast.fix_missing_locations(other))}"
                    )
                    yield child.lineno, what, ast.unparse(ast.fix_missing_locations(tree))
                    if several:
                        value[i] = child
                    else:
                        setattr(node, field, child)


def killer(name, text, folder, **environment):
    """Run the tests on a copy of the package with one file changed; return which failed, or None.

    They run in the copy, and `-m` puts that before all else where Python looks for modules.
    """
    (folder / "miniae" / f"{name}.py").write_text(text, "utf-8")
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", **environment}
    for test in TESTS[name].split():
        command = [sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider"]
        command.append(f"tests/{test}.py")
        try:
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, timeout=PATIENCE
            )
        except subprocess.TimeoutExpired:
            return test
        if done.returncode:
            return test
    return None


def prepare(name, source, folder):
    """Make a worker's copy, and see that its tests tell the code that works from what cannot."""
    for part in NEEDED:
        copier = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
        copier(ROOT / part, folder / part)
    failed = killer(name, ast.unparse(ast.parse(source)), folder)  # and compiles all, once
    if failed:
        sys.exit(f"tests/{failed}.py fails on the unmutated {name}.py: mend that first")
    for stale in (folder / "miniae" / "__pycache__").glob(f"{name}.*"):
        stale.unlink()  # a mutant of the same size and second would be taken for it
    if not killer(name, "raise RuntimeError", folder, PYTHONDONTWRITEBYTECODE="1"):
        sys.exit(f"the tests pass without {name}.py: they do not run on the mutated copy")


def main():
    """Mutate the files that are named, and print the survivors and the share that was killed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", choices=[*TESTS, []], help="default: all")
    parser.add_argument("--every", type=int, default=1, help="only every so many-th mutant")
    parser.add_argument("--lines", type=int, nargs="*", help="only mutants on these lines")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="at a time")
    chosen = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))  # for each process started here too
    for name in chosen.names or TESTS:
        source = (ROOT / "miniae" / f"{name}.py").read_text("utf-8")
        jobs = [job for job in mutants(source) if job[0] in (chosen.lines or [job[0]])]
        jobs = jobs[:: chosen.every]
        with tempfile.TemporaryDirectory() as base, ThreadPoolExecutor(chosen.jobs) as pool:
            folders = [Path(base, str(i)) for i in range(chosen.jobs)]
            for folder in folders:
                folder.mkdir()
            list(pool.map(lambda folder, *_: prepare(name, source, folder), folders))  # noqa: B023

            def run(job, folders=folders, name=name):
                folder = folders.pop()  # each is one worker's
                try:
                    return killer(name, job[2], folder, PYTHONDONTWRITEBYTECODE="1")
                finally:
                    folders.append(folder)

            kills = Counter()
            for (line, what, _), test in zip(jobs, pool.map(run, jobs), strict=True):
                kills[test] += 1
                if not test:
                    text = source.splitlines()[line - 1].strip()
                    print(f"{name}.py, line {line}, survived: {what}   in: {text}", flush=True)
        killed = len(jobs) - kills.pop(None, 0)
        by = ", ".join(f"{test} {number}" for test, number in kills.most_common())
        print(f"{name}: {killed} of {len(jobs)} killed; by {by}", flush=True)


if __name__ == "__main__":
    main()
