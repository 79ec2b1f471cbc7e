import copy
import inspect
import pickle

import numpy as np
import pytest

from miniae import (
    Adam,
    Autoencoder,
    Dense,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
    Softplus,
    Tanh,
    gradient_check,
)
from miniae.conv import Conv2D, ConvTranspose2D
from miniae.proof.gradcheck import check_function
from miniae.regularizers import (
    GaussianNoise,
    KLSparsity,
    L1Penalty,
    MaskingNoise,
    SaltAndPepper,
)

SURE = 6.0  # standard errors; a right result is further away once in 500 million
CORRUPTIONS = [GaussianNoise(0.5), MaskingNoise(0.3), SaltAndPepper(0.2)]
PENALTIES = [L1Penalty(0.7), KLSparsity(0.2, 0.7)]
each_corruption = pytest.mark.parametrize("corruption", CORRUPTIONS, ids=repr)
each_penalty = pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
each = pytest.mark.parametrize("obj", CORRUPTIONS + PENALTIES, ids=repr)


def data(*shape, seed=0, dtype="float64"):
    return np.random.default_rng(seed).random(shape).astype(dtype)


def damaged(corruption, value=0.3, n=100_000, seed=0):
    """Return many copies of one value with noise."""
    return corruption(np.full((n, 1), value), np.random.default_rng(seed)).ravel()


def off(share, p, n):
    """Return the distance of a share of n draws from its probability, in standard errors."""
    return abs(share - p) / np.sqrt(p * (1 - p) / n)


@each
def test_it_is_rebuilt_and_copied_from_its_config(obj):
    arguments = {name: getattr(obj, name) for name in obj.config}
    assert list(arguments) == list(inspect.signature(type(obj)).parameters)
    copies = type(obj)(**arguments), copy.deepcopy(obj), pickle.loads(pickle.dumps(obj))
    assert {repr(obj)} == {repr(clone) for clone in copies}
    assert all(type(value) is float for value in arguments.values())


def test_the_repr_is_the_constructor_call():
    assert repr(KLSparsity(np.float32(0.5))) == "KLSparsity(0.5, 1.0)"
    assert repr(SaltAndPepper(0.1, high=2)) == "SaltAndPepper(0.1, 0.0, 2.0)"


@pytest.mark.parametrize("bad", [-0.1, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (GaussianNoise, "std"),
        (MaskingNoise, "p"),
        (SaltAndPepper, "p"),
        (lambda low: SaltAndPepper(0.1, low, -0.1), "low"),
        (lambda high: SaltAndPepper(0.1, high=high), "high"),
        (L1Penalty, "weight"),
        (lambda weight: KLSparsity(0.1, weight), "weight"),
        (KLSparsity, "rho"),
    ],
)
def test_arguments_out_of_range_are_refused_with_name_and_value(make, argument, bad):
    with pytest.raises(ValueError, match=rf"\b{argument}={bad!r}"):
        make(bad)


@pytest.mark.parametrize(
    ("cls", "bad"),
    [(MaskingNoise, 1.01), (SaltAndPepper, 30), (KLSparsity, 0), (KLSparsity, 1)],
)
def test_a_number_that_is_not_a_probability_is_refused(cls, bad):
    with pytest.raises(ValueError, match=rf"{cls.__name__}: \w+={bad}"):
        cls(bad)


@each_corruption
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex128"])
def test_a_corruption_returns_a_new_array_of_the_same_shape_and_dtype(corruption, dtype):
    for shape in ((7, 5), (7, 3, 4, 2)):
        x = data(*shape, dtype=dtype)
        before = x.copy()
        out = corruption(x, np.random.default_rng(1))
        assert out.shape == shape and out.dtype == dtype and not np.shares_memory(out, x)
        assert np.array_equal(x, before) and not np.array_equal(out, x)
        out[...] = 0  # it is writable


