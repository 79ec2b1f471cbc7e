"""What a class of students will find: every way in, with every wrong kind of input.

Each call works as documented or raises ValueError or TypeError, and the message names the argument
and what is wrong with it: the value, the shapes, or the index of the first bad entry.
"""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sampled import often

from miniae import (
    SGD,
    VAE,
    Adam,
    AnomalyDetector,
    Autoencoder,
    BernoulliNLL,
    ConditionalVAE,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Dropout,
    GaussianNLL,
    GaussianNoise,
    ImportanceWeightedVAE,
    KLSparsity,
    L1Penalty,
    MaskingNoise,
    ReLU,
    Reshape,
    SaltAndPepper,
    Sequential,
    SquaredError,
    conv_networks,
    datasets,
    gaussian_kl,
    gradient_check,
    metrics,
    plots,
)

RNG = np.random.default_rng(0)
GOOD = RNG.random((5, 6))
QUIET = {"epochs": 1, "verbose": 0}


def spoilt(value, at=(3, 4)):
    """Return good data with one entry changed."""
    X = GOOD.copy()
    X[at] = value
    return X


WRONG = {  # what comes in, and what the message must name
    "one row as a vector": (GOOD[0], r"\(6,\)"),
    "an image too many axes": (GOOD[:, :, None], r"\(5, 6, 1\)"),
    "a number": (0.5, r"\(\)"),
    "too few features": (GOOD[:, :5], r"\(5, 5\)"),
    "too many features": (np.hstack([GOOD, GOOD]), r"\(5, 12\)"),
    "nothing": (GOOD[:0], r"\(0, 6\)"),
    "an empty list": ([], r"\(0,\)"),
    "objects": (GOOD.astype(object), "dtype object"),
    "words": (GOOD.astype(str), "dtype <U"),
    "complex numbers": (GOOD + 1j, "dtype complex128"),
    "rows of two lengths": ([[0.1] * 6, [0.1] * 5], "2 entries differ in shape"),
    "NaN": (spoilt(np.nan), r"\[3, 4\] is nan"),
    "inf": (spoilt(np.inf), r"\[3, 4\] is inf"),
    "a grey level of 255": (spoilt(255.0), r"\[3, 4\] is 255"),
    "a negative pixel": (spoilt(-0.5), r"\[3, 4\] is -0.5"),
    "None": (None, r"dtype object|got shape \(\)"),
}
WAYS_IN = {
    "encode": lambda m, X: m.encode(X),
    "reconstruct": lambda m, X: m.reconstruct(X),
    "call": lambda m, X: m(X),
    "evaluate": lambda m, X: m.evaluate(X),
    "score": lambda m, X: m.score(X),
    "loss": lambda m, X: m.loss(X),
    "fit": lambda m, X: m.fit(X, **QUIET),
    "fit target": lambda m, X: m.fit(GOOD, X, **QUIET),
    "validation": lambda m, X: m.fit(GOOD, validation_data=X, **QUIET),
    "anomaly_score": lambda m, X: m.anomaly_score(X),
    "interpolate": lambda m, X: m.interpolate(X, X),
    "elbo": lambda m, X: m.elbo(X),
    "log_likelihood": lambda m, X: m.log_likelihood(X, k=2),
    "posterior": lambda m, X: m.posterior(X),
    "kl_per_dimension": lambda m, X: m.kl_per_dimension(X),
    "active_units": lambda m, X: m.active_units(X),
    "impute": lambda m, X: m.impute(X),
    "detector": lambda m, X: AnomalyDetector(m, holdout=0).fit(X, **QUIET),
}
RANGE_FREE = {"encode", "reconstruct", "call", "interpolate", "posterior", "kl_per_dimension",
              "active_units"}  # fmt: skip
