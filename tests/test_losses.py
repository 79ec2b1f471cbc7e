import copy
import pickle

import numpy as np
import pytest

from miniae import (
    BernoulliNLL,
    GaussianNLL,
    Masked,
    MultinomialNLL,
    SquaredError,
    gaussian_kl,
    gaussian_kl_grad,
)
from miniae.losses import Loss

LOSSES = [
    SquaredError(),
    BernoulliNLL(),
    GaussianNLL(0.7),
    GaussianNLL(0.7, learn_sigma=True),
    Masked(GaussianNLL(0.7, learn_sigma=True)),
    MultinomialNLL(),
]
EPS = np.finfo(float).eps
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=repr)


def pair(shape=(5, 4), seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape), rng.random(shape)


@each_loss
def test_a_loss_sums_over_features_and_means_over_samples(loss):
    out, target = pair()
    value = loss.forward(out, target)
    assert loss.forward(np.tile(out, (3, 1)), np.tile(target, (3, 1))) == pytest.approx(value)
    if not isinstance(loss, MultinomialNLL):  # whose features share one normaliser
        assert loss.forward(np.tile(out, 2), np.tile(target, 2)) == pytest.approx(2 * value)
    assert loss.per_sample(out, target).mean() == pytest.approx(value)


@each_loss
def test_images_give_what_their_rows_give(loss):
    out, target = pair((5, 12))
    value = loss.forward(out, target)
    dout = loss.backward()
    assert loss.forward(out.reshape(5, 3, 4), target.reshape(5, 3, 4)) == pytest.approx(value)
    assert np.allclose(loss.backward(), dout.reshape(5, 3, 4), rtol=1e-14)


@each_loss
def test_inputs_stay_as_they_are_and_backward_repeats(loss):
    out, target = pair()
    before = out.copy(), target.copy()
    loss.forward(out, target)
    dout, dtheta = loss.backward().copy(), loss.dtheta.copy()
    assert np.array_equal(loss.backward(), dout) and np.array_equal(loss.dtheta, dtheta)
    assert np.array_equal(out, before[0]) and np.array_equal(target, before[1])


@each_loss
@pytest.mark.parametrize("shape", [(4,), (5, 1), (1, 4), (5, 4, 1), ()])
def test_unequal_shapes_are_refused_not_broadcast(loss, shape):
    with pytest.raises(ValueError, match=r"out has shape \(5, 4\) and target"):
        loss.forward(np.ones((5, 4)), np.ones(shape))


@each_loss
def test_backward_is_the_complex_step_derivative_of_forward(loss):
    out, target = pair()
    expected = np.zeros_like(out)
    for where in np.ndindex(out.shape):
        moved = out.astype(complex)
        moved[where] += 1e-30j
        expected[where] = loss.forward(moved, target).imag / 1e-30
    loss.forward(out, target)
    # each is a sum of a few terms of the size of the largest entry, at most
    assert np.abs(loss.backward() - expected).max() <= 32 * EPS * np.abs(expected).max()


@each_loss
def test_weights_of_the_samples_weigh_their_gradients(loss):
    out, target = pair()
    weight = np.random.default_rng(1).random(5)
    loss.forward(out, target)
    dout, dtheta = loss.backward(weight).copy(), loss.dtheta.copy()
    expected = 0
    for i in range(5):
        loss.forward(out[i : i + 1], target[i : i + 1])
        assert np.allclose(weight[i] * loss.backward()[0], dout[i], rtol=1e-12)
        expected = expected + weight[i] * loss.dtheta
    assert np.allclose(dtheta, expected, rtol=1e-12)


@each_loss
def test_float32_in_gives_float32_out(loss):
    out, target = (a.astype(np.float32) for a in pair())
    single = loss.astype("float32")
    assert single.per_sample(out, target).dtype == np.float32
    assert single.backward().dtype == np.float32


@each_loss
def test_backward_before_forward_is_refused(loss):
    fresh = loss.astype(loss.theta.dtype)
    fresh.cache = None
    with pytest.raises(RuntimeError, match="before forward"):
        fresh.backward()


def test_squared_error_has_no_half():
    assert SquaredError().forward([[1.0, 2.0]], [[4.0, 0.0]]) == 13.0


