import itertools
import tracemalloc

import numpy as np
import pytest

from miniae import VAE, Autoencoder, GaussianNLL, MultinomialNLL
from miniae.losses import Loss
from miniae.numerics import LOG_2PI
from miniae.proof.oracles import gaussian_marginal
from miniae.proof.quadrature import grid_log_likelihood

ROUNDING = 1e-13  # of log p near 100: eps times it, and a few operations


def random_decoder(likelihood, d, activation, hidden, scale, seed):
    """A VAE with a decoder of random weights and biases, and four rows: two its own, two others."""
    rng, D = np.random.default_rng(seed), 1 + seed % 7
    options = {"likelihood": likelihood, "activation": activation, "dtype": "float64"}
    vae = VAE(D, d, hidden, **options)
    for layer in vae.decoder.layers:
        if "W" in layer.params:
            n_in, n_out = layer.params["W"].shape
            layer.params["W"] = scale * rng.standard_normal((n_in, n_out)) / np.sqrt(n_in)
            layer.params["b"] = rng.choice([0.3, 1, 3]) * rng.standard_normal(n_out)
    out = vae.decoder.forward(rng.standard_normal((2, d)))
    if isinstance(vae.reconstruction_loss, GaussianNLL):
        other = rng.standard_normal((2, D))
    else:
        other = rng.integers(0, 2, (2, D)).astype(float)
    if isinstance(vae.reconstruction_loss, MultinomialNLL):
        return vae, np.concatenate([other, rng.integers(0, 5, (2, D)).astype(float)])
    return vae, np.concatenate([vae.reconstruction_loss.draw(out, rng), other])


def fine(vae, X, points, width, shift):
    """log p(x) by a plain sum over a much finer grid, moved by a share of its step."""
    d, h = vae.latent_dim, 2 * width / (points - 1)
    axis = h * (np.arange(points) + shift) - width
    total = np.full(len(X), -np.inf)
    for line in axis[:, None] if d == 2 else [None]:
        z = axis[:, None] if d == 1 else np.column_stack([np.repeat(line, points), axis])
        out, log_prior = vae.decoder.forward(z), -0.5 * (z**2 + LOG_2PI).sum(axis=1)
        for i, x in enumerate(X):
            rows = np.broadcast_to(x, out.shape)
            log_joint = log_prior - vae.reconstruction_loss.per_sample(out, rows)
            total[i] = np.logaddexp(total[i], np.logaddexp.reduce(log_joint))
    return total + d * np.log(h)


def truth(vae, X):
    """log p(x), and how sure it is: two fine grids, half a step apart."""
    points, width = (60_001, 20.0) if vae.latent_dim == 1 else (801, 10.0)
    a, b = (fine(vae, X, points, width, shift) for shift in (0.0, 0.5))
    return (a + b) / 2, np.abs(a - b)


CASES = [
    (likelihood, activation, hidden, scale)
    for likelihood in ("bernoulli", GaussianNLL(0.05), GaussianNLL(0.3), "multinomial")
    for activation in ("relu", "tanh", "softplus")
    for hidden in ((12,), (8, 8))
    for scale in (0.5, 2.0, 8.0)
]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_the_error_is_never_below_the_true_one_with_one_latent(seed):
    checked = finite = 0
    for i, (likelihood, activation, hidden, scale) in enumerate(CASES):
        vae, X = random_decoder(likelihood, 1, activation, hidden, scale, 1000 * seed + i)
        exact, doubt = truth(vae, X)
        rng = np.random.default_rng(seed * len(CASES) + i)
        grids = rng.choice([7, 15, 31, 61, 121, 241, 401], 4, replace=False)
        for points, width in zip(grids, (8, 8, 2.5, 1), strict=True):
            log_p, error = grid_log_likelihood(vae, X, int(points), width)
            true = np.abs(log_p - exact)
            assert (true <= error + doubt + ROUNDING * (1 + np.abs(exact))).all(), (points, width)
            checked, finite = checked + len(X), finite + np.isfinite(error).sum()
    assert checked == 16 * len(CASES) and finite > checked / 3


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES[::3], ids=str)
def test_the_error_is_never_below_the_true_one_with_two_latents(case):
    vae, X = random_decoder(*case[:1], 2, *case[1:], CASES.index(case))
    exact, doubt = truth(vae, X)
    for points in (21, 61, 121):
        log_p, error = grid_log_likelihood(vae, X, points)
        true = np.abs(log_p - exact)
        assert (true <= error + doubt + ROUNDING * (1 + np.abs(exact))).all(), points


@pytest.mark.slow
@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("activation", ["tanh", "softplus"])
def test_with_a_smooth_decoder_it_is_the_true_error_with_042_times_the_points(activation, d):
    # The true error oscillates with the phase of the transform, the stated one is its envelope
    # times SAFETY: the ratio is 6 / (2 |cos|), and a few times that with two latents.
    ratios = []
    for seed in range(8):
        vae, X = random_decoder("bernoulli", d, activation, (12,), 1.5, seed)
        exact, error = (grid_log_likelihood(vae, X, points)[i] for i, points in ((0, 241), (1, 57)))
        true = np.abs(grid_log_likelihood(vae, X, 25)[0] - exact)
        ratios += [e / t for e, t in zip(error, true, strict=True) if t > 1e-10]  # else: rounding
    assert len(ratios) > 20 and 1 < np.median(ratios) < 30, np.sort(ratios)


@pytest.mark.slow
def test_with_a_relu_the_error_falls_like_the_square_of_the_step():
    falls = []
    for seed in range(20):
        vae, X = random_decoder("bernoulli", 1, "relu", (12,), 1.0, seed)
        errors = [grid_log_likelihood(vae, X, points)[1] for points in (201, 801)]
        falls.append(errors[0] / errors[1])
    assert 8 < np.median(falls) < 32  # 4^2, give or take where the kinks lie


