"""The bug zoo: deliberately wrong implementations, many from real public code.

Each specimen names the instrument that must catch it; the correct code in its place must not be
caught. So the zoo tests the instruments, and shows a reader what each of them is for.

>>> for row in survey(seed=0):
...     print(row.specimen.id, row.finding.evidence)
"""

from dataclasses import dataclass

from miniae.proof.bugzoo import (  # noqa: F401 (to fill the zoo)
    convolution,
    layers,
    losses,
    methods,
    models,
    objectives,
    optimizers,
    others,
    readers,
    samplers,
    unseen,
)
from miniae.proof.bugzoo.instruments import gradient_check
from miniae.proof.bugzoo.specimen import COLLECTION, Finding, Specimen

ZOO = tuple(COLLECTION)

__all__ = ["ZOO", "Finding", "Row", "Specimen", "score", "survey"]


@dataclass(frozen=True)
class Row:
    """A specimen, and what its instrument says of it and of the correct code in its place."""

    specimen: Specimen
    finding: Finding
    correct: Finding

    @property
    def ok(self):
        """Whether the wrong code is caught and the correct code is not."""
        return self.finding.caught and not self.correct.caught

    @property
    def diagnosed(self):
        """Whether the cause was named; None where the instrument gives no diagnosis."""
        if self.specimen.instrument is not gradient_check:
            return None
        return self.specimen.names_the_cause(self.finding)


def survey(seed=0, specimens=None):
    """Examine the specimens (the whole zoo by default) and their correct twins, one by one.

    Specimens that share a twin and an instrument share what it says of the twin.
    """
    correct = {}
    for each in ZOO if specimens is None else specimens:
        twin = each.instrument, each.right, str(each.options)
        if twin not in correct:
            correct[twin] = each.examine_correct(seed)
        yield Row(each, each.examine(seed), correct[twin])


def score(rows):
    """Return one line on a survey: how many were caught, diagnosed, and falsely accused."""
    caught = sum(row.finding.caught for row in rows)
    known = [row.diagnosed for row in rows if row.diagnosed is not None]
    accused = sum(row.correct.caught for row in rows)
    return (
        f"caught {caught} of {len(rows)}; diagnosed {sum(known)} of {len(known)} that a gradient "
        f"check catches; correct code accused {accused} times"
    )
