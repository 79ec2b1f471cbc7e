import numpy as np
import pytest

from miniae import SGD, Adam
from miniae.optim import BLOCK, Optimizer


def run(optimizer, gradients, theta):
    theta = np.array(theta, dtype=float)
    path = []
    for gradient in gradients:
        optimizer.step(theta, np.array(gradient, dtype=float))
        path.append(theta.copy())
    return np.array(path)


def test_sgd_moves_against_the_gradient():
    assert np.allclose(run(SGD(0.1), [[1, -2], [3, 0]], [5, 5]), [[4.9, 5.2], [4.6, 5.2]])


def test_momentum_accumulates_as_by_hand():
    # velocity: 1, 0.5 * 1 + 3 = 3.5, 0.5 * 3.5 - 1 = 0.75
    path = run(SGD(0.1, momentum=0.5), [[1], [3], [-1]], [0])
    assert np.allclose(path[:, 0], [-0.1, -0.45, -0.525])


def test_nesterov_looks_one_step_ahead_as_by_hand():
    # move = gradient + 0.5 * velocity: 1 + 0.5 = 1.5, 3 + 1.75 = 4.75, -1 + 0.375 = -0.625
    path = run(SGD(0.1, momentum=0.5, nesterov=True), [[1], [3], [-1]], [0])
    assert np.allclose(path[:, 0], [-0.15, -0.625, -0.5625])


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_is_sutskevers_at_a_constant_rate_and_differs_as_stated_under_a_schedule(nesterov):
    """Sutskever et al. (2013), equations 1 to 4, and both rules unrolled as in docs/04.

    Some 30 steps of a dozen roundings each, on numbers of about 1: 1e-13 leaves room for all.
    """
    mu, steepness = 0.8, np.array([0.3, 1.0, 4.0])

    def theirs(rate, steps=30):
        phi, velocity, points = np.ones(3), np.zeros(3), []
        for t in range(steps):
            points.append(phi + mu * velocity if nesterov else phi)
            velocity = mu * velocity - rate(t) * steepness * points[-1]
            phi = phi + velocity
        return np.array([*points, phi + mu * velocity if nesterov else phi])

    def here(rate, steps=30):
        theta, points, optimizer = np.ones(3), [np.ones(3)], SGD(rate, mu, nesterov)
        for _ in range(steps):
            optimizer.step(theta, steepness * theta)
            points.append(theta.copy())
        return np.array(points)

    def constant(t):
        return 0.05

    def falling(t):
        return 0.1 if t < 10 else 0.02

    assert np.abs(theirs(constant) - here(constant)).max() < 1e-13
    first, past = (1 + mu, mu**2) if nesterov else (1, mu)
    for path, old in ((theirs, lambda t, i: falling(i)), (here, lambda t, i: falling(t))):
        theta = path(falling)
        for t in range(30):
            pulls = (mu ** (t - 1 - i) * old(t, i) * steepness * theta[i] for i in range(t))
            due = theta[t] - first * falling(t) * steepness * theta[t] - past * sum(pulls)
            assert np.abs(theta[t + 1] - due).max() < 1e-13
    assert np.abs(theirs(falling) - here(falling))[:11].max() < 1e-13  # up to the drop
    assert np.abs(theirs(falling) - here(falling)).max() > 0.1


def test_adam_follows_three_steps_computed_by_hand():
    betas, lr, eps, gradients = (0.9, 0.99), 0.1, 1e-3, [2.0, -1.0, 0.5]
    # m:      0.2,      0.08,                  0.122
    # v:      0.04,     0.0496,                0.051604
    # m_hat:  2,        0.08 / 0.19,           0.122 / 0.271
    # v_hat:  4,        0.0496 / 0.0199,       0.051604 / 0.029701
    steps = [
        2 / (2 + eps),
        0.08 / 0.19 / (np.sqrt(0.0496 / 0.0199) + eps),
        0.122 / 0.271 / (np.sqrt(0.051604 / 0.029701) + eps),
    ]
    path = run(Adam(lr, betas, eps), [[g] for g in gradients], [1.0])
    assert np.allclose(path[:, 0], 1 - lr * np.cumsum(steps), rtol=1e-14)


def test_adam_first_step_has_length_lr_whatever_the_gradient():
    theta = np.zeros(3)
    Adam(lr=0.01).step(theta, np.array([1e-3, -1.0, 1e5]))
    assert np.allclose(theta, [-0.01, 0.01, -0.01], rtol=2e-5)


