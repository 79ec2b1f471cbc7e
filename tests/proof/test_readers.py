"""Right code of kinds that a reader may bring: the gradient check must not accuse it."""

import math

import numpy as np
import pytest

from miniae import (
    Autoencoder,
    ConditionalVAE,
    Dense,
    Dropout,
    ImportanceWeightedVAE,
    Layer,
    Loss,
    ReLU,
    Sequential,
    gradient_check,
)
from miniae.proof import check_function
from miniae.proof.bugzoo.counterparts import BatchNorm, Huber, LoopConvolution, NormalizedRows


class RunningBatchNorm(BatchNorm):
    """With running statistics, updated in place, which a complex number cannot be added to."""

    def __init__(self, features=4):
        super().__init__(features)
        self.mean, self.var = np.zeros(features), np.ones(features)

    def forward(self, x, training=False):
        if training:
            mean, var = np.mean(x, axis=0), np.var(x, axis=0)
            self.mean *= 0.9
            self.mean += 0.1 * mean
            self.var *= 0.9
            self.var += 0.1 * var
        else:
            mean, var = self.mean, self.var
        self.training, std = training, np.sqrt(var + self.eps)
        xhat = (x - mean) / std
        return self.remember((xhat, std), self.params["gamma"] * xhat + self.params["beta"])

    def dx(self, dxhat):
        return super().dx(dxhat) if self.training else dxhat / self.cache[1]


class GroupNorm(Layer):
    """Two groups of two features: in float32 a group of two nearly equal numbers says little."""

    def forward(self, x, training=False):
        groups = x.reshape(len(x), 2, -1)
        std = np.sqrt(groups.var(axis=2, keepdims=True) + 1e-5)
        xhat = (groups - groups.mean(axis=2, keepdims=True)) / std
        return self.remember((xhat, std), xhat.reshape(x.shape))

    def backward(self, dout):
        xhat, std = self.recall(dout)
        d = dout.reshape(xhat.shape)
        along = (d * xhat).mean(axis=2, keepdims=True)
        return ((d - d.mean(axis=2, keepdims=True) - xhat * along) / std).reshape(dout.shape)


class MaxPool(Layer):
    """The larger one of each pair of features."""

    def forward(self, x, training=False):
        pairs = x.reshape(len(x), -1, 2)
        return self.remember((pairs.argmax(axis=2), x.shape), pairs.max(axis=2))

    def backward(self, dout):
        largest, shape = self.recall(dout)
        dx = np.zeros((*largest.shape, 2), dout.dtype)
        np.put_along_axis(dx, largest[..., None], dout[..., None], 2)
        return dx.reshape(shape)


class Gelu(Layer):
    """By math.erf, which takes one real number."""

    def forward(self, x, training=False):
        self.slope = np.vectorize(
            lambda t: 0.5 * (1 + math.erf(t / 2**0.5)) + t * math.exp(-t * t / 2) / math.tau**0.5
        )
        value = np.vectorize(lambda t: 0.5 * t * (1 + math.erf(t / 2**0.5)))
        return self.remember(x, value(x))

    def backward(self, dout):
        return dout * self.slope(self.recall(dout))


class Single(Layer):
    """A layer that casts its input to float32, whatever it is given."""

    def __init__(self):
        super().__init__(W=np.random.default_rng(0).standard_normal((4, 3)))

    def forward(self, x, training=False):
        x = np.asarray(x, np.float32)
        return self.remember(x, x @ self.params["W"])

    def backward(self, dout):
        x = self.recall(dout)
        self.grads["W"] = x.T @ dout
        return dout @ self.params["W"].T


class Recurrent(Layer):
    """h = tanh(x + h U), three times, the states in a list of real and complex arrays."""

    def __init__(self):
        super().__init__(U=0.3 * np.random.default_rng(0).standard_normal((4, 4)))

    def forward(self, x, training=False):
        states = [np.zeros_like(x)]
        for _ in range(3):
            states.append(np.tanh(x + states[-1] @ self.params["U"]))
        return self.remember(states, states[-1])

    def backward(self, dout):
        states, dU, dx = self.recall(dout), 0, 0
        for before, after in zip(states[-2::-1], states[:0:-1], strict=True):
            da = dout * (1 - after**2)
            dU, dx, dout = dU + before.T @ da, dx + da, da @ self.params["U"].T
        self.grads["U"] = dU
        return dx


class Laplace(Loss):
    """-log of a Laplace density; its second derivative is zero wherever it exists."""

    def entries(self, out, target):
        return np.abs(out - target) + np.log(2)

    def slopes(self, out, target, weight):
        return np.sign(out - target) * weight

    def draw(self, out, rng):
        return out + rng.laplace(size=out.shape)


class Quantile(Loss):
    """Nine times as dear below as above: out estimates the 0.9 quantile."""

    def entries(self, out, target):
        return np.where(target > out, 0.9, -0.1) * (target - out)

    def slopes(self, out, target, weight):
        return np.where(target > out, -0.9, 0.1) * weight


class Poisson(Loss):
    """-log p of counts of mean exp(out), with all that a likelihood has."""

    bounds = (0.0, np.inf)

    def entries(self, out, target):
        return np.exp(out) - target * out

    def slopes(self, out, target, weight):
        return (np.exp(out) - target) * weight

    def mean(self, out):
        return np.exp(out)

    def draw(self, out, rng):
        return rng.poisson(np.exp(out)).astype(float)


