import ast
import functools
import io
import itertools
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import numpy as np
import pytest

import miniae
from miniae import VAE, Adam

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "miniae"
# Whoever imports, imports only from what stands before it, `plumbing` apart: see below.
ORDER = (
    "numerics parameters metrics layers frozen conv conv1d pooling normalization recurrent steps "
    "attention losses fused likelihoods priors optim networks activations convolutional training "
    "model autoencoder vae missing variants regularizers latent suggest scores anomaly estimators "
    "inspection callbacks digits datasets plots proof explorer exercises microvae"
).split()


@functools.cache
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


def is_forward(node):
    """Tell whether a method only passes its own arguments on: docstring, import, return f(...).

    The docstring of a forward names the module or the function that does the work.
    """
    body = node.body[1:]  # after the docstring
    if [type(n) for n in body] != [ast.ImportFrom, ast.Return] or len(body[0].names) != 1:
        return False
    name, call = body[0].names[0].name, body[1].value
    own = {"self", "cls", *(a.arg for a in [*node.args.args, *node.args.kwonlyargs])}
    own |= {a.arg for a in (node.args.kwarg, node.args.vararg) if a}
    return (
        not node.name.startswith("_")
        and isinstance(call, ast.Call)
        and getattr(call.func, "id", "") == name
        and {n.id for n in ast.walk(call) if isinstance(n, ast.Name)} <= own | {name}
        and all(isinstance(a, ast.Name) for a in [*call.args, *(k.value for k in call.keywords)])
        and (body[0].module in ast.get_docstring(node) or name in ast.get_docstring(node).lower())
    )


@functools.cache
def imported(path):
    """Return the modules of miniae that a file imports, those inside functions too.

    Left out are imports of methods that only pass their arguments on, such as `Model.impute`.
    """
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    forwards = {
        id(each)
        for node in nodes
        if isinstance(node, ast.FunctionDef) and is_forward(node)
        for each in node.body
    }
    found = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and id(node) not in forwards:
            assert node.level == 0, f"{path}: write the whole name of the module"
            module = node.module
            if module.split(".")[0] == "miniae":
                for alias in node.names:
                    inside = f"{module}.{alias.name}"
                    found.add(inside if file_of(inside).exists() else module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("miniae.")}
    return found


def file_of(module):
    """Return the file of a module of miniae."""
    path = PACKAGE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@functools.cache
def closure(module):
    """Return what a module imports, directly or not, and itself: a set of names."""
    found, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += imported(file_of(name))
    return found


def test_what_a_reader_of_vae_has_to_read_stays_short():
    names = closure("miniae.vae")
    assert {"miniae.layers", "miniae.losses", "miniae.model"} <= names
    path = {name for name in names if not name.startswith("miniae.plumbing")}
    outside = {name: code_lines(file_of(name)) for name in path}
    assert sum(outside.values()) <= 770, outside


def test_from_loss_to_updated_theta_there_are_few_calls():
    model, optimizer = VAE(784, 2), Adam()
    x = np.random.default_rng(0).random((100, 784), dtype=np.float32)
    calls = []

    def note(frame, event, argument):
        if event == "call" and frame.f_code.co_filename.startswith(str(PACKAGE)):
            calls.append((frame.f_code.co_filename, frame.f_code.co_firstlineno))

    for _ in range(2):  # the second step makes no vectors any more
        calls.clear()
        before = sys.getprofile()
        sys.setprofile(note)
        try:
            model.loss(x, training=True)
            model.backward()
            optimizer.step(model.theta, model.dtheta)
        finally:
            sys.setprofile(before)
    switches = sum(here[0] != there[0] for here, there in itertools.pairwise(calls))
    assert len(calls) <= 70 and len(set(calls)) <= 30 and switches <= 25


def test_import_loads_neither_matplotlib_nor_urllib_nor_the_instruments():
    heavy = ("matplotlib", "urllib.request", "miniae.proof")
    code = f"import sys, miniae; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_modules_import_one_way_only():
    """A module of `plumbing` comes where the last of the modules that it imports does."""
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if name in ("__init__", "plumbing") or "stubs" in path.parts:  # stubs: as readers do
            continue
        for module in imported(path):
            inside = closure(module) if module.split(".")[1] == "plumbing" else [module]
            for room in {each.split(".")[1] for each in inside} - {name, "plumbing"}:
                assert ORDER.index(room) < ORDER.index(name), f"{name} imports {module}"


def test_modules_are_imported_by_statements_that_the_tests_can_read():
    """`importlib` only in the two places that need it: names of the package, and of a file."""
    for path in PACKAGE.rglob("*.py"):
        if path not in (PACKAGE / "__init__.py", PACKAGE / "plumbing" / "storage.py"):
            text = path.read_text(encoding="utf-8")
            named = "exercises" in path.parts or "import_module(" not in text
            assert named and "__import__(" not in text, path


def test_plumbing_knows_the_path_and_no_feature():
    for path in (PACKAGE / "plumbing").glob("*.py"):
        rooms = {module.split(".")[1] for module in imported(path)}
        assert rooms <= {"plumbing", "parameters", "layers", "losses", "optim"}, path


def test_plumbing_contains_no_formula():
    """Of NumPy it uses what makes, checks and describes arrays, and there is no power of a name."""
    allowed = """
        asarray array empty zeros arange broadcast_to atleast_1d ravel where savez frombuffer
        concatenate isnan isfinite inf nan ndim shape prod dtype finfo errstate geterr argwhere
        min max ndarray generic integer bool_ float32 float64 uint8 ma lib random default_rng
        MaskedArray
        getmaskarray format read_magic read_array_header_1_0 read_array_header_2_0
    """.split()
    for path in (PACKAGE / "plumbing").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] != "numpy", path
                assert "gaussian_kl" not in [alias.name for alias in node.names], path
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "np":
                assert node.attr in allowed, f"{path}: {ast.unparse(node)}"
            if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Pow, ast.MatMult)):
                assert isinstance(node.left, ast.Constant), f"{path}: {ast.unparse(node)}"


def test_the_order_of_imports_is_the_one_that_contributing_tells():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    names = re.findall(r"`(\w+)`", re.search(r"Imports point one way.*?`ORDER`", text, re.S)[0])
    assert names[-1] == "ORDER" and len(names) > 10
    assert names[:-1] == sorted(names[:-1], key=ORDER.index)


def test_every_public_name_is_there_and_documented():
    for name in [*miniae.__all__, "callbacks", "datasets", "plots", "proof"]:
        assert getattr(miniae, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        miniae.nothing  # noqa: B018


def test_quick_start_commands_stand_alone():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    for command in blocks[:2]:
        assert command.count("\n") == 1
        assert "-m venv .venv" in command and "pip install" in command


def test_the_tests_that_kill_mutants_exist():
    tree = ast.parse((ROOT / "tests" / "mutate.py").read_text(encoding="utf-8"))
    tests = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "TESTS"
    )
    for module, names in tests.items():
        assert (PACKAGE / f"{module}.py").exists()
        for name in names.split():
            assert (ROOT / "tests" / f"{name}.py").exists(), name
