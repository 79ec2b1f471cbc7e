import math

import numpy as np
import pytest

import miniae
from miniae import (
    VAE,
    AbsoluteError,
    Autoencoder,
    BernoulliNLL,
    CategoricalNLL,
    ColumnGaussianNLL,
    GaussianNLL,
    GaussianNoise,
    Huber,
    KLSparsity,
    L1Penalty,
    LaplaceNLL,
    Masked,
    MaskingNoise,
    Mixed,
    MultinomialNLL,
    PoissonNLL,
    SquaredError,
)
from miniae.likelihoods import log_factorial
from miniae.proof import gradient_check
from miniae.proof.likelihoods import draw_failures

NAN = np.nan
SIGMAS = [0.5, 1.0, 2.0, 0.3, 1.5, 0.8]
MIXED = Mixed([("gaussian", 2), (BernoulliNLL(), 1), (CategoricalNLL(3), 3)])
LOSSES = [
    ColumnGaussianNLL(SIGMAS),
    ColumnGaussianNLL(SIGMAS, learn_sigma=True),
    PoissonNLL(),
    CategoricalNLL(3),
    LaplaceNLL(0.7),
    LaplaceNLL(0.7, learn_scale=True),
    AbsoluteError(),
    Huber(0.6),
    MIXED,
    Mixed([(LaplaceNLL(0.5, True), 2), ("poisson", 1), (ColumnGaussianNLL([1, 2, 3], True), 3)]),
]
LIKELIHOODS = [loss for loss in LOSSES if loss.is_likelihood]
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=repr)
MOST = [
    pytest.param(loss, marks=() if i in (1, 3, 8) else pytest.mark.slow)
    for i, loss in enumerate(LOSSES)
]  # a learnt sigma, classes and groups run each time
most_losses = pytest.mark.parametrize("loss", MOST, ids=repr)
each_likelihood = pytest.mark.parametrize("loss", LIKELIHOODS, ids=repr)


def pair(loss, n=7, seed=0):
    """Return out and a target that the loss may have drawn, (n, 6)."""
    rng = np.random.default_rng(seed)
    out = rng.standard_normal((n, 6))
    target = loss.draw(out, rng) if loss.is_likelihood else rng.standard_normal((n, 6))
    return out, target


def complex_step(loss, out, target, weight):
    """Return the derivatives of sum(weight * entries) with respect to out and to theta."""
    exact, dout = loss.astype(np.complex128), np.zeros_like(out)
    dtheta, theta = np.zeros(loss.theta.size), exact.theta.copy()

    def value(out):
        return (weight * exact.entries(*exact.keep_pair(out, target))).sum().imag / 1e-30

    for index in np.ndindex(out.shape):
        moved = out.astype(complex)
        moved[index] += 1e-30j
        dout[index] = value(moved)
    for k in range(theta.size):
        exact.theta = theta + 1e-30j * (np.arange(theta.size) == k)
        dtheta[k] = value(out)
    return dout, dtheta


@each_loss
@pytest.mark.parametrize("shape", [(7,), (7, 1), (7, 6)])
def test_gradients_are_complex_step_derivatives_for_weights_of_every_shape(loss, shape):
    loss, (out, target) = loss.astype(np.float64), pair(loss)
    weight = np.random.default_rng(1).random(shape)
    dout, dtheta = complex_step(loss, out, target, weight.reshape(len(weight), -1))
    loss.forward(out, target)
    # each is a sum of a few terms of the size of the largest, with rounding errors
    assert np.abs(loss.backward(weight) - dout).max() < 1e-12 * np.abs(dout).max()
    assert np.abs(loss.dtheta - dtheta).max(initial=0) < 1e-12 * (1 + np.abs(dtheta).max(initial=0))


@pytest.mark.parametrize(
    "loss", [SquaredError(), BernoulliNLL(), MultinomialNLL(), GaussianNLL(0.7, True)], ids=repr
)
def test_the_losses_of_the_path_take_weights_of_every_shape_too(loss):
    loss, rng = loss.astype(np.float64), np.random.default_rng(2)
    out, target = rng.standard_normal((7, 6)), rng.random((7, 6))
    for shape in ((7,), (7, 1), (7, 6)):
        weight = rng.random(shape)
        dout, dtheta = complex_step(loss, out, target, weight.reshape(len(weight), -1))
        loss.forward(out, target)
        assert np.abs(loss.backward(weight) - dout).max() < 1e-12 * np.abs(dout).max()
        assert np.abs(loss.dtheta - dtheta).max(initial=0) < 1e-11


