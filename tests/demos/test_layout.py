"""How the demos are laid out: few on top, short texts, the same options, cells of a notebook."""

import ast
import re

from demo_runs import DEMOS, ROOT, SCRIPTS

TEXTS = {path: path.read_text("utf-8") for path in SCRIPTS}
TREES = {path: ast.parse(text, path) for path, text in TEXTS.items()}


def test_a_few_starters_are_on_top_and_the_others_in_folders():
    assert (DEMOS / "train_vae.py") in SCRIPTS  # the first command in README
    assert 4 <= len(list(DEMOS.glob("*.py"))) <= 8
    assert len(SCRIPTS) > 30 and len({path.stem for path in SCRIPTS}) == len(SCRIPTS)


def test_the_text_of_a_demo_is_short_and_has_its_command():
    for path, tree in TREES.items():
        text = ast.get_docstring(tree)
        assert len(text.splitlines()) <= 12, path
        assert f"python {path.relative_to(ROOT).as_posix()}" in text, path


def test_a_demo_has_the_shared_options():
    for path, code in TEXTS.items():
        assert re.search(rf'(options|start)\(\s*"{path.stem}",\s*__doc__,\s*argv', code), path
        assert "argparse" not in code and "matplotlib.use(" not in code, path


def test_the_cells_of_a_demo_can_be_run_one_after_the_other():
    for path, code in TEXTS.items():
        first, *cells = re.split(r"^# %%\n", code, flags=re.MULTILINE)
        assert first.startswith('# %% [markdown]\n"""'), path
        assert len(cells) >= 4, path  # imports, functions, main, the call
        for cell in cells:
            ast.parse(cell, path)
        assert cells[-1].startswith('if __name__ == "__main__":'), path


def test_a_demo_uses_no_private_names():
    for path, tree in TREES.items():
        names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        private = {n for n in names if n.startswith("_") and not n.startswith("__")}
        assert not private, path


def test_every_path_to_a_demo_in_the_pages_exists():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DEMOS.glob("*.md")]
    pages += (ROOT / "docs").glob("*.md")
    for page in pages:
        for name in re.findall(r"demos/[\w/]+\.py", page.read_text("utf-8")):
            if not name.startswith("tests/"):
                assert (ROOT / name).is_file() or (ROOT / "tests" / name).is_file(), (page, name)


def test_every_demo_is_in_the_gallery_and_every_reproduction_among_the_papers():
    for path in SCRIPTS:
        page = "reproductions.md" if path.parent.name == "reproduce" else "gallery.md"
        assert path.relative_to(ROOT).as_posix() in (ROOT / "docs" / page).read_text("utf-8")
