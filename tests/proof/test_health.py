"""Each fault is made in earnest, and must be found; what is healthy must not be called ill."""

import numpy as np
import pytest

from miniae import (
    VAE,
    Adam,
    Autoencoder,
    BernoulliNLL,
    ConditionalVAE,
    Conv2D,
    Dense,
    Flatten,
    GaussianNLL,
    ImportanceWeightedVAE,
    Masked,
    ReLU,
    Sequential,
    Tanh,
    datasets,
)
from miniae.numerics import sigmoid
from miniae.proof import health
from miniae.proof.health import check_training as examine
from miniae.proof.oracles import PCA
from miniae.regularizers import L1Penalty

pytestmark = pytest.mark.slow

D = 12
QUICK = {"epochs": 40, "batch_size": 50, "verbose": 0}


def data(seed=0, kind="real", n=200):
    """Samples of D features that follow three factors, not linearly, and noise."""
    rng = np.random.default_rng(seed)
    signal = 2 * np.tanh(rng.standard_normal((n, 3)) @ rng.standard_normal((3, D)))
    if kind == "binary":
        return (rng.random((n, D)) < sigmoid(3 * signal)).astype(float)
    if kind == "counts":
        return rng.poisson(np.exp(signal)).astype(float)
    if kind == "missing":
        noisy = signal + 0.3 * rng.standard_normal((n, D))
        return np.where(rng.random((n, D)) < 0.2, np.nan, noisy)
    return sigmoid(2 * signal) if kind == "grey" else signal + 0.3 * rng.standard_normal((n, D))


def trained(model, X, epochs=40, lr=1e-2, **options):
    return model.fit(X, **{**QUICK, "epochs": epochs, "optimizer": Adam(lr)}, **options)


def one(report, topic):
    (finding,) = report.about(topic)
    return finding


HEALTHY = {
    "autoencoder, mse": ("real", lambda s: Autoencoder(D, 3, (32,), loss="mse", seed=s)),
    "autoencoder, bce": ("grey", lambda s: Autoencoder(D, 3, (32,), seed=s)),
    "VAE, Bernoulli": ("binary", lambda s: VAE(D, 3, (32,), seed=s)),
    "VAE, Gaussian": ("real", lambda s: VAE(D, 3, (32,), likelihood="gaussian", seed=s)),
    "VAE, multinomial": ("counts", lambda s: VAE(D, 3, (32,), likelihood="multinomial", seed=s)),
    "VAE, masked": (
        "missing",
        lambda s: VAE(D, 3, (32,), likelihood=Masked(GaussianNLL(0.4)), seed=s),
    ),
    "importance-weighted": ("binary", lambda s: ImportanceWeightedVAE(D, 3, (32,), seed=s)),
}


def check_health(name, seed, epochs):
    kind, make = HEALTHY[name]
    X = data(seed, kind)
    report = examine(trained(make(seed), X, epochs), X)
    assert report.ok and not report.problems, report
    assert {"training", "numbers", "data", "codes", "output", "baselines"} <= {
        each.topic for each in report.findings
    }


@pytest.mark.parametrize("name", ["autoencoder, mse", "VAE, Bernoulli", "VAE, masked"])
def test_a_healthy_model_gets_no_problem(name):
    check_health(name, 0, 30)


@pytest.mark.slow
@pytest.mark.parametrize("name", HEALTHY)
@pytest.mark.parametrize("seed", range(8))
def test_a_healthy_model_gets_no_problem_at_any_seed(name, seed):
    check_health(name, seed, 60)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "model", [VAE((28, 28), 10, (256,), activation="relu"), Autoencoder((28, 28), 10, (256,))]
)
def test_a_healthy_model_of_images_gets_no_problem(model, seed):
    X, _, _ = datasets.synthetic_digits(4000, seed=seed)
    report = examine(model.set_params(seed=seed).fit(X, epochs=10, verbose=0), X)
    assert report.ok, report
    assert report.title.endswith("2,000 of 4,000 rows")


