"""The bug zoo: deliberately wrong implementations, many from real public code.

Each specimen names the instrument that must catch it. The same instrument must not catch the right
version of the code. So the zoo tests the instruments, and shows what each of them can detect.

>>> for row in survey(seed=0):
...     print(row.specimen.id, row.finding.evidence)
"""

from dataclasses import dataclass

from miniae.proof.bugzoo import (  # noqa: F401 (to fill the zoo)
    adversarial,
    attention,
    convolution,
    layers,
    losses,
    methods,
    models,
    multimodal,
    normalization,
    objectives,
    optimizers,
    priors,
    readers,
    recurrent,
    samplers,
    sequences,
    signals,
    unseen,
)
from miniae.proof.bugzoo.instruments import gradient_check
from miniae.proof.bugzoo.specimen import COLLECTION, Finding, Specimen

ZOO = tuple(COLLECTION)

__all__ = ["ZOO", "Finding", "Row", "Specimen", "score", "survey"]


@dataclass(frozen=True)
class Row:
    """A specimen, and the findings of its instrument on the wrong and on the right version."""

    specimen: Specimen
    finding: Finding
    correct: Finding

    @property
    def ok(self):
        """Whether the wrong code is caught and the correct code is not."""
        return self.finding.caught and not self.correct.caught

    @property
    def diagnosed(self):
        """Whether the right cause was named; None if the instrument gives no diagnosis."""
        if self.specimen.instrument is not gradient_check:
            return None
        return self.specimen.cause in self.finding.cause.split(" or ")  # "n or features"


def survey(seed=0, specimens=None):
    """Yield a Row for each specimen (by default of the whole zoo).

    Specimens with the same right version and instrument share the finding on the right version.
    """
    correct = {}
    for each in ZOO if specimens is None else specimens:
        key = each.instrument, each.right, str(each.options)
        if key not in correct:
            correct[key] = each.examine_correct(seed)
        yield Row(each, each.examine(seed), correct[key])


def score(rows):
    """Return one line on a survey: how many were caught, diagnosed, and falsely accused."""
    caught = sum(row.finding.caught for row in rows)
    known = [row.diagnosed for row in rows if row.diagnosed is not None]
    accused = sum(row.correct.caught for row in rows)
    return (
        f"caught {caught} of {len(rows)}; diagnosed {sum(known)} of {len(known)} that a gradient "
        f"check catches; correct code accused {accused} times"
    )
