import itertools

import numpy as np
import pytest
from sampled import often

from miniae import VAE, Autoencoder, ColumnGaussianNLL, Masked, suggest

PURPOSES = ("reconstruct", "anomaly", "impute", "generate")


def table(n, d, seed=0):
    """Columns of very different scales."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) * 10.0 ** rng.uniform(-4, 4, d) + 100


def with_holes(X, seed=0):
    return np.where(np.random.default_rng(seed).random(X.shape) < 0.3, np.nan, X)


RNG = np.random.default_rng(1)
DATA = {
    "200 rows": table(200, 7),
    "one column": table(200, 1),
    "two columns": table(200, 2),
    "one row": table(1, 5),
    "four rows": table(4, 5),
    "constant columns": np.where(np.arange(5) < 2, 3.3, table(50, 5)),
    "all constant": np.full((20, 4), 0.1),
    "binary": RNG.integers(0, 2, (60, 6)),
    "bool": RNG.integers(0, 2, (60, 6)).astype(bool),
    "counts": RNG.poisson(0.1, (60, 50)),
    "holes": with_holes(table(60, 6)),
    "an unseen column": np.where(np.arange(5) < 1, np.nan, table(50, 5)),
    "huge": table(30, 4) * 1e200,
    "images": RNG.random((40, 6, 6)).astype(np.float32),
    "images with a channel": RNG.integers(0, 256, (40, 6, 6, 1)).astype(np.uint8),
    "images of any range": RNG.standard_normal((40, 6, 6)) * 50,
}


@pytest.mark.parametrize(("name", "purpose"), often(5, itertools.product(DATA, PURPOSES)))
def test_a_suggestion_trains_on_the_data_it_is_for(name, purpose):
    X = DATA[name]
    before = X.copy()
    chosen = suggest(X, purpose)
    model, rows = chosen.build(), chosen.prepare(X)
    model.fit(rows, **{**chosen.fit_arguments, "epochs": 2}, verbose=0)
    assert np.isfinite(model.history["loss"]).all() and np.array_equal(X, before, equal_nan=True)
    assert isinstance(model, VAE if chosen.model == "VAE" else Autoencoder)
    features = X[0].size
    assert 1 <= model.latent_dim <= max(1, features // 2)
    seen = rows[~np.isnan(rows)]
    assert np.abs(seen).max() < 50  # on the scale of the model
    restored = chosen.restore(rows)
    assert np.allclose(restored, X, rtol=1e-9, atol=1e-9 * np.nanmax(np.abs(X)), equal_nan=True)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_every_argument_is_printed_on_a_line_with_its_reason(purpose):
    chosen = suggest(table(200, 7), purpose)
    lines = str(chosen).splitlines()
    arguments = ["model", *chosen.model_arguments, *chosen.fit_arguments, "standardize"]
    assert [line.split("=")[0].strip() for line in lines[1:]] == arguments
    for name, line in zip(arguments, lines[1:], strict=True):
        assert line.endswith("  " + chosen.reasons[name]) and chosen.reasons[name]


@pytest.mark.parametrize("n", [5, 200, 3000, 60_000])
def test_epochs_are_chosen_by_the_number_of_steps(n):
    chosen = suggest(np.random.default_rng(0).random((n, 6)))
    steps = chosen.epochs * -(-n // chosen.batch_size)
    assert 900 <= steps <= 5000 and 1 <= chosen.batch_size <= n


def test_images_of_a_large_set_keep_their_shape_and_their_units():
    images = np.broadcast_to(np.float32([[[0, 0.5], [1, 0.2]]]), (60_000, 2, 2))
    for X, shape in ((images, (2, 2)), (images[..., None], (2, 2, 1))):
        chosen = suggest(X)
        assert chosen.model_arguments["input_dim"] == shape
        assert chosen.model_arguments["loss"] == "bce" and not chosen.standardize
        assert chosen.prepare(X) is X


def test_what_is_suggested_for_missing_entries_is_masked():
    chosen = suggest(with_holes(table(100, 9)), "impute")
    likelihood = chosen.model_arguments["likelihood"]
    assert isinstance(likelihood, Masked) and isinstance(likelihood.base, ColumnGaussianNLL)
    assert likelihood.loss.learn_sigma and chosen.model_arguments["latent_dim"] == 4
    prepared = chosen.prepare(with_holes(table(100, 9)))
    assert np.allclose(np.nanmean(prepared, axis=0), 0) and np.allclose(np.nanstd(prepared, 0), 1)


def test_counts_get_a_multinomial_likelihood_and_dropout():
    chosen = suggest(DATA["counts"], "generate")
    assert chosen.model_arguments["likelihood"] == "multinomial"
    assert chosen.model_arguments["dropout"] > 0 and not chosen.standardize
    few = RNG.poisson(0.5, (60, 5))
    assert suggest(few, "generate").model_arguments["likelihood"] == "gaussian"
    assert suggest(DATA["counts"], "impute").standardize  # a multinomial cannot impute


def test_the_model_may_be_asked_for():
    X = table(100, 6)
    assert suggest(X, "anomaly").model == "VAE"
    chosen = suggest(X, "anomaly", model="Autoencoder")
    assert chosen.model == "Autoencoder" and isinstance(chosen.build(), Autoencoder)
    assert chosen.reasons["model"] == "as asked for"
    assert suggest(X, model="VAE").model_arguments["likelihood"] == "gaussian"
    with pytest.raises(ValueError, match="did you mean 'Autoencoder'"):
        suggest(X, model="AutoEncoder")
    with pytest.raises(ValueError, match="no prior to sample from"):
        suggest(X, "generate", model="Autoencoder")


def test_standardised_columns_are_left_alone():
    X = table(100, 4)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    assert suggest(X).standardize and not suggest(Z).standardize


def test_each_fit_gets_an_optimiser_of_its_own_and_a_change_is_built_in():
    chosen = suggest(table(100, 4))
    first, second = chosen.fit_arguments["optimizer"], chosen.fit_arguments["optimizer"]
    assert first is not second and first.lr == second.lr
    assert chosen.build(seed=3, hidden=(5,)).hidden == (5,)


def test_hidden_entries_of_a_masked_array_count_as_missing():
    X = np.ma.array(table(30, 4), mask=False)
    X[3, 2] = np.ma.masked
    chosen = suggest(X)
    assert isinstance(chosen.model_arguments["loss"], Masked) and chosen.standardize
    assert np.array_equal(np.isnan(chosen.prepare(X)), X.mask)
    counts = np.ma.array(DATA["counts"], mask=DATA["counts"] == 2)
    assert np.array_equal(np.isnan(suggest(counts, "generate").prepare(counts)), counts.mask)


def test_a_table_keeps_its_columns_and_the_gaps_of_nullable_ones():
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(with_holes(table(40, 3)), columns=["a", "b", "c"]).convert_dtypes()
    chosen = suggest(X, "impute")
    assert np.array_equal(np.isnan(chosen.prepare(X)), X.isna())
    with pytest.raises(ValueError, match="same order"):
        chosen.prepare(X[["b", "a", "c"]])


def test_sparse_rows_are_standardised_as_dense_ones_are():
    sparse = pytest.importorskip("scipy.sparse")
    X = np.where(RNG.random((40, 5)) < 0.5, 0, table(40, 5))
    chosen = suggest(sparse.csr_matrix(X))
    assert np.allclose(chosen.prepare(sparse.csr_matrix(X)), suggest(X).prepare(X))


@pytest.mark.parametrize(
    ("X", "purpose", "error", "words"),
    [
        (table(9, 2), "imputation", ValueError, "did you mean 'impute'"),
        (table(9, 2)[0], "impute", ValueError, r"got shape \(2,\)"),
        (np.zeros((0, 3)), "impute", ValueError, "not empty"),
        (np.zeros((3, 0)), "impute", ValueError, "not empty"),
        (np.array([["a", "b"]]), "impute", TypeError, "real numbers"),
        (np.ones((2, 2)) * 1j, "impute", TypeError, "real numbers"),
        (np.array([[1.0, np.inf]]), "impute", ValueError, "infinite entries"),
    ],
)
def test_data_without_settings_are_refused(X, purpose, error, words):
    with pytest.raises(error, match=words):
        suggest(X, purpose)
