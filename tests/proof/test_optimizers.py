import copy
import json
from functools import partial

import numpy as np
import pytest

import miniae
from miniae import SGD, Adam, check_optimizer
from miniae.optim import Optimizer
from miniae.proof.bugzoo import ZOO
from miniae.proof.optimizers import Size, examine, rounding, rules, subject
from miniae.proof.optimizers.rules import RULES, Problem

SPECIMENS = {each.id: each.wrong for each in ZOO if each.instrument_name == "textbook steps"}
BRIEF = Size(60, 40, 40, 30, 2)  # as check_optimizer, in shorter runs


def brief(optimizer, rule=None, seed=0, **settings):
    return examine(optimizer, rule, seed, BRIEF, **settings)


class Plain:
    """What plain loops share: settings as attributes, schedules, clipping."""

    def __init__(self, lr, weight_decay=0.0, clip_norm=None, **more):
        self.lr, self.weight_decay, self.clip_norm = lr, weight_decay, clip_norm
        self.t = 0
        for name, value in more.items():
            setattr(self, name, value)

    def prepared(self, dtheta):
        lr = self.lr(self.t) if callable(self.lr) else self.lr
        self.t += 1
        norm = np.sqrt((dtheta**2).sum())
        long = self.clip_norm is not None and norm > self.clip_norm
        return lr, dtheta * (self.clip_norm / norm) if long else dtheta


class PlainSGD(Plain):
    def __init__(self, lr, momentum=0.0, nesterov=False, weight_decay=0.0, clip_norm=None):
        super().__init__(lr, weight_decay, clip_norm, momentum=momentum, nesterov=nesterov)
        self.velocity = 0

    def step(self, theta, dtheta):
        lr, g = self.prepared(dtheta)
        g = g + self.weight_decay * theta
        self.velocity = self.momentum * self.velocity + g
        theta -= lr * (g + self.momentum * self.velocity if self.nesterov else self.velocity)


class PlainAdam(Plain):
    """The textbook's loop. A float32 theta keeps everything in float32, the scalars too."""

    coupled = False

    def __init__(self, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, clip_norm=None):
        super().__init__(lr, weight_decay, clip_norm, betas=betas, eps=eps)
        self.m = self.v = 0

    def step(self, theta, dtheta):
        lr, g = self.prepared(dtheta)
        lr, decay, eps, *betas = (
            theta.dtype.type(v) for v in (lr, self.weight_decay, self.eps, *self.betas)
        )
        g = g + decay * theta if self.coupled else g
        theta *= 1 if self.coupled else 1 - lr * decay
        theta -= lr * self.move(g, *betas, eps, theta.dtype.type(self.t))

    def move(self, g, beta1, beta2, eps, t):
        self.m = beta1 * self.m + (1 - beta1) * g
        self.v = beta2 * self.v + (1 - beta2) * g**2
        return self.m / (1 - beta1**t) / (np.sqrt(self.v / (1 - beta2**t)) + eps)


class CoupledAdam(PlainAdam):
    coupled = True


class LerpAdam(PlainAdam):
    """Averages that move by a part of the difference, corrections folded into the step."""

    def move(self, g, beta1, beta2, eps, t):
        self.m = self.m + (1 - beta1) * (g - self.m)
        self.v = self.v + (1 - beta2) * (g * g - self.v)
        root = np.sqrt(1 - beta2**t)
        return root / (1 - beta1**t) * self.m / (np.sqrt(self.v) + eps * root)


