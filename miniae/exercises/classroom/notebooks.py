"""Notebooks: a stub as a notebook, a student's notebook as code, an assignment for nbgrader.

A notebook is plain JSON (nbformat 4.5), so nothing but the standard library is needed.
"""

import ast
import json
import re

from miniae.exercises.catalogue import STUBS

# Lines that are not part of an answer: magics, and the check at the end of the notebook.
GIVEN = re.compile(r"^([ \t]*[%!]|assert_solved\(|from miniae\.exercises import )", re.MULTILINE)


def cell(id, kind, source, **metadata):
    """Return a cell of a notebook."""
    made = {"cell_type": kind, "id": id, "metadata": metadata}
    made["source"] = source.strip("\n").splitlines(keepends=True)
    return {**made, "execution_count": None, "outputs": []} if kind == "code" else made


def notebook(cells):
    """Return a notebook as text."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    whole = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1) + "\n"


def stub_cells(exercise):
    """Return the cells with the task and the stub: the task as text, then the code."""
    text = (STUBS / exercise.file).read_text("utf-8")
    tree = ast.parse(text)
    task = ast.get_docstring(tree).split("\n    python -m ")[0].rstrip()
    code = "\n".join(text.splitlines()[tree.body[0].end_lineno :]).strip("\n")
    title, _, rest = task.partition("\n")
    return [
        cell("task", "markdown", f"# {exercise.number}. {exercise.title}\n\n{title}\n{rest}"),
        cell("answer", "code", code),
    ]


def as_notebook(exercise):
    """Return an exercise as a notebook: the task, the stub, and a cell that checks it."""
    test = (
        f'from miniae.exercises import assert_solved\n\nassert_solved("{exercise.id}", globals())'
    )
    return notebook([*stub_cells(exercise), cell("check", "code", test)])


def as_assignment(exercise, points):
    """Return an exercise as a notebook of nbgrader; each part is a test with its points."""
    cells = stub_cells(exercise)
    cells[0]["metadata"]["nbgrader"] = grading(f"{exercise.id}_task", locked=True)
    for part in exercise.parts:
        id = f"{exercise.id}_{part}"
        test = "from miniae.exercises import assert_solved\n\n"
        test += f'assert_solved("{exercise.id}", globals(), part="{part}")'
        share = round(points / len(exercise.parts), 4)
        about = grading(id, locked=True, grade=True, points=share)
        cells.append(cell(f"test-{part}"[:64], "code", test, nbgrader=about))
    return notebook(cells)


def grading(id, **more):
    """Return what nbgrader keeps about a cell."""
    about = {"grade": False, "locked": False, "solution": False, "task": False, **more}
    kind = "code" if about["grade"] else "markdown"
    return {"grade_id": id, "schema_version": 3, "cell_type": kind, **about}


def code_of(data):
    """Return the code of a notebook, without magics and the lines that check it.

    Parameters
    ----------
    data : bytes of an ipynb file

    Raises
    ------
    ValueError : it is not a notebook
    """
    try:
        cells = json.loads(data)["cells"]
        codes = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise ValueError(f"the notebook cannot be read: {type(error).__name__}") from None
    codes = [GIVEN.sub(r"# \1", code) for code in codes]
    return "\n\n\n".join(codes).encode("utf-8", "surrogatepass") + b"\n"
