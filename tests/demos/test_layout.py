"""How the demos are laid out: few on top, short texts, the same options, cells of a notebook."""

import ast
import re

import pytest
from demo_runs import DEMOS, ROOT, SCRIPTS

each_script = pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)


def test_a_few_starters_are_on_top_and_the_others_in_folders():
    assert (DEMOS / "train_vae.py") in SCRIPTS  # the first command in README
    assert 4 <= len(list(DEMOS.glob("*.py"))) <= 8
    assert len(SCRIPTS) > 30 and len({path.stem for path in SCRIPTS}) == len(SCRIPTS)


@each_script
def test_the_text_of_a_demo_is_short_and_has_its_command(path):
    text = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    assert len(text.splitlines()) <= 12
    assert f"python {path.relative_to(ROOT).as_posix()}" in text


@each_script
def test_a_demo_has_the_shared_options(path):
    code = path.read_text("utf-8")
    assert re.search(rf'(options|start)\(\s*"{path.stem}",\s*__doc__,\s*argv', code)
    assert "argparse" not in code and "matplotlib.use(" not in code


@each_script
def test_the_cells_of_a_demo_can_be_run_one_after_the_other(path):
    first, *cells = re.split(r"^# %%\n", path.read_text("utf-8"), flags=re.MULTILINE)
    assert first.startswith('# %% [markdown]\n"""')
    assert len(cells) >= 4  # imports, functions, main, the call
    for cell in cells:
        ast.parse(cell)
    assert cells[-1].startswith('if __name__ == "__main__":')


@each_script
def test_a_demo_uses_no_private_names(path):
    tree = ast.parse(path.read_text("utf-8"))
    private = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not {name for name in private if name.startswith("_") and not name.startswith("__")}


def test_every_path_to_a_demo_in_the_pages_exists():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DEMOS.glob("*.md")]
    pages += (ROOT / "docs").glob("*.md")
    for page in pages:
        for name in re.findall(r"demos/[\w/]+\.py", page.read_text("utf-8")):
            if not name.startswith("tests/"):
                assert (ROOT / name).is_file() or (ROOT / "tests" / name).is_file(), (page, name)


@each_script
def test_every_demo_is_in_the_gallery_and_every_reproduction_among_the_papers(path):
    page = "reproductions.md" if path.parent.name == "reproduce" else "gallery.md"
    assert path.relative_to(ROOT).as_posix() in (ROOT / "docs" / page).read_text("utf-8")
