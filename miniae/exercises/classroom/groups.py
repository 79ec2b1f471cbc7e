"""Group wrong answers that have no diagnosis by what they compute; a teacher can name a group.

Each student has other random inputs. So an answer is checked again with the inputs that all
students share, those of the student id "". Two answers are in one group if all arrays that they
return there agree to about four digits.
"""

import ast
import dataclasses
import hashlib
import json
import re
from collections import Counter

import numpy as np

from miniae.exercises.catalogue import EXERCISES
from miniae.exercises.classroom.report import bounded
from miniae.exercises.grader.worker import visible

VAGUE = ("", "unknown", "shape", "not_finite")  # keys of diagnoses that do not say why
STEPS = 1e4  # per array's largest entry, and per factor of 10 of that entry
OFFSET = 0.3787  # so that round numbers are not at the border of two steps
LINES = 14  # of the example's code
NAME = re.compile(r"([0-9a-f]{10})\s+([a-z0-9_]+\.[a-z0-9_]+)\s+(\S.*)")


def gives_no_reason(diagnosis):
    """Return whether the id of a diagnosis does not say why an answer is wrong."""
    return diagnosis.rpartition(".")[2] in VAGUE


def is_vague(verdict):
    """Return whether an answer is wrong and the verdict does not say why."""
    return verdict.state == "wrong" and gives_no_reason(verdict.diagnosis)


def fingerprint(exercise, part, answers, message=""):
    """Return ten digits for what a student's code computes.

    Parameters
    ----------
    exercise : str, id
    part : str
    answers : list of arrays, what the code returned with the shared inputs
    message : str, the grader's message, used if there are no arrays, without its numbers
    """
    digest = hashlib.sha256(f"{exercise} {part}".encode())
    for array in answers:
        digest.update(rounded(array).tobytes())
        digest.update(repr(array.shape).encode())
    if not answers:
        digest.update(re.sub(r"[-+.\d]+(e[-+]?\d+)?", "#", message).encode("utf-8", "replace"))
    return digest.hexdigest()[:10]


def rounded(array):
    """Return an array of integers that is the same for answers that differ by rounding only."""
    flat = np.ascontiguousarray(array)
    flat = np.stack([flat.real, flat.imag]) if np.iscomplexobj(flat) else flat
    flat = np.asarray(flat, np.float64).ravel()
    finite = np.isfinite(flat)
    largest = np.abs(flat[finite]).max(initial=0)
    if largest < 1e-300:
        largest = 1.0
    scaled = np.where(finite, flat, 0) / largest
    kinds = np.where(np.isnan(flat), 1, np.sign(np.where(finite, 0, flat)) * 2)
    steps = np.floor(np.append(scaled, np.log10(largest)) * STEPS + OFFSET)
    return np.concatenate([steps, kinds]).astype(np.int64)


def groups_of(result, again):
    """Return a dict from each part without a diagnosis to the digits of its group.

    Parameters
    ----------
    result : Result
    again : function without arguments that checks the answer with the shared inputs; it is called
        only if there is such a part
    """
    parts = [part for part, verdict in result.parts.items() if is_vague(verdict)]
    if not parts:
        return {}
    shared = again()
    return {
        part: fingerprint(
            result.exercise.id, part, shared.answers.get(part, []), shared.parts[part].message
        )
        for part in parts
        if shared.parts[part].state == "wrong"  # what is right there must never be in a group
    }


def read_names(path):
    """Return a dict from a group to (diagnosis, sentence).

    Each line of the file has the digits of a group, the id of the diagnosis and a sentence; lines
    that begin with # are ignored.

    Raises
    ------
    ValueError : a line is not of this form
    """
    names = {}
    for number, text in enumerate(path.read_text("utf-8-sig").splitlines(), 1):
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        found = NAME.fullmatch(text.strip())
        if not found or found[2].partition(".")[0] not in EXERCISES:
            raise ValueError(
                f"{path}, line {number}: {bounded(text)!r} must be a group, a diagnosis and a "
                "sentence, such as '0123456789 dense_backward.db_is_squared db is squared.'"
            )
        names[found[1]] = found[2], bounded(found[3])
    return names