RIGHT = {
    "SGD": (SGD, None),
    "Adam": (Adam, None),
    "plain SGD": (PlainSGD, "sgd"),
    "plain Adam": (PlainAdam, "adamw"),
    "plain Adam, coupled": (CoupledAdam, "adam"),
    "lerp": (LerpAdam, "adamw"),
}
INSTANCES = {
    "Nesterov": lambda: SGD(0.3, 0.95, True, weight_decay=1e-4, clip_norm=1.0),
    "momentum with a schedule": lambda: SGD(lambda t: 0.1 / (1 + t), 0.5),
    "a tiny lr": lambda: SGD(1e-9),
    "Adam with all": lambda: Adam(lambda t: 1e-3 * 0.99**t, (0.5, 0.9), 1e-4, 0.3, 10.0),
    "betas of 0": lambda: Adam(1e-2, (0.0, 0.0), 1e-10),
    "a long memory": lambda: Adam(1e-4, (0.99, 0.9999), clip_norm=1e-3),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", RIGHT)
def test_a_right_class_is_not_accused(name):
    cls, rule = RIGHT[name]
    examine(cls, rule, seed=1).raise_if_wrong()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("name", RIGHT)
def test_a_right_class_is_not_accused_over_thousands_of_steps_whatever_the_seed(name, seed):
    cls, rule = RIGHT[name]
    report = (check_optimizer if seed < 2 else examine)(cls, rule, seed=seed)
    report.raise_if_wrong()
    assert not report.notes and len(report.properties) >= 20


@pytest.mark.slow
@pytest.mark.parametrize("name", INSTANCES)
def test_an_instance_of_any_settings_is_not_accused(name):
    report = brief(INSTANCES[name]())
    report.raise_if_wrong()
    assert not report.notes


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_the_optimisers_of_pytorch_are_not_accused(name):
    torch = pytest.importorskip("torch")

    class Wrapped:
        """Numbers that both sides share; lr may be a function, as in a LambdaLR."""

        def __init__(self, lr, clip_norm=None, **settings):
            self.lr, self.clip_norm, self.settings, self.t = lr, clip_norm, settings, 0

        def step(self, theta, dtheta):
            if not self.t:
                self.parameter = torch.from_numpy(theta)
                cls = getattr(torch.optim, name)
                self.optimizer = cls([self.parameter], lr=1.0, **self.settings)
            self.parameter.grad = torch.from_numpy(dtheta.copy())
            if self.clip_norm is not None:
                torch.nn.utils.clip_grad_norm_([self.parameter], self.clip_norm)
            (group,) = self.optimizer.param_groups
            group["lr"] = self.lr(self.t) if callable(self.lr) else self.lr
            self.optimizer.step()
            self.t += 1

    class WrappedSGD(Wrapped):
        def __init__(self, lr, momentum=0.0, nesterov=False, weight_decay=0.0, clip_norm=None):
            super().__init__(lr, clip_norm, momentum=momentum, nesterov=nesterov,
                             weight_decay=weight_decay)  # fmt: skip

    class WrappedAdam(Wrapped):
        def __init__(self, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, clip_norm=None):
            super().__init__(lr, clip_norm, betas=betas, eps=eps, weight_decay=weight_decay)

    for seed in range(5):
        cls = WrappedSGD if name == "SGD" else WrappedAdam
        report = (brief if seed else check_optimizer)(cls, name.lower(), seed=seed)
        report.raise_if_wrong()
        (note,) = report.notes
        assert note.startswith("the norm is 1e-6 larger when it clips, as in PyTorch")
    if name == "Adam":
        assert "(rule 'adam')" in brief(WrappedAdam, "adamw").diagnosis


# Which line must fail, and a cause that must be named; "" where none may be.
FAULTS = {
    "adam-without-t": ("steps 1 to 60", "t must count on"),
    "adam-t-per-parameter": ("steps 1 to 60", ""),
    "adam-t-one-late": ("steps 1 to 60", "t is one too large"),
    "adam-root-missing": ("steps 1 to 60", "the root is missing"),
    "adam-eps-inside-root": ("gradients as small as eps", "eps is inside the root"),
    "adam-eps-times-30": ("gradients as small as eps", "30 times what it is"),
    "adam-betas-ignored": ("betas", "betas is ignored: it acts as (0.9, 0.999)"),
    "adam-v-of-m": ("steps 1 to 60", "v averages m^2"),
    "adam-v-never-falls": ("steps 1 to 60", "AMSGrad"),
    "adam-state-in-float32": ("steps 1 to 60", ""),
    "adam-nan-at-zero": ("zeros in the gradient", "NaN"),
    "adam-decay-ignored": ("weight decay", "weight_decay is ignored"),
    "adam-decay-in-gradient": ("weight decay", "rule 'adam'"),
    "adam-decay-without-lr": ("weight decay", "not scaled by lr"),
    "adam-decay-after-step": ("weight decay", "after the step"),
    "sgd-decay-sign": ("weight decay", "wrong sign"),
    "sgd-schedule-from-1": ("schedule counted from 0", "counted from 1"),
    "sgd-lr-read-once": ("lr set between steps", "lr is read once"),
    "momentum-sign": ("momentum", "momentum has the wrong sign"),
    "momentum-not-kept": ("momentum", "momentum is ignored"),
    "momentum-damped": ("momentum", "times 1 - momentum"),
    "momentum-velocity-is-dtheta": ("refilled gradient buffer", "it keeps dtheta itself"),
    "nesterov-ignored": ("Nesterov momentum", "nesterov is ignored"),
    "clip-entrywise": ("clipping by the whole norm", "one by one"),
    "clip-per-block": ("long vectors", ""),
    "clip-update": ("clipping by the whole norm", "the update is clipped"),
    "optimizer-last-block": ("long vectors", "17 of 262,161 entries, from entry 262,144 on"),
    "optimizer-zeroes-dtheta": ("dtheta stays as it is", "the dtheta of step 1 is written to"),
    "optimizer-new-theta": ("steps 1 to 60", "theta stays as it was"),
    "optimizer-own-theta": ("theta set between steps", "does not go on from the theta"),
}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", FAULTS)
def test_the_right_line_fails_and_the_cause_is_named_or_unknown(name, seed):
    line, cause = FAULTS[name]
    report = brief(SPECIMENS[name], seed=seed)
    assert line in report.wrong
    failing = next(each for each in report.properties if each.name == line)
    assert cause in f"{failing.cause} {failing.detail}" if cause else not failing.cause


def test_a_wrong_momentum_is_not_taken_for_shared_state():
    report = brief(SPECIMENS["momentum-sign"])
    assert report.wrong == ["momentum", "Nesterov momentum", "all settings together"]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("adam-betas-ignored", marks=pytest.mark.slow),
        "clip-entrywise",
        pytest.param("optimizer-last-block", marks=pytest.mark.slow),
    ],
)
def test_a_wrong_line_says_which_and_why(name):
    line, cause = FAULTS[name]
    text = str(brief(SPECIMENS[name])).replace("\n    ", " ")
    assert f"{line} " in text and cause in text and "WRONG" in text


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sgd-wrong-late", "adam-corrections-dropped"])
def test_what_is_right_for_999_steps_is_wrong_at_the_thousandth(name):
    report = check_optimizer(SPECIMENS[name], steps=1100)
    assert report.properties[0].first == 1000 and not report.properties[0].cause
    assert "right up to step 999" in str(report)
    assert check_optimizer(SPECIMENS[name], steps=900).ok


