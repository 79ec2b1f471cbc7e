"""The documentation: its code runs and prints what it says, its links lead somewhere."""

import contextlib
import importlib.util
import io
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from miniae.exercises import EXERCISES

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
LINES = {  # of all code, to find quotations in
    line.strip()
    for folder in ("miniae", "tests", "demos")
    for path in (ROOT / folder).rglob("*.py")
    for line in path.read_text("utf-8").split("\n")
}
# Pages whose code takes longest.
SLOW = {"20", "RE", "01", "03", "04", "05", "06", "07", "08", "10", "11", "13", "19", "22", "23"}


def blocks(page):
    """Return the fenced blocks of a page: (language, what stands behind it, text)."""
    return BLOCK.findall(page.read_text("utf-8"))


def prose(page):
    """Return the text of a page without its fenced blocks."""
    return BLOCK.sub("", page.read_text("utf-8"))


def slug(heading):
    """Return the anchor that GitHub gives a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(page):
    """Return the anchors of a page's headings; a repeated one gets a number."""
    found = []
    for heading in re.findall(r"^#+ +(.*)$", prose(page), re.MULTILINE):
        anchor = slug(heading)
        found.append(anchor if anchor not in found else f"{anchor}-{found.count(anchor)}")
    return found


def agree(printed, expected, tolerance):
    """Tell whether two texts are one, but for spaces and a relative tolerance of numbers."""
    if NUMBER.sub("0", printed).split() != NUMBER.sub("0", expected).split():
        return False
    pairs = zip(NUMBER.findall(printed), NUMBER.findall(expected), strict=True)
    return all(
        a == b or abs(float(a) - float(b)) <= tolerance * max(abs(float(a)), abs(float(b)))
        for a, b in pairs
    )


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.stem, marks=[pytest.mark.slow] if page.stem[:2] in SLOW else [])
        for page in PAGES
    ],
)
def test_the_code_of_a_page_runs_and_prints_what_stands_below_it(page, tmp_path, monkeypatch):
    """Blocks of a page share their names. ```text below a block is what it prints; numbers may
    differ by ``tolerance=`` behind the word text, relative, by default not at all."""
    monkeypatch.chdir(tmp_path)
    names, printed = {"__name__": "docs"}, None
    for language, more, text in blocks(page):
        if language == "python" and "skip" not in more:
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(text, page.name, "exec"), names)
            printed = out.getvalue()
        elif language == "text" and printed is not None:
            tolerance = float((re.findall(r"tolerance=(\S+)", more) or [0])[0])
            assert agree(printed, text, tolerance), f"{page.name} prints:\n{printed}"
            printed = None
    plt.close("all")


@each_page
def test_links_and_anchors_lead_somewhere(page):
    for link in LINK.findall(prose(page)):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), link


@each_page
def test_tests_that_a_page_names_exist(page):
    """Two spellings: `tests/test_x.py::test_name`, and a link `test_name` to tests/test_x.py."""
    text = page.read_text("utf-8")
    named = re.findall(r"(tests/[\w/]+\.py)::([\w:]+)", text)
    linked = re.findall(r"\[`(test_\w+)`\]\((?:\.\./)?(tests/[\w/]+\.py)\)", text)
    for path, names in [*named, *((path, name) for name, path in linked)]:
        code = (ROOT / path).read_text("utf-8")
        known = re.findall(r"^ *(?:def|class) (\w+)", code, re.MULTILINE)
        assert set(names.split("::")) <= set(known), f"{path}::{names}"


@each_page
def test_lines_that_a_page_quotes_stand_in_the_code(page):
    """```py quotes the library, a test or a demo, and ... leaves lines out."""
    for language, more, text in blocks(page):
        if language == "py" and "skip" not in more:
            lines = {line.strip() for line in text.split("\n")} - {"", "..."}
            assert lines <= LINES, lines - LINES


def test_every_page_is_linked_from_the_readme_or_the_first_page():
    linked = set()
    for page in (ROOT / "README.md", ROOT / "docs" / "01_getting_started.md"):
        paths = (link.partition("#")[0] for link in LINK.findall(prose(page)))
        linked |= {(page.parent / path).resolve() for path in paths if path}
    assert {page for page in PAGES if page.parent.name == "docs"} <= linked


def script(name):
    """Import one of the scripts in docs/."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_of_speed_are_what_the_benchmark_measured():
    make_speed = script("make_speed")
    text = make_speed.PAGE.read_text("utf-8")
    assert text == make_speed.page(text, make_speed.records()), "run: python docs/make_speed.py"


def test_the_api_reference_is_what_the_docstrings_say():
    make_api = script("make_api")
    written = (ROOT / "docs" / "16_api.md").read_text("utf-8")
    assert written == make_api.page(), "run: python docs/make_api.py"


def test_every_exercise_has_its_heading_and_its_minutes():
    text = (ROOT / "docs" / "15_exercises.md").read_text("utf-8")
    found = re.findall(r"^## (\w+)\n\n\*\*(\d+)\. (.*?)\*\*, (\d+) minutes", text, re.MULTILINE)
    known = [(e.id, str(e.number), e.title, str(e.minutes)) for e in EXERCISES.values()]
    assert found == known


def test_numbers_are_compared_to_a_tolerance_and_words_exactly():
    assert agree("loss 1.001 of 3", "loss  1.000 of 3", 1e-2)
    assert not agree("loss 1.1 of 3", "loss 1.0 of 3", 1e-2)
    assert not agree("lost 1.0", "loss 1.0", 1e-2) and not agree("loss 1", "loss 1 2", 1e-2)
    assert (
        agree("-1e-16", "-1e-16", 0) and slug("The `KL`, in closed form") == "the-kl-in-closed-form"
    )