@most_losses
def test_with_a_mask_the_hidden_entries_have_no_effect(loss):
    out, target = pair(loss)
    holed = target.copy()
    holed[2], holed[:, 1], holed[4:, 3:] = NAN, NAN, NAN
    if isinstance(loss, CategoricalNLL):
        holed[:, :3] = NAN
    masked, seen = Masked(loss).astype(np.float64), ~np.isnan(holed)
    expected = loss.entries(*loss.keep_pair(out, target))[seen].sum() / len(out)
    assert masked.forward(out, holed) == pytest.approx(expected, rel=1e-6)  # sigma is float32
    dout = masked.backward()
    assert not dout[~seen].any() and dout[seen].any()
    report = gradient_check(masked, out, holed)
    assert report.max_error < 1e-12


@each_likelihood
def test_draws_and_expectations_belong_to_the_density(loss):
    out, _ = pair(loss)
    loss = loss.astype(np.float64)
    assert list(draw_failures(loss, out, seed=3)) == []
    drawn = loss.draw(out.astype(np.float32), np.random.default_rng(0))
    assert drawn.dtype == loss.expected(out.astype(np.float32)).dtype == np.float32


def test_values_are_those_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    out = rng.standard_normal((50, 6))

    def entries(loss, target):
        loss = loss.astype(np.float64)
        return loss.entries(*loss.keep_pair(out, target))

    near = {"rtol": 1e-12, "atol": 1e-12}
    counts = rng.poisson(3 * np.exp(out)).astype(float)
    np.testing.assert_allclose(
        entries(PoissonNLL(), counts), -stats.poisson.logpmf(counts, np.exp(out)), **near
    )
    x = 2 * rng.standard_normal((50, 6))
    np.testing.assert_allclose(
        entries(ColumnGaussianNLL(SIGMAS), x), -stats.norm.logpdf(x, out, SIGMAS), **near
    )
    np.testing.assert_allclose(
        entries(LaplaceNLL(0.7), x), -stats.laplace.logpdf(x, out, 0.7), **near
    )
    np.testing.assert_allclose(log_factorial(counts * 1e3), [
        [math.lgamma(k + 1) for k in row] for row in counts * 1e3
    ], rtol=1e-13, atol=1e-14)  # fmt: skip


def test_log_factorials_are_exact_to_rounding():
    for k in [0, 1, 2, 3, 5, 10, 20, 100, 170]:
        assert log_factorial(k) == pytest.approx(math.log(math.factorial(k)), rel=1e-14, abs=2e-14)
    assert log_factorial(0.5) == pytest.approx(math.lgamma(1.5), rel=1e-13)
    for mixed in ([3, 0.5], [3, 1023, 1024], [170, 1e6], [0, 1e20]):  # not all are in the table
        expected = [math.lgamma(k + 1) for k in mixed]
        assert np.allclose(log_factorial(np.array(mixed)), expected, rtol=1e-13, atol=1e-14)
    with np.errstate(all="raise"):
        assert np.isnan(log_factorial(np.array([1, np.nan]))).tolist() == [False, True]
    assert log_factorial(np.array([2 + 0j])).dtype == complex
    assert log_factorial(np.float32([3, 4])).dtype == np.float32


def test_probabilities_of_counts_and_categories_sum_to_one():
    out, k = np.full((200, 1), 1.3), np.arange(200.0)[:, None]  # beyond 200 nothing is left
    assert np.exp(-PoissonNLL().per_sample(out, k)).sum() == pytest.approx(1, rel=1e-13)
    logits = np.tile(np.random.default_rng(0).standard_normal(4), (4, 1))
    assert np.exp(-CategoricalNLL(4).per_sample(logits, np.eye(4))).sum() == pytest.approx(1)


