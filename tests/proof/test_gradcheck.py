import json

import numpy as np
import pytest

from miniae import (
    VAE,
    Autoencoder,
    BernoulliNLL,
    Dense,
    Dropout,
    Flatten,
    GaussianNLL,
    Layer,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
    Softplus,
    SquaredError,
    Tanh,
    gradient_check,
)
from miniae.proof import (
    check_function,
)

SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))]
LIMIT = 1e-12  # the project's bound; rounding leaves some 1e-15

LAYERS = [
    Dense(6, 4, rng=3),
    Dense(6, 4, init="he", rng=4),
    ReLU(),
    Sigmoid(),
    Tanh(),
    Softplus(),
    Dropout(0.4),
    Flatten(),
    Reshape(2, 3),
    Sequential(Flatten(), Dense(6, 5), Softplus(), Dropout(0.2), Dense(5, 3), Sigmoid()),
]
LOSSES = [SquaredError(), BernoulliNLL(), GaussianNLL(0.7), GaussianNLL(0.7, learn_sigma=True)]


def own_encoder(n_out):
    return Sequential(Dense(6, 5, rng=1), Softplus(), Sequential(Dense(5, n_out, rng=2)))


MODELS = {
    "autoencoder": Autoencoder(6, 3, (5, 4)),
    "linear": Autoencoder(6, 3, (), loss="mse"),
    "dropout": Autoencoder(6, 3, (5, 4), dropout=0.3, code_activation="tanh"),
    "image": Autoencoder((2, 3), 3, (5,), loss="gaussian"),
    "own networks": Autoencoder(6, 3, (5,), encoder=own_encoder(3)),
    "vae": VAE(6, 2, (5,)),
    "deep vae": VAE(6, 3, (7, 5, 4), activation="relu"),
    "gaussian vae": VAE(6, 2, (5,), likelihood="gaussian"),
    "fixed sigma": VAE(6, 2, (5,), likelihood=GaussianNLL(0.3)),
    "beta": VAE(6, 2, (5,), beta=4.0, dropout=0.2),
    "free bits": VAE(6, 4, (5,), free_bits=0.15),
    "warm-up": VAE(6, 2, (5,), kl_warmup=4),
    "image vae": VAE((2, 3, 1), 2, (5,)),
    "own networks vae": VAE(6, 2, (5,), encoder=own_encoder(4)),
}


@pytest.mark.parametrize("seed", SEEDS[:3])
@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_every_layer_is_differentiated_exactly(layer, seed):
    x = np.random.default_rng(seed).standard_normal((5, 6))
    report = gradient_check(layer, x, training=True, seed=seed, tolerance=LIMIT)
    assert report.ok, report
    assert {block.name for block in report.blocks} >= {"x"}


@pytest.mark.parametrize("seed", SEEDS[:3])
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_every_loss_is_differentiated_exactly(loss, seed):
    rng = np.random.default_rng(seed)
    out, target = 3 * rng.standard_normal((5, 6)), rng.random((5, 6))
    report = gradient_check(loss, out, target, tolerance=LIMIT)
    assert report.ok, report


OFTEN = ("free bits",)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    "name", [pytest.param(m, marks=() if m in OFTEN else pytest.mark.slow) for m in MODELS]
)
def test_every_model_is_differentiated_exactly(name, seed):
    model, rng = MODELS[name], np.random.default_rng(seed)
    model.start_epoch(1)
    x, target = rng.random((2, 7, *model.input_shape))
    for options in ({"training": True}, {"target": target}):
        report = gradient_check(model, x, seed=seed, tolerance=LIMIT, **options)
        assert report.ok, report
        assert len(report.blocks) == len(list(model.named_params()))


def test_free_bits_hold_some_latents_and_not_others_in_the_check_above():
    model = MODELS["free bits"]
    x = np.random.default_rng(0).random((7, 6))
    clone = model.astype("float64")
    clone.loss(x, rng=np.random.default_rng(0), training=True)
    weight = clone.cache[-1]
    assert 0 < np.count_nonzero(weight) < 4


def test_noise_given_is_the_noise_used():
    vae = VAE(6, 2, (5,))
    rng = np.random.default_rng(0)
    x, eps = rng.random((4, 6)), rng.standard_normal((4, 2))
    assert gradient_check(vae, x, eps=eps, tolerance=LIMIT).ok
    assert vae.loss(x, eps=eps) == vae.loss(x, eps=eps) != vae.loss(x, eps=eps + 1)