def fresh_state_shared():
    """Return the specimen as it is in a new process, with nothing in it yet."""

    class Shared(Adam):
        everybodys = {}  # noqa: RUF012

        def __init__(self, *args, **settings):
            super().__init__(*args, **settings)
            self.state = self.everybodys

    return Shared


def fresh_t_shared():
    class Shared(SGD):
        steps = [0]  # noqa: RUF012

        def step(self, theta, dtheta):
            self.t = self.steps[0]
            super().step(theta, dtheta)
            self.steps[0] += 1

    return partial(Shared, lambda t: 0.1 / (1 + t))


def fresh_default_shared():
    class Shared(SGD):
        def __init__(self, lr, momentum=0.0, nesterov=False, state={}):  # noqa: B006
            super().__init__(lr, momentum, nesterov)
            self.state = state

    return Shared


@pytest.mark.parametrize("make", [fresh_state_shared, fresh_t_shared, fresh_default_shared])
def test_state_that_all_share_is_named_and_nothing_is_said_of_the_lines_it_spoils(make):
    report = brief(make())
    assert report.wrong == ["two optimisers share no state"]
    assert "right alone and wrong beside another one" in report.diagnosis
    assert any("anything else" in note for note in report.notes)


def late(first, then):
    class Late(SGD):
        def update(self, theta, dtheta, lr, velocity=None):
            super().update(theta, dtheta, lr * (then if self.t > first else 1), velocity)

    return Late


