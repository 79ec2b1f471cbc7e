"""The slides: their links, pictures, exercises and code are those of the project."""

import importlib.util
import re
from pathlib import Path

import pytest

from miniae.exercises import EXERCISES

ROOT = Path(__file__).parents[1]
DECKS = sorted((ROOT / "docs" / "slides").glob("[0-9]*.md"))
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
each_deck = pytest.mark.parametrize("deck", DECKS, ids=lambda deck: deck.stem)


@each_deck
def test_a_deck_has_a_header_short_slides_and_links_that_lead_somewhere(deck):
    text = deck.read_text("utf-8")
    _, header, *slides = re.split(r"^---$", text, flags=re.MULTILINE)
    assert "marp: true" in header and "title: " in header and 4 <= len(slides) <= 9
    assert "math:" not in header  # pandoc prints its value and draws no formula
    for slide in slides:
        shown = re.sub(r"<!--.*?-->", "", slide, flags=re.DOTALL)
        assert len(shown.strip().split("\n")) <= 20 and re.match(r"\n+#+ ", slide)
    for link in LINK.findall(text):
        path, _, anchor = link.partition("#")
        target = (deck.parent / path).resolve()
        assert target.exists(), link
        if anchor:
            assert f"\n## {anchor}\n" in target.read_text("utf-8"), link


def test_there_is_a_deck_for_each_lesson_and_it_has_the_exercises_of_the_lesson():
    guide = (ROOT / "docs" / "14_teachers_guide.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) ([^|]+) \|[^|]+\| ([^|]+) \|", guide, re.MULTILINE)
    assert [int(number) for number, *_ in rows] == [int(deck.name[:2]) for deck in DECKS]
    for (number, title, listed), deck in zip(rows, DECKS, strict=True):
        text = deck.read_text("utf-8")
        assert f'title: "Lesson {number}: {title}"' in text
        for id in EXERCISES:
            if re.search(rf"\b{id}\b", listed):
                assert f"15_exercises.md#{id})" in text, (deck.name, id)


def test_code_on_a_slide_is_code_of_the_project():
    known = {
        line.strip()
        for folder in ("miniae", "tests", "demos")
        for path in (ROOT / folder).rglob("*.py")
        for line in path.read_text("utf-8").split("\n")
    }
    blocks = [
        code
        for deck in DECKS
        for code in re.findall(r"^```py\n(.*?)^```$", deck.read_text("utf-8"), re.M | re.S)
    ]
    lines = {line.strip() for code in blocks for line in code.split("\n")} - {""}
    assert len(blocks) > 5 and lines <= known, lines - known


def test_the_diagrams_are_drawn_by_the_script():
    path = ROOT / "docs" / "make_figures.py"
    spec = importlib.util.spec_from_file_location("make_figures", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("architecture", "gradient_flow", "reparameterisation"):
        figure = module.FIGURES[name]()
        assert figure.axes and (module.IMAGES / f"{name}.png").exists()
        module.plt.close(figure)