def test_bernoulli_is_minus_the_log_probability():
    out, target = pair()
    p = 1 / (1 + np.exp(-out))
    expected = -(target * np.log(p) + (1 - target) * np.log(1 - p)).sum(axis=1)
    assert np.allclose(BernoulliNLL().per_sample(out, target), expected, rtol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("logit", "target", "nll", "dlogit"),
    [
        (1e4, 1, 0, 0),
        (1e4, 0, 1e4, 1),
        (-1e4, 0, 0, 0),
        (-1e4, 1, 1e4, -1),
        (0, 1, np.log(2), -0.5),
        (30, 1, np.log1p(np.exp(-30)), -np.exp(-30) / (1 + np.exp(-30))),
    ],
)
def test_bernoulli_is_right_at_huge_logits(dtype, logit, target, nll, dlogit):
    loss, eps = BernoulliNLL(), float(np.finfo(dtype).eps)
    value = loss.forward(np.full((1, 1), logit, dtype), np.full((1, 1), target, dtype))
    assert value == pytest.approx(nll, rel=32 * eps, abs=0)
    assert loss.backward().item() == pytest.approx(dlogit, rel=eps, abs=eps)
    assert value.dtype == dtype


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bernoulli_slopes_are_the_same_with_the_sigmoid_kept_or_computed(dtype):
    out, target = (a.astype(dtype) for a in pair((6, 50)))
    out *= 8
    loss, weight = BernoulliNLL(), np.full(6, 0.3, dtype)
    loss.forward(out, target)
    kept, computed = loss.backward(weight), BernoulliNLL().slopes(out, target, weight[:, None])
    # as accurate as each other, to 2 eps relative to 1: see test_fused.py
    assert np.abs(kept - computed).max() <= 0.3 * 3 * np.finfo(dtype).eps


def test_bernoulli_gives_the_gradient_of_its_last_forward_whatever_was_asked_in_between():
    (out, target), (others, _) = pair(), pair(seed=1)
    loss = BernoulliNLL()
    loss.forward(out, target)
    expected = loss.backward()
    loss.entries(others, target)
    between = loss.slopes(others, target, 1 / len(others))
    assert np.allclose(between, BernoulliNLL().slopes(others, target, 1 / len(others)), rtol=1e-15)
    assert np.array_equal(loss.backward(), expected)
    loss.entries(out, target)
    assert np.array_equal(loss.backward(), expected)


def test_a_bernoulli_loss_with_entries_of_its_own_keeps_the_slopes():
    class Plain(BernoulliNLL):
        def entries(self, out, target):
            return np.log1p(np.exp(out)) - target * out

    out, target = pair()
    plain, loss = Plain(), BernoulliNLL()
    assert np.isclose(plain.forward(out, target), loss.forward(out, target), rtol=1e-14)
    assert np.allclose(plain.backward(), loss.backward(), rtol=0, atol=4 * EPS)


def test_entries_and_slopes_are_functions_of_their_arguments_where_no_forward_was():
    out, target = pair()
    loss = BernoulliNLL()
    loss.entries(out, target)
    out[...] = 3.0
    assert np.allclose(loss.slopes(out, target, 1.0), 1 / (1 + np.exp(-3)) - target, rtol=1e-14)


@each_loss
def test_copies_and_pickles_of_a_loss_carry_no_data(loss):
    loss = copy.deepcopy(loss)
    small = len(pickle.dumps(loss))
    loss.forward(*pair((100, 784)))
    assert len(pickle.dumps(loss)) <= small + 100


def test_gaussian_is_minus_the_log_density():
    out, target = pair()
    sigma = 0.7
    density = np.exp(-((target - out) ** 2) / (2 * sigma**2)) / (sigma * np.sqrt(2 * np.pi))
    expected = -np.log(density).sum(axis=1)
    for loss in (GaussianNLL(sigma), GaussianNLL(sigma, learn_sigma=True)):
        assert np.allclose(loss.per_sample(out, target), expected, rtol=1e-13)


def test_gradient_of_learned_sigma_vanishes_where_sigma_squared_is_the_mean_squared_error():
    out, target = pair((50, 6))
    mse = ((out - target) ** 2).mean()
    loss = GaussianNLL(np.sqrt(mse), learn_sigma=True)
    loss.forward(out, target)
    loss.backward()
    assert abs(loss.grads["log_sigma"][0]) < 1e-13
    assert loss.sigma == pytest.approx(np.sqrt(mse))