def test_huber_is_a_square_near_and_a_line_far_and_smooth_between():
    loss, zero = Huber(2.0), np.zeros((1, 4))
    r = np.array([[1.0, -1.0, 5.0, -5.0]])
    assert loss.entries(r, zero).tolist() == [[0.5, 0.5, 8.0, 8.0]]  # 2 (5 - 1)
    assert loss.slopes(r, zero, 1).tolist() == [[1.0, -1.0, 2.0, -2.0]]
    at, beyond = (loss.entries(np.full((1, 1), 2 + h), np.zeros((1, 1))) for h in (0, 1e-9))
    assert beyond - at == pytest.approx(2e-9, rel=1e-6)


def test_huber_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    r = np.array([[1.0, -1.0, 5.0, -5.0]])
    theirs = torch.nn.functional.huber_loss(
        torch.from_numpy(r), torch.zeros(1, 4), reduction="sum", delta=2.0
    )
    assert Huber(2.0).forward(r, 0 * r) == pytest.approx(float(theirs))


def test_absolute_error_is_the_sum_of_distances_and_laplace_is_it_as_a_density():
    out, target = pair(AbsoluteError())
    value = AbsoluteError().forward(out, target)
    assert value == pytest.approx(np.abs(out - target).sum() / len(out))
    laplace = LaplaceNLL(1.0).forward(out, target)
    assert laplace == pytest.approx(value + 6 * math.log(2))
    assert not AbsoluteError().slopes(target, target, 1).any()


def test_learned_scales_are_at_rest_at_the_mean_error_of_their_columns():
    rng = np.random.default_rng(0)
    out, target = rng.standard_normal((2, 50, 4))
    rms = np.sqrt(((out - target) ** 2).mean(axis=0))
    for loss in (
        ColumnGaussianNLL(rms, learn_sigma=True),
        LaplaceNLL(np.abs(out - target).mean(), learn_scale=True),
    ):
        loss.forward(out, target)
        loss.backward()
        assert np.abs(loss.dtheta).max() < 1e-13


def test_a_vae_learns_a_sigma_for_each_column():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 3)) * [0.1, 1.0, 3.0]  # no structure: sigma is the spread
    vae = VAE(3, 1, (), likelihood=ColumnGaussianNLL(np.ones(3), learn_sigma=True))
    vae.fit(X, epochs=60, optimizer=miniae.Adam(0.02), verbose=0)
    # One latent can explain one column; the spread of 400 rows is known to 4 %.
    ratio = vae.reconstruction_loss.sigma / X.std(axis=0)
    assert (np.abs(np.delete(ratio, 2) - 1) < 0.15).all()
    drawn = vae.impute(np.full((2, 3), NAN), n_draws=300, steps=10).reshape(-1, 3)
    assert np.allclose(drawn.std(axis=0) / X.std(axis=0), 1, atol=0.2)


def mixed_table(n=300, seed=0):
    """Return two numbers, a yes or no, and a class of three: all depend on one factor."""
    rng = np.random.default_rng(seed)
    f = rng.standard_normal(n)
    numbers = np.stack([f, -2 * f], axis=1) + 0.1 * rng.standard_normal((n, 2))
    return np.column_stack([numbers, f > 0, np.eye(3)[np.digitize(f, [-0.5, 0.5])]]), f


def test_mixed_adds_up_the_losses_of_its_groups():
    X, _ = mixed_table(7)
    out = np.random.default_rng(1).standard_normal(X.shape)
    parts = GaussianNLL(), BernoulliNLL(), CategoricalNLL(3)
    slices = slice(0, 2), slice(2, 3), slice(3, 6)
    expected = sum(p.per_sample(out[:, s], X[:, s]) for p, s in zip(parts, slices, strict=True))
    assert np.allclose(MIXED.per_sample(out, X), expected, rtol=1e-13)
    data = MIXED.expected(out)
    assert np.array_equal(data[:, :2], out[:, :2]) and (data[:, 2] < 1).all()
    assert np.allclose(data[:, 3:].sum(axis=1), 1)
    drawn = MIXED.draw(out, np.random.default_rng(0))
    assert np.isin(drawn[:, 2:], [0, 1]).all() and (drawn[:, 3:].sum(axis=1) == 1).all()