@pytest.mark.slow
@pytest.mark.parametrize("d", [1, 2])
def test_it_is_the_marginal_of_a_linear_vae(d):
    rng = np.random.default_rng(0)
    vae = VAE(5, d, (), likelihood=GaussianNLL(0.6), dtype="float64")
    vae.theta = 0.5 * rng.standard_normal(vae.theta.size)
    X = rng.standard_normal((9, 5))
    log_p, error = grid_log_likelihood(vae, X, points=161)
    assert log_p.shape == error.shape == (9,)
    assert np.abs(log_p - gaussian_marginal(vae, X)).max() < 1e-12 > error.max()
    for width in (1.0, 3.0, 8.0):
        for points in (5, 11, 21, 41):
            log_p, error = grid_log_likelihood(vae, X, points, width)
            assert (np.abs(log_p - gaussian_marginal(vae, X)) <= error).all(), (points, width)


def one_latent(W, b, sigma=0.1, features=1):
    """A VAE of one latent and a hidden layer of tanh, out = tanh(W z + b), summed over units."""
    vae = VAE(features, 1, (len(W),), likelihood=GaussianNLL(sigma), dtype="float64")
    first, last = vae.decoder.layers[0], vae.decoder.layers[2]
    first.params["W"], first.params["b"] = np.array([W]), np.array(b)
    last.params["W"], last.params["b"] = np.ones((len(W), features)), np.zeros(features)
    return vae


def test_a_peak_between_two_points_is_not_overlooked():
    # out jumps from -1 to 1 between two points, and x = 0 is met only there
    vae, X = one_latent([500.0], [-500.0 * 0.13]), np.zeros((1, 1))
    log_p, error = grid_log_likelihood(vae, X, points=81)
    exact = grid_log_likelihood(vae, X, points=400_001)[0]
    assert exact - log_p > 30 and error > exact - log_p


def test_a_peak_on_a_point_says_nothing():
    vae, X = one_latent([500.0], [-500.0 * 0.2], sigma=0.01), np.zeros((1, 1))
    assert np.isinf(grid_log_likelihood(vae, X, points=81)[1])


def test_what_lies_outside_of_the_grid_is_counted():
    vae, X = one_latent([0.3], [0.0]), np.array([[0.7]])  # z is near 2.9
    log_p, error = grid_log_likelihood(vae, X, points=401, width=2.0)
    exact = grid_log_likelihood(vae, X, points=2001)[0]
    assert exact - log_p > 1 and exact - log_p < error < exact - log_p + 1
    far = VAE(1, 1, (), likelihood=GaussianNLL(0.01), dtype="float64")
    far.decoder.theta = [1.0, 0.0]
    assert np.isinf(grid_log_likelihood(far, np.array([[40.0]]))[1])


def test_the_error_of_a_likelihood_of_unknown_shape_is_infinite():
    class Cauchy(Loss):
        def entries(self, out, target):
            return np.log(np.pi) + np.log1p((out - target) ** 2)

    vae = VAE(2, 1, (4,), likelihood=Cauchy(), dtype="float64")
    log_p, error = grid_log_likelihood(vae, np.zeros((3, 2)))
    assert np.isfinite(log_p).all() and np.isinf(error).all()


@pytest.mark.slow
@pytest.mark.parametrize("d", [1, 2])
def test_the_probabilities_of_all_binary_images_sum_to_one(d):
    vae = VAE((2, 3), d, (5,), dtype="float64")
    vae.decoder.theta = 1.5 * np.random.default_rng(d).standard_normal(vae.decoder.theta.size)
    images = np.array(list(itertools.product([0, 1], repeat=6))).reshape(-1, 2, 3)
    log_p, error = grid_log_likelihood(vae, images, points=161)
    assert np.exp(log_p).sum() == pytest.approx(1, abs=1e-12)
    assert np.abs(np.exp(log_p).sum() - 1) < (np.exp(log_p) * error).sum()


def test_the_model_stays_as_it_is():
    vae, X = VAE(6, 2, (12,), dtype="float64"), np.random.default_rng(0).random((4, 6))
    vae.loss(X)
    vae.backward()
    gradient = vae.dtheta.copy()
    grid_log_likelihood(vae, X[:2], points=21)
    vae.backward()
    assert np.array_equal(gradient, vae.dtheta)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_grid():
    vae, X = VAE(400, 2, (10,)), np.random.default_rng(0).random((20, 400))
    peaks = []
    for points in (15, 31, 45, 61):
        tracemalloc.start()
        grid_log_likelihood(vae, X, points)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # A whole number of rows at a time: between a half and all of the elements that it may have.
    assert max(peaks) < 2 * min(peaks) and max(peaks) < 1e8


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"points": 100}, "points=100 must be an odd integer"),
        ({"points": 3}, "points=3 must be an odd integer, 5 or more"),
        ({"width": 0}, "width=0 must be above 0"),
        ({"vae": VAE(4, 3)}, "VAE.*latent_dim=3.* must be a VAE of 1 or 2 latents"),
        ({"vae": Autoencoder(4, 2)}, "must be a VAE of 1 or 2 latents"),
        ({"X": np.full((2, 4), 1.5)}, r"X\[0, 0\] is 1.5"),
        ({"X": np.ones(4)}, r"X must have shape \(n, 4\)"),
    ],
)
def test_impossible_arguments_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        grid_log_likelihood(**{"vae": VAE(4, 2), "X": np.ones((2, 4)), **options})
