"""What the pages say about the exercises, where `tests/test_docs.py` does not hold it."""

import re
from pathlib import Path

import pytest

from miniae.exercises import EXERCISES

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "CONTRIBUTING.md", ROOT / "README.md"])
COUNT = re.compile(
    r"\b(\d\d+|(ten|\w+teen|eleven|twelve|twenty|thirty|forty)(-\w+)?)\s+"
    r"\[?(exercises|stubs|files\s+to\s+fill)",
    re.IGNORECASE,
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_counts_the_exercises_because_a_count_goes_stale(page):
    assert not COUNT.search(page.read_text("utf-8"))


@pytest.mark.parametrize(
    "text", ["grader of 23 exercises", "Twenty-three\nfiles to fill in", "Twenty [exercises](x.md)"]
)
def test_a_count_of_exercises_is_found(text):
    assert COUNT.search(text) and not COUNT.search("the exercises of the ten lessons")


@pytest.mark.parametrize("id", EXERCISES)
def test_the_guide_for_teachers_says_where_an_exercise_belongs(id):
    text = (ROOT / "docs" / "14_teachers_guide.md").read_text("utf-8")
    plans = text[text.index("## Three lessons") : text.index("## Timings")]
    assert re.search(rf"\b{id}\b", plans)


@pytest.mark.parametrize("id", EXERCISES)
def test_the_page_to_read_before_an_exercise_leads_back_to_it(id):
    text = (ROOT / "docs" / "15_exercises.md").read_text("utf-8")
    section = text[text.index(f"\n## {id}\n") :]
    page = re.search(r"To read: \[(\w+\.md)\]", section)[1]
    assert f"15_exercises.md#{id})" in (ROOT / "docs" / page).read_text("utf-8")