@each_corruption
def test_real_and_complex_inputs_meet_the_same_damage(corruption):
    x = data(7, 5)
    out = [corruption(v, np.random.default_rng(1)) for v in (x, x + 1e-30j)]
    assert np.array_equal(out[0], out[1].real)
    assert np.array_equal(out[1].imag == 0, (out[0] != x) & (corruption.config != ("std",)))


@each_corruption
def test_integers_are_refused_because_the_noise_is_for_pixels_up_to_1(corruption):
    with pytest.raises(
        TypeError, match="x must be floating-point, got uint8; for pixels use x / 255"
    ):
        corruption(np.ones((2, 3), np.uint8), np.random.default_rng(0))


@each_corruption
def test_the_same_seed_gives_the_same_bytes_and_each_call_other_noise(corruption):
    x, rng = data(7, 5, dtype="float32"), np.random.default_rng(3)
    first, second = corruption(x, rng), corruption(x, rng)
    assert first.tobytes() == corruption(x, np.random.default_rng(3)).tobytes()
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cls", [GaussianNoise, MaskingNoise, SaltAndPepper])
def test_no_damage_leaves_x_as_it_is_in_a_new_array(cls, dtype):
    x = data(7, 5, dtype=dtype)
    out = cls(0)(x, np.random.default_rng(0))
    assert np.array_equal(out, x) and not np.shares_memory(out, x)


def test_gaussian_noise_has_mean_0_and_its_std():
    noise = damaged(GaussianNoise(0.5)) - 0.3
    n = len(noise)
    assert abs(noise.mean()) < SURE * 0.5 / np.sqrt(n)
    # The variance of a sample variance of normal numbers is 2 std^4 / n.
    assert abs(noise.var() - 0.25) < SURE * 0.25 * np.sqrt(2 / n)
    # A share of erf(1 / sqrt(2)) = 0.682689 is within one std: normal, not uniform.
    assert off((np.abs(noise) < 0.5).mean(), 0.682689, n) < SURE


@pytest.mark.parametrize("p", [0.1, 0.5, 1])
def test_masking_sets_a_share_p_to_0_and_leaves_the_others(p):
    out = damaged(MaskingNoise(p))
    assert set(out) <= {0.0, 0.3}
    assert p == (out == 0).mean() or off((out == 0).mean(), p, len(out)) < SURE


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 2)])
def test_salt_and_pepper_are_equally_likely_and_p_together(low, high):
    out = damaged(SaltAndPepper(0.4, low, high))
    assert set(out) == {low, 0.3, high}
    for value in (low, high):
        assert off((out == value).mean(), 0.2, len(out)) < SURE
    assert set(damaged(SaltAndPepper(1, low, high))) == {low, high}


def test_the_entries_of_a_sample_are_damaged_apart_from_each_other():
    out = MaskingNoise(0.5)(np.ones((20_000, 2)), np.random.default_rng(0))
    # Independent halves: products of +-1 have mean 0 and variance 1.
    assert abs((2 * out - 1).prod(axis=1).mean()) < SURE / np.sqrt(len(out))


class Spy:
    """A corruption that records its inputs and outputs."""

    def __init__(self, corruption):
        self.corruption, self.pairs = corruption, []

    def __call__(self, x, rng):
        self.pairs.append((x.copy(), self.corruption(x, rng)))
        return self.pairs[-1][1]


@each_corruption
def test_an_autoencoder_meets_new_damage_in_each_batch_and_reconstructs_the_clean(corruption):
    X, spy = data(12, 8, dtype="float32"), Spy(corruption)
    model = Autoencoder(8, 3, corruption=spy)
    before = X.copy()
    model.fit(X, epochs=2, batch_size=6, shuffle=False, verbose=0)
    assert np.array_equal(X, before) and len(spy.pairs) == 4
    for i, (clean, _) in enumerate(spy.pairs):
        assert np.array_equal(clean, X[:6] if i % 2 == 0 else X[6:])
    damage = [noisy - clean for clean, noisy in spy.pairs]
    assert not any(np.array_equal(damage[i], damage[j]) for i in range(4) for j in range(i))
    loss = model.loss(X, training=True)
    plain = Autoencoder(8, 3)
    plain.theta = model.theta
    assert loss == plain.loss(spy.pairs[-1][1], X) != plain.loss(X)