def test_mean_maps_to_data_space_and_returns_an_array_of_its_own():
    out, _ = pair()
    assert np.allclose(BernoulliNLL().mean(out), 1 / (1 + np.exp(-out)), rtol=1e-13)
    for loss in (SquaredError(), GaussianNLL()):
        assert np.array_equal(loss.mean(out), out) and loss.mean(out) is not out


def test_draws_follow_the_distribution_that_the_loss_is_the_likelihood_of():
    rng, n = np.random.default_rng(0), 40_000
    ones = BernoulliNLL().draw(np.full((n, 1), 0.6), rng)
    p = 1 / (1 + np.exp(-0.6))
    assert set(np.unique(ones)) == {0.0, 1.0}
    assert abs(ones.mean() - p) < 5 * np.sqrt(p * (1 - p) / n)
    normal = GaussianNLL(0.3).draw(np.full((n, 1), 2.0), rng)
    assert abs(normal.mean() - 2) < 5 * 0.3 / np.sqrt(n)
    assert abs(normal.std() - 0.3) < 5 * 0.3 / np.sqrt(2 * n)
    with pytest.raises(NotImplementedError, match="SquaredError cannot draw data"):
        SquaredError().draw(np.ones((1, 1)), rng)


def test_a_pixel_that_cannot_be_one_is_not_drawn_as_one_even_where_the_random_number_is_zero():
    class Zeros:
        def random(self, shape, dtype):
            return np.zeros(shape, dtype)

    assert not BernoulliNLL().draw(np.full((2, 3), -1e4), Zeros()).any()


@pytest.mark.parametrize(("mu", "log_var"), [(0.3, -1.5), (-1.0, 0.8), (2.5, 2.0), (0.0, 0.0)])
def test_kl_agrees_with_a_monte_carlo_estimate_that_knows_only_the_two_densities(mu, log_var):
    rng, n = np.random.default_rng(0), 200_000
    z = rng.normal(mu, np.exp(log_var / 2), n)
    log_q = -((z - mu) ** 2) / (2 * np.exp(log_var)) - log_var / 2
    difference = log_q + z**2 / 2
    kl = gaussian_kl(np.array([[mu]]), np.array([[log_var]])).item()
    assert abs(difference.mean() - kl) <= 5 * difference.std() / np.sqrt(n) + 1e-15


def test_kl_is_zero_only_at_the_prior_and_doubles_with_the_latents():
    rng = np.random.default_rng(1)
    mu, log_var = rng.standard_normal((2, 200, 3))
    kl = gaussian_kl(mu, log_var)
    assert kl.shape == (200, 3) and (kl > 0).all()
    assert not gaussian_kl(np.zeros((2, 3)), np.zeros((2, 3))).any()
    assert gaussian_kl(np.tile(mu, 2), np.tile(log_var, 2)).sum() == pytest.approx(2 * kl.sum())


def test_kl_in_float32_is_not_negative_near_the_prior():
    log_var = 1e-4 * np.random.default_rng(0).standard_normal((1, 1000)).astype("float32")
    kl, exact = (gaussian_kl(0 * v, v) for v in (log_var, log_var.astype("float64")))
    assert (kl >= 0).all() and kl.dtype == "float32"
    # expm1(v) - v cancels down to v^2 / 2, after rounding of v's own size
    assert np.abs(kl - exact).max() <= np.finfo("float32").eps * np.abs(log_var).max()
    mu = np.ones((2, 2))
    gaussian_kl_grad(mu, mu)[0][...] = 0
    assert mu.all()


def test_kl_gradient_is_the_complex_step_derivative():
    rng = np.random.default_rng(2)
    mu, log_var = rng.standard_normal((2, 6, 3))
    dmu, dlog_var = gaussian_kl_grad(mu, log_var)
    step = 1e-30j
    assert np.allclose(gaussian_kl(mu + step, log_var).imag / 1e-30, dmu, rtol=1e-13)
    assert np.allclose(gaussian_kl(mu, log_var + step).imag / 1e-30, dlog_var, rtol=1e-13)


def test_kl_at_log_var_of_plus_and_minus_fifty():
    kl = gaussian_kl(np.zeros((1, 2)), np.array([[50.0, -50.0]]))
    assert np.allclose(kl, [[0.5 * (np.exp(50) - 51), 24.5]], rtol=1e-13)