@pytest.mark.slow
def test_a_masked_mixed_vae_trains_imputes_and_survives_its_file(tmp_path):
    X, _ = mixed_table()
    holed = X.copy()
    holed[::3, 3:], holed[1::3, 2], holed[2::3, 0] = NAN, NAN, NAN
    vae = VAE(6, 1, (16,), likelihood=Masked(MIXED))
    vae.fit(holed, epochs=30, optimizer=miniae.Adam(0.02), batch_size=50, verbose=0)
    filled = vae.impute(holed)
    assert np.array_equal(filled[~np.isnan(holed)], holed[~np.isnan(holed)])
    assert (filled[::3, 3:].argmax(axis=1) == X[::3, 3:].argmax(axis=1)).mean() > 0.8
    assert ((filled[1::3, 2] > 0.5) == X[1::3, 2]).mean() > 0.9
    assert np.corrcoef(filled[2::3, 0], X[2::3, 0])[0, 1] > 0.9
    drawn = vae.impute(holed, n_draws=2, steps=10)
    assert np.isin(drawn[..., 2:], [0, 1]).all() and (drawn[..., 3:].sum(axis=-1) == 1).all()
    again = VAE.load(vae.save(tmp_path / "mixed.npz") or tmp_path / "mixed.npz")
    assert np.array_equal(again.impute(holed), filled)
    assert repr(again.reconstruction_loss) == repr(vae.reconstruction_loss)


@most_losses
def test_every_loss_survives_the_file_of_a_model(loss, tmp_path):
    cls, name = (VAE, "likelihood") if loss.is_likelihood else (Autoencoder, "loss")
    model = cls(6, 2, (4,), **{name: loss})
    _, X = pair(loss, 20)
    model.fit(X, epochs=1, verbose=0).save(tmp_path / "a.npz")
    again = cls.load(tmp_path / "a.npz")
    assert again.evaluate(X) == model.evaluate(X)


def test_a_mixed_loss_of_many_groups_survives_its_file(tmp_path):
    vae = VAE(600, 2, (4,), likelihood=Mixed([("gaussian", 50)] * 12))
    vae.save(tmp_path / "wide.npz")
    assert VAE.load(tmp_path / "wide.npz").reconstruction_loss.sizes == [50] * 12


@pytest.mark.parametrize("name", ["mae", "absolute_error", "huber", "poisson", "laplace"])
def test_an_autoencoder_takes_each_loss_by_name_and_learns(name):
    X = np.random.default_rng(0).poisson(3, (200, 5)).astype(float)
    model = Autoencoder(5, 2, (16,), loss=name)
    model.fit(X, epochs=20, optimizer=miniae.Adam(0.01), verbose=0)
    assert model.history["loss"][-1] < model.history["loss"][0]
    assert np.isfinite(model.reconstruct(X)).all()


@pytest.mark.parametrize("loss", ["mae", "huber", "mse", Mixed([("mse", 3)]), Masked("huber")])
def test_a_vae_refuses_a_loss_that_is_not_a_density(loss):
    with pytest.raises(ValueError, match="is not a likelihood"):
        VAE(3, likelihood=loss)