@each_corruption
def test_evaluation_is_without_damage(corruption):
    X = data(12, 8)
    plain, denoiser = Autoencoder(8, 3), Autoencoder(8, 3, corruption=corruption)
    assert denoiser.evaluate(X) == plain.evaluate(X) and denoiser.loss(X) == plain.loss(X)
    assert np.array_equal(denoiser.reconstruct(X), plain.reconstruct(X))
    assert denoiser.loss(X, training=True) != plain.loss(X, training=True)


@each_corruption
def test_a_seed_repeats_a_denoiser_to_the_byte(corruption):
    X = data(12, 8)
    a, b, other = (
        Autoencoder(8, 3, corruption=corruption, seed=seed).fit(X, epochs=2, verbose=0)
        for seed in (4, 4, 5)
    )
    assert a.theta.tobytes() == b.theta.tobytes() != other.theta.tobytes()


@pytest.mark.slow
@each_corruption
def test_the_gradient_of_a_denoiser_is_right(corruption):
    model = Autoencoder(8, 3, (5,), corruption=corruption)
    report = gradient_check(model, data(6, 8), training=True, tolerance=1e-12)
    assert report.ok, report


def test_l1_is_the_weighted_sum_of_moduli_over_samples():
    code = np.array([[1.0, -2.0, 0.0], [0.5, 0.0, -0.5]])
    penalty = L1Penalty(0.5)
    assert penalty.forward(code) == 0.5 * (3 + 1) / 2
    expected = [[0.25, -0.25, 0], [0.25, 0, -0.25]]
    assert np.array_equal(penalty.backward(), expected)


def test_kl_sparsity_is_the_divergence_of_two_coins():
    # Means 1/2 and 1/4 against rho = 1/4: ln(1/2)/4 + 3/4 ln(3/2), and 0.
    code = np.array([[0.9, 0.1], [0.1, 0.4]])
    expected = 0.25 * np.log(0.5) + 0.75 * np.log(1.5)
    penalty = KLSparsity(0.25, 2.0)
    assert penalty.forward(code) == pytest.approx(2 * expected, rel=1e-14)
    # Its slope at 1/2 is (3/4 - 1/4) / (1/2) = 1; times weight / n = 1; and 0 at rho.
    assert np.allclose(penalty.backward(), [[1, 0], [1, 0]], rtol=1e-14, atol=1e-15)


def test_kl_sparsity_is_the_expected_log_ratio_over_both_sides_of_the_coin():
    rho, a = 0.3, data(5)
    p, q = np.array([rho, 1 - rho]), np.array([a, 1 - a])
    expected = (p[:, None] * np.log(p[:, None] / q)).sum(axis=0)
    assert np.allclose(KLSparsity(rho).divergence(a), expected, rtol=1e-14)


def test_kl_sparsity_looks_at_the_batch_mean_and_not_at_each_activation():
    half = 0.2 * data(4, 3)
    code = np.vstack([0.2 + half, 0.2 - half])
    penalty = KLSparsity(0.2)
    # The mean differs from rho by rounding, d ~ 1e-16. The KL is d^2 / (2 rho (1 - rho)), plus the
    # rounding of its two terms, which is below 1e-16 per unit.
    assert abs(penalty.forward(code)) < 1e-15
    assert np.abs(penalty.backward()).max() < 1e-14


@each_penalty
def test_a_penalty_is_per_sample_the_same_when_every_sample_comes_twice(penalty):
    code = data(5, 4)
    value = penalty.forward(code)
    dcode = penalty.backward()
    assert penalty.forward(np.tile(code, (2, 1))) == pytest.approx(value, rel=1e-14)
    # Both copies of a sample together have the gradient of the sample: half each.
    assert np.allclose(penalty.backward(), np.tile(dcode, (2, 1)) / 2, rtol=1e-13)


