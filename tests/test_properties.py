"""What holds for every model, tried on hundreds of random ones; and what holds for long."""

import os
import subprocess
import sys
import threading
import tracemalloc

import numpy as np
import pytest

from miniae import (
    SGD,
    VAE,
    Adam,
    Autoencoder,
    ConditionalVAE,
    GaussianNLL,
    GaussianNoise,
    ImportanceWeightedVAE,
    KLSparsity,
    L1Penalty,
    MaskingNoise,
    gradient_check,
)

pytestmark = pytest.mark.slow
N = 7


def random_model(seed, dtype="float64"):
    """Return a random model of small images or rows, the arguments of its loss, and data."""
    rng = np.random.default_rng([seed, 1])

    def one_of(*options):
        return options[rng.integers(len(options))]

    shape = one_of(int(rng.integers(1, 8)), (int(rng.integers(1, 4)), int(rng.integers(1, 4))))
    options = {
        "latent_dim": int(rng.integers(1, 5)),
        "hidden": tuple(int(n) for n in rng.integers(1, 7, rng.integers(0, 4))),
        "activation": one_of("tanh", "sigmoid", "softplus", "relu"),
        "dropout": one_of(0.0, 0.0, 0.3),
        "seed": seed,
        "dtype": dtype,
    }
    X, side = rng.random((N, *np.atleast_1d(shape))), {}
    if one_of(True, False):
        model = Autoencoder(
            shape, **options, loss=one_of("bce", "mse", GaussianNLL(0.5, learn_sigma=True)),
            code_activation=one_of("linear", "tanh", "sigmoid"),
            corruption=one_of(None, GaussianNoise(0.2), MaskingNoise(0.3)),
            penalty=one_of(None, L1Penalty(0.1)),
        )  # fmt: skip
        if model.code_activation == "sigmoid" and one_of(True, False):
            model.penalty = KLSparsity(0.2, 0.5)
    else:
        extra = {"likelihood": one_of("bernoulli", "gaussian", GaussianNLL(0.7))}
        kind = one_of(VAE, VAE, ConditionalVAE, ImportanceWeightedVAE)
        if kind is ConditionalVAE:
            extra["n_classes"], side = 3, {"labels": np.arange(N) % 3}
        elif kind is ImportanceWeightedVAE:
            extra["k"] = int(rng.integers(1, 5))
        else:
            extra.update(beta=one_of(1.0, 0.3, 4.0), free_bits=one_of(0.0, 0.05))
        model = kind(shape, **options, **extra)
    model.theta = 0.7 * rng.standard_normal(model.theta.shape)
    return model, side, X


@pytest.mark.parametrize("seed", range(100))
def test_the_gradient_of_a_random_model_is_exact(seed):
    model, side, X = random_model(seed)
    report = gradient_check(model, X, training=True, seed=seed, tolerance=1e-10, **side)
    assert report.ok, report


@pytest.mark.filterwarnings("ignore:latent_dim=.* is not below")
@pytest.mark.parametrize("seed", range(100))
def test_a_random_model_keeps_shapes_comes_back_from_a_file_and_fits_lists(seed, tmp_path):
    model, side, X = random_model(seed, "float32")
    code = model.encode(X, **side)
    assert code.shape == (N, model.latent_dim)
    assert model.decode(code, **side).shape == X.shape == model.reconstruct(X, **side).shape
    model.save(tmp_path / "m")
    clone = type(model).load(tmp_path / "m")
    assert clone.encode(X, **side).tobytes() == code.tobytes()
    lists = {name: values.tolist() for name, values in side.items()}
    model.fit(X, epochs=2, batch_size=3, verbose=0, **side)
    clone.fit(X.tolist(), epochs=2, batch_size=3, verbose=0, **lists)
    assert clone.theta.tobytes() == model.theta.tobytes()