class Cosine(Loss):
    """1 - cos of the angle between out and target: a loss of whole samples."""

    def per_sample(self, out, target):
        out, target = self.remember(out, target)
        norms = np.linalg.norm(out, axis=1) * np.linalg.norm(target, axis=1)
        return 1 - (out * target).sum(axis=1) / norms

    def backward(self, weight=None):
        out, target = self.cached()
        weight = np.full(len(out), 1 / len(out)) if weight is None else weight
        a, b = (np.linalg.norm(v, axis=1, keepdims=True) for v in (out, target))
        along = (out * target).sum(axis=1, keepdims=True)
        return -(target / (a * b) - out * along / (a**3 * b)) * weight[:, None]


LAYERS = [
    RunningBatchNorm,
    GroupNorm,
    MaxPool,
    Gelu,
    Single,
    Recurrent,
    lambda: BatchNorm(4),
    NormalizedRows,
    lambda: LoopConvolution(4),
    lambda: Sequential(
        Dense(4, 8, rng=1), RunningBatchNorm(8), ReLU(), Dropout(0.3), Dense(8, 3, rng=2)
    ),
]
LOSSES = [Laplace, Quantile, Poisson, Cosine, Huber]
OFTEN = (RunningBatchNorm, Recurrent, Poisson)
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 20))]


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    "make",
    [pytest.param(m, marks=() if m in OFTEN else pytest.mark.slow) for m in [*LAYERS, *LOSSES]],
    ids=lambda make: make.__name__,
)
def test_right_code_of_a_readers_own_is_not_accused(make, seed):
    rng = np.random.default_rng(seed)
    x, target = rng.standard_normal((6, 4)), rng.random((6, 4))
    loss = make in LOSSES
    for options in ({"training": seed % 2 == 0}, {"method": "projection"}):
        gradient_check(make(), x, target if loss else None, seed=seed, **options).raise_if_wrong()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_right_models_with_more_arguments_are_not_accused(seed):
    rng = np.random.default_rng(seed)
    X, eps = rng.random((6, 4)), rng.standard_normal((6, 6, 2))
    labels = rng.integers(3, size=6)
    model = ConditionalVAE(4, 2, (5,), n_classes=3)
    gradient_check(model, X, labels=labels, seed=seed, tolerance=1e-12).raise_if_wrong()
    gradient_check(ImportanceWeightedVAE(4, 2, (5,), k=6), X, eps=eps, seed=seed).raise_if_wrong()


@pytest.mark.slow
def test_code_that_drops_the_imaginary_part_is_told_what_may_do_so():
    x = np.random.default_rng(0).standard_normal((6, 4))
    for make, word in (
        (lambda: BatchNorm(4), "var: "),
        (NormalizedRows, "norm: "),
        (lambda: LoopConvolution(4), "a real array that is filled"),
        (Gelu, "a function of real numbers only"),
    ):
        report = gradient_check(make(), x, training=True)
        assert report.ok and report.method == "central difference"
        assert word in report.notes[0], report.notes


def test_a_small_part_without_its_imaginary_part_is_not_overlooked():
    theta = np.random.default_rng(0).standard_normal(6)
    for small in (1e-3, 1e-6):
        report = check_function(
            lambda t, s=small: np.sum(t**3) + s * np.var(t), lambda t: 3 * t**2, theta
        )
        assert not report.ok and report.method == "central difference", report
        right = check_function(
            lambda t, s=small: np.sum(t**3) + s * np.var(t),
            lambda t, s=small: 3 * t**2 + 2 * s * (t - t.mean()) / 6,
            theta,
        )
        assert right.ok, right


@pytest.mark.parametrize(
    "method",
    [
        "complex step",
        pytest.param("central difference", marks=pytest.mark.slow),
        pytest.param("projection", marks=pytest.mark.slow),
    ],
)
def test_a_gradient_of_zero_may_be_rounding(method):
    network = Sequential(Dense(4, 3, rng=1), BatchNorm(3))
    x = np.random.default_rng(0).standard_normal((6, 4))
    report = gradient_check(network, x, method=method)
    assert report.ok and [b.name for b in report.blocks if b.zero] == ["0.b"], report
    assert "0 = 0" in str(report)


@pytest.mark.slow
def test_a_gradient_of_zero_is_no_more_than_rounding():
    x = np.random.default_rng(0).standard_normal((6, 4))

    class Leaks(Dense):
        def backward_params(self, dout):
            super().backward_params(dout)
            self.grads["b"] = self.grads["b"] + 1e-9

    assert not gradient_check(Sequential(Leaks(4, 3, rng=1), BatchNorm(3)), x).ok


def test_where_every_entry_is_at_a_kink_nothing_was_checked():
    x = 1e-9 * np.random.default_rng(0).standard_normal((4, 3))
    report = gradient_check(ReLU(), x, method="central difference")
    assert report.verdict == "NOTHING CHECKED" and "another x" in str(report)


def test_a_model_whose_encoder_is_dead_is_not_called_checked():
    model = Autoencoder(4, 2, (3,), code_activation="relu", loss="mse")
    model.encoder.layers[-2].params["b"] = np.array([-9.0, -8.0])
    model.decoder.theta = 0 * model.decoder.theta
    report = gradient_check(model, np.random.default_rng(0).random((5, 4)))
    zero = {block.name for block in report.blocks if block.zero}
    assert {"encoder.0.W", "encoder.2.W"} <= zero and "0 = 0" in str(report)


def test_eps_that_a_model_changes_is_a_side_effect():
    class Careless(ConditionalVAE):
        def loss(self, x, target=None, *, eps=None, **options):
            loss = super().loss(x, target, eps=eps, **options)
            if eps is not None:
                eps *= 2
            return loss

    rng = np.random.default_rng(0)
    report = gradient_check(
        Careless(4, 2, (5,), n_classes=3),
        rng.random((6, 4)),
        eps=rng.standard_normal((6, 2)),
        labels=rng.integers(3, size=6),
    )
    assert report.side_effects == ["forward or backward changed eps"]
    assert report.cause == "eps changed"
