"""Print the questions on concepts, with the figures of one student."""

import textwrap

from miniae.exercises.checks.concepts import QUESTIONS, question_of


def show(student=""):
    """Print all questions of the exercise `concepts`."""
    print(f"The questions of {student!r}." if student else "The questions without an id.")
    for number, part in enumerate(QUESTIONS, 1):
        question = question_of(student, part)
        first, *rows = question.text.split("\n")
        print(f"\n{number}. {part}")
        print(textwrap.indent(textwrap.fill(first, 92), "   "))
        print("".join(f"{row}\n" for row in rows), end="")
        for n, choice in enumerate(question.choices, 1):
            print(textwrap.indent(textwrap.fill(f"{n}: {choice}", 88), "     "))
