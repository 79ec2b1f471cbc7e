"""Inference in several threads at once gives what it gives in one."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sampled import often

from miniae import (
    VAE,
    Autoencoder,
    Condition,
    ConditionalVAE,
    Dense,
    GaussianNLL,
    Layer,
    Masked,
    Sequential,
    conv_networks,
)

THREADS, REPEATS = 6, 8


@pytest.fixture(autouse=True)
def threads_take_turns_as_often_as_possible():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def assert_same_in_threads(calls, repeats=REPEATS):
    """Run all calls many times in threads, and compare each result with that of a serial call."""
    serial = [call() for call in calls]
    with ThreadPoolExecutor(THREADS) as pool:
        futures = [(i, pool.submit(call)) for _ in range(repeats) for i, call in enumerate(calls)]
        for i, future in futures:
            assert np.array_equal(future.result(), serial[i], equal_nan=True), i


class Twice(Layer):
    """A layer of one's own that keeps a Condition as an attribute and another one in a list."""

    def __init__(self, n_classes, n_out):
        self.label, self.dense = Condition(n_classes), Dense(2 * n_classes + 2, n_out, rng=4)
        self.more = [Condition(n_classes)]
        super().__init__(parts={"more": self.more[0]})

    def forward(self, x, training=False):
        return self.dense.forward(self.more[0].forward(self.label.forward(x, training)), training)

    def backward(self, dout):
        return self.label.backward(self.more[0].backward(self.dense.backward(dout)))


def conditional(own=False):
    networks = {}
    if own:
        inner = Sequential(Sequential(Condition(3), Dense(9, 5, rng=1)), Dense(5, 4, rng=2))
        networks = {"encoder": inner, "decoder": Sequential(Twice(3, 5), Dense(5, 6, rng=3))}
    return ConditionalVAE(6, 2, (5,), n_classes=3, dtype="float64", **networks)


@pytest.mark.parametrize("own", often(2, [True, False]))
def test_each_thread_gets_samples_of_its_label(own):
    model = conditional(own)
    model.decoder.theta = 2 * np.random.default_rng(0).standard_normal(model.decoder.theta.size)
    calls = [lambda c=c: model.sample(40, seed=1, labels=c) for c in range(3)]
    assert not np.array_equal(calls[0](), calls[1]())
    assert_same_in_threads(calls, 30)


@pytest.mark.slow
def test_labels_of_other_lengths_and_other_methods_do_not_meet():
    model, rng = conditional(), np.random.default_rng(0)
    calls = []
    for n, c in ((7, 0), (50, 1), (13, 2), (1, 0)):
        X, labels = rng.random((n, 6)), rng.integers(3, size=n)
        Z = rng.standard_normal((n, 2))
        twos = model.given(c)
        calls += [
            lambda X=X, y=labels: model.encode(X, y),
            lambda X=X, y=labels: model.elbo(X, labels=y),
            lambda X=X, y=labels: model.log_likelihood(X, 5, labels=y),
            lambda X=X, y=labels: model.anomaly_score(X, labels=y),
            lambda X=X, y=labels: model.reconstruct(X, y),
            lambda X=X, y=labels: model.posterior(X, y)[1],
            lambda X=X, y=labels: model.posterior_sample(X, 3, seed=0, labels=y),
            lambda X=X, y=labels: model.kl_per_dimension(X, labels=y),
            lambda X=X, y=labels: model.evaluate(X, labels=y),
            lambda X=X, y=labels: model.score(X, labels=y),
            lambda X=X, y=labels: model(X, labels=y),
            lambda Z=Z, y=labels: model.decode(Z, y),
            lambda X=X, twos=twos: twos.elbo(X),
        ]
    assert_same_in_threads(calls, 4)