class Wrong(Layer):
    """A layer with one thing wrong, to see whether the check sees it."""

    def __init__(self, fault):
        super().__init__(a=np.array([0.5, -1.5, 2.5]))
        self.fault = fault

    def forward(self, x, training=False):
        self.cache = x
        return x * self.params["a"]

    def backward(self, dout):
        x, a, fault = self.cache, self.params["a"], self.fault
        if fault == "accumulates":
            self.grads["a"] += (x * dout).sum(axis=0)
        elif fault != "forgets the parameter":
            factor = 1 + 1e-6 if fault == "one part in a million" else 1.0
            self.grads["a"] = factor * (x * dout).sum(axis=0)
        if fault == "changes x":
            x *= 2
        if fault == "changes dout":
            dout *= 2
            return dout / 2 * a
        if fault == "changes params":
            a += 1
            return dout * (a - 1)
        if fault == "wrong shape":
            return (dout * a).sum(axis=0)
        if fault == "not a number":
            return dout * np.nan
        return dout * (np.ones(3) if fault == "ignores its weights" else a)


FAULTS = {
    "forgets the parameter": "a ",
    "one part in a million": "a ",
    "ignores its weights": "x ",
    "not a number": "x ",
    "accumulates": "assign, do not add",
    "changes x": "changed x",
    "changes dout": "changed dout",
    "changes params": "changed params",
    "wrong shape": r"backward returned shape (3,) for x (5, 3)",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_and_named(fault):
    x = np.random.default_rng(0).standard_normal((5, 3))
    report = gradient_check(Wrong(fault), x)
    wrong = [line for line in str(report).splitlines() if "WRONG" in line or "side effect" in line]
    assert not report.ok
    assert any(FAULTS[fault] in line for line in wrong[:-1]), report
    with pytest.raises(AssertionError, match="wrong gradient"):
        report.raise_if_wrong()


def test_a_right_layer_of_a_readers_own_passes():
    report = gradient_check(Wrong(None), np.random.default_rng(0).standard_normal((5, 3)))
    assert report.ok and report.max_error < LIMIT, report
    report.raise_if_wrong()


def test_the_object_checked_stays_as_it_is():
    vae = VAE(6, 2, (5,))
    x = np.random.default_rng(0).random((4, 6)).astype("float32")
    before, kept, state = vae.theta.copy(), x.copy(), vae.rng.bit_generator.state
    gradient_check(vae, x, training=True)
    assert np.array_equal(vae.theta, before) and not vae.dtheta.any()
    assert np.array_equal(x, kept) and vae.rng.bit_generator.state == state


def test_the_report_goes_into_json_and_prints_a_line_per_block():
    report = gradient_check(Dense(3, 2), np.random.default_rng(0).standard_normal((4, 3)))
    read = json.loads(json.dumps(report.to_dict()))
    assert read["ok"] and [block["name"] for block in read["blocks"]] == ["W", "b", "x"]
    assert read["max_error"] == report.max_error
    assert len(str(report).splitlines()) == 1 + 1 + 3 + 1


def test_where_all_gradients_are_zero_nothing_was_checked():
    dead = Sequential(Dense(3, 2), ReLU())
    dead.layers[0].params["b"] = np.array([-5.0, -5.0])
    report = gradient_check(dead, 0.1 * np.random.default_rng(0).standard_normal((4, 3)))
    assert report.verdict == "NOTHING CHECKED" and not report.ok, report
    assert all(block.ok and block.zero for block in report.blocks)
    with pytest.raises(AssertionError, match="nothing was checked"):
        report.raise_if_wrong()


METHODS = ["complex step", "central difference", "projection"]


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["image"])
def test_three_methods_agree_that_a_right_model_is_right(name, method):
    model = MODELS[name]
    x = np.random.default_rng(0).random((3, *model.input_shape))
    report = gradient_check(model, x, training=True, method=method)
    assert report.ok, report
    assert report.method == method


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("fault", ["one part in a million", "ignores its weights"])
def test_three_methods_agree_that_a_wrong_layer_is_wrong(fault, method):
    x = np.random.default_rng(1).standard_normal((5, 3))
    assert not gradient_check(Wrong(fault), x, method=method).ok