def test_weight_decay_is_part_of_the_gradient_in_sgd_and_apart_from_it_in_adam():
    assert np.allclose(run(SGD(0.1, weight_decay=0.5), [[1]], [2]), [[2 - 0.1 * (1 + 1)]])
    plain, decayed = (run(Adam(0.1, weight_decay=w), [[1.0]], [2.0]) for w in (0, 0.5))
    assert np.allclose(plain - decayed, 0.1 * 0.5 * 2)


def test_sgd_decay_goes_through_the_momentum_like_any_gradient():
    # gradient 1 + 0.5 * theta: 2 -> 2, theta 1.8; 1.9, velocity 2.9
    path = run(SGD(0.1, momentum=0.5, weight_decay=0.5), [[1], [1]], [2])
    assert np.allclose(path[:, 0], [1.8, 1.8 - 0.1 * (0.5 * 2 + 1.9)])


def test_decay_acts_on_theta_as_it_was_and_never_on_the_moments():
    optimizer = Adam(0.1, weight_decay=0.5)
    run(optimizer, [[0.0], [0.0]], [2.0])
    assert not optimizer.state["m"].any() and not optimizer.state["v"].any()


@pytest.mark.parametrize(
    "make", [lambda c: SGD(1.0, clip_norm=c), lambda c: SGD(1.0, 0.5, clip_norm=c)]
)
def test_clipping_scales_a_long_gradient_to_the_norm_and_leaves_a_short_one(make):
    gradient = np.array([3.0, 4.0])
    assert np.allclose(run(make(1.0), [gradient], [0, 0]), [[-0.6, -0.8]])
    assert np.allclose(run(make(5.1), [gradient], [0, 0]), [[-3, -4]])
    assert np.allclose(run(make(1.0), [gradient * 0], [0, 0]), [[0, 0]])


def test_clipping_survives_gradients_whose_squares_overflow():
    theta = np.zeros(2, "float32")
    SGD(1.0, clip_norm=1.0).step(theta, np.array([3e30, -4e30], "float32"))
    assert np.allclose(theta, [-0.6, 0.8])


def test_a_clipped_gradient_keeps_its_dtype():
    class Noting(SGD):
        def update(self, theta, dtheta, lr, velocity=None):
            assert theta.dtype == dtheta.dtype == np.float32
            super().update(theta, dtheta, lr, velocity)

    theta = np.zeros(3, "float32")
    for clip_norm in (1.0, np.float64(1), 1):
        Noting(0.1, clip_norm=clip_norm).step(theta, np.ones(3, "float32"))


def test_clipping_counts_the_norm_over_all_blocks():
    theta = np.zeros(3 * BLOCK + 5)
    SGD(1.0, clip_norm=2.0).step(theta, np.ones_like(theta))
    assert np.linalg.norm(theta) == pytest.approx(2.0)


def test_lr_may_be_a_function_of_the_step_counted_from_zero():
    seen = []

    def schedule(step):
        seen.append(step)
        return 0.1 / (1 + step)

    path = run(SGD(schedule), [[1], [1], [1]], [0])
    assert seen == [0, 1, 2]
    assert np.allclose(path[:, 0], [-0.1, -0.15, -0.15 - 0.1 / 3])


@pytest.mark.parametrize(
    "make",
    [
        lambda: SGD(0.1),
        lambda: SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.1, clip_norm=1.0),
        lambda: Adam(weight_decay=0.1, clip_norm=1.0),
    ],
)
def test_blocks_do_not_show_and_the_gradient_stays(make):
    rng = np.random.default_rng(0)
    n = 2 * BLOCK + 17
    theta, gradients = rng.standard_normal(n), rng.standard_normal((3, n)) * 1e-3
    before = gradients.copy()
    whole = run(make(), gradients, theta)
    one_by_one = make()
    one_by_one.clip_norm = None
    picks = [0, BLOCK - 1, BLOCK, n - 1]
    if make().clip_norm is None:
        assert np.allclose(run(one_by_one, gradients[:, picks], theta[picks]), whole[:, picks])
    assert np.array_equal(gradients, before)
    assert (np.diff(whole, axis=0) != 0).all()