MODELS = {
    "dense": lambda: VAE(8, 2, (16,), dtype="float64"),
    "dropout": lambda: VAE(8, 2, (16,), dropout=0.5, dtype="float64"),
    "masked": lambda: VAE(8, 2, likelihood=Masked(GaussianNLL(0.5)), dtype="float64"),
    "deterministic": lambda: Autoencoder(8, 2, (16,), dtype="float64"),
    "images": lambda: VAE((8, 8, 1), 2, **conv(), dtype="float64"),
}


def conv():
    encoder, decoder = conv_networks((8, 8, 1), 2, channels=(2, 3), variational=True)
    return {"encoder": encoder, "decoder": decoder}


@pytest.mark.slow
@pytest.mark.parametrize("name", often(3, MODELS))
def test_a_model_without_labels_is_right_in_threads_too(name):
    model, calls, rng = MODELS[name](), [], np.random.default_rng(0)
    model.theta = model.theta + 0.3 * rng.standard_normal(model.theta.size)
    for n in (3, 30, 11):
        X = rng.random((n, *model.input_shape))
        if name == "masked":
            X[::2, 3] = np.nan
        calls += [
            lambda X=X: model.encode(X),
            lambda X=X: model.reconstruct(X),
            lambda X=X: model.anomaly_score(X),
            lambda X=X: model.evaluate(X),
        ]
        if name != "deterministic":
            calls += [
                lambda X=X: model.elbo(X),
                lambda X=X: model.log_likelihood(X, 5),
                lambda n=n: model.sample(n, seed=n),
            ]
    assert_same_in_threads(calls)


def test_a_condition_that_the_labels_cannot_reach_is_refused():
    class Closure(Layer):
        def __init__(self):
            condition = Condition(3)
            self.run = condition.forward
            super().__init__(parts={"condition": condition})

        def forward(self, x, training=False):
            return self.run(x)

    for layer in (Closure(), Sequential(Closure())):
        encoder = Sequential(layer, Dense(9, 4))
        with pytest.raises(ValueError, match="encoder: a Condition layer is not used, or is kept"):
            ConditionalVAE(6, 2, n_classes=3, encoder=encoder)


def test_inference_between_loss_and_backward_is_refused_not_mixed_up():
    model, X = conditional(), np.random.default_rng(0).random((4, 6))
    for method in (model.encode, model.evaluate, model.elbo, model.kl_per_dimension):
        model.loss(X, labels=[0, 1, 2, 0])
        method(X, labels=[2, 2, 2, 2])
        with pytest.raises(RuntimeError, match="backward was called before loss"):
            model.backward()


def test_inference_copies_no_parameters():
    model = conditional()
    other = model.labelled(1, 1)
    assert other.theta is model.theta
    assert other.decoder.layers[1] is model.decoder.layers[1]
    assert model.encoder.layers[1].labels is None


def test_a_loss_that_another_thread_interrupts_uses_its_own_arrays():
    class Interrupted(GaussianNLL):
        waiting = None

        def __setattr__(self, name, value):
            super().__setattr__(name, value)
            if name == "cache" and self.waiting is not None:
                other, Interrupted.waiting = self.waiting, None
                self.per_sample(*other)  # as a second thread would, at this moment

    rng = np.random.default_rng(0)
    loss, (out, target) = Interrupted(), rng.standard_normal((2, 5, 3))
    expected = loss.per_sample(out, target)
    Interrupted.waiting = rng.standard_normal((2, 4, 3))
    assert np.array_equal(loss.per_sample(out, target), expected)
    assert Interrupted.waiting is None


def test_an_evaluation_that_another_thread_interrupts_has_its_own_terms():
    class Interrupted(VAE):
        waiting = None

        def record(self, loss, **terms):
            loss = super().record(loss, **terms)
            if self.waiting is not None:
                other, Interrupted.waiting = self.waiting, None
                model.evaluate(other)
            return loss

    rng = np.random.default_rng(0)
    model, X = Interrupted(6, 2, (4,)), rng.random((9, 6))
    expected = model.evaluate(X, return_dict=True)
    Interrupted.waiting = rng.random((5, 6))
    assert model.evaluate(X, return_dict=True) == expected
    assert Interrupted.waiting is None