def test_a_batch_of_one_and_float16_have_right_gradients_and_an_empty_one_is_refused():
    loss = GaussianNLL(0.7, learn_sigma=True)
    out, target = pair((1, 4))
    loss.forward(out, target)
    loss.backward()
    assert loss.grads["log_sigma"][0] == pytest.approx(4 - ((out - target) ** 2).sum() / 0.49)
    big = np.full((1, 1000), 100, "float16")
    assert SquaredError().forward(big, -big) == 4e7
    with pytest.raises(ValueError, match=r"out has shape \(0, 4\)"):
        loss.forward(np.ones((0, 4)), np.ones((0, 4)))


def test_a_fixed_sigma_is_kept_to_the_last_digit():
    assert GaussianNLL(5).sigma == 5.0 and repr(GaussianNLL(0.3)) == "GaussianNLL(0.3, False)"


def test_without_arguments_sigma_is_one_and_is_not_learned():
    assert repr(GaussianNLL()) == "GaussianNLL(1.0, False)" and not GaussianNLL().theta.size


def test_targets_lie_where_the_loss_has_a_least_value():
    assert Loss.bounds == SquaredError.bounds == GaussianNLL.bounds == (-np.inf, np.inf)
    assert BernoulliNLL.bounds == (0, 1) and MultinomialNLL.bounds == (0, np.inf)
    logits = np.array([[1.0, 0.0], [100.0, 0.0], [0.0, 0.0], [-100.0, 0.0]])
    for loss, beyond in ((BernoulliNLL(), [1.1, 0]), (MultinomialNLL(), [-0.1, 0])):
        low, lower = np.sort(loss.per_sample(logits, np.tile(beyond, (4, 1))))[[1, 0]]
        assert lower < low - 5  # the further the logit, the lower


@pytest.mark.parametrize("sigma", [0, -1, np.inf, np.nan])
def test_an_impossible_sigma_is_refused(sigma):
    with pytest.raises(ValueError, match="sigma="):
        GaussianNLL(sigma)


def test_a_loss_without_passes_says_which_is_missing():
    with pytest.raises(NotImplementedError, match="no value yet"):
        Loss().forward(np.ones((1, 1)), np.ones((1, 1)))

    class OnlyAValue(Loss):
        def entries(self, out, target):
            return out - target

    loss = OnlyAValue()
    loss.forward(np.ones((1, 1)), np.ones((1, 1)))
    with pytest.raises(NotImplementedError, match="no gradient yet"):
        loss.backward()


def test_multinomial_is_the_log_probability_of_the_draws_in_their_order():
    logits = np.log([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])
    logits += np.array([[7.0], [-3.0]])  # a shift of a row cancels
    counts = [[2, 0, 1], [0, 3, 0]]
    nll = MultinomialNLL().per_sample(logits, counts)
    assert np.allclose(nll, -np.log([0.5**2 * 0.2, 0.1**3]), rtol=1e-13)
    assert np.allclose(MultinomialNLL().mean(logits)[0], [0.5, 0.3, 0.2], rtol=1e-13)


def test_multinomial_has_no_slope_where_the_probabilities_are_the_shares():
    loss, counts = MultinomialNLL(), np.array([[2.0, 5.0, 3.0]])
    loss.forward(np.log(counts), counts)
    assert np.abs(loss.backward()).max() < 1e-14
    loss.forward(np.random.default_rng(0).standard_normal((4, 3)), np.tile(counts, (4, 1)))
    assert np.abs(loss.backward().sum(axis=1)).max() < 1e-14  # a shift of all logits does nothing


def test_multinomial_bears_extreme_logits_and_empty_rows():
    loss = MultinomialNLL()
    nll = loss.per_sample([[1e4, -1e4, 0.0], [3.0, 1.0, 2.0]], [[0, 1, 0], [0, 0, 0]])
    assert nll[0] == 2e4 and nll[1] == 0
    assert np.isfinite(loss.backward()).all()


def test_negative_counts_are_refused():
    from miniae import VAE

    with pytest.raises(ValueError, match=r"X\[0, 1\] is -1.0.*within \[0.0, inf\]$"):
        VAE(3, likelihood="multinomial").fit([[2.0, -1.0, 0.0]], verbose=0)