@pytest.mark.slow
def test_no_cause_is_named_where_none_explains_every_step():
    report = brief(late(3, 1.5))
    assert not report.ok and not any(line.cause for line in report.properties)
    assert "no known pattern" in report.diagnosis
    assert "every step is 1.5 times" in brief(late(0, 1.5)).diagnosis


def test_a_step_that_is_off_by_a_billionth_is_wrong_in_float64():
    assert not brief(late(0, 1 + 1e-9)).ok


@pytest.mark.slow
def test_an_instance_with_defaults_is_tried_with_other_settings_and_stays_as_it_was():
    for make in (SPECIMENS["adam-betas-ignored"], partial(SPECIMENS["nesterov-ignored"], 0.1)):
        optimizer = make()
        before = copy.deepcopy(vars(optimizer))
        assert not brief(optimizer).ok
        assert vars(optimizer) == before


class Odd:
    """Right SGD, under a constructor of its own; the rest of its settings is fixed."""

    def __init__(self, rate, momentum=0.8):
        self.rate, self.momentum, self.velocity = rate, momentum, 0

    def step(self, theta, dtheta):
        self.velocity = self.momentum * self.velocity + dtheta
        theta -= self.rate * self.velocity


class Pair(PlainAdam):
    """Takes beta1 and beta2, as the exercises do, and has them as attributes."""

    def __init__(self, lr, beta1, beta2, eps):
        super().__init__(lr, (beta1, beta2), eps)
        self.beta1, self.beta2 = beta1, beta2
        del self.betas

    betas = property(lambda self: (self.beta1, self.beta2), lambda self, _: None, lambda self: None)


@pytest.mark.slow
def test_settings_come_from_attributes_arguments_and_the_caller():
    report = brief(Odd(0.1), "sgd", lr=0.1)
    report.raise_if_wrong()
    assert report.settings["lr"] == 0.1 and report.settings["momentum"] == 0.8
    report = brief(Pair(0.01, 0.8, 0.95, 1e-6), "adamw")
    report.raise_if_wrong()
    assert report.settings["betas"] == (0.8, 0.95)
    factory = brief(lambda lr, momentum: Odd(lr, momentum), "sgd")
    factory.raise_if_wrong()
    assert not any("lr (" in note or "momentum (the" in note for note in factory.notes[:1])
    handed_on = brief(lambda **settings: SGD(**settings), lr=0.2)
    handed_on.raise_if_wrong()
    assert not handed_on.notes and handed_on.settings["lr"] == 0.2
    assert brief(partial(Adam, eps=1e-5)).settings["eps"] == 1e-5


def test_what_cannot_be_varied_is_said():
    class Bare:
        def __init__(self, lr):
            self._lr = lr

        def step(self, theta, dtheta):
            theta -= self._lr * dtheta

    report = brief(Bare(0.1), "sgd", lr=0.1)
    report.raise_if_wrong()
    text = "\n".join(report.notes)
    assert (
        "assumed, because the optimiser has no such attributes: momentum=0.0, nesterov=False"
        in text
    )
    assert "not tried: momentum (the constructor takes no momentum)" in text
    assert "not tried: lr set between steps (it has no attribute lr" in text
    assert "not tried: schedule counted from 0 (step 1 raised TypeError" in text


def test_lr_that_is_read_once_is_a_note_on_code_that_does_not_promise_more():
    class Once(PlainSGD):
        def __init__(self, lr):
            super().__init__(lr)
            self.kept = lr

        def step(self, theta, dtheta):
            lr, self.lr = self.lr, self.kept
            super().step(theta, dtheta)
            self.lr = lr

    report = brief(Once, "sgd")
    assert report.ok and any("setting lr between steps" in note for note in report.notes)


def test_what_a_step_raises_fails_its_line():
    class Raises(SGD):
        def step(self, theta, dtheta):
            if len(theta) == 1:
                raise IndexError("one is too few")
            super().step(theta, dtheta)

    report = brief(Raises)
    assert report.wrong == ["a vector of one"]
    assert "step 1 raised IndexError: one is too few" in str(report)


