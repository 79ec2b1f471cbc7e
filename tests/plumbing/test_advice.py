import warnings

import numpy as np
import pytest

from miniae import (
    VAE,
    Adam,
    Autoencoder,
    Dense,
    Dropout,
    GaussianNoise,
    L1Penalty,
    Masked,
    Sequential,
    SquaredError,
)

RNG = np.random.default_rng(1)
X = RNG.random((40, 6))
ONCE = {"epochs": 1, "verbose": 0}


def warnings_of(model, data=X, y=None):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(data, y, **ONCE)
        model.fit(data, y, **ONCE)  # once, not at each fit
    return [str(each.message) for each in caught]


@pytest.mark.parametrize("model", [
    lambda: Autoencoder(6),
    lambda: Autoencoder(6, 6, ()),
    lambda: Autoencoder((2, 3), 6, (20, 7)),
    lambda: Autoencoder(6, 7, loss=Masked(SquaredError())),
    lambda: Autoencoder(6, 6, encoder=Sequential(Dense(6, 6)), decoder=Sequential(Dense(6, 6))),
])  # fmt: skip
def test_a_code_with_room_for_all_features_is_warned_of_once(model):
    model = model()
    (message,) = warnings_of(model, X.reshape(-1, *model.input_shape))
    assert f"latent_dim={model.latent_dim} is not below the 6 features" in message
    assert "such as 3" in message and "penalty" in message


@pytest.mark.parametrize("model", [
    lambda: Autoencoder(6, 5),
    lambda: Autoencoder(6, 32, (5,)),  # the hidden layer is the bottleneck
    lambda: Autoencoder(6, 32, penalty=L1Penalty(0.1)),
    lambda: Autoencoder(6, 32, corruption=GaussianNoise(0.1)),
    lambda: Autoencoder(6, 32, dropout=0.2),
    lambda: Autoencoder(6, 8, encoder=Sequential(Dense(6, 8), Dropout(0.1))),
    lambda: VAE(6, 8),
])  # fmt: skip
def test_a_wide_code_with_another_limit_is_not(model):
    assert not warnings_of(model())


def test_a_denoiser_and_a_single_column_are_not_warned_of():
    assert not warnings_of(Autoencoder(6, 8), X, X.copy())
    assert not warnings_of(Autoencoder(1, 1), X[:, :1])


@pytest.mark.parametrize("scale", [1e4, 1e150, 1e-4])
@pytest.mark.parametrize("model", [
    lambda: Autoencoder(6, 2, loss="mse", dtype="float64"),
    lambda: VAE(6, 2, likelihood="gaussian", dtype="float64"),
])  # fmt: skip
def test_a_column_with_nearly_all_of_the_variance_is_warned_of(model, scale):
    data = X.copy()
    if scale > 1:
        data[:, 4] *= scale
    else:
        data[:, [0, 1, 2, 3, 5]] *= scale
    model = model()
    with pytest.warns(UserWarning, match=r"1 of 6 columns \(4\) have 100.0%.*StandardScaler"):
        model.fit(data, epochs=0, verbose=0)


def test_the_warning_of_scales_knows_missing_entries_names_and_constant_columns():
    pandas = pytest.importorskip("pandas")
    data = X * [1, 1e4, 1, 0, 1, 1]
    data[3, 2] = np.nan
    frame = pandas.DataFrame(data, columns=list("abcdef"))
    model = Autoencoder(6, 2, loss=Masked(SquaredError()))
    with pytest.warns(UserWarning, match=r"1 of 5 columns \('b'\)"):
        model.fit(frame, epochs=0, verbose=0)


def test_columns_of_like_scale_and_losses_without_scale_are_not_warned_of():
    assert not warnings_of(Autoencoder(6, 2, loss="mse"), X * [1, 2, 3, 1, 2, 3])
    assert not warnings_of(Autoencoder(6, 2), X * [1, 1e-4, 1e-4, 1e-4, 1e-4, 1e-4])
    assert not warnings_of(VAE(6, 2, likelihood="multinomial"), X * [1e4, 1, 1, 1, 1, 1])
    assert not warnings_of(
        Autoencoder((2, 3), 2, loss="mse"), (X * [99, 1, 1, 1, 1, 1]).reshape(-1, 2, 3)
    )


def test_a_warning_points_to_the_line_that_called_the_package():
    with pytest.warns(UserWarning) as caught:
        Autoencoder(6).fit_transform(X, epochs=0, verbose=0)
    assert caught[0].filename == __file__


def test_a_warning_as_an_error_leaves_the_model_untrained():
    model = Autoencoder(6)
    before = model.theta.copy()
    with pytest.raises(UserWarning):
        model.fit(X, optimizer=Adam(), **ONCE)
    assert np.array_equal(model.theta, before) and not model.history
