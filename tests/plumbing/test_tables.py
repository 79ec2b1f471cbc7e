import numpy as np
import pytest

from miniae import VAE, Autoencoder, GaussianNLL, Masked

pandas = pytest.importorskip("pandas")
RNG = np.random.default_rng(11)
X = RNG.random((20, 3))
FRAME = pandas.DataFrame(X, columns=["age", "height", "weight"])
MIXED_UP = FRAME[["weight", "age", "height"]]
QUIET = {"epochs": 1, "verbose": 0}


def trained(model=None, data=FRAME):
    return (model or Autoencoder(3, 2, (4,))).fit(data, **QUIET)


USES = {
    "encode": lambda m, X: m.encode(X),
    "transform": lambda m, X: m.transform(X),
    "predict": lambda m, X: m.predict(X),
    "call": lambda m, X: m(X),
    "evaluate": lambda m, X: m.evaluate(X),
    "score": lambda m, X: m.score(X),
    "anomaly_score": lambda m, X: m.anomaly_score(X),
    "posterior": lambda m, X: m.posterior(X),
    "elbo": lambda m, X: m.elbo(X),
    "log_likelihood": lambda m, X: m.log_likelihood(X, k=2),
    "loss": lambda m, X: m.loss(X),
    "impute": lambda m, X: m.impute(X),
    "fit": lambda m, X: m.fit(X, **QUIET),
    "validation": lambda m, X: m.fit(FRAME, validation_data=X, **QUIET),
    "target": lambda m, X: m.fit(FRAME, X, **QUIET),
}


@pytest.mark.parametrize("use", USES)
def test_columns_in_another_order_are_refused_by_every_method(use):
    model = trained(VAE(3, 2, (4,)))
    assert list(model.feature_names_in_) == ["age", "height", "weight"]
    USES[use](model, FRAME)
    USES[use](model, X)  # data without names pass
    with pytest.raises(
        ValueError, match="in the same order as they were in fit.\n.*'weight', 'age"
    ):
        USES[use](model, MIXED_UP)


def test_validation_data_are_compared_with_the_data_of_the_same_call():
    with pytest.raises(ValueError, match="validation_data has the columns"):
        Autoencoder(3, 2, (4,)).fit(FRAME, validation_data=MIXED_UP, **QUIET)


def test_other_names_are_listed_and_a_target_may_have_its_own():
    other = FRAME.rename(columns={"age": "years"})
    with pytest.raises(ValueError, match="unseen at fit time:\n- years\n.*missing:\n- age"):
        trained().encode(other)
    trained().fit(FRAME, other, **QUIET)


def test_a_first_fit_takes_new_names_and_so_does_a_rebuilt_model():
    model = Autoencoder(3, 2, (4,))
    with pytest.raises(TypeError):
        model.fit(FRAME.astype({"age": str}).rename(columns={"age": "text"}), **QUIET)
    trained(model)
    model.set_params(latent_dim=1)
    assert not hasattr(model, "feature_names_in_")
    assert list(trained(model, MIXED_UP).feature_names_in_) == list(MIXED_UP.columns)
    numbered = trained(Autoencoder(3, 2, (4,)), pandas.DataFrame(X))
    assert not hasattr(numbered, "feature_names_in_")


def test_names_are_saved_with_the_model_and_only_if_there_are_any(tmp_path):
    trained().save(tmp_path / "named.npz")
    loaded = Autoencoder.load(tmp_path / "named.npz")
    with pytest.raises(ValueError, match="in the same order"):
        loaded.encode(MIXED_UP)
    trained(data=X).save(tmp_path / "plain.npz")
    assert not hasattr(Autoencoder.load(tmp_path / "plain.npz"), "feature_names_in_")


def test_a_file_with_names_that_do_not_fit_is_refused(tmp_path):
    model = trained()
    model.feature_names_in_ = np.array(["age"], object)
    model.save(tmp_path / "m.npz")
    with pytest.raises(ValueError, match="feature_names are"):
        Autoencoder.load(tmp_path / "m.npz")


def test_nullable_columns_are_numbers_and_what_they_lack_is_missing():
    nullable = pandas.DataFrame({
        "a": pandas.array([1, 0, None, 1], "Int64"),
        "b": pandas.array([0.5, None, 0.25, 1.0], "Float64"),
        "c": pandas.array([True, False, True, None], "boolean"),
        "d": [0.0, 1.0, 0.5, 0.25],
    })  # fmt: skip
    plain = np.array(
        [[1, 0.5, 1, 0], [0, np.nan, 0, 1], [np.nan, 0.25, 1, 0.5], [1, 1, np.nan, 0.25]]
    )
    model = VAE(4, 2, (4,), likelihood=Masked(GaussianNLL())).fit(nullable, **QUIET)
    assert np.array_equal(model.encode(nullable), model.encode(plain))
    with pytest.raises(ValueError, match=r"X\[1, 1\] is nan"):
        Autoencoder(4, 2, (4,)).fit(nullable, **QUIET)
    whole = nullable[["a", "c"]].iloc[:2]
    assert Autoencoder(2, 1, (4,)).fit(whole, **QUIET).encode(whole).shape == (2, 1)


@pytest.mark.parametrize(
    "values",
    [
        ["x", "y"],
        ["1.5", "2.5"],
        pandas.to_datetime(["2020-01-01", "2021-01-01"]),
        pandas.to_timedelta(["1 day", "2 days"]),
        pandas.Categorical([1, 2]),
        pandas.array([0.5, 1.0], dtype=object),
        [None, {}],
        [1j, 0],
    ],
    ids=["text", "digits", "dates", "spans", "categories", "objects", "other", "complex"],
)
def test_a_column_that_does_not_hold_numbers_is_named(values):
    frame = pandas.DataFrame({"good": [0.5, 1.0], "odd one": values})
    for alone in (frame, frame[["odd one"]]):
        with pytest.raises(TypeError, match=r"X must hold real numbers; .*: 'odd one' \(.*Leave"):
            Autoencoder(alone.shape[1], 1, (4,)).fit(alone, **QUIET)


def test_a_polars_frame_is_a_table_too():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"a": [0.5, 1.0, None], "b": [1, 0, 1], "c": [True, False, True]})
    model = VAE(3, 2, (4,), likelihood=Masked(GaussianNLL())).fit(frame, **QUIET)
    assert list(model.feature_names_in_) == ["a", "b", "c"]
    plain = np.array([[0.5, 1, 1], [1, 0, 0], [np.nan, 1, 1]])
    assert np.array_equal(model.encode(frame), model.encode(plain))
    with pytest.raises(ValueError, match="same order"):
        model.encode(frame[["c", "b", "a"]])
    with pytest.raises(TypeError, match="'b'"):
        model.encode(frame.with_columns(b=polars.Series(["x", "y", "z"])))