def test_bytes_and_standardised_data_are_out_of_the_range_of_a_bernoulli_and_reported():
    grey = data(kind="grey")
    standard = (grey - grey.mean(axis=0)) / grey.std(axis=0)
    for model in (VAE(D, 2), Autoencoder(D, 2), VAE(D, 2, likelihood=Masked(BernoulliNLL()))):
        for X, words in (
            (np.round(255 * grey).astype(np.uint8), "X / 255"),
            (255 * grey, "X / 255"),
            (standard, 'loss="mse"'),
            (standard, "standardised"),
            (3 * grey, "(X - min) / (max - min)"),
        ):
            report = examine(model, X)
            finding = one(report, "data")
            assert finding.severity == "problem" and words in finding.remedy
            assert "for [0, 1]" in finding.cause and f"{X.max():.4g}" in finding.cause
            assert not report.ok and not report.about("baselines")
            assert "the rest was not looked at" in str(report)
    assert one(examine(VAE(D, 2), grey), "data").severity == "ok"


def test_data_beyond_the_reach_of_the_decoders_last_layer_are_reported():
    decoder = Sequential(Dense(2, D), Tanh())
    model = Autoencoder(D, 2, decoder=decoder, loss="mse")
    finding = one(examine(model, data()), "data")
    assert finding.severity == "problem" and "a decoder that ends in Tanh()" in finding.cause
    assert one(examine(model, data() / 10), "data").severity == "ok"
    report = examine(Autoencoder(D, 2, loss="mse"), 1e39 * data())
    assert "a model of float32 is for" in one(report, "data").cause
    report = examine(Autoencoder(D, 2, loss="mse"), 1e30 * data())
    assert [each.topic for each in report.problems] == ["numbers"]


def test_negative_counts_are_reported_and_empty_rows_and_fractions_noted():
    X, model = data(kind="counts"), VAE(D, 2, likelihood="multinomial")
    assert one(examine(model, X), "data").severity == "ok"
    X[3] = 0
    finding = one(examine(model, X), "data")
    assert finding.severity == "note" and "1 of 200 rows are empty" in finding.cause
    assert "not whole" in one(examine(model, X + 0.5), "data").cause
    X[17, 4] = -1
    finding = one(examine(model, X), "data")
    assert finding.severity == "problem" and "[-1, " in finding.cause
    assert "counts cannot be negative" in finding.remedy


def test_nan_and_infinity_are_reported_with_the_place_of_the_first():
    X = np.random.default_rng(0).random((5000, D))
    X[4500, 7] = X[4800, 2] = np.nan
    finding = one(examine(VAE(D, 2), X), "data")
    assert finding.severity == "problem" and "wrap the loss in Masked" in finding.remedy
    assert "2 entries" in finding.cause and "X[4500, 7]" in finding.cause
    masked = VAE(D, 2, likelihood=Masked(BernoulliNLL()))
    assert examine(masked, X).ok
    X[4990, 1] = np.inf
    finding = one(examine(masked, X), "data")
    assert finding.severity == "problem" and "1 entries" in finding.cause
    assert "X[4990, 1]" in finding.cause


def test_data_that_say_nothing_are_reported():
    same = np.tile(data(kind="grey")[:1], (20, 1))
    assert "all rows are the same" in one(examine(VAE(D, 2), same), "data").cause
    nothing = np.full((20, D), np.nan)
    finding = one(examine(VAE(D, 2, likelihood=Masked(GaussianNLL())), nothing), "data")
    assert finding.severity == "problem" and "no entry of X is observed" in finding.cause


def test_a_scale_far_from_one_is_noted():
    grey = data(kind="grey")
    twice = one(examine(VAE(D, 2), grey / 255), "data")
    assert twice.severity == "note" and "twice" in twice.remedy
    model = Autoencoder(D, 2, loss="mse")
    assert one(examine(model, 255 * grey), "data").remedy == "X / 255"
    small = one(examine(model, 1e-4 * data()), "data")
    assert small.severity == "note" and "standard deviation" in small.remedy
    assert one(examine(model, data()), "data").severity == "ok"


def test_the_entropy_floor_is_the_entropy_and_no_loss_is_below_it():
    X = np.where(data(kind="binary") > 0, 0.75, 0.5)
    X[:, 0] = 1.0
    quarter = -0.25 * np.log(0.25) - 0.75 * np.log(0.75)
    expected = np.where(X == 0.75, quarter, np.log(2))[:, 1:].sum(axis=1).mean()
    model = trained(Autoencoder(D, 4, (32,)), X, 20)
    finding = one(examine(model, X), "floor")
    assert finding.severity == "note" and f"{expected:.4g} nats" in finding.cause
    np.testing.assert_allclose(finding.figures["entropy_floor"], expected, rtol=1e-12)
    assert expected < finding.figures["reconstruction"] < 1.5 * expected
    binary = one(examine(VAE(D, 2), data(kind="binary")), "floor")
    assert binary.severity == "ok" and binary.figures["entropy_floor"] == 0
    assert not examine(Autoencoder(D, 2, loss="mse"), data()).about("floor")