def test_a_projection_takes_two_evaluations_per_block_whatever_its_size():
    calls = []

    class Counted(Dense):
        def forward(self, x, training=False):
            calls.append(x.dtype)
            return super().forward(x, training)

    for size in (3, 300):
        calls.clear()
        report = gradient_check(Counted(size, 20), np.ones((4, size)) / 3, method="projection")
        assert report.ok, report
        # W, b and x; then one for each of two other batch sizes.
        assert calls.count(np.dtype(complex)) == 2 * 3 + 2


@pytest.mark.slow
def test_the_whole_784_500_20_vae_is_checked_by_projection():
    vae = VAE(784, 20, (500,))
    report = gradient_check(
        vae, np.random.default_rng(0).random((10, 784)), training=True, method="projection"
    )
    assert report.ok and len(report.blocks) == 8, report


def test_relu_units_at_a_kink_are_counted_named_and_excused():
    x = np.random.default_rng(2).standard_normal((6, 5))
    x[np.abs(x) < 0.1] = 0.5
    x[0, 3] = x[4, 3] = x[2, 1] = 1e-6  # nearer to zero than any difference step
    report = gradient_check(Sequential(Flatten(), ReLU()), x, method="central difference")
    assert report.ok and report.kinks == {"1": 2} and report.blocks[0].excused == 3, report
    assert "kinks: 2 units of 1 crossed zero" in str(report)
    assert gradient_check(Sequential(Flatten(), ReLU()), x).kinks == {}


def test_a_wrong_gradient_near_a_kink_is_still_wrong():
    class Leaky(ReLU):
        def backward(self, dout):
            return dout

    x = np.random.default_rng(2).standard_normal((6, 5))
    x[0, 3] = 1e-6
    assert not gradient_check(Leaky(), x, method="central difference").ok


def quadratic(theta):
    return np.sum(np.sin(theta) * theta)


def quadratic_gradient(theta):
    return np.cos(theta) * theta + np.sin(theta)


@pytest.mark.parametrize("method", METHODS)
def test_a_pair_of_plain_functions_is_checked_without_any_class(method):
    theta = np.random.default_rng(0).standard_normal((3, 4))
    report = check_function(quadratic, quadratic_gradient, theta, method=method)
    assert report.ok and report.blocks[0].shape == (3, 4), report
    wrong = check_function(quadratic, lambda t: quadratic_gradient(t) + 1e-5, theta, method=method)
    assert not wrong.ok


def test_a_function_that_is_not_complex_safe_is_checked_by_differences_and_told_so():
    theta = np.random.default_rng(0).standard_normal(5)
    for f in (
        lambda t: np.sum(np.abs(t) ** 3),
        lambda t: float(np.sum(np.asarray(t, dtype=float) ** 2)),
        lambda t: sum(abs(x) ** 3 for x in t),
    ):
        h = 1e-6
        slopes = [(f(theta + h * e) - f(theta - h * e)) / (2 * h) for e in np.eye(5)]
        report = check_function(f, lambda t, s=slopes: np.array(s), theta, tolerance=1e-6)
        assert report.ok and report.method == "central difference", report
        assert "note: forward loses the imaginary part" in str(report)


def test_check_function_names_what_does_not_fit():
    with pytest.raises(ValueError, match=r"grad returned shape \(2,\) for theta of shape \(3,\)"):
        check_function(quadratic, lambda t: t[:2], np.ones(3))
    with pytest.raises(ValueError, match="method='finite' must be one of"):
        check_function(quadratic, quadratic_gradient, np.ones(3), method="finite")
    with pytest.raises(ValueError, match="method='finite' must be one of"):
        gradient_check(ReLU(), np.ones((2, 2)), method="finite")

    def careless(theta):
        theta += 1
        return quadratic_gradient(theta - 1)

    report = check_function(quadratic, careless, np.random.default_rng(0).standard_normal(3))
    assert not report.ok and report.side_effects == ["grad changed theta"]


def test_a_stale_cache_shows_because_another_forward_came_first():
    class Stale(Tanh):
        caches = ()

        def forward(self, x, training=False):
            out = super().forward(x, training)
            self.caches = (*self.caches, out)
            self.cache = self.caches[0]
            return out

    report = gradient_check(Stale(), np.random.default_rng(0).standard_normal((4, 3)))
    assert not report.ok and report.cause == "stale", report
