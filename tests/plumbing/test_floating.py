"""A model computes under floating-point settings of its own, whatever np.seterr says."""

import warnings

import numpy as np
import pytest
from sampled import often

from miniae import (
    SGD,
    VAE,
    Adam,
    AnomalyDetector,
    Autoencoder,
    ConditionalVAE,
    GaussianNLL,
    GaussianNoise,
    ImportanceWeightedVAE,
    KLSparsity,
    Masked,
    Sequential,
    check_training,
    conv_networks,
    gradient_check,
)
from miniae.layers import Dense

rng = np.random.default_rng(0)
X = (rng.random((30, 16)) < 0.1).astype("float32")
X[:, 0] = 1e-30  # whose products underflow


def convolutional():
    encoder, decoder = conv_networks((4, 4, 1), 2)
    return Autoencoder((4, 4, 1), 2, encoder=encoder, decoder=decoder)


MODELS = {
    "autoencoder": lambda: Autoencoder(16, 2, (8,)),
    "sparse denoiser": lambda: Autoencoder(
        16, 2, (8,), activation="sigmoid", code_activation="sigmoid", penalty=KLSparsity(),
        corruption=GaussianNoise(0.3), dropout=0.1,
    ),
    "softplus": lambda: Autoencoder(16, 2, activation="softplus", loss="mse"),
    "vae": lambda: VAE(16, 2, (8,)),
    "gaussian": lambda: VAE(16, 2, (8,), likelihood="gaussian", dtype="float64"),
    "multinomial": lambda: VAE(16, 2, (8,), likelihood="multinomial"),
    "masked": lambda: VAE(16, 2, (8,), likelihood=Masked(GaussianNLL(learn_sigma=True))),
    "importance weighted": lambda: ImportanceWeightedVAE(16, 2, (8,)),
    "convolutional": convolutional,
}  # fmt: skip


@pytest.fixture
def strict():
    with np.errstate(all="raise"):
        yield


@pytest.mark.parametrize("name", often(4, MODELS))
def test_every_method_works_where_numpy_raises(strict, name):
    model = MODELS[name]()
    data = X.reshape(30, *model.input_shape)
    model.fit(data, epochs=8, optimizer=Adam(0.1, clip_norm=5.0), validation_split=0.2, verbose=0)
    model.fit(data, epochs=1, optimizer=SGD(1e-3, momentum=0.9, weight_decay=0.1), verbose=0)
    model.theta = 20 * model.theta if name in ("autoencoder", "softplus") else model.theta
    for method in ("encode", "reconstruct", "evaluate", "anomaly_score", "trace"):
        getattr(model, method)(data)
    model.interpolate(data[0], data[1], 3)
    if name != "multinomial":
        holes = np.where(rng.random(data.shape) < 0.2, np.nan, data)
        model.impute(holes[:5], steps=5)
    if isinstance(model, VAE):
        model.sample(3, seed=0), model.elbo(data), model.log_likelihood(data[:5], 20)
        model.posterior_sample(data, 2), model.kl_per_dimension(data), model.traverse(steps=2)


def test_conditional_models_and_detectors_work_where_numpy_raises(strict):
    labels = np.arange(30) % 3
    model = ConditionalVAE(16, 2, (8,), n_classes=3).fit(X, labels=labels, epochs=5, verbose=0)
    model.sample(3, labels=1), model.elbo(X, labels=labels), model.log_likelihood(X, 9, labels)
    detector = AnomalyDetector(VAE(16, 2, (8,))).fit(X, epochs=3, verbose=0)
    detector.predict(X)


def test_a_training_step_by_hand_works_where_numpy_raises(strict):
    for make in (MODELS["autoencoder"], MODELS["vae"]):
        model, optimizer = make(), Adam(0.1)
        for _ in range(20):
            model.loss(X, training=True)
            model.backward()
            optimizer.step(model.theta, model.dtheta)


def test_a_square_that_underflows_is_not_an_error_of_the_optimiser(strict):
    for optimizer in (Adam(), SGD(1e-30, momentum=0.5), Adam(clip_norm=1.0)):
        theta = np.ones(3, np.float32)
        optimizer.step(theta, np.full(3, 1e-30, np.float32))
        assert np.isfinite(theta).all()


def test_gradients_are_checked_where_numpy_raises(strict):
    assert gradient_check(VAE(6, 2, (4,)), rng.random((5, 6))).ok


@pytest.mark.slow
def test_training_is_checked_where_numpy_raises(strict):
    check_training(VAE(12, 2, (8,)), rng.random((40, 12)))


def test_the_results_and_the_settings_of_the_program_are_the_same():
    plain = VAE(16, 2).fit(X, epochs=2, verbose=0)
    before = np.seterr(all="raise")
    try:
        strict = VAE(16, 2).fit(X, epochs=2, verbose=0)
        assert set(np.geterr().values()) == {"raise"}
    finally:
        np.seterr(**before)
    assert strict.theta.tobytes() == plain.theta.tobytes()


def test_a_layer_that_divides_by_zero_still_warns_and_is_silent_where_the_program_says_so():
    model = Autoencoder(16, 2, encoder=Sequential(Dense(16, 2)))
    model.encoder.layers[0].forward = lambda x, training=False: x[:, :2] / np.float32(0)
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        model.encode(X + 1)
    with np.errstate(all="raise"), pytest.warns(RuntimeWarning, match="divide by zero"):
        model.encode(X + 1)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        model.encode(X + 1)


def test_a_diverging_run_is_explained_where_numpy_raises(strict):
    model = Autoencoder(16, 2, loss="mse")
    with pytest.raises(FloatingPointError, match="Likely the learning rate is too high"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(100 * X, epochs=50, optimizer=SGD(1e6), verbose=0)


def test_methods_keep_their_names_signatures_and_texts():
    import inspect

    assert VAE.loss.__name__ == "loss" and "minus the ELBO" in VAE.loss.__doc__
    assert list(inspect.signature(VAE.loss).parameters)[:3] == ["self", "x", "target"]
    assert "def elbo" in inspect.getsource(VAE.elbo)


def test_a_method_that_computes_has_one_wrapper_and_a_simple_one_has_none():
    for cls in (Autoencoder, VAE, ConditionalVAE, ImportanceWeightedVAE, AnomalyDetector):
        for each in cls.__mro__:
            for name, method in vars(each).items():
                inner = getattr(method, "__wrapped__", None)
                assert not hasattr(inner, "__wrapped__"), f"{each.__name__}.{name}"
        for name in ("get_params", "set_params"):
            assert not hasattr(getattr(cls, name), "__wrapped__")
    assert hasattr(VAE.encode, "__wrapped__") and hasattr(VAE.trace, "__wrapped__")
    assert not hasattr(VAE.build, "__wrapped__") and not hasattr(VAE.lay_out, "__wrapped__")
