"""Write what a class hands in, to measure `report`: a folder for each student, no answer missing.

    python tests/exercises/make_class.py OUT
    time python -m miniae.exercises report OUT --only 1 2 3 ... 20 --csv > grades.csv

Each answer is the reference solution, or one of the typical wrong answers; all of them end by
themselves. `--students 40 --exercises 20` are the defaults, 800 checks.
"""

import argparse
import random
from pathlib import Path

from solutions import replace, solved
from wrong_answers import WRONG

from miniae.exercises import EXERCISES


def answer(id, rng, share):
    """Return the text of an answer; a share of the answers is wrong."""
    text = solved(id)
    if rng.random() >= share:
        return text
    old, new, _ = rng.choice(WRONG[id])
    return replace(text, old, new)


def make_class(folder, students=40, exercises=20, share=0.4, seed=0):
    """Write the answers into `folder`, and return the exercises."""
    rng, chosen = random.Random(seed), list(EXERCISES.values())[:exercises]
    for number in range(1, students + 1):
        own = folder / f"s{number:03}"
        own.mkdir(parents=True)
        for exercise in chosen:
            (own / exercise.file).write_text(answer(exercise.id, rng, share), "utf-8")
    return chosen


def main():
    """Write a class, and print the command that grades it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--students", type=int, default=40)
    parser.add_argument("--exercises", type=int, default=20)
    parser.add_argument("--wrong", type=float, default=0.4, help="share of wrong answers")
    chosen = parser.parse_args()
    exercises = make_class(chosen.folder, chosen.students, chosen.exercises, chosen.wrong)
    only = " ".join(str(exercise.number) for exercise in exercises)
    print(f"{chosen.students * len(exercises)} answers. To grade them:")
    print(
        f"time python -m miniae.exercises report {chosen.folder} --csv --only {only} > grades.csv"
    )


if __name__ == "__main__":
    main()
