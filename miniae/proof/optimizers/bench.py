"""The bench for an optimiser: it makes runs, compares them with the rule, and adds lines."""

from dataclasses import dataclass

import numpy as np

from miniae.proof.optimizers.patterns import explain
from miniae.proof.optimizers.report import OptimizerReport, Property
from miniae.proof.optimizers.rules import clipped, clipped_as_in_torch, lengths
from miniae.proof.optimizers.runs import Trial, Walk, compare, draw, start, with_zeros
from miniae.proof.optimizers.subject import said

LATE = 50  # every known mistake has an effect before this step
CLEAR = 3  # limits by which a run must be off before a cause is searched


@dataclass(frozen=True)
class Size:
    """Numbers of steps; with hurry, the first wrong line ends the check, without a cause."""

    steps: int = 3000
    single: int = 1500  # in float32
    together: int = 1500  # with all settings varied
    short: int = 200
    long: int = 3  # with vectors longer than a block
    hurry: bool = False


class Enough(Exception):
    """Raised at the first wrong line if `Size.hurry` is set."""


class Bench:
    """An optimiser, the report on it, and the results of the runs so far.

    Attributes
    ----------
    other : dict, values for the settings that differ from the given ones
    tried : set of str, the settings that could be varied
    all_set : dict, changes with which all settings have an effect; {} until they are known right
    causes : set of str, the known mistakes found so far
    explained : dict, the mistakes found in runs, and the runs, by their ids
    with_state : dict, changes with which the optimiser has a state: a momentum
    clip : function, the way of clipping: as in the paper, or with PyTorch's 1e-6
    written : int, the first step whose dtheta was changed; 0 for none
    beside : bool, whether memory beside theta was changed
    """

    def __init__(self, subject, rng, size):
        self.subject, self.rng, self.size = subject, rng, size
        self.given = subject.settings
        self.report = OptimizerReport(
            subject.name, subject.rule, self.given, notes=list(subject.notes)
        )
        self.other = generic(rng, self.given)
        self.tried, self.causes, self.explained = set(), set(), {}
        self.with_state, self.all_set = {}, {}
        self.written, self.beside, self.clip = 0, False, clipped

    def scales(self, n):
        """Draw ordinary scales of the gradient, over six orders of magnitude."""
        return 10 ** self.rng.uniform(-3, 3, n)

    def small(self, n):
        """Draw scales similar to eps, if the rule has an eps."""
        eps = self.given.get("eps")
        return [] if eps is None else (eps or 1e-8) * 10 ** self.rng.uniform(-1, 1, n)

    def tiny(self, n):
        """Draw scales from 1e-30 to 1e-12."""
        return 10 ** (-30 + 18 / n * (np.arange(n) + self.rng.random(n)))

    def ordinary(self, steps, n=7):
        """Draw gradients of ordinary scales, with some zeros."""
        return with_zeros(self.rng, draw(self.rng, steps, self.scales(n)))

    def schedule(self):
        """Draw a learning rate that changes at every step."""
        rate, pace, phase = self.other["lr"], self.rng.uniform(0.5, 1.5), self.rng.uniform(0, 6)
        return lambda step: rate * (0.6 + 0.4 * np.sin(pace * step + phase)) / (1 + step / 1000)

    def trial(self, gradients, optimizer=None, meddle=None, period=None, refill=False, **changes):
        """Make a run with an optimiser; by default a new one with the given settings."""
        settings = {**self.given, **changes}
        optimizer = self.subject.fresh() if optimizer is None else optimizer
        theta = start(self.rng, gradients[:, :period], settings)
        walk = Walk(optimizer, np.resize(theta, gradients.shape[1]), refill)
        return self.as_trial(walk.run(gradients, meddle), settings, period)

    def as_trial(self, walk, settings, period=None):
        """Note what a walk has written to, and return its Trial."""
        self.written = self.written or walk.gradient_changed()
        self.beside = self.beside or walk.neighbours_changed()
        trial = Trial(walk, self.subject.rule, settings, period)
        if settings["clip_norm"] is not None and self.clip is not clipped:
            trial.follow(trial.problem.but(clip=self.clip))
        return trial

    def varied(self, name, gradients=None, **changes):
        """Try other settings; return None, with a note, if the constructor does not accept them."""
        why = self.subject.why_not(changes)
        if not why:
            try:
                optimizer = self.subject.build(**changes)
            except Exception as error:
                why = f"its constructor raised {said(error)}"
        if why:
            return self.skip(name, why)
        gradients = self.ordinary(self.size.short) if gradients is None else gradients
        trial = self.trial(gradients, optimizer, **changes)
        # Some constructors only pass settings on, or do not check whether lr is a function.
        unchecked = set(changes) - self.subject.named or callable(changes.get("lr"))
        if unchecked and trial.walk.trouble.startswith("step 1 raised"):
            return self.skip(name, trial.walk.trouble)
        self.tried |= set(changes)
        return trial

    def both(self, gradients, **options):
        """Try the given settings with a momentum, and all other settings that are known right."""
        trials = []
        for changes in (self.with_state, self.all_set):
            if "clip_norm" in changes:
                changes = changes | {"clip_norm": middle_norm(gradients)}
            if changes or not trials:
                optimizer = self.subject.build(**changes) if changes else None
                trials.append(self.trial(gradients, optimizer, **options, **changes))
        return trials

    def state_changes(self):
        """Return the changes with which the optimiser has a state: a momentum."""
        if self.subject.rule != "sgd" or self.given["momentum"]:
            return {}
        changes = {"momentum": self.other["momentum"]}
        if self.subject.why_not(changes) or "momentum" not in self.subject.named:
            return {}
        try:
            self.subject.build(**changes)
        except Exception:
            return {}
        return changes

    def line(self, name, *trials, columns=slice(None)):
        """Add a line for several trials; return whether it is right."""
        found = [self.compare(trial, columns) for trial in trials]
        wrong = [t for t, f in zip(trials, found, strict=True) if f.ratio > 1 or t.walk.trouble]
        worst = max(found, key=lambda f: f.ratio)
        if not wrong and not any(f.seen for f in found):
            self.skip(name, "rounding hides the steps")
            return True
        entry = worst.entry + (columns.start or 0)
        line = Property(
            name, not wrong, worst.error, worst.limit, worst.step, entry, worst.first or None
        )
        self.add(line)
        troubles = [trial.walk.trouble for trial in wrong if trial.walk.trouble]
        if troubles:
            line.detail = troubles[0]
        elif worst.lost:
            line.detail = "theta becomes NaN or infinite"
        if wrong and not troubles:
            line.cause = self.cause(wrong, worst)
        return line.ok

    def compare(self, trial, columns=slice(None)):
        """Compare a run with the rule; accept PyTorch's way of clipping."""
        problem = trial.problem
        found = compare(trial.expected, problem.theta, trial.after, columns)
        if found.ratio <= 1 or problem.settings["clip_norm"] is None or self.clip is not clipped:
            return found
        trial.follow(problem.but(clip=clipped_as_in_torch))
        other = compare(trial.expected, problem.theta, trial.after, columns)
        if other.ratio > 1:
            trial.follow(problem)
            return found
        self.clip = clipped_as_in_torch
        note = "the norm is 1e-6 larger when it clips, as in PyTorch; this is accepted"
        self.report.notes.append(note)
        return other

    def right(self, trials):
        """Return whether some runs follow the rule; add no line to the report."""
        return all(self.compare(trial).ratio <= 1 and not trial.walk.trouble for trial in trials)

    def cause(self, trials, worst):
        """Return the known mistakes that explain wrong runs, in words."""
        if worst.first > LATE or worst.ratio < CLEAR:
            return ""
        runs = tuple(id(trial) for trial in trials)
        if runs not in self.explained:  # several lines may be about the same runs
            self.explained[runs] = explain(trials, self.given, self.causes), trials
        causes, _ = self.explained[runs]
        self.causes |= set(causes)
        return " or ".join(causes)

    def fact(self, name, ok, detail):
        """Add a line on a fact; detail says what is wrong if it is not ok."""
        self.add(Property(name, ok, detail="" if ok else detail))

    def add(self, line):
        """Add a line to the report."""
        self.report.properties.append(line)
        if self.size.hurry and not line.ok:
            raise Enough

    def skip(self, what, why):
        """Add a note on something that was not tried."""
        self.report.notes.append(f"not tried: {what} ({why})")


def middle_norm(gradients):
    """Return the median norm of the gradients."""
    return float(np.median(lengths(gradients)))


def generic(rng, given):
    """Draw random settings, at which no simple mistake is hidden."""
    other = {"lr": rng.uniform(0.02, 0.1), "weight_decay": rng.uniform(0.05, 0.3)}
    if "betas" in given:
        other["betas"] = rng.uniform(0.6, 0.88), rng.uniform(0.9, 0.98)
        other["eps"] = 10 ** rng.uniform(-4, -2.5)
    else:
        other |= {"momentum": rng.uniform(0.5, 0.85), "nesterov": True}
    return other
