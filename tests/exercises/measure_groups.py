"""How many names cover the wrong answers of a class: mutants of the solutions, in groups.

    python tests/exercises/measure_groups.py             all exercises, some minutes
    python tests/exercises/measure_groups.py adam        these exercises

Each mutant breaks a solution in one place; see tests/mutate.py. An exercise's mutants that are
wrong without a diagnosis are put into groups by what they compute. Some mutants are right: a group
must never have one of them.

The shares are those of a class in which each mutant is handed in once, and, on the right, of a
class in which some mistakes are common: the r-th mutant, in random order, is handed in 1/r times as
often as the first (Zipf's law, an assumption).
"""

import argparse
import itertools
import random
import sys
import tempfile
from pathlib import Path

from solutions import solved

from miniae.exercises import EXERCISES, check_file, find
from miniae.exercises.classroom.groups import groups_of, is_vague
from miniae.exercises.grader.running import cores, in_order

sys.path.insert(0, str(Path(__file__).parents[1]))
from mutate import mutants

NAMES = (1, 2, 3, 5, 10)  # how many groups the teacher has named


def examined(exercise, text, number, folder, seconds=8):
    """Return the result of a mutant with inputs of its own, and its groups."""
    path = folder / f"{number}_{exercise.file}"
    path.write_text(text, "utf-8")
    result = check_file(exercise, path, f"student {number}", seconds)
    return result, groups_of(result, lambda: check_file(exercise, path, "", seconds))


def measure(exercise, folder, every=1):
    """Return counts of an exercise (mutants, right, error, named), and the sizes of groups."""
    texts = sorted({text for _, _, text in mutants(solved(exercise.id))})[::every]
    random.Random(0).shuffle(texts)
    jobs = list(enumerate(texts))
    once, zipf, right, named, errors = {}, {}, 0, 0, 0
    for result, found in in_order(lambda j: examined(exercise, j[1], j[0], folder), jobs, cores()):
        right += result.state == "done"
        errors += result.state == "error"
        named += result.state == "wrong" and not any(map(is_vague, result.parts.values()))
        for group in found.values():  # several if several parts are wrong
            once[group] = once.get(group, 0) + 1
            zipf[group] = zipf.get(group, 0) + 1 / sum(once.values())
    return (len(texts), right, errors, named), ordered(once), ordered(zipf)


def ordered(sizes):
    """Return the sizes of groups, the largest first."""
    return sorted(sizes.values(), reverse=True)


def shares(sizes):
    """Return as text the shares after the first k names."""
    return "".join(f"{100 * sum(sizes[:k]) / max(sum(sizes), 1e-9):5.0f}%" for k in NAMES)


def main():
    """Print a line for each exercise, and the sum."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("ids", nargs="*")
    parser.add_argument("--every", type=int, default=1)
    chosen = parser.parse_args()
    exercises = [find(id) for id in chosen.ids] or EXERCISES.values()
    print(
        "exercise                mutants right error named vague groups   after k names      ",
        end="",
    )
    print("            Zipf's law")
    print(" " * 62 + 2 * ("".join(f"{k:6}" for k in NAMES) + "   "))
    total, all_once, all_zipf = [0] * 6, [], []
    with tempfile.TemporaryDirectory() as folder:
        for exercise in exercises:
            counts, once, zipf = measure(exercise, Path(folder), chosen.every)
            counts = [*counts, round(sum(once)), len(once)]
            total = [a + b for a, b in zip(total, counts, strict=True)]
            all_once.append(once)
            all_zipf.append([size / max(sum(zipf), 1e-9) for size in zipf])
            numbers = "".join(f"{n:6}" for n in counts)
            print(f"{exercise.id:24}{numbers}  {shares(once)}   {shares(zipf)}", flush=True)
    numbers = "".join(f"{n:6}" for n in total)
    print(
        f"{'k names for each':24}{numbers}  {shares(added(all_once))}   {shares(added(all_zipf))}"
    )


def added(lists):
    """Return the sums of the first sizes of all lists, of the second, and so on."""
    return [sum(sizes) for sizes in itertools.zip_longest(*lists, fillvalue=0)]


if __name__ == "__main__":
    main()