def test_a_posterior_collapsed_by_a_large_beta_is_found_with_what_follows_from_it():
    X = data(kind="binary")
    report = examine(trained(VAE(D, 3, (16,), beta=200.0), X), X)
    codes = one(report, "codes")
    assert codes.severity == "problem" and codes.figures["active"] == 0
    for remedy in ("kl_warmup", "free_bits", "beta smaller than 200"):
        assert remedy in codes.remedy
    for topic in ("output", "baselines"):
        finding = one(report, topic)
        assert finding.severity == "problem" and "from the codes" in finding.remedy
    assert "does not beat the mean" in one(report, "baselines").cause


def with_codes(mean, slope, log_var, d=2):
    """A VAE whose latents all have mu = mean + slope x_0 and this log_var, and has been trained."""
    vae = VAE(D, d, (), dtype="float64")
    W = vae.encoder.layers[0].params["W"]
    W[...] = 0
    W[0, :d] = slope
    vae.encoder.layers[0].params["b"] = [mean] * d + [log_var] * d
    vae.dtheta[...] = 1
    return vae


@pytest.mark.parametrize(
    ("mean", "slope", "log_var", "severity", "words"),
    [
        (0.0, 0.0, 0.0, "problem", "posterior collapse"),
        (-0.05, 0.1, 0.0, "problem", "posterior collapse"),
        (-0.09, 0.18, -9.0, "note", "0 of 2 latents are active, 8.01 nats of KL"),
        (-0.09, 0.18, -9.0, "note", "they are in use"),
        (1350.0, 0.0, 0.0, "problem", "no collapse: their codes are the same for all rows"),
        (0.0, 0.0, 15.0, "problem", "0 of 2 latents are active, 3.27e+06 nats of KL"),
        (0.0, 0.0, 15.0, "problem", "no collapse"),
        (-1.0, 2.0, -2.0, "ok", "2 of 2 latents are active"),
    ],
)
def test_collapse_is_judged_by_the_kl_too(mean, slope, log_var, severity, words):
    finding = one(examine(with_codes(mean, slope, log_var), data(kind="binary")), "codes")
    assert finding.severity == severity and words in finding.cause, finding
    assert ("posterior collapse" in finding.cause) == (words == "posterior collapse")


def test_latents_that_are_not_needed_are_noted_and_named_but_no_problem():
    X = data()
    vae = trained(VAE(D, 8, (32,), likelihood=GaussianNLL(0.5), beta=4.0), X, 60)
    report = examine(vae, X)
    finding = one(report, "codes")
    kl, active = vae.kl_per_dimension(X), vae.active_units(X)
    assert 0 < active < 8 and finding.figures["active"] == active
    assert finding.severity == "note" and report.ok
    named = finding.cause.split("not in use: ")[1].split(", ")
    assert [int(j) for j in named] == sorted(np.argsort(kl)[: 8 - active])


def test_a_sigma_too_large_for_any_latent_is_found_and_one_too_small():
    X = data()
    vae = trained(VAE(D, 3, (16,), likelihood=GaussianNLL(20.0)), X, 20)
    finding = one(examine(vae, X), "sigma")
    assert finding.severity == "problem" and finding.figures["directions"] == 0
    assert "use no latent" in finding.cause and "learn_sigma=True" in finding.remedy
    small = trained(VAE(D, 3, (16,), likelihood=GaussianNLL(0.01)), X, 20)
    finding = one(examine(small, X), "sigma")
    assert finding.severity == "problem" and "samples from the prior" in finding.cause
    wide = trained(Autoencoder(D, 3, (16,), loss=GaussianNLL(5.0)), X, 20)
    finding = one(examine(wide, X), "sigma")
    assert finding.severity == "note" and "sigma_effective" not in finding.figures


def test_beta_and_sigma_are_told_as_one_sigma_and_as_a_weight_of_the_kl_on_the_mean_mse():
    X = data()
    figures = one(
        examine(VAE(D, 3, (16,), likelihood=GaussianNLL(0.5), beta=9.0), X), "sigma"
    ).figures
    assert figures["sigma_effective"] == pytest.approx(1.5)
    assert figures["sigma_effective"] ** 2 == pytest.approx(D * figures["mean_mse_weight"] / 2)
    variances = PCA(1).fit(X[::2]).variances_
    assert figures["directions"] == (variances > 1.5**2).sum() > 0