FINE = {  # a code exists for any finite number; NaN is what impute fills in
    *((way, kind) for way in RANGE_FREE for kind in ("a grey level of 255", "a negative pixel")),
    ("impute", "NaN"),
    ("fit target", "None"),
    ("validation", "None"),
    ("interpolate", "one row as a vector"),
    ("detector", "objects"),  # numbers stored as objects, as scikit-learn demands
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("way", WAYS_IN)
def test_wrong_data_are_refused_by_name_and_value_wherever_they_come_in(way, kind):
    X, words = WRONG[kind]
    if (way, kind) in FINE:
        WAYS_IN[way](VAE(6, 2, (4,)), X)
        return
    with pytest.raises((ValueError, TypeError), match=words) as error:
        WAYS_IN[way](VAE(6, 2, (4,)), X)
    if kind != "rows of two lengths":  # NumPy refuses these before anybody has a name for them
        assert any(
            f"{name}" in str(error.value) for name in ("X", "x", "y", "validation_data", "a")
        )


def frame():
    return pytest.importorskip("pandas").DataFrame(GOOD)


UNUSUAL = {
    "a list of lists": GOOD.tolist,
    "a tuple of tuples": lambda: tuple(map(tuple, GOOD)),
    "a read-only array": lambda: np.frombuffer(GOOD.tobytes()).reshape(5, 6),
    "every second column": lambda: np.repeat(GOOD, 2, axis=1)[:, ::2],
    "rows backwards": lambda: GOOD[::-1].copy()[::-1],
    "Fortran order": lambda: np.asfortranarray(GOOD),
    "float16": lambda: GOOD.astype(np.float16),
    "big-endian": lambda: GOOD.astype(">f8"),
    "float128": lambda: GOOD.astype(np.longdouble),
    "a pandas frame": frame,
    "a masked array without a mask": lambda: np.ma.array(GOOD),
    "a matrix of rows": lambda: list(GOOD),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", UNUSUAL)
@pytest.mark.parametrize("way", [way for way in WAYS_IN if way != "detector"])
def test_unusual_data_are_as_good_as_plain_ones(way, kind):
    if way == "validation" and kind == "a tuple of tuples":
        pytest.skip("a tuple is (X, y) there")
    X = UNUSUAL[kind]()
    plain = np.array(X, dtype=np.float64)
    ours, theirs = (WAYS_IN[way](VAE(6, 2, (4,)), data) for data in (plain, X))
    for a, b in zip(
        *([r.theta] if hasattr(r, "theta") else [r] for r in (ours, theirs)), strict=True
    ):
        # The model is float32: data of more digits are rounded once, to the same numbers.
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64])
def test_whole_numbers_are_data_too(dtype):
    X = (GOOD > 0.5).astype(dtype)
    for way in WAYS_IN.values():
        way(VAE(6, 2, (4,)), X)


def test_one_sample_is_enough():
    for name, way in WAYS_IN.items():
        if name != "fit target":
            way(VAE(6, 2, (4,)), GOOD[:1])


