"""Does an optimiser do what its paper says? Each property is compared with the rule.

The rules are in `rules.py`, the largest error of a right optimiser in `rounding.py`.

>>> report = check_optimizer(Adam)
>>> print(report)
>>> report.raise_if_wrong()
"""

from contextlib import suppress
from functools import partial

import numpy as np

from miniae.optim import BLOCK
from miniae.proof.optimizers.bench import Bench, Enough, Size, middle_norm
from miniae.proof.optimizers.report import diagnose_optimizer
from miniae.proof.optimizers.runs import Walk, draw, start, with_zeros
from miniae.proof.optimizers.subject import Subject

SHORT = Size(1050, 40, 40, 30, 2, hurry=True)  # for the bug zoo, which makes many checks
PERIOD = 1009  # entries after which a long vector repeats itself: a prime, which fits no block
SHARED = (
    "right alone and wrong beside another one: keep the state in self, so that every optimiser has "
    "its own"
)
KEPT = "it keeps dtheta itself for the next step, but the caller overwrites dtheta: keep a copy"
OWN = "it does not go on from the theta it is given, when the caller has changed that"


def check_optimizer(optimizer, rule=None, *, seed=0, steps=3000, **settings):
    """Compare an optimiser with the rule of the textbook, property by property.

    Any object with ``step(theta, dtheta)`` can be checked, if the method changes the vector theta
    in place. The gradients are prescribed: of mixed scales, zero, tiny and huge. Every step is
    compared with the rule in extended precision, to a bound on the rounding error
    (`miniae.proof.optimizers.rounding`). So even one wrong step in thousands is found.

    Parameters
    ----------
    optimizer : an optimiser, or a class or function that makes one
        If the constructor accepts settings by name, other values are also tried. So an optimiser
        that ignores a setting is found.
    rule : {"sgd", "adam", "adamw"} or None
        "sgd" is with or without momentum, also Nesterov's. Weight decay is added to dtheta in "sgd"
        and "adam", and is separate in "adamw". None for miniae's classes and their subclasses.
    seed : int, of gradients, theta and settings
    steps : int >= 10, the length of the longest run
    **settings : lr, momentum, nesterov, betas, eps, weight_decay, clip_norm
        The settings of the optimiser, if it has no attributes with these names; or the settings
        for its constructor.

    Returns
    -------
    OptimizerReport
        A cause is named only if it explains every step of the failing runs. The notes say what
        could not be tried.

    Raises
    ------
    ValueError : the rule or lr is unknown, or the optimiser cannot be constructed
    """
    if steps < 10:
        raise ValueError(f"steps={steps!r} must be 10 or more")
    size = Size(steps, single=max(steps // 2, 10), together=max(steps // 2, 10))
    return examine(optimizer, rule, seed, size, **settings)


def examine(optimizer, rule=None, seed=0, size=SHORT, **settings):
    """Check an optimiser as `check_optimizer` does, with runs of other sizes."""
    rng = np.random.default_rng(seed)
    subject = Subject(optimizer, rule, settings, lr=rng.uniform(0.01, 0.03))
    with np.errstate(all="ignore"):  # the figures show what is wrong
        return Examination(subject, rng, size).run()


class Examination(Bench):
    """The checks of all properties, which fill one report."""

    def run(self):
        """Check every property, and return the report."""
        with suppress(Enough):
            self.every_property()
        self.report.diagnosis = diagnose_optimizer(self.report.properties)
        return self.report

    def every_property(self):
        """Check every property; stop if optimisers share state, as all other checks then fail."""
        self.given_settings()
        if self.two_optimisers():
            huge = 10 ** self.rng.uniform(15, 100, 3)  # almost too large to be squared
            self.line("huge gradients", self.trial(draw(self.rng, self.size.short, huge)))
            self.varied_settings()
            self.other_vectors()
            self.the_callers_arrays()
        else:
            self.skip("anything else", "one optimiser disturbs the next")

    def given_settings(self):
        """Check the given settings, over many steps, with gradients of all sizes."""
        n, small, tiny = self.size.steps, self.small(3), self.tiny(3)
        scales = np.concatenate([self.scales(5), small, tiny, self.scales(3)])
        trial = self.main = self.trial(with_zeros(self.rng, draw(self.rng, n, scales)))
        a, b = 5 + len(small), 5 + len(small) + len(tiny)
        self.line(f"steps 1 to {n}", trial, columns=slice(0, 5))
        if len(small):
            self.line("gradients as small as eps", trial, columns=slice(5, a))
        if self.given.get("eps") == 0:
            self.skip("tiny gradients and zeros", "without eps they divide 0 by 0")
        else:
            self.line("tiny gradients", trial, columns=slice(a, b))
            self.line("zeros in the gradient", trial, columns=slice(b, None))

    def two_optimisers(self):
        """Let two optimisers take turns; return whether they do not affect each other."""
        name, changes = "two optimisers share no state", self.state_changes()
        pairs = [(self.main, self.subject.fresh, {})]
        if not self.subject.refusal and (changes or self.subject.instance is not None):
            build = partial(self.subject.build, **changes)
            alone = self.trial(self.ordinary(self.size.short), build(), **changes)
            self.with_state = changes if self.right([alone]) else {}
            pairs.append((alone, build, changes))
        trials = []
        for alone, make, changes in pairs:
            if self.right([alone]):
                trials += self.in_turns(alone, make, changes)
        if not trials:
            self.skip(name, "one alone is wrong")
            return True
        right = self.line(name, *trials)
        if not right and not self.right(trials[::2]):
            self.report.properties[-1].cause = SHARED
            return False
        return True

    def in_turns(self, alone, make, changes):
        """Repeat the run of an optimiser alone, with steps of another optimiser in between."""
        settings, made = {**self.given, **changes}, [0, 0]
        first = np.array(alone.walk.seen[: self.size.short])
        gradients = first, draw(self.rng, len(first), self.scales(first.shape[1]))
        thetas = alone.walk.before[0], start(self.rng, gradients[1], settings)
        walks = [Walk(make(), theta) for theta in thetas]
        turns = (self.rng.random(len(first)) < 0.3).astype(int)
        turns[:2] = 1, 0  # the other one makes the first step
        for turn in turns:
            walks[turn].step(gradients[turn][made[turn]])
            made[turn] += 1
        return [self.as_trial(walk, settings) for walk in walks]

    def varied_settings(self):
        """Check other settings, one by one and all at once."""
        other, takes = self.other, self.subject.takes
        self.check_varied("lr", lr=other["lr"])
        self.check_varied("schedule counted from 0", lr=self.schedule())
        self.lr_set_later()
        if self.subject.rule == "sgd":
            plain = {"nesterov": False} if "nesterov" in takes else {}
            self.check_varied("momentum", momentum=other["momentum"], **plain)
            self.check_varied("Nesterov momentum", momentum=other["momentum"], nesterov=True)
        else:
            self.check_varied("betas", betas=other["betas"])
            near = draw(self.rng, self.size.short, other["eps"] * self.scales(7) ** 0.5)
            self.check_varied("eps", near, eps=other["eps"])
        self.check_varied("weight decay", weight_decay=other["weight_decay"])
        # so small that clipping the update instead of the gradient would also have an effect
        lr = {"lr": 1.5 if self.subject.rule == "sgd" else other["lr"]} if "lr" in takes else {}
        gradients = self.ordinary(self.size.short)
        gradients *= other["lr"] / middle_norm(gradients)
        limit = middle_norm(gradients)
        self.check_varied("clipping by the whole norm", gradients, clip_norm=limit, **lr)
        self.all_together({**other, "lr": self.schedule(), "clip_norm": None})

    def check_varied(self, name, gradients=None, **changes):
        """Add a line on other settings, if the constructor accepts them."""
        trial = self.varied(name, gradients, **changes)
        if trial is not None:
            self.line(name, trial)

    def all_together(self, changes):
        """Check all settings together; if they are right, keep them for the following lines."""
        changes = {name: value for name, value in changes.items() if name in self.tried}
        gradients = self.ordinary(self.size.together)
        if "clip_norm" in changes:
            changes["clip_norm"] = middle_norm(gradients)
        if len(changes) < 2:
            return
        ways = [{"nesterov": on} for on in (True, False)] if "nesterov" in changes else [{}]
        name = "all settings together"
        trials = [self.varied(name, gradients, **changes | way) for way in ways]
        if None not in trials and self.line(name, *trials):
            self.all_set = changes

    def lr_set_later(self):
        """Set lr between two steps, as a user's loop may do."""
        name, optimizer, when = "lr set between steps", self.subject.fresh(), self.size.short // 8
        before, after = self.given["lr"], self.other["lr"]
        try:
            optimizer.lr = optimizer.lr
        except AttributeError:
            return self.skip(name, "it has no attribute lr that can be set")

        def meddle(t, walk):
            if t == when:
                walk.optimizer.lr = after

        def lr(t):
            return after if t >= when else before(t) if callable(before) else before

        trial = self.trial(self.ordinary(self.size.short), optimizer, meddle, lr=lr)
        if self.subject.ours or self.right([trial]) or not self.right([self.main]):
            return self.line(name, trial)
        why = trial.walk.trouble or self.cause([trial], self.compare(trial)) or "no known pattern"
        note = f"setting lr between steps does not have the effect of a schedule: {why}"
        return self.report.notes.append(note)

    def other_vectors(self):
        """Check a vector of one entry, vectors longer than a block, and float32."""
        size = self.size
        self.line("a vector of one", *self.both(draw(self.rng, size.short, self.scales(1))))
        trials = self.both(self.periodic(2 * BLOCK + 17), period=PERIOD)
        trials.append(self.trial(self.periodic(BLOCK, "float32"), period=PERIOD))
        self.line("long vectors", *trials)
        if self.report.properties[-1].name == "long vectors":
            self.copies(trials)
        scales = np.concatenate([self.scales(4), self.small(2), self.tiny(2), self.scales(3)])
        gradients = draw(self.rng, size.single, scales, "float32")
        if self.given.get("eps") == 0:
            gradients = gradients[:, :4]
        else:
            gradients = with_zeros(self.rng, gradients)
        huge = 10 ** self.rng.uniform(15, 15.5, 3)  # float32 can still represent their squares
        few = draw(self.rng, size.short, huge, "float32")
        self.line("float32", *self.both(gradients), self.trial(few))

    def periodic(self, n, dtype="float64"):
        """Draw gradients of n entries that repeat after PERIOD entries."""
        gradients = draw(self.rng, self.size.long, self.scales(PERIOD), dtype)
        return np.array([np.resize(row, n) for row in gradients])

    def copies(self, trials):
        """Check that entries of the long vectors with the same gradients move in the same way.

        Each is off by at most the limits of all steps so far, so two differ by at most twice that.
        """
        line = self.report.properties[-1]
        for trial in trials:
            limits = 2 * np.cumsum(trial.expected.error, axis=0)
            for step, theta in enumerate(trial.walk.after):
                here = (trial.after[step], limits[step], trial.problem.theta[step])
                first, limit, before = (np.resize(a.astype(float), len(theta)) for a in here)
                off = np.abs(theta - first)
                wrong = np.nonzero(~(off <= limit))[0]
                if len(wrong) and not line.detail:
                    k, count = int(wrong[0]), len(wrong)
                    size = abs(first[k] - before[k]) or 1.0
                    line.ok, line.step, line.entry = False, step + 1, k
                    line.error, line.limit = float(off[k] / size), float(limit[k] / size)
                    line.detail = (
                        f"{count:,} of {len(theta):,} entries, from entry {k:,} on, do not move "
                        f"like the first {PERIOD}, which have the same gradients"
                    )

    def the_callers_arrays(self):
        """Check that the optimiser respects the caller's theta and dtheta."""
        gradients, half = self.ordinary(self.size.short), self.size.short // 2
        right = self.line("refilled gradient buffer", *self.both(gradients, refill=True))
        if not right and self.right(self.both(gradients)):
            self.report.properties[-1].cause = KEPT

        def meddle(t, walk):
            if t == half:
                walk.theta *= 0.5

        right = self.line("theta set between steps", *self.both(gradients, meddle=meddle))
        if not right and self.right(self.both(gradients)):
            self.report.properties[-1].cause = OWN
        self.fact("dtheta stays as it is", not self.written,
                  f"the dtheta of step {self.written} is written to")  # fmt: skip
        self.fact(
            "nothing beside theta changes", not self.beside, "it writes beyond the ends of theta"
        )