@pytest.mark.slow
def test_a_linear_vae_uses_as_many_latents_as_directions_vary_more_than_its_sigma():
    rng = np.random.default_rng(0)
    spread = np.array([4.0, 3.0, 2.0, 0.5, 0.4, 0.3])
    X = (rng.standard_normal((1000, 6)) * spread) @ np.linalg.qr(rng.standard_normal((6, 6)))[0]
    vae = VAE(6, 5, (), likelihood=GaussianNLL(0.5), beta=4.0)
    trained(vae, X, 150, 1e-2, shuffle=True)
    finding = one(examine(vae, X), "sigma")
    assert finding.figures["directions"] == 3 == vae.active_units(X)


def test_a_learned_sigma_that_has_come_to_rest_is_the_residuals_root_mean_square():
    X = data()
    vae = trained(VAE(D, 3, (16,), likelihood="gaussian"), X, 60)
    finding = one(examine(vae, X), "sigma")
    assert finding.severity == "ok"
    assert finding.figures["sigma"] == pytest.approx(finding.figures["residual"], rel=0.3)
    early = one(examine(trained(VAE(D, 3, (16,), likelihood="gaussian"), X, 1, 1e-4), X), "sigma")
    assert "sigma" in early.cause


def test_units_killed_by_a_large_negative_bias_are_counted():
    model = Autoencoder(D, 3, (20,), loss="mse", seed=1)
    model.encoder.layers[0].params["b"][:7] = -100
    finding = one(examine(model, data()), "units")
    assert finding.severity == "note" and "encoder.1, ReLU(): 7 of 20 units are dead" in str(
        finding.cause
    )
    model.encoder.layers[0].params["b"][...] = -100
    dead = examine(model, data()).about("units")[0]
    assert dead.severity == "problem" and "20 of 20" in dead.cause
    assert "Softplus" in dead.remedy


@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_units_saturated_by_large_weights_are_counted(name):
    model = Autoencoder(D, 3, (20,), activation=name, loss="mse", seed=1)
    assert one(examine(model, data()), "units").severity == "ok"
    model.encoder.layers[0].params["W"][:, :15] *= 1e4
    finding = one(examine(model, data()), "units")
    assert finding.severity == "problem" and "15 of 20 units are saturated" in finding.cause


def test_a_unit_of_a_convolution_is_a_channel():
    X = np.random.default_rng(0).random((30, 6, 6, 1))
    encoder = Sequential(Conv2D(1, 5, 3), ReLU(), Flatten(), Dense(80, 2))
    model = Autoencoder((6, 6, 1), 2, (8,), encoder=encoder)
    model.encoder.layers[0].params["b"][[1, 3]] = -100
    (finding, *_) = examine(model, X).about("units")
    assert "2 of 5 units are dead" in finding.cause


def test_the_first_parameter_and_the_first_layer_that_are_not_finite_are_named():
    X = data(kind="grey")
    model = VAE(D, 2, (8,))
    model.decoder.layers[0].params["W"][0, 3] = np.nan
    model.decoder.layers[2].params["b"][0] = np.inf
    finding, *_ = examine(model, X).about("numbers")
    assert finding.severity == "problem" and "decoder.0.W: 1 of 16 entries" in finding.cause
    model = Autoencoder(D, 2, (8,), loss="mse")
    model.encoder.layers[2].params["W"][...] = 3e38
    report = examine(model, X)
    (finding,) = report.problems
    assert finding.topic == "numbers" and "encoder.2, Dense(8, 2" in finding.cause
    model = VAE(D, 2, (8,))
    model.encoder.layers[2].params["b"][...] = 50
    assert "log_var reaches" in examine(model, X).problems[0].cause


def test_a_decoder_that_ignores_its_code_is_told_from_codes_that_are_alike():
    X = data()
    model = Autoencoder(D, 3, (20,), loss="mse")
    model.decoder.layers[0].params["b"][...] = -100
    finding = one(examine(trained(model, X, 1), X), "output")
    assert finding.severity == "problem" and "the decoder ignores it" in finding.cause
    model = Autoencoder(D, 3, (20,), activation="tanh", loss="mse")
    model.encoder.layers[2].params["W"][...] *= 1e-9
    finding = one(examine(trained(model, X, 1, 1e-6), X), "output")
    assert finding.severity == "problem" and "other codes would not" in finding.cause
    model.encoder.layers[2].params["W"][...] = 0
    report = examine(model, X)
    assert "0 of 3 code units vary" in one(report, "codes").cause
    assert "from the codes" in one(report, "output").remedy