@each_penalty
def test_units_add_up(penalty):
    code = data(5, 4)
    parts = [penalty.forward(code[:, :1]), penalty.forward(code[:, 1:])]
    assert penalty.forward(code) == pytest.approx(sum(parts), rel=1e-14)


@each_penalty
def test_the_gradient_of_a_penalty_is_right(penalty):
    def gradient(code):
        penalty.forward(code)
        return penalty.backward()

    report = check_function(penalty.forward, gradient, data(6, 5), tolerance=1e-12)
    assert report.ok and report.method == "complex step", report


def test_the_gradient_of_l1_is_right_for_codes_of_either_sign_and_0_at_0():
    penalty, code = L1Penalty(0.3), np.random.default_rng(0).standard_normal((6, 5))
    code[2] = 0

    def gradient(code):
        penalty.forward(code)
        return penalty.backward()

    report = check_function(penalty.forward, gradient, code, tolerance=1e-12)
    assert report.ok and report.method == "complex step", report
    assert not gradient(code)[2].any()


@pytest.mark.slow
@each_penalty
@pytest.mark.parametrize("training", [True, False])
def test_the_gradient_of_an_autoencoder_with_a_penalty_is_right(penalty, training):
    model = Autoencoder(8, 3, (5,), code_activation="sigmoid", penalty=penalty, dropout=0.2, seed=3)
    report = gradient_check(model, data(6, 8), training=training, tolerance=1e-12)
    assert report.ok, report


@each_penalty
def test_a_penalty_keeps_the_dtype_and_leaves_the_code_alone(penalty):
    for dtype in ("float32", "float64"):
        code = data(5, 4, dtype=dtype)
        before = code.copy()
        value, dcode = penalty.forward(code), penalty.backward()
        assert dcode.dtype == dtype and dcode.shape == code.shape and np.ndim(value) == 0
        assert np.array_equal(code, before) and np.array_equal(penalty.backward(), dcode)
        assert not np.shares_memory(dcode, penalty.backward())


@each_penalty
def test_a_penalty_is_in_the_loss_its_terms_and_the_history(penalty):
    X = data(20, 8)
    make = {"code_activation": "sigmoid", "dtype": "float64"}
    plain, penalised = Autoencoder(8, 3, **make), Autoencoder(8, 3, penalty=penalty, **make)
    expected = penalty.forward(plain.encode(X))
    assert penalised.evaluate(X) == pytest.approx(plain.evaluate(X) + expected, rel=1e-13)
    assert penalised.terms["penalty"] == pytest.approx(expected, rel=1e-13)
    penalised.fit(X, epochs=2, validation_split=0.2, verbose=0)
    assert {"penalty", "val_penalty"} <= set(penalised.history)


@pytest.mark.slow
def test_l1_draws_a_code_down_and_kl_sparsity_draws_every_unit_to_rho():
    X = data(100, 8)
    plain, l1, kl = (
        Autoencoder(8, 6, (), code_activation="sigmoid", penalty=penalty).fit(
            X, epochs=60, batch_size=20, optimizer=Adam(0.01), verbose=0
        )
        for penalty in (None, L1Penalty(5.0), KLSparsity(0.2, 50.0))
    )
    assert l1.encode(X).mean() < 0.2 * plain.encode(X).mean()
    assert np.abs(kl.encode(X).mean(axis=0) - 0.2).max() < 0.02


@each_penalty
@pytest.mark.parametrize("shape", [(), (4,), (0, 4), (4, 0)])
def test_a_code_without_samples_or_units_is_refused(penalty, shape):
    with pytest.raises(ValueError, match=r"code has shape .* must be \(n, latent_dim\)"):
        penalty.forward(np.full(shape, 0.5))


@each_penalty
def test_backward_before_forward_is_refused(penalty):
    fresh = type(penalty)(**{name: getattr(penalty, name) for name in penalty.config})
    with pytest.raises(RuntimeError, match="backward was called before forward"):
        fresh.backward()