def test_a_rate_that_rounding_hides_is_not_called_right():
    report = brief(SGD(1e-30))
    assert any("(rounding hides the steps)" in note for note in report.notes) or report.ok


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: check_optimizer(Odd(0.1), lr=0.1), "say which rule Odd follows"),
        (lambda: check_optimizer(SGD, "momentum"), "rule='momentum'"),
        (lambda: check_optimizer(Odd(0.1), "sgd"), "lr is unknown"),
        (lambda: check_optimizer(SGD, betas=(0.9, 0.99)), "betas=.* is not a setting of the rule"),
        (lambda: check_optimizer(SGD(0.1), lr=0.2), "lr=0.2 is given, but the optimiser has 0.1"),
        (lambda: check_optimizer(SGD, steps=3), "steps=3"),
        (lambda: check_optimizer(Odd, "sgd"), "cannot be called with .*give an optimiser"),
        (lambda: check_optimizer(object(), "sgd"), "no method step"),
        (lambda: check_optimizer(dict, "sgd"), "no method step"),
        (lambda: check_optimizer(lambda one=SGD(0.1): one), "the same object each time"),  # noqa: B008
    ],
)
def test_what_cannot_be_checked_is_refused_with_the_reason(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_an_optimiser_that_has_made_steps_is_refused():
    optimizer = SGD(0.1)
    optimizer.step(np.ones(2), np.ones(2))
    with pytest.raises(ValueError, match=r"SGD\(lr=0.1\) has made 1 steps"):
        check_optimizer(optimizer)


@pytest.mark.slow
@pytest.mark.parametrize("cls", [SGD, SPECIMENS["adam-t-one-late"]])
def test_the_report_fits_80_columns_and_is_plain_data(cls):
    report = brief(cls)
    assert max(len(line) for line in str(report).split("\n")) <= 80
    found = json.loads(json.dumps(report.to_dict()))
    assert found["ok"] == report.ok and len(found["properties"]) == len(report.properties)
    if not report.ok:
        with pytest.raises(AssertionError, match="wrong optimiser\n"):
            report.raise_if_wrong()


@pytest.mark.slow
def test_seeds_draw_other_gradients_and_settings_and_a_seed_repeats_itself():
    figures = [[line.error for line in examine(SGD, seed=s).properties] for s in (0, 0, 1)]
    assert figures[0] == figures[1] != figures[2]


def test_the_top_level_has_the_checks():
    assert miniae.check_optimizer is miniae.proof.check_optimizer
    assert miniae.check_function is miniae.proof.check_function
    with pytest.raises(AttributeError):
        miniae.check_nothing  # noqa: B018


# Three steps with the gradients 1, 2, -3, from 0 and with lr = 0.1, worked out by hand.
# Adam: m = 0.1, 0.29, -0.039; v = 0.001, 0.004999, 0.013994; divided by 1 - beta^t they are
# m_hat = 1, 1.526316, -0.143911 and v_hat = 1, 2.500750, 4.669336.
# Momentum 0.5: velocity = 1, 2.5, -1.75; Nesterov: 1 + 0.5, 2 + 1.25, -3 - 0.875.
ADAM = {"lr": 0.1, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0, "clip_norm": None}
MOMENTUM = {"lr": 0.1, "momentum": 0.5, "nesterov": False, "weight_decay": 0.0, "clip_norm": None}
BY_HAND = {
    "adam": (ADAM, (-0.100000, -0.196518, -0.189858)),
    "adamw": (ADAM, (-0.100000, -0.196518, -0.189858)),
    "sgd": (MOMENTUM, (-0.100000, -0.350000, -0.175000)),
    "sgd nesterov": (MOMENTUM | {"nesterov": True}, (-0.150000, -0.475000, -0.087500)),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_the_rules_and_the_optimisers_follow_tables_worked_out_by_hand(name):
    settings, table = BY_HAND[name]
    gradients, rule = np.array([[1.0], [2.0], [-3.0]]), name.split()[0]
    problem = Problem(rule, gradients, np.array([[0.0], *[[v] for v in table[:2]]]), settings)
    assert np.abs(problem.solve().value[:, 0] - table).max() < 1e-6  # six digits by hand
    theta, optimizer = np.zeros(1), (SGD if rule == "sgd" else Adam)(**settings)
    for gradient, due in zip(gradients, table, strict=True):
        optimizer.step(theta, gradient)
        assert abs(theta[0] - due) < 1e-6


@pytest.mark.parametrize(
    ("rule", "settings", "due"),
    [
        # theta 2, gradient 4, decay 0.5: 2 - 0.1 (4 + 1), and 2 - 0.1 * 0.5 * 2 - 0.1 * 4 / 4
        ("sgd", MOMENTUM | {"weight_decay": 0.5}, 1.5),
        ("adamw", ADAM | {"weight_decay": 0.5, "eps": 0.0}, 1.8),
        ("adam", ADAM | {"weight_decay": 0.5, "eps": 5.0}, 1.95),  # 5 / (5 + 5) of lr
        ("sgd", MOMENTUM | {"clip_norm": 3.0}, 1.7),
        ("sgd", MOMENTUM | {"clip_norm": 5.0}, 1.6),
        ("sgd", MOMENTUM | {"lr": lambda step: 0.1 + step}, 1.6),
    ],
)
def test_the_rules_decay_clip_and_schedule_as_by_hand(rule, settings, due):
    problem = Problem(rule, np.array([[4.0]]), np.array([[2.0]]), settings)
    assert problem.solve().value[0, 0] == pytest.approx(due, rel=1e-15)


def test_a_bound_covers_what_the_dtype_does_and_is_not_idle():
    """Two float32 results of 4 roundings at most per step, against the bound of the same line."""
    rng = np.random.default_rng(0)
    a, b, c = rng.standard_normal((3, 20000)).astype("float32")
    arithmetic = rounding.Arithmetic("float32")
    x, y, z = (arithmetic.exact(v) for v in (a, b, c))
    b2, small = np.float32(0.999), np.float32(1e-3)
    cases = {
        "sum": (x + y, a + b),
        "product": (x * y - z, a * b - c),
        "quotient": (x / (z * z + 1), a / (c * c + 1)),
        "root": ((x * x + y * y).sqrt(), np.sqrt(a * a + b * b)),
        "power": (1 - arithmetic.once(0.999) ** np.arange(1, 20001), 1 - b2 ** np.arange(1, 20001)),
    }
    running = rounding.running(
        arithmetic.once(0.999), reshaped(x * arithmetic.once(1e-3), (200, 100))
    )
    v, rows = np.float32(0), []
    for row in a.reshape(200, 100):
        v = b2 * v + small * row
        rows.append(v)
    cases["running"] = running, np.array(rows)
    for name, (bound, got) in cases.items():
        assert got.dtype == np.float32 or name == "power"
        ratio = np.abs(got - bound.value) / bound.error
        assert ratio.max() <= 1, name
        # one rounding where the bound has room for FORMS, and a chain of them partly cancels
        assert ratio.max() > 0.01, name


def reshaped(bound, shape):
    return rounding.Rounded(
        bound.value.reshape(shape), bound.error.reshape(shape), bound.arithmetic
    )


@pytest.mark.slow
def test_a_machine_without_a_wider_float_reaches_the_same_verdicts(monkeypatch):
    for module in (rounding, rules):
        monkeypatch.setattr(module, "REAL", np.float64)
    for cls in (SGD, Adam):
        examine(cls).raise_if_wrong()
    for name in ("adam-eps-inside-root", "sgd-decay-sign", "adam-state-in-float32"):
        assert not examine(SPECIMENS[name]).ok


def test_every_rule_has_its_settings_and_every_class_of_miniae_its_rule():
    assert set(rules.NAMES) == set(RULES)
    exported = {getattr(miniae, name) for name in miniae.__all__}
    own = {c for c in exported if isinstance(c, type) and issubclass(c, Optimizer)} - {Optimizer}
    assert own == set(subject.KNOWN)