@pytest.mark.parametrize("name", ["poisson", "laplace"])
def test_a_vae_takes_poisson_and_laplace_by_name(name):
    X = np.random.default_rng(0).poisson(3, (200, 5)).astype(float)
    vae = VAE(5, 2, (8,), likelihood=name).fit(X, epochs=3, verbose=0)
    filled = vae.impute(X * [1, 1, 1, 1, NAN], steps=4)
    assert np.isfinite(vae.elbo(X)).all() and np.isfinite(filled).all()
    assert name == "laplace" or filled[:, 4].min() > 0  # rates


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: ColumnGaussianNLL(0.5), "one for each column"),
        (lambda: ColumnGaussianNLL([1, 0]), "above 0"),
        (lambda: ColumnGaussianNLL([1, NAN]), "above 0"),
        (lambda: CategoricalNLL(1), "n_classes=1"),
        (lambda: CategoricalNLL(2.5), "n_classes=2.5"),
        (lambda: Huber(0), "delta=0"),
        (lambda: Huber("1"), "delta='1'"),
        (lambda: LaplaceNLL(None), "scale=None"),
        (lambda: GaussianNLL("1"), "sigma='1' is not one number above 0"),
        (lambda: GaussianNoise("0.5"), "std='0.5'"),
        (lambda: MaskingNoise(None), "p=None"),
        (lambda: L1Penalty("1"), "weight='1'"),
        (lambda: KLSparsity("0.1"), "rho='0.1'"),
        (lambda: LaplaceNLL(-1), "scale=-1"),
        (lambda: Mixed([]), "pairs \\(loss, number"),
        (lambda: Mixed([("gaussian", 0)]), "integers above 0"),
        (lambda: Mixed([GaussianNLL()]), "pairs \\(loss, number"),
        (lambda: Mixed([("gaussian", 2, 3)]), "pairs \\(loss, number"),
        (lambda: Mixed(3), "pairs \\(loss, number"),
        (lambda: Mixed([("gausian", 2)]), "did you mean 'gaussian'"),
        (lambda: Mixed([(Masked("gaussian"), 2)]), "Masked around all of it"),
        (lambda: Masked(Mixed([("multinomial", 2)])), "not independent"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_columns_that_do_not_fit_are_refused_where_they_are():
    X, _ = mixed_table(9)
    vae = VAE(6, 2, likelihood=MIXED)
    X[4, 2] = 7
    with pytest.raises(ValueError, match=r"columns 2 to 2 are for BernoulliNLL.*reach from 0 to 7"):
        vae.fit(X, verbose=0)
    with pytest.raises(ValueError, match=r"Mixed has 6 columns in groups of \[2, 1, 3\]"):
        VAE(5, 2, likelihood=MIXED).fit(X[:, :5], verbose=0)
    with pytest.raises(ValueError, match="one sigma for each column"):
        VAE(5, 2, likelihood=ColumnGaussianNLL(np.ones(4))).fit(X[:, :5], verbose=0)
    with pytest.raises(ValueError, match="not a multiple of 4 classes"):
        VAE(6, 2, likelihood=CategoricalNLL(4)).fit(np.eye(6), verbose=0)


def test_a_category_that_is_hidden_in_part_is_refused():
    X, _ = mixed_table(9)
    X[2, 4] = NAN
    with pytest.raises(ValueError, match="a category is missing as a whole"):
        VAE(6, 2, likelihood=Masked(MIXED)).fit(X, verbose=0)
    with pytest.raises(ValueError, match="a category is missing as a whole"):
        VAE(6, 2, likelihood=MIXED).impute(X)


def test_a_masked_loss_is_made_from_a_name():
    assert repr(Masked("gaussian").loss) == repr(GaussianNLL(learn_sigma=True))
    assert isinstance(Masked("bce").loss, BernoulliNLL) and isinstance(
        Masked("mse").loss, SquaredError
    )
    X = np.random.default_rng(0).standard_normal((40, 4))
    X[X > 1] = NAN
    named, built = (
        VAE(4, 2, (5,), likelihood=Masked(loss)).fit(X, epochs=2, verbose=0)
        for loss in ("gaussian", GaussianNLL(learn_sigma=True))
    )
    assert np.array_equal(named.theta, built.theta)


def test_a_sigma_per_column_given_to_the_wrong_class_is_told_the_right_one():
    with pytest.raises(ValueError, match="see ColumnGaussianNLL"):
        GaussianNLL(np.ones(3))


def test_a_rate_that_cannot_be_drawn_is_cut_off_and_ends_nothing():
    drawn = PoissonNLL().draw(np.array([[60.0, 0.0]]), np.random.default_rng(0))
    assert drawn[0, 0] == pytest.approx(1e18, rel=1e-6) and drawn[0, 1] < 20


def test_rounding_errors_of_a_scaler_are_within_the_bounds_of_a_group():
    X = np.full((4, 2), np.nextafter(np.float32(1), np.float32(2)))
    VAE(2, 1, (), likelihood=Mixed([("gaussian", 1), ("bernoulli", 1)])).fit(X, epochs=1, verbose=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "loss",
    [pytest.param(each, marks=() if each is MIXED else pytest.mark.slow) for each in LIKELIHOODS],
    ids=repr,
)
def test_the_instruments_take_models_of_each_likelihood(loss):
    _, X = pair(loss, 60)
    model = VAE(6, 2, (5,), likelihood=loss)
    assert gradient_check(model, X[:5]).max_error < 1e-12
    report = miniae.check_training(model, X)
    assert str(report)