def test_a_model_that_is_no_better_than_pca_or_the_mean_is_told_so():
    X = data()
    poor = one(examine(trained(Autoencoder(D, 3, (32,), loss="mse"), X, 8), X), "baselines")
    assert poor.severity == "problem" and "the model does not beat PCA" in poor.cause
    far = one(examine(trained(Autoencoder(D, 3, (32,), loss="mse"), X + 5, 1), X + 5), "baselines")
    assert far.severity == "problem" and "the model does not beat the mean" in far.cause


@pytest.mark.filterwarnings("ignore:latent_dim=12 is not below")
def test_not_beating_pca_is_only_a_note_for_a_model_with_a_penalty_or_a_kl():
    X = data()
    sparse = Autoencoder(D, 3, (32,), loss="mse", penalty=L1Penalty(0.5))
    finding = one(examine(trained(sparse, X, 20), X), "baselines")
    assert finding.severity == "note" and "normal with a penalty" in finding.cause
    vae = VAE(D, 3, (32,), likelihood=GaussianNLL(1.0))
    finding = one(examine(trained(vae, X, 20), X), "baselines")
    assert finding.severity == "note" and "normal with a KL" in finding.cause
    wide = Autoencoder(D, D, (32,), loss="mse")
    finding = one(examine(trained(wide, X, 20), X), "baselines")
    assert finding.severity == "note" and finding.remedy == "a smaller latent_dim"


def test_baselines_are_the_best_constant_and_pca_of_the_other_half_of_the_rows():
    X = data()
    errors = one(examine(VAE(D, 3, likelihood="gaussian"), X), "baselines").figures
    pca = PCA(3).fit(X[::2])
    np.testing.assert_allclose(errors["pca"], pca.reconstruction_error(X[1::2]), rtol=1e-12)
    np.testing.assert_allclose(errors["mean"], X[1::2].var(axis=0).sum(), rtol=1e-12)


def test_pca_is_the_same_where_there_are_more_features_than_rows():
    X = np.random.default_rng(0).standard_normal((40, 7, 9))
    model = VAE((7, 9), 3, (5,), likelihood="gaussian")
    figures = one(examine(model, X), "baselines").figures
    flat = X.reshape(40, 63)
    pca = PCA(3).fit(flat[::2])
    np.testing.assert_allclose(figures["pca"], pca.reconstruction_error(flat[1::2]), rtol=1e-9)
    out = model.reconstruct(X).reshape(40, 63)
    error = ((out - flat)[1::2] ** 2).sum(axis=1).mean()
    np.testing.assert_allclose(figures["model"], error, rtol=1e-6)


def test_errors_are_of_what_was_observed_only():
    X = data(kind="missing")
    model = VAE(D, 3, likelihood=Masked(GaussianNLL(0.4)))
    errors = one(examine(model, X), "baselines").figures
    residual = (model.reconstruct(X) - X)[1::2]
    expected = np.nansum(residual**2, axis=1).mean()
    np.testing.assert_allclose(errors["model"], expected, rtol=1e-6)
    expected = np.nansum((X[1::2] - np.nanmean(X[1::2], axis=0)) ** 2, axis=1).mean()
    np.testing.assert_allclose(errors["mean"], expected, rtol=1e-12)


@pytest.mark.parametrize(
    "model",
    [
        VAE(D, 3),
        VAE(D, 3, likelihood="multinomial"),
        VAE(D, 3, likelihood=GaussianNLL(1e-3)),
        Autoencoder(D, 3, loss="mse"),
    ],
)
def test_an_untrained_model_gets_notes_and_no_problem(model):
    report = examine(model, data(kind="grey"))
    assert report.ok and one(report, "training").severity == "note"
    assert "no training on record" in str(report)


def test_a_loop_of_ones_own_counts_as_training():
    X, model, adam = data(kind="grey"), VAE(D, 3, beta=200.0), Adam(1e-2)
    for _ in range(50):
        model.loss(X, training=True)
        model.backward()
        adam.step(model.theta, model.dtheta)
    report = examine(model, X)
    assert "a loop of its own" in one(report, "training").cause
    assert one(report, "codes").severity == "problem"


