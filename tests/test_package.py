import ast
import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

import miniae

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "miniae"
READING_PATH = (
    "numerics parameters layers losses optim model autoencoder vae proof/gradcheck".split()
)
# Whoever imports, imports only from what stands before it.
ORDER = (
    "numerics parameters metrics layers conv losses optim missing regularizers networks inputs "
    "inspection archives storage checkpoint batches training latent estimator anomaly model "
    "autoencoder vae variants digits datasets plots proof explorer exercises"
).split()


def code_lines(path):
    """Count lines of code: no docstrings, comments or blank lines."""
    text = path.read_text(encoding="utf-8")
    tree, docs = ast.parse(text), set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(
            node
        ):
            docs |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    skip = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in skip | {tokenize.ENDMARKER}:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return len(lines - docs)


def test_the_reading_path_stays_short():
    counts = {name: code_lines(PACKAGE / f"{name}.py") for name in READING_PATH}
    assert sum(counts.values()) < 900, counts
    assert counts["layers"] + counts["losses"] + counts["optim"] < 300, counts


def test_import_loads_neither_matplotlib_nor_urllib_nor_the_instruments():
    heavy = ("matplotlib", "urllib.request", "miniae.proof")
    code = f"import sys, miniae; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_modules_import_one_way_only():
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if name == "__init__" or "stubs" in path.parts:  # stubs import as their readers do
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = []
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("miniae"):
                inside = node.module.split(".")[1:]
                modules = inside[:1] or [alias.name for alias in node.names]
            for module in modules:
                if module != name:
                    assert ORDER.index(module) < ORDER.index(name), f"{name} imports {module}"


def test_the_order_of_imports_is_the_one_that_contributing_tells():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    names = re.findall(r"`(\w+)`", re.search(r"Imports point one way.*?`ORDER`", text, re.S)[0])
    assert names[-1] == "ORDER" and len(names) > 10
    assert names[:-1] == sorted(names[:-1], key=ORDER.index)


def test_every_public_name_is_there_and_documented():
    for name in [*miniae.__all__, "datasets", "plots", "proof"]:
        assert getattr(miniae, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        miniae.nothing  # noqa: B018


def test_quick_start_commands_stand_alone():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    for command in blocks[:2]:
        assert command.count("\n") == 1
        assert "-m venv .venv" in command and "pip install" in command