def name_row(row, names):
    """Return a row in which the parts of known groups have their diagnosis."""
    row = dict(row)
    for part, group in parts_of(row):
        diagnosis, sentence = names.get(group, ("", ""))
        if not diagnosis or diagnosis.partition(".")[0] != row["exercise"]:
            continue
        ids = row["diagnoses"].split()
        vague = [id for id in ids if gives_no_reason(id)]
        if vague:
            ids.remove(vague[0])
        row["diagnoses"] = " ".join([*ids, diagnosis])
        said = row["message"].removeprefix(f"{part}: ")
        if said != row["message"]:
            row["diagnosis"], row["message"] = diagnosis, bounded(f"{part}: {sentence} {said}")
        row["groups"] = " ".join(f"{p}:{g}" for p, g in parts_of(row) if (p, g) != (part, group))
    return row


def parts_of(row):
    """Return the list of (part, group) of a row."""
    return [tuple(item.split(":", 1)) for item in row["groups"].split()]


@dataclasses.dataclass
class Group:
    """Wrong answers that compute the same.

    group : str, ten digits
    exercise, part : str
    students : list of str
    message : str, the grader's message for the first of them
    """

    group: str
    exercise: str
    part: str
    students: list
    message: str


def collect(rows):
    """Return the groups in rows, the largest first."""
    groups = {}
    for row in rows:
        for part, key in parts_of(row):
            said = row["message"] if row["message"].startswith(f"{part}: ") else ""
            group = groups.setdefault(key, Group(key, row["exercise"], part, [], said))
            group.students.append(row["student"])
    return sorted(groups.values(), key=lambda group: -len(group.students))


def code_of_part(source, part):
    """Return the lines in which a student's file defines a part, without its docstring.

    A part that is not a name in the file, as in a bug hunt, is the whole file.
    """
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    defined = [node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    if not defined:
        return []
    begin, end = defined[0].lineno, defined[-1].end_lineno
    for node in defined:
        if node.name == part:
            documented = ast.get_docstring(node) is not None and len(node.body) > 1
            begin, end = node.body[1 if documented else 0].lineno, node.end_lineno
    lines = source.decode("utf-8", "backslashreplace").splitlines()[begin - 1 : end]
    lines = ["".join(map(visible, text.expandtabs(4)))[:110] for text in lines]
    return lines[:LINES] + ["..."] * (len(lines) > LINES)


def as_text(groups, source_of):
    """Return the groups as text, each once with an example.

    Parameters
    ----------
    groups : list of Group
    source_of : function of (student, exercise) that returns the bytes of a student's file
    """
    if not groups:
        return "There is no wrong answer without a diagnosis.\n"
    total, covered, lines = sum(len(g.students) for g in groups), 0, []
    for group in groups:
        covered += len(group.students)
        lines.append(f"{heading(group)} ({100 * covered // total} % with those above)")
        if group.message:
            lines.append(f"    {group.message}")
        lines += [f"    | {text}" for text in example(group, source_of)]
        lines.append("")
    lines += [
        "To name a group, write a line like this into a file, and give the file with --names:",
        f"{groups[0].group} {groups[0].exercise}.short_id What is wrong, in one sentence.",
    ]
    return "\n".join(lines) + "\n"


def as_json(groups, source_of):
    """Return the groups as JSON."""
    found = [
        {**dataclasses.asdict(group), "code": "\n".join(example(group, source_of))}
        for group in groups
    ]
    return json.dumps(found, indent=2) + "\n"


def heading(group):
    """Return one line about a group."""
    return f"{group.group}  {group.exercise}, {group.part}: {people(group.students)}"


def example(group, source_of):
    """Return the code of the first student of a group."""
    return code_of_part(source_of(group.students[0], group.exercise), group.part)


def people(students):
    """Return how many students there are, and the first of them."""
    count = Counter(students)
    names = ", ".join(bounded(name) for name in list(count)[:5])
    more = ", ..." if len(count) > 5 else ""
    return f"{len(students)} student{'s' if len(students) > 1 else ''}: {names}{more}"
