"""The report on an optimiser: one line per property, and the likely mistake."""

import textwrap
from dataclasses import asdict, dataclass, field

from miniae.plumbing.text import aligned

WIDTH = 80


@dataclass
class Property:
    """One property of an optimiser, in a line of the report.

    error, limit : float or None
        The error of theta where it is largest relative to its bound, and the bound, both relative
        to the right step there. None if nothing is measured.
    step, entry : int or None, their place; steps count from 1, entries from 0
    first : int or None, the first wrong step
    detail : str, what is wrong, if this is visible
    cause : str, the known mistake that gives exactly these steps; "" if there is none
    """

    name: str
    ok: bool
    error: float | None = None
    limit: float | None = None
    step: int | None = None
    entry: int | None = None
    first: int | None = None
    detail: str = ""
    cause: str = ""


@dataclass
class OptimizerReport:
    """What `check_optimizer` found.

    Attributes
    ----------
    name, rule : str, of the class, and "sgd", "adam" or "adamw"
    settings : dict, the given settings
    properties : list of Property
    notes : list of str, what was assumed, and what was not tried and why
    diagnosis : str, the likely mistake in words; "" if everything is right
    """

    name: str
    rule: str
    settings: dict
    properties: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    diagnosis: str = ""

    @property
    def ok(self):
        """Whether the optimiser follows the rule in everything that was tried."""
        return all(line.ok for line in self.properties)

    @property
    def wrong(self):
        """The names of the properties that fail."""
        return [line.name for line in self.properties if not line.ok]

    def to_dict(self):
        """Return everything as plain numbers, strings, lists and dicts."""
        settings = {k: "a function" if callable(v) else v for k, v in self.settings.items()}
        return {**asdict(self), "settings": settings, "ok": self.ok}

    def raise_if_wrong(self):
        """Raise AssertionError with the report unless the report is ok."""
        if not self.ok:
            raise AssertionError(f"wrong optimiser\n{self}")

    def __str__(self):
        shown = ", ".join(f"{name}={text(value)}" for name, value in self.settings.items())
        lines = wrap(f"{self.name} by the rule {self.rule!r}: {shown}")
        rows = [("property", "error", "limit", "worst at", "")]
        for line in self.properties:
            where = "-" if line.step is None else f"step {line.step}, entry {line.entry}"
            figures = ["-" if v is None else f"{v:.1e}" for v in (line.error, line.limit)]
            rows.append((line.name, *figures, where, "ok" if line.ok else "WRONG"))
        lines += aligned(rows)
        for line in self.properties:
            seen = [f"right up to step {line.first - 1}"] if (line.first or 0) > 1 else []
            seen += [line.detail] if line.detail else []
            lines += wrap(f"{line.name}: {'; '.join(seen)}") if seen else []
        for note in self.notes:
            lines += wrap(f"note: {note}")
        lines += wrap(f"diagnosis: {self.diagnosis}") if self.diagnosis else []
        held = len(self.properties) - len(self.wrong)
        verdict = "all ok" if self.ok else "WRONG"
        lines += wrap(f"{verdict}: {held} of {len(self.properties)} properties hold")
        return "\n".join(lines)


def text(value):
    """Return a setting in words."""
    if callable(value):
        return "a function"
    return f"{value:g}" if isinstance(value, float) else str(value)


def wrap(text):
    """Return a text as lines of at most WIDTH columns; all but the first are indented."""
    return textwrap.wrap(text, WIDTH, subsequent_indent="    ", break_long_words=True)


def diagnose_optimizer(properties):
    """Return the causes of all wrong lines in words, each with the names of its lines."""
    causes = {}
    for line in properties:
        if not line.ok and (line.cause or not line.detail):
            causes.setdefault(line.cause or "no known pattern", []).append(line.name)
    said = []
    for cause, names in causes.items():
        more = f" and {len(names) - 2} more" if len(names) > 3 else ""
        said.append(f"{cause} ({', '.join(names[:2] if more else names)}{more})")
    return "; ".join(said)