def test_adam_keeps_float32_and_matches_float64_to_its_rounding():
    rng = np.random.default_rng(0)
    theta, gradients = rng.standard_normal(100), rng.standard_normal((20, 100))
    exact = run(Adam(1e-2), gradients, theta)[-1]
    single, optimizer = theta.astype("float32"), Adam(1e-2)
    for gradient in gradients.astype("float32"):
        optimizer.step(single, gradient)
    assert single.dtype == "float32" and optimizer.state["m"].dtype == "float32"
    assert np.abs(single - exact).max() < 20 * 4 * np.finfo("float32").eps * np.abs(theta).max()


def test_the_default_step_is_that_of_the_paper_and_nothing_else_is_on():
    given = Adam(1e-3, (0.9, 0.999), 1e-8, weight_decay=0, clip_norm=None)
    gradients = np.random.default_rng(0).standard_normal((5, 3))  # Kingma and Ba (2015), section 2
    assert np.array_equal(run(Adam(), gradients, [1, 2, 3]), run(given, gradients, [1, 2, 3]))
    assert Optimizer(0.1).weight_decay == 0 and Optimizer(0.1).clip_norm is None


@pytest.mark.parametrize("betas", [(0, 0.5), (0.7, 0), (0.8, 0.8)])
def test_betas_may_be_zero_and_may_be_equal(betas):
    path = run(Adam(0.1, betas, eps=1e-12), [[2.0], [-3.0]], [0.0])
    b1, b2 = betas
    # means of gradients and of their squares, with weights beta^age
    m_hat, v_hat = (2 * b1 - 3) / (1 + b1), (4 * b2 + 9) / (1 + b2)
    assert np.allclose(path[:, 0], [-0.1, -0.1 - 0.1 * m_hat / np.sqrt(v_hat)], rtol=1e-11)


def test_an_optimiser_refuses_vectors_of_another_model():
    optimizer = Adam()
    optimizer.step(np.ones(4), np.ones(4))
    with pytest.raises(ValueError, match=r"theta has shape \(5,\) but m \(4,\)"):
        optimizer.step(np.ones(5), np.ones(5))
    fresh = Adam()
    with pytest.raises(ValueError, match=r"theta has shape \(5,\) but dtheta \(4,\)"):
        fresh.step(np.ones(5), np.ones(4))
    fresh.step(np.ones(4), np.ones(4))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SGD(0), "lr=0"),
        (lambda: Adam(lr=-1e-3), "lr=-0.001"),
        (lambda: Adam(lr=float("nan")), "lr=nan"),
        (lambda: SGD(0.1, momentum=1), "momentum=1"),
        (lambda: SGD(0.1, nesterov=True), "nesterov"),
        (lambda: Adam(betas=(0.9, 1.0)), "betas="),
        (lambda: Adam(betas=(0.9,)), "betas="),
        (lambda: Adam(eps=0), "eps=0"),
        (lambda: Adam(weight_decay=-1), "weight_decay=-1"),
        (lambda: Adam(clip_norm=0), "clip_norm=0"),
    ],
)
def test_impossible_arguments_are_refused_by_name_and_value(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_an_optimiser_without_a_rule_says_so():
    with pytest.raises(NotImplementedError, match="no update rule yet"):
        Optimizer(0.1).step(np.ones(1), np.ones(1))


def test_a_rule_may_start_some_of_its_vectors_itself():
    class Counter(Optimizer):
        moments = ("steps", "sums")

        def update(self, theta, dtheta, lr, steps, sums):
            steps += 1
            sums += dtheta
            theta -= lr * sums / steps

    rule = Counter(1.0)
    rule.state["steps"] = np.array([3.0])
    # sums: 2, 1; steps: 4, 5
    assert np.allclose(run(rule, [[2.0], [-1.0]], [0.0])[:, 0], [-0.5, -0.7])


@pytest.mark.parametrize("make", [lambda: SGD(0.1, momentum=0.5), Adam])
def test_the_state_keeps_thetas_precision_whatever_the_gradients_dtype(make):
    gradients = np.random.default_rng(0).standard_normal((3, 5)).astype("float32")
    for dtype in ("float32", "int64"):
        few, many = (np.zeros(5) for _ in range(2))
        first, second = make(), make()
        for gradient in (100 * gradients).round().astype(dtype):
            first.step(few, gradient)
            second.step(many, gradient.astype("float64"))
        assert np.array_equal(few, many)