vae, small = VAE(6, 2, (4,)), Autoencoder(6, 2, (4,))
CALLS = [
    (lambda: VAE(0), "input_dim=0|sizes"),
    (lambda: VAE(-3), "input_dim|sizes"),
    (lambda: VAE(6.5), "input_dim|integer"),
    (lambda: VAE("6"), "input_dim|integer"),
    (lambda: VAE(None), "input_dim|integer"),
    (lambda: VAE((28, 0)), "input_dim|sizes"),
    (lambda: VAE(()), "input_dim|sizes"),
    (lambda: VAE(6, 0), "latent_dim|sizes"),
    (lambda: VAE(6, -1), "latent_dim|sizes"),
    (lambda: VAE(6, 2.5), "latent_dim|integer"),
    (lambda: VAE(6, 2, (0,)), "hidden|sizes"),
    (lambda: VAE(6, 2, (4, -4)), "hidden|sizes"),
    (lambda: VAE(6, 2, ("4",)), "hidden|integer"),
    (lambda: VAE(6, 2, activation="rellu"), "activation='rellu' is unknown; did you mean 'relu'"),
    (lambda: VAE(6, 2, activation=None), "activation=None"),
    (lambda: VAE(6, 2, likelihood="bernouli"), "did you mean 'bernoulli'"),
    (lambda: VAE(6, 2, likelihood=BernoulliNLL), r"is a class: write BernoulliNLL\(\)"),
    (lambda: VAE(6, 2, likelihood=SquaredError()), "sigma"),
    (lambda: VAE(6, 2, beta=-1), "beta=-1"),
    (lambda: VAE(6, 2, beta=np.nan), "beta=nan"),
    (lambda: VAE(6, 2, kl_warmup=-1), "kl_warmup=-1"),
    (lambda: VAE(6, 2, free_bits=-0.1), "free_bits=-0.1"),
    (lambda: VAE(6, 2, dropout=1.0), "p=1.0|dropout=1.0"),
    (lambda: VAE(6, 2, dropout=-0.1), "p=-0.1|dropout=-0.1"),
    (lambda: VAE(6, 2, dtype="float16"), "dtype=float16"),
    (lambda: VAE(6, 2, dtype="flot32"), "dtype|flot32"),
    (lambda: VAE(6, 2, encoder=Sequential(Dense(6, 3))), "encoder|latent"),
    (lambda: VAE(6, 2, decoder=Sequential(Dense(3, 6))), "decoder|takes x of shape"),
    (lambda: VAE(6, 2, decoder=Sequential(Dense(2, 5))), "decoder|shape"),
    (lambda: VAE(6, 2, encoder=Dense(6, 4)), "encoder must be a Sequential"),
    (lambda: VAE(6, 2, encoder=[Dense(6, 4)]), "encoder must be a Sequential"),
    (lambda: Autoencoder(6, 2, code_activation="sigmoidd"), "did you mean 'sigmoid'"),
    (lambda: Autoencoder(6, 2, loss="msee"), "did you mean 'mse'"),
    (lambda: Autoencoder(6, 2, corruption=0.5), "corruption=0.5"),
    (lambda: Autoencoder(6, 2, penalty="l1"), "penalty='l1'"),
    (lambda: ConditionalVAE(6, 2, n_classes=0), "n_classes=0"),
    (lambda: ImportanceWeightedVAE(6, 2, k=0), "k=0"),
    (lambda: vae.fit(GOOD, epochs=-1), "epochs=-1"),
    (lambda: vae.fit(GOOD, epochs=1.5), "epochs=1.5"),
    (lambda: vae.fit(GOOD, epochs="3"), "epochs='3'"),
    (lambda: vae.fit(GOOD, batch_size=0), "batch_size=0"),
    (lambda: vae.fit(GOOD, batch_size=None), "batch_size=None"),
    (lambda: vae.fit(GOOD, optimizer="adm"), "optimizer='adm'"),
    (lambda: vae.fit(GOOD, optimizer=SGD), "optimizer=SGD cannot be called without arguments"),
    (lambda: vae.fit(GOOD, optimizer=3), "optimizer=3 must be one of"),
    (lambda: vae.fit(GOOD, validation_split=1), "validation_split=1"),
    (lambda: vae.fit(GOOD, validation_split=-0.1), "validation_split=-0.1"),
    (lambda: vae.fit(GOOD, validation_split=0.01), "validation_split=0.01"),
    (lambda: vae.fit(GOOD, early_stopping=2), "early_stopping needs validation"),
    (lambda: vae.fit(GOOD, validation_split=0.2, early_stopping=0), "early_stopping=0"),
    (lambda: vae.fit(GOOD, GOOD[:3], **QUIET), r"\(5, 6\), got \(3, 6\)"),
    (lambda: vae.fit(GOOD, np.arange(5), **QUIET), "labels"),
    (lambda: vae.fit(GOOD, epoch=3), "epoch"),
    (lambda: vae.fit(), "X"),
    (lambda: vae.sample(-1), "n=-1|n must|-1"),
    (lambda: vae.sample(1.5), "1.5|integer"),
    (lambda: vae.decode(np.zeros((3, 5))), r"\(3, 5\)"),
    (lambda: vae.decode(np.zeros(2)), r"\(2,\)"),
    (lambda: vae.decode("z"), "Z"),
    (lambda: vae.decode(np.full((3, 2), np.nan)), "Z.* is nan"),
    (lambda: vae.log_likelihood(GOOD, k=0), "k=0"),
    (lambda: vae.log_likelihood(GOOD, k=2.5), "k=2.5"),
    (lambda: vae.interpolate(GOOD[0], GOOD[1], steps=0), "steps=0"),
    (lambda: vae.traverse(dims=[2]), "dims"),
    (lambda: vae.posterior_sample(GOOD, n_draws=0), "n_draws=0"),
    (lambda: small.impute(GOOD, n_draws=3), "n_draws=3"),
    (lambda: vae.impute(GOOD, steps=1), "steps=1"),
    (lambda: AnomalyDetector(vae, contamination=0), "contamination=0"),
    (lambda: AnomalyDetector(vae, contamination=0.6), "contamination=0.6"),
    (lambda: AnomalyDetector(vae, holdout=1), "holdout=1"),
    (lambda: AnomalyDetector(VAE(6)).predict(GOOD), "call fit"),
    (lambda: Dense(0, 3), "n_in=0"),
    (lambda: Dense(3, -1), "n_out=-1"),
    (lambda: Dense(3, 2, init="xavier"), "init='xavier'"),
    (lambda: Dense(3, 2).forward(np.zeros(3)), r"\(3,\)"),
    (lambda: Dense(3, 2).forward(np.zeros((4, 2))), r"\(4, 2\)"),
    (lambda: Dropout(1), "p=1"),
    (lambda: Dropout(-0.5), "p=-0.5"),
    (lambda: Reshape(0).forward(GOOD), r"shape=\(0,\) must be integers above 0"),
    (lambda: gradient_check(Dense, GOOD), "obj must be a layer, loss or model"),
    (lambda: Reshape(4).forward(np.zeros((2, 6))), r"\(2, 6\)|6"),
    (lambda: Conv2D(0, 2, 3), "c_in=0"),
    (lambda: Conv2D(1, 2, 3, stride=0), "stride=0"),
    (lambda: Conv2D(1, 2, kernel=0), "kernel=0"),
    (lambda: Conv2D(1, 2, 3, padding="ful"), "padding='ful'"),
    (lambda: Conv2D(1, 2, kernel=5).forward(np.zeros((1, 3, 3, 1))), r"\(1, 3, 3, 1\)|5"),
    (lambda: Conv2D(2, 2, 3).forward(np.zeros((1, 8, 8, 1))), r"\(1, 8, 8, 1\)"),
    (lambda: ConvTranspose2D(1, 2, 3, output_padding=5), "output_padding=5"),
    (lambda: conv_networks((28, 28), 0), "0"),
    (lambda: conv_networks(784, 8), "784"),
    (lambda: SGD(0), "lr=0"),
    (lambda: SGD(0.1, momentum=1), "momentum=1"),
    (lambda: SGD(0.1, nesterov=True), "momentum"),
    (lambda: Adam(-1), "lr=-1"),
    (lambda: Adam(betas=(0.9, 1.0)), "betas"),
    (lambda: Adam(eps=0), "eps=0"),
    (lambda: Adam(clip_norm=0), "clip_norm=0"),
    (lambda: Adam(weight_decay=-1), "weight_decay=-1"),
    (lambda: Adam().step(np.zeros(3), np.zeros(4)), r"\(3,\).*\(4,\)"),
    (lambda: GaussianNLL(0), "sigma=0"),
    (lambda: GaussianNLL(-1), "sigma=-1"),
    (lambda: GaussianNoise(-1), "-1"),
    (lambda: MaskingNoise(1.5), "1.5"),
    (lambda: SaltAndPepper(-0.1), "-0.1"),
    (lambda: L1Penalty(-1), "-1"),
    (lambda: KLSparsity(0), "0"),
    (lambda: KLSparsity(1.0), "1.0"),
    (lambda: SquaredError().forward(np.zeros((2, 3)), np.zeros((2, 4))), r"\(2, 3\).*\(2, 4\)"),
    (lambda: gaussian_kl(np.zeros((2, 3)), np.zeros((3, 2))), "shape|broadcast"),
    (lambda: gradient_check(Dense(3, 2), np.zeros((2, 3)), method="magic"), "method='magic'"),
    (lambda: gradient_check(3, np.zeros((2, 3))), "obj must be a layer, .* got 3"),
    (lambda: metrics.mse(np.zeros(3), np.zeros(4)), r"\(3,\).*\(4,\)"),
    (lambda: metrics.auroc([0.1, 0.2], [1, 1]), "label|y|class"),
    (lambda: metrics.accuracy([1], [1, 2]), r"\(1,\).*\(2,\)"),
    (lambda: datasets.synthetic_digits(0), "n must be at least 1, got 0"),
    (lambda: datasets.synthetic_digits(-5), "got -5"),
    (lambda: datasets.synthetic_digits(2.5), "n must be an int, got 2.5"),
    (lambda: datasets.mnist("valid"), "split must be .* got 'valid'"),
    (lambda: plots.loss_curves({}), "history"),
    (lambda: plots.reconstructions(vae, GOOD), "image|square|shape"),
    (lambda: plots.latent_scatter(vae, GOOD, labels=[1]), "labels"),
    (lambda: vae.set_params(latent=3), "latent"),
    (lambda: setattr(vae, "theta", np.zeros(3)), r"\(3,\)|3"),
    (lambda: Sequential(Dense(3, 2), "relu"), "relu|layer"),
    (lambda: Sequential(Dense(3, 2), ReLU), "ReLU|layer|class"),
]


@pytest.mark.parametrize(
    ("call", "words"), often(3, CALLS), ids=[str(i) for i in range(len(CALLS))]
)
def test_an_impossible_call_is_refused_and_the_message_names_what_is_impossible(call, words):
    with pytest.raises((ValueError, TypeError), match=words):
        call()
    plt.close("all")
