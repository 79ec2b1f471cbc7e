"""What `transform` returns: arrays, or tables of pandas or polars, as scikit-learn's set_output."""

import numpy as np
import pytest

from miniae import AutoencoderTransformer, VAETransformer

sklearn = pytest.importorskip("sklearn")
pandas = pytest.importorskip("pandas")

RNG = np.random.default_rng(3)
X = pandas.DataFrame(
    RNG.standard_normal((20, 4)), columns=list("abcd"), index=[f"row {i}" for i in range(20)]
)
both = pytest.mark.parametrize("cls", [AutoencoderTransformer, VAETransformer])


@both
def test_transform_returns_the_table_that_was_asked_for(cls):
    estimator = cls(2, epochs=1).fit(X)
    codes = estimator.transform(X)
    assert isinstance(codes, np.ndarray)
    assert estimator.set_output(transform="pandas") is estimator
    table = estimator.transform(X)
    assert list(table.columns) == list(estimator.get_feature_names_out())
    assert list(table.index) == list(X.index) and np.array_equal(table.to_numpy(), codes)
    assert estimator.set_output().transform(X).equals(table)  # None changes nothing
    assert list(sklearn.clone(estimator).fit_transform(X).index) == list(X.index)
    assert isinstance(estimator.set_output(transform="default").transform(X), np.ndarray)
    with pytest.raises(ValueError, match="transform='panda' is unknown; did you mean 'pandas'"):
        estimator.set_output(transform="panda")


def test_a_table_of_polars_and_the_setting_of_scikit_learn():
    polars = pytest.importorskip("polars")
    estimator = AutoencoderTransformer(2, epochs=1).fit(X)
    with sklearn.config_context(transform_output="polars"):
        table = estimator.transform(X)
    assert isinstance(table, polars.DataFrame) and table.shape == (20, 2)
    assert np.array_equal(table.to_numpy(), estimator.transform(X))


def test_a_pipeline_a_union_and_a_column_transformer_return_tables():
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import FeatureUnion, make_pipeline
    from sklearn.preprocessing import StandardScaler

    code = AutoencoderTransformer(2, epochs=1)
    names = [f"autoencodertransformer{i}" for i in range(2)]
    pipeline = make_pipeline(StandardScaler(), code).set_output(transform="pandas")
    assert list(pipeline.fit_transform(X).columns) == names
    columns = ColumnTransformer([("code", code, ["a", "b", "c"])], remainder="passthrough")
    table = columns.set_output(transform="pandas").fit_transform(X)
    assert list(table.columns) == [*(f"code__{name}" for name in names), "remainder__d"]
    union = FeatureUnion([("code", code), ("vae", VAETransformer(1, epochs=1))])
    assert union.set_output(transform="pandas").fit_transform(X).shape == (20, 3)
