"""The report of a gradient check: one line per parameter block, and the likely mistake."""

from dataclasses import asdict, dataclass, field

import numpy as np

from miniae.plumbing.text import aligned

ROUNDING = 1e-13  # of the largest gradient entry: rounding may leave this where the truth is 0
SAFETY = 10.0  # estimated errors by which a difference may be off
BLURRED = 0.01  # of a block's largest entry: a difference with a larger error is not used


@dataclass
class Block:
    """How the gradient of one parameter (or of the input) compares with the numeric one.

    `error` is the largest difference, relative to the block's largest entry. `index` is its
    position, `analytic` and `numeric` are the two values there; for projections these values are
    projections, and the index is empty. `limit` is the largest `error` allowed there. `excused`
    counts entries that the numeric gradient cannot decide, such as those at a kink. `zero` is
    whether both gradients are zero to rounding; then nothing was compared.
    """

    name: str
    shape: tuple
    error: float
    index: tuple
    analytic: float
    numeric: float
    ok: bool
    excused: int = 0
    limit: float = 0.0
    zero: bool = False


@dataclass
class GradientReport:
    """What a gradient check found.

    Attributes
    ----------
    blocks : list of Block
    side_effects : list of str, what `backward` changed and must not change
    failures : list of str, what went wrong in further runs: another mode, batch size, dtype, ...
    kinks : dict of str to int
        ReLU layers with units that crossed zero within a difference step, and how many units.
    notes : list of str, what the reader should know about how the check was made
    cause, diagnosis : str
        If something is wrong: a short name of the likely cause, and a sentence on what to do.
    """

    title: str
    method: str
    tolerance: float
    blocks: list = field(default_factory=list)
    side_effects: list = field(default_factory=list)
    failures: list = field(default_factory=list)
    kinks: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)
    cause: str = ""
    diagnosis: str = ""

    @property
    def max_error(self):
        """The largest relative error of all blocks; 0 if there is none."""
        errors = [block.error for block in self.blocks]
        return float(np.max(errors)) if errors else 0.0  # NaN wins

    @property
    def verdict(self):
        """One of "ok", "WRONG" and "NOTHING CHECKED".

        Nothing was checked if every entry was excused, or every gradient is zero: a dead ReLU
        hides all layers before it.
        """
        wrong = self.side_effects or self.failures or not all(block.ok for block in self.blocks)
        compared = [b for b in self.blocks if not b.zero and b.excused < np.prod(b.shape)]
        return "WRONG" if wrong else "ok" if compared else "NOTHING CHECKED"

    @property
    def ok(self):
        """Whether at least one entry was compared, and all that were are right."""
        return self.verdict == "ok"

    def compare(self, name, analytic, numeric, error=0.0, *, largest=0.0, scale=None, shape=None):
        """Add a block, given its two gradients.

        error : estimated error of each numeric entry; inf where the entry decides nothing
        largest : the largest entry of the whole numeric gradient; an entry below ROUNDING times
            this may be rounding noise, such as the gradient of a bias before a normalisation
        scale, shape : for projections, the largest entry of the block's gradient, and its shape
        """
        if scale is None:
            scale = max(np.abs(analytic).max(initial=0), np.abs(numeric).max(initial=0))
        rounding = ROUNDING * largest
        blurred = SAFETY * error > BLURRED * max(scale, 1e-3 * largest)
        allowed = self.tolerance * scale + np.where(blurred, np.inf, SAFETY * error + rounding)
        apart = np.where(blurred, 0.0, np.abs(analytic - numeric))
        # The entry that exceeds the allowed error most; argmax finds NaN first.
        index = np.unravel_index(np.argmax(apart - np.where(blurred, 0, allowed)), apart.shape)
        zero = bool(scale <= np.max(np.where(blurred, 0, allowed), initial=0))
        self.blocks.append(
            Block(
                name,
                analytic.shape if shape is None else shape,
                float(apart[index] / (max(scale, largest if zero else 0) or 1.0)),
                tuple(int(i) for i in index) if shape is None else (),
                float(analytic[index]),
                float(numeric[index]),
                bool((apart <= allowed).all()),  # false for NaN
                int(np.sum(blurred * np.ones(apart.shape))) if shape is None else 0,
                float(allowed[index] / (scale or 1.0)) if not blurred[index] else self.tolerance,
                zero,
            )
        )

    def to_dict(self):
        """Return the report as plain numbers, strings, lists and dicts."""
        return {**asdict(self), "ok": self.ok, "verdict": self.verdict, "max_error": self.max_error}

    def raise_if_wrong(self):
        """Raise AssertionError with the report unless the verdict is "ok"."""
        if not self.ok:
            wrong = "wrong gradient" if self.verdict == "WRONG" else "nothing was checked"
            raise AssertionError(f"{wrong}\n{self}")

    def __str__(self):
        rows = [("block", "shape", "rel. error", "worst entry", "analytic", "numeric", "")]
        for block in self.blocks:
            word = "0 = 0" if block.zero and block.ok else "ok" if block.ok else "WRONG"
            if block.excused:
                word += f", {block.excused} at kinks left out"
            rows.append(
                (
                    block.name,
                    str(block.shape),
                    f"{block.error:.1e}",
                    str(block.index) if block.index else "-",
                    f"{block.analytic:+.9e}",
                    f"{block.numeric:+.9e}",
                    word,
                )
            )
        lines = aligned(rows)
        lines += [f"kinks: {n} units of {name} crossed zero" for name, n in self.kinks.items()]
        lines += [f"side effect: {effect}" for effect in self.side_effects]
        lines += [f"failure: {failure}" for failure in self.failures]
        lines += [f"note: {note}" for note in self.notes]
        lines += [f"diagnosis: {self.diagnosis}"] if self.diagnosis else []
        limit = max([self.tolerance, *(block.limit for block in self.blocks)])
        end = f"largest error {self.max_error:.1e}, tolerance {limit:.0e}"
        if self.verdict == "NOTHING CHECKED":
            end = "every gradient is zero, or at a kink; try another x, or other parameters"
        word = "all ok" if self.ok else self.verdict
        return "\n".join([f"{self.title}, {self.method}", *lines, f"{word}: {end}"])