@pytest.mark.parametrize("seed", range(100))
def test_the_kl_of_a_random_vae_is_not_negative_and_the_bound_is_below_the_likelihood(seed):
    model, side, X = random_model(seed)
    if isinstance(model, Autoencoder) or side:
        model = VAE(model.input_shape, 2, (4,), seed=seed, dtype="float64")
        model.theta = 0.7 * np.random.default_rng(seed).standard_normal(model.theta.shape)
    assert (model.kl_per_dimension(X) >= 0).all()
    # Both are averages over draws: 6 standard errors, of bounds whose spread shows in their rows.
    bounds = model.log_likelihood(X, k=1)
    many = model.log_likelihood(X, k=300)
    elbo = model.elbo(X)
    spread = np.std(bounds - many) + np.std(elbo - many) + 1e-3
    assert elbo.mean() <= many.mean() + 6 * spread / np.sqrt(N)


def test_evaluation_does_not_depend_on_the_order_of_the_rows_but_for_rounding():
    model, X = VAE(6, 2, (5,), dtype="float64"), np.random.default_rng(0).random((40, 6))
    order = np.random.default_rng(1).permutation(40)
    for method in (model.encode, model.reconstruct, model.anomaly_score):
        # Each row goes through the same sums of at most 6 products of order 1.
        np.testing.assert_allclose(method(X[order]), method(X)[order], rtol=0, atol=1e-14)


def test_two_models_in_two_threads_do_not_disturb_each_other():
    X = np.random.default_rng(0).random((200, 6))

    def fit(seed, results):
        model = VAE(6, 2, (16,), dropout=0.2, seed=seed)
        results[seed] = model.fit(X, epochs=15, batch_size=10, verbose=0).theta.copy()

    alone, together = {}, {}
    for seed in range(2):
        fit(seed, alone)
    threads = [threading.Thread(target=fit, args=(seed, together)) for seed in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(together[seed].tobytes() == alone[seed].tobytes() for seed in range(2))


TRAIN = """
import sys
import numpy as np
from miniae import VAE
X = np.random.default_rng(0).random((400, 300))
model = VAE(300, 5, (200,), dtype="float64").fit(X, epochs=2, batch_size=100, verbose=0)
np.save(sys.argv[1], np.concatenate([model.theta, model.elbo(X), model.history["loss"]]))
"""


def test_the_number_of_threads_changes_no_more_than_rounding_does(tmp_path):
    results = []
    for run, threads in enumerate("1224"):
        limits = {f"{library}_NUM_THREADS": threads for library in ("OPENBLAS", "MKL", "OMP")}
        file = tmp_path / f"{run}.npy"
        subprocess.run(
            [sys.executable, "-c", TRAIN, file], check=True, env={**os.environ, **limits}
        )
        results.append(np.load(file))
    one, two, again, four = results
    assert two.tobytes() == again.tobytes()
    # Sums of up to 400 products in another order differ by 400 eps = 9e-14 of their terms; Adam
    # divides gradients by their own size, so theta moves by lr = 1e-3 of the relative error of
    # each, which is 1e3 times that where terms cancel to a thousandth: 1e-13 a step. The elbo adds
    # 300 features of 300 weights. So 1e-9 has a factor of a hundred to spare.
    for other in (two, four):
        np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-9)


def stepper(optimizer):
    """Return a function that makes so many training steps of a small model."""
    model = VAE(4, 1, (3,), dropout=0.1)
    X = np.random.default_rng(0).random((8, 4)).astype(np.float32)

    def train(steps):
        for _ in range(steps):
            model.loss(X, training=True)
            model.backward()
            optimizer.step(model.theta, model.dtheta)

    return train


@pytest.mark.parametrize("optimizer", [Adam(), SGD(0.01, momentum=0.9)])
def test_steps_leave_nothing_behind(optimizer):
    train = stepper(optimizer)
    train(200)
    tracemalloc.start()
    train(200)
    before = tracemalloc.get_traced_memory()[0]
    train(5000)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 20_000  # bytes; the smallest object, kept at each step, would be 80,000


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads /proc")
def test_memory_does_not_grow_over_200_000_steps():
    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    train = stepper(Adam())
    train(2000)
    before = resident()
    train(200_000)
    assert resident() - before < 2**21  # bytes; one float kept at each step would be 4.8 MB