def test_a_loss_that_rose_is_a_problem_and_a_warm_up_that_goes_on_a_note():
    X = data()
    model = trained(Autoencoder(D, 3, loss="mse"), X, 1, 1e-3)
    trained(model, X, 2, 3.0)
    finding = one(examine(model, X), "training")
    assert finding.severity == "problem" and "it rose" in finding.cause
    finding = one(examine(trained(VAE(D, 3, kl_warmup=5), sigmoid(X), 3), sigmoid(X)), "training")
    assert finding.severity == "note" and "until epoch 6" in finding.cause


def test_neither_the_model_nor_the_data_are_changed():
    X, model = data(kind="grey"), VAE(D, 3, (8,), dropout=0.2, seed=2)
    X.flags.writeable = False
    model.loss(X, training=True)
    before = (model.theta.copy(), model.rng.bit_generator.state, model.cache, dict(model.terms))
    assert examine(model, X).findings == examine(model, X).findings
    assert np.array_equal(model.theta, before[0]) and model.rng.bit_generator.state == before[1]
    assert model.cache is before[2] and model.terms == before[3]
    model.backward()
    assert "forward" not in vars(model.encoder.layers[0])


def test_all_rows_are_read_for_the_range_and_some_evenly_spread_for_the_rest(monkeypatch):
    X = data(kind="grey", n=300)
    order = np.arange(300.0)
    model = VAE(D, 2)
    assert examine(model, X, rows=31).title.endswith(", 31 of 300 rows")
    X[:, 0] = order / 300
    low, high = (one(examine(model, X, rows=31), "data").figures[k] for k in ("lowest", "highest"))
    assert (low, high) == (X.min(), X.max())
    X[101, 3] = 7.0
    assert not examine(model, X, rows=31).ok
    monkeypatch.setattr(health, "NUMBERS", 44 * D + 1)
    assert examine(VAE(D, 2), data(kind="grey")).title.endswith(", 44 of 200 rows")


def test_a_conditional_model_is_examined_with_its_labels():
    X, labels = data(kind="binary"), np.arange(200) % 3
    model = trained(ConditionalVAE(D, 2, (16,), n_classes=3), X, 5, labels=labels)
    report = examine(model, X, rows=50, labels=labels)
    assert one(report, "codes").figures["active"] >= 1
    with pytest.raises(ValueError, match="pass labels="):
        examine(model, X)
    with pytest.raises(ValueError, match=r"labels has shape \(199,\), but X 200 rows"):
        examine(model, X, labels=labels[1:])
    with pytest.raises(TypeError, match="labels"):
        examine(VAE(D, 2), X, labels=labels)


def test_a_report_prints_its_verdict_in_lines_that_fit_a_page():
    text = str(examine(VAE(D, 2), 255 * data(kind="grey")))
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "data       PROBLEM  X lies in" in text
    assert text.splitlines()[-1] == "problems: 1, notes: 2"
    assert text.splitlines()[0] == "VAE(input_dim=12, latent_dim=2), 200 of 200 rows"


@pytest.mark.parametrize(
    ("X", "error", "words"),
    [
        (np.zeros((9, D)), ValueError, "X has 9 samples: pass ten"),
        (np.zeros((20, D + 1)), ValueError, rf"X must have shape \(n, {D}\).*{D + 1}"),
        (np.zeros(D), ValueError, "a single sample"),
        (np.zeros(()), ValueError, r"got \(\)"),
        (np.zeros((0, D)), ValueError, "n >= 1"),
        (np.full((20, D), "a"), TypeError, "real numbers"),
    ],
)
def test_what_is_no_data_set_for_this_model_is_refused(X, error, words):
    with pytest.raises(error, match=words):
        examine(VAE(D, 2), X)


@pytest.mark.parametrize("rows", [9, 0, 20.0, None])
def test_a_number_of_rows_below_ten_or_not_whole_is_refused(rows):
    with pytest.raises(ValueError, match="rows=.* must be 10 or more"):
        examine(VAE(D, 2), data(kind="grey"), rows=rows)


def test_a_model_whose_loss_alone_takes_labels_is_judged():
    class Labelled(Autoencoder):
        def loss(self, x, target=None, *, labels=None, **given):
            return super().loss(x, target, **given)

    X = np.random.default_rng(0).random((60, 6))
    model = Labelled(6, 2, (5,)).fit(X, epochs=1, verbose=0)
    report = examine(model, X, labels=np.arange(60) % 2)
    assert str(report) == str(examine(model, X))
