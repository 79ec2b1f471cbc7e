import copy

import numpy as np
import pytest

from miniae import SGD, VAE, Adam, Autoencoder

RNG = np.random.default_rng(3)
X = RNG.random((40, 6))
QUIET = {"epochs": 1, "verbose": 0}


class Momentum:
    """An optimiser that is not an Optimizer: all that it needs is step(theta, dtheta)."""

    def __init__(self, lr=0.01):
        self.lr, self.velocity, self.steps = lr, None, 0

    def step(self, theta, dtheta):
        velocity = 0 if self.velocity is None else 0.9 * self.velocity
        self.velocity, self.steps = velocity + dtheta, self.steps + 1
        theta -= self.lr * self.velocity


def trained(optimizer, latent_dim=2, **options):
    return Autoencoder(6, latent_dim, (5,)).fit(X, optimizer=optimizer, **QUIET, **options)


@pytest.mark.parametrize("make", [lambda: Adam(0.01), lambda: SGD(0.01, momentum=0.9), Momentum])
def test_an_optimiser_of_another_model_is_a_specification(make):
    shared = make()
    first = trained(shared)
    assert first.optimizer is shared
    for latent_dim in (2, 3):  # of the same size, and of another
        model = trained(shared, latent_dim)
        assert model.optimizer is not shared
        assert np.array_equal(model.theta, trained(make(), latent_dim).theta)
    before = first.theta.copy()
    first.fit(X, optimizer=shared, **QUIET)  # its own averages are untouched
    again = trained(make())
    again.fit(X, **QUIET)
    assert not np.array_equal(before, first.theta) and np.array_equal(first.theta, again.theta)


@pytest.mark.parametrize("make", [lambda: Adam(0.01), Momentum])
def test_a_copy_goes_on_with_its_state_when_the_same_object_is_given_again(make):
    shared = make()
    trained(shared)
    model = trained(shared).fit(X, optimizer=shared, **QUIET)
    alone = make()
    other = trained(alone).fit(X, optimizer=alone, **QUIET)
    assert np.array_equal(model.theta, other.theta)


def test_a_copy_has_the_settings_that_the_object_has_now():
    shared = Adam(0.01)
    trained(shared)
    model = trained(shared)
    shared.lr = 0.5
    model.fit(X, optimizer=shared, **QUIET)
    assert model.optimizer.lr == 0.5 and model.optimizer.t == 2


def test_rebuilt_weights_start_with_new_averages():
    model, optimizer = VAE(6, 2, (5,)), SGD(0.01, momentum=0.9)
    model.fit(X, optimizer=optimizer, **QUIET)
    model.set_params(beta=2.0).fit(X, optimizer=optimizer, **QUIET)
    fresh = VAE(6, 2, (5,), beta=2.0).fit(X, optimizer=SGD(0.01, momentum=0.9), **QUIET)
    assert np.array_equal(model.theta, fresh.theta)


def test_a_copied_model_goes_on_with_its_own_copy_of_the_optimiser():
    model = trained(Adam(0.01))
    copied = copy.deepcopy(model)
    copied.fit(X, **QUIET)
    model.fit(X, **QUIET)
    assert np.array_equal(copied.theta, model.theta)


@pytest.mark.parametrize("given", [Adam, lambda: Adam(), Momentum, lambda: Momentum(0.01)])
def test_a_class_or_a_function_makes_a_new_optimiser_for_each_call(given):
    model = trained(given)
    first = model.optimizer
    assert model.fit(X, optimizer=given, **QUIET).optimizer is not first
    assert np.array_equal(trained(given).theta, trained(given()).theta)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (SGD, "SGD cannot be called without arguments .* such as SGD"),
        (3, "optimizer=3 must be one of"),
        ("adm", "optimizer='adm' must be one of"),
        (lambda: "adam", "must be one of"),
        (type("Torch", (), {"step": lambda self, closure=None: None})(), "step.theta, dtheta"),
        (type("Fixed", (), {"__slots__": (), "step": lambda s, t, d: None})(), "__slots__"),
    ],
)
def test_what_is_not_an_optimiser_is_refused_by_name(given, words):
    with pytest.raises(ValueError, match=words):
        trained(given)


def test_a_checkpoint_needs_an_optimiser_whose_state_is_known(tmp_path):
    with pytest.raises(ValueError, match="derive its class from Optimizer"):
        trained(Momentum(), checkpoint=tmp_path / "run.npz")
    shared = Adam(0.01)
    trained(shared)
    ours = trained(shared, checkpoint=tmp_path / "a.npz")  # a copy's run is one like any other
    resumed = Autoencoder(6, 2, (5,)).fit(
        X, epochs=2, optimizer=Adam(0.01), checkpoint=tmp_path / "a.npz", verbose=0
    )
    assert len(resumed.history["loss"]) == 2
    assert np.array_equal(ours.fit(X, optimizer=shared, **QUIET).theta, resumed.theta)


@pytest.mark.slow
@pytest.mark.parametrize(
    "n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)], ids=["here", "in two processes"]
)
def test_cross_validation_of_a_model_takes_an_optimiser(n_jobs):
    pytest.importorskip("sklearn")
    from sklearn.model_selection import GridSearchCV, cross_val_score

    rng = np.random.default_rng(5)
    low = rng.standard_normal((60, 3)) @ rng.standard_normal((3, 6))
    model, optimizer = Autoencoder(6, 3, (16,), loss="mse", activation="tanh"), Adam(1e-2)
    options = {"epochs": 30, "optimizer": optimizer, "verbose": 0}
    search = GridSearchCV(
        model, {"latent_dim": [3, 2, 1]}, cv=2, n_jobs=n_jobs, error_score="raise"
    ).fit(low, **options)
    three, two, one = search.cv_results_["mean_test_score"]
    assert three > two > one and search.best_params_ == {"latent_dim": 3}
    scores = cross_val_score(model, low, params=options, cv=2, n_jobs=n_jobs, error_score="raise")
    alone = model.__class__(**model.get_params()).fit(
        low[30:], epochs=30, optimizer=Adam(1e-2), verbose=0
    )
    assert scores[0] == pytest.approx(alone.score(low[:30]), rel=1e-6)
