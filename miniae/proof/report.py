"""The report of a gradient check: a line per parameter block, and what is probably wrong."""

from dataclasses import asdict, dataclass, field

import numpy as np

from miniae.inspection import aligned


@dataclass
class Block:
    """How the gradient of one parameter (or of the input) compares with the numeric one.

    `error` is the largest difference, relative to the block's largest entry; `index` is where,
    with the two values there. By projection there is no entry: the values are projections, and the
    index is empty. `excused` counts entries left out because a ReLU crossed zero within the step.
    """

    name: str
    shape: tuple
    error: float
    index: tuple
    analytic: float
    numeric: float
    ok: bool
    excused: int = 0


@dataclass
class GradientReport:
    """What a gradient check found.

    Attributes
    ----------
    blocks : list of Block
    side_effects : list of str, what `backward` changed that it must not
    kinks : dict of str to int
        ReLU layers with units that crossed zero within a difference step, and how many units.
    notes : list of str, what the reader should know about how it was checked
    cause, diagnosis : str
        Where something is wrong: a short name of the likely cause, and what to do, in words.
    """

    title: str
    method: str
    tolerance: float
    blocks: list = field(default_factory=list)
    side_effects: list = field(default_factory=list)
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
    def ok(self):
        """Whether all blocks are within tolerance, and `backward` changed nothing it must not."""
        return all(block.ok for block in self.blocks) and not self.side_effects

    def compare(self, name, analytic, numeric, excused=None, *, scale=None, shape=None):
        """Add a block, given its two gradients; two that are both zero agree.

        Projections pass the block's shape, and the largest entry of its gradient as the scale.
        """
        left_out = np.zeros(analytic.shape, bool) if excused is None else excused
        if scale is None:
            scale = max(np.abs(analytic).max(initial=0), np.abs(numeric).max(initial=0))
        errors = np.where(left_out, 0.0, np.abs(analytic - numeric))
        index = tuple(int(i) for i in np.unravel_index(np.argmax(errors), errors.shape))
        error = float(errors[index] / (scale or 1.0))  # argmax finds NaN first
        self.blocks.append(
            Block(
                name,
                analytic.shape if shape is None else shape,
                error,
                index if shape is None else (),
                float(analytic[index]),
                float(numeric[index]),
                error <= self.tolerance,  # false for NaN
                int(left_out.sum()),
            )
        )

    def to_dict(self):
        """Return everything as plain numbers, strings, lists and dicts."""
        return {**asdict(self), "ok": self.ok, "max_error": self.max_error}

    def raise_if_wrong(self):
        """Raise AssertionError with the report unless all is well."""
        if not self.ok:
            raise AssertionError(f"wrong gradient\n{self}")

    def __str__(self):
        rows = [("block", "shape", "rel. error", "worst entry", "analytic", "numeric", "")]
        for block in self.blocks:
            rows.append(
                (
                    block.name,
                    str(block.shape),
                    f"{block.error:.1e}",
                    str(block.index) if block.index else "-",
                    f"{block.analytic:+.9e}",
                    f"{block.numeric:+.9e}",
                    ("ok" if block.ok else "WRONG")
                    + (f", {block.excused} at kinks left out" if block.excused else ""),
                )
            )
        lines = aligned(rows)
        lines += [f"kinks: {n} units of {name} crossed zero" for name, n in self.kinks.items()]
        lines += [f"side effect: {effect}" for effect in self.side_effects]
        lines += [f"note: {note}" for note in self.notes]
        lines += [f"diagnosis: {self.diagnosis}"] if self.diagnosis else []
        verdict = "all ok" if self.ok else "WRONG"
        lines += [f"{verdict}: largest error {self.max_error:.1e}, tolerance {self.tolerance:.0e}"]
        return "\n".join([f"{self.title}, {self.method}", *lines])