@pytest.mark.parametrize(
    ("bad", "reach"), [(-0.25, "between -0.25 and 0.5"), (1.5, "between 0.5 and 1.5")]
)
def test_kl_sparsity_of_activations_outside_0_to_1_is_refused_with_the_remedy(bad, reach):
    code = np.full((4, 3), 0.5)
    code[2, 1] = bad
    with pytest.raises(ValueError, match=rf'{reach}.* use code_activation="sigmoid"'):
        KLSparsity(0.1).forward(code)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("end", [0, 1])
def test_a_unit_saturated_in_a_whole_batch_costs_much_but_not_infinitely(dtype, end):
    code = data(4, 2, dtype=dtype)
    code[:, 0] = end
    penalty, spacing = KLSparsity(0.3), np.finfo(dtype).eps / 2
    rest = penalty.forward(code[:, 1:])
    saturated = penalty.forward(code) - rest
    p = 0.3 if end == 0 else 0.7  # KL(p || spacing), to first order in the spacing
    expected = p * np.log(p / spacing) + (1 - p) * np.log(1 - p)
    assert saturated == pytest.approx(expected, rel=1e-5)
    dcode = penalty.backward()
    assert np.isfinite(dcode).all() and not dcode[:, 0].any() and dcode[:, 1].all()
    # It costs more than the nearest mean that is not saturated, so it is never the minimum.
    code[:, 0] = abs(end - 4 * spacing)
    assert penalty.forward(code) - rest < saturated and penalty.backward()[:, 0].all()


def test_a_single_saturated_activation_is_nothing_special():
    code = np.array([[0.0, 1.0], [0.4, 0.5]])
    penalty = KLSparsity(0.3)
    expected = penalty.divergence(np.array([0.2, 0.75])).sum()
    assert penalty.forward(code) == pytest.approx(expected, rel=1e-14)
    assert penalty.backward().all()


def test_training_goes_on_with_a_saturated_unit():
    X = data(20, 8, dtype="float32")
    model = Autoencoder(8, 3, (), code_activation="sigmoid", penalty=KLSparsity(0.2))
    model.encoder.layers[0].params["b"] = [-200.0, 0.0, 200.0]
    model.fit(X, epochs=2, verbose=0)
    assert np.isfinite(model.theta).all() and np.isfinite(model.history["penalty"]).all()


@each_penalty
def test_a_code_with_nan_gives_a_penalty_of_nan(penalty):
    code = data(4, 3)
    code[1, 1] = np.nan
    assert np.isnan(penalty.forward(code))
    model = Autoencoder(8, 3, code_activation="sigmoid", penalty=penalty)
    model.encoder.layers[0].params["b"] = np.full(128, np.nan)
    with pytest.raises(FloatingPointError, match="First parameter that is not finite: encoder"):
        model.loss(data(4, 8))


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (Dense(8, 3), "is linear"),
        (Conv2D(1, 2, 3), "is linear"),
        (ConvTranspose2D(2, 1, 3), "is linear"),
        (ReLU(), "reaches above 1"),
        (Softplus(), "reaches above 1"),
        (Tanh(), "reaches below 0"),
    ],
    ids=repr,
)
def test_kl_sparsity_refuses_a_layer_that_leaves_0_to_1_and_says_why(layer, reason):
    with pytest.raises(ValueError) as caught:
        KLSparsity(0.1, 2.0).check(layer)
    for part in ("KLSparsity(0.1, 2.0)", repr(layer), reason, 'code_activation="sigmoid"'):
        assert part in str(caught.value)


@pytest.mark.parametrize("activation", ["linear", "relu", "softplus", "tanh"])
def test_an_autoencoder_with_kl_sparsity_needs_a_sigmoid_code(activation):
    with pytest.raises(ValueError, match=r"needs a code in \(0, 1\), but the encoder ends in"):
        Autoencoder(8, 3, code_activation=activation, penalty=KLSparsity(0.1))
    encoder = Sequential(Dense(8, 3), Sigmoid(), Reshape(3))
    Autoencoder(8, 3, encoder=encoder, penalty=KLSparsity(0.1))
    Autoencoder(8, 3, code_activation=activation, penalty=L1Penalty(0.1))
