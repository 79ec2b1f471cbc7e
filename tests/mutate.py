"""Mutation testing: break the code on purpose, in one place at a time, and see that a test fails.

    python tests/mutate.py                      all of layers, losses, optim and vae; an hour
    python tests/mutate.py losses --every 10    a tenth of one of them

Operators are exchanged, terms dropped, constants changed, conditions turned round, statements left
out; docstrings and the words of error messages are not touched. A mutant that no test kills is
printed with its line: either a test is missing, or nobody could tell the difference.
"""

import argparse
import ast
import copy
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = {  # those that know most about a file come first
    "layers": "test_layers proof/test_gradcheck test_parameters test_bad_input test_model "
    "test_conv",
    "losses": "test_losses proof/test_gradcheck test_missing test_vae test_bad_input test_model",
    "optim": "test_optim test_training test_checkpoint test_bad_input",
    "vae": "test_vae proof/test_gradcheck test_training test_model test_variants test_latent "
    "test_bad_input proof/test_health test_storage",
}
SWAPS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.MatMult: ast.Mult, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.And: ast.Or, ast.Or: ast.And, ast.Is: ast.IsNot,
    ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip


def variants(node):
    """Yield (what, mutated copy) for each way to break one node."""
    if isinstance(node, ast.BinOp) and type(node.op) in SWAPS:
        other = copy.deepcopy(node)
        other.op = SWAPS[type(node.op)]()
        yield f"{type(node.op).__name__} to {type(other.op).__name__}", other
        if isinstance(node.op, ast.Add | ast.Sub):
            yield "drop the second term", copy.deepcopy(node.left)
    elif isinstance(node, ast.AugAssign) and type(node.op) in SWAPS:
        other = copy.deepcopy(node)
        other.op = SWAPS[type(node.op)]()
        yield f"{type(node.op).__name__}= to {type(other.op).__name__}=", other
        yield "leave the statement out", ast.Pass()
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        other = copy.deepcopy(node)
        other.ops[0] = SWAPS[type(node.ops[0])]()
        yield f"{type(node.ops[0]).__name__} to {type(other.ops[0]).__name__}", other
    elif isinstance(node, ast.BoolOp):
        other = copy.deepcopy(node)
        other.op = SWAPS[type(node.op)]()
        yield f"{type(node.op).__name__} to {type(other.op).__name__}", other
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
        yield f"without {type(node.op).__name__}", copy.deepcopy(node.operand)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield f"{node.value} to {not node.value}", ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield f"{node.value} to {node.value + 1}", ast.Constant(node.value + 1)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield "leave the call out", ast.Pass()


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
                for what, other in variants(child):
                    if several:
                        value[i] = other
                    else:
                        setattr(node, field, other)
                    yield child.lineno, what, ast.unparse(ast.fix_missing_locations(tree))
                    if several:
                        value[i] = child
                    else:
                        setattr(node, field, child)


def survives(name, text, folder):
    """Run the tests on a copy of the package with one file changed; tell whether they pass."""
    (folder / "miniae" / f"{name}.py").write_text(text, "utf-8")
    tests = [str(ROOT / "tests" / f"{test}.py") for test in TESTS[name].split()]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(folder), "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=180)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def main():
    """Mutate the files that are named, and print the survivors and the share that was killed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", choices=[*TESTS, []], help="default: all")
    parser.add_argument("--every", type=int, default=1, help="only every so many-th mutant")
    chosen = parser.parse_args()
    for name in chosen.names or TESTS:
        source = (ROOT / "miniae" / f"{name}.py").read_text("utf-8")
        jobs = list(mutants(source))[:: chosen.every]
        with tempfile.TemporaryDirectory() as base, ThreadPoolExecutor(os.cpu_count()) as pool:
            folders = [Path(base, str(i)) for i in range(os.cpu_count())]
            for folder in folders:
                shutil.copytree(ROOT / "miniae", folder / "miniae")

            def run(job, folders=folders, name=name):
                folder = folders.pop()  # each is one worker's
                try:
                    return survives(name, job[2], folder)
                finally:
                    folders.append(folder)

            killed = 0
            for (line, what, _), alive in zip(jobs, pool.map(run, jobs), strict=True):
                killed += not alive
                if alive:
                    text = source.splitlines()[line - 1].strip()
                    print(f"{name}.py, line {line}, survived: {what}: {text}", flush=True)
        print(f"{name}: {killed} of {len(jobs)} killed", flush=True)


if __name__ == "__main__":
    main()
