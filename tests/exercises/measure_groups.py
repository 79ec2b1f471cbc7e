"""How many names cover the wrong answers of a class: mutants of the solutions, in groups.

    python tests/exercises/measure_groups.py             all exercises, some minutes
    python tests/exercises/measure_groups.py adam        these exercises

Each mutant breaks a solution in one place; see tests/mutate.py. An exercise's mutants that are
wrong without a diagnosis are put into groups by what they compute. Some mutants are right: a group
must never have one of them.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from solutions import solved

from miniae.exercises import EXERCISES, check_file, find
from miniae.exercises.groups import groups_of, is_vague
from miniae.exercises.running import cores, in_order

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
    """Return counts of an exercise: mutants, right, with a diagnosis, and the sizes of groups."""
    texts = sorted({text for _, _, text in mutants(solved(exercise.id))})[::every]
    jobs = list(enumerate(texts))
    sizes, right, named, errors = {}, 0, 0, 0
    for result, found in in_order(lambda j: examined(exercise, j[1], j[0], folder), jobs, cores()):
        right += result.state == "done"
        errors += result.state == "error"
        named += result.state == "wrong" and not any(map(is_vague, result.parts.values()))
        for group in found.values():
            sizes[group] = sizes.get(group, 0) + 1
    return len(texts), right, errors, named, sorted(sizes.values(), reverse=True)


def main():
    """Print a line for each exercise, and the sum."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("ids", nargs="*")
    parser.add_argument("--every", type=int, default=1)
    chosen = parser.parse_args()
    exercises = [find(id) for id in chosen.ids] or EXERCISES.values()
    print("exercise                mutants right errors named vague groups  share after k names")
    print(" " * 64 + "".join(f"{k:6}" for k in NAMES))
    total = [0] * 5
    covered = dict.fromkeys(NAMES, 0)
    with tempfile.TemporaryDirectory() as folder:
        for exercise in exercises:
            *counts, sizes = measure(exercise, Path(folder), chosen.every)
            counts.append(sum(sizes))
            total = [a + b for a, b in zip(total, counts, strict=True)]
            for k in NAMES:
                covered[k] += sum(sizes[:k])
            shares = "".join(f"{100 * sum(sizes[:k]) / max(sum(sizes), 1):5.0f}%" for k in NAMES)
            numbers = "".join(f"{n:6}" for n in (*counts, len(sizes)))
            print(f"{exercise.id:24}{numbers}    {shares}", flush=True)
    shares = "".join(f"{100 * n / max(total[-1], 1):5.0f}%" for n in covered.values())
    print(f"{'all, k for each':24}{''.join(f'{n:6}' for n in total)}          {shares}")


if __name__ == "__main__":
    main()
