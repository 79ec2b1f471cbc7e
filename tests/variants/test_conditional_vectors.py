"""A ConditionalVAE whose labels are vectors of numbers."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from some_models import refuses_labels

from miniae import (
    Adam,
    AnomalyDetector,
    Condition,
    ConditionalVAE,
    Dense,
    GaussianNLL,
    Sequential,
    check_training,
    gradient_check,
)
from miniae.proof.oracles import gaussian_log_density

K = 4  # numbers of a vector
VECTORS = np.random.default_rng(1).standard_normal((8, K))
CLASSES = np.array([2, 0, 1, 1, 0, 2, 2, 0])


def conditional(shape=6, **options):
    """Return a model of float64 with random parameters, and data for it."""
    options = {"dtype": "float64", "seed": 3, **options}
    model = ConditionalVAE(shape, 2, (5,), n_condition=K, **options)
    rng = np.random.default_rng(0)
    model.theta = model.theta + (0.3 * rng.standard_normal(model.theta.size)).astype(model.dtype)
    return model, rng.random((8, *np.atleast_1d(shape)))


def test_the_vector_goes_into_both_halves_as_it_is():
    model, X = conditional()
    h = np.hstack([X, VECTORS])
    for layer in model.encoder.layers[2:]:
        h = layer.forward(h)
    assert np.allclose(model.encode(X, labels=VECTORS), h[:, :2], rtol=1e-12)
    logits = np.hstack([h[:, :2], VECTORS])
    for layer in model.decoder.layers[1:-1]:
        logits = layer.forward(logits)
    p = 1 / (1 + np.exp(-logits))
    assert np.allclose(model.decode(h[:, :2], labels=VECTORS), p, rtol=1e-12)


@pytest.mark.parametrize(
    "shape, options",
    [
        (6, {}),
        ((2, 3), {"likelihood": "gaussian", "activation": "gelu", "beta": 0.7}),
        (6, {"encoder": Sequential(Condition(K), Dense(6 + K, 4, rng=1)),
             "decoder": Sequential(Dense(2, 4, rng=2), Condition(K), Dense(4 + K, 6, rng=3))}),
    ],
)  # fmt: skip
def test_the_gradient_is_that_of_the_complex_step(shape, options):
    model, X = conditional(shape, **options)
    labels = VECTORS.copy()
    report = gradient_check(model, X, labels=labels, tolerance=1e-12)
    assert report.ok, report
    assert np.array_equal(labels, VECTORS)


def test_one_hot_vectors_do_what_classes_do_to_the_last_bit():
    rng = np.random.default_rng(0)
    X, labels = rng.random((50, 6)).astype("float32"), rng.integers(K, size=50)
    one_hot = np.eye(K)[labels]
    options = {"epochs": 3, "batch_size": 16, "validation_split": 0.2, "verbose": 0}
    classes = ConditionalVAE(6, 2, (5,), n_classes=K).fit(X, labels=labels, **options)
    vectors = ConditionalVAE(6, 2, (5,), n_condition=K).fit(X, labels=one_hot, **options)
    assert np.array_equal(classes.theta, vectors.theta) and classes.history == vectors.history
    assert np.array_equal(classes.elbo(X, labels=labels), vectors.elbo(X, labels=one_hot))
    assert np.array_equal(
        classes.sample(5, seed=1, labels=2), vectors.sample(5, seed=1, labels=np.eye(K)[2])
    )


def test_the_likelihood_of_a_linear_model_is_the_closed_form():
    # p(x|z, c) = N(z V + c A + b, s^2 I), so p(x|c) = N(c A + b, V'V + s^2 I). The encoder is the
    # exact posterior, so all importance weights are equal and one draw is enough.
    rng, s, d = np.random.default_rng(2), 0.7, 3
    V, A, b = (rng.standard_normal(shape) for shape in ((2, d), (K, d), d))
    V[1] -= V[0] * (V[0] @ V[1]) / (V[0] @ V[0])  # so the posterior's covariance is diagonal
    variance = 1 / (1 + (V**2).sum(axis=1) / s**2)
    to_mu = V.T * variance / s**2  # mu = (x - c A - b) V' diag(variance) / s^2
    encoder = Sequential(Condition(K), Dense(d + K, 4, dtype="float64"))
    decoder = Sequential(Condition(K), Dense(2 + K, d, dtype="float64"))
    encoder.layers[1].params["W"] = np.hstack(
        [np.vstack([to_mu, -A @ to_mu]), np.zeros((d + K, 2))]
    )
    encoder.layers[1].params["b"] = np.concatenate([-b @ to_mu, np.log(variance)])
    decoder.layers[1].params["W"] = np.vstack([V, A])
    decoder.layers[1].params["b"] = b
    model = ConditionalVAE(
        d, 2, n_condition=K, encoder=encoder, decoder=decoder, likelihood=GaussianNLL(s),
        dtype="float64",
    )  # fmt: skip
    X = rng.standard_normal((8, d))
    exact = gaussian_log_density(X - VECTORS @ A, b, V.T @ V + s**2 * np.eye(d))
    for k in (1, 5):
        assert np.allclose(model.log_likelihood(X, k, labels=VECTORS), exact, rtol=0, atol=1e-10)
    one = gaussian_log_density(X - VECTORS[3] @ A, b, V.T @ V + s**2 * np.eye(d))
    assert np.allclose(model.given(VECTORS[3]).log_likelihood(X, 1), one, rtol=0, atol=1e-10)


def test_fit_shuffles_and_splits_the_vectors_with_their_rows():
    # x is a number of the vector, twice: with the latent switched off by beta, only the vector
    # can say which.
    rng = np.random.default_rng(0)
    C = rng.random((300, 2)).astype("float32")
    X = np.repeat(C[:, 1:], 4, axis=1)
    model = ConditionalVAE(4, 1, (), n_condition=2, beta=100.0, likelihood=GaussianNLL(1.0))
    model.fit(X, labels=C, epochs=60, optimizer=Adam(0.1), validation_split=0.2, verbose=0)
    out = model.sample(3, labels=[[0, 0.1], [0.3, 0.5], [1, 0.9]])
    assert np.abs(out - [[0.1], [0.5], [0.9]]).max() < 0.05
    assert len(model.history["val_loss"]) == 60
    again = ConditionalVAE(4, 1, (), n_condition=2)
    again.fit(X, labels=C, epochs=1, validation_data=(X[:9], None, C[:9]), verbose=0)
    assert again.history["val_loss"][0] == pytest.approx(again.evaluate(X[:9], labels=C[:9]))
    assert again.active_units(X, labels=C) in (0, 1)


def test_a_loss_with_one_vector_for_all_rows_is_that_of_the_vector_in_each_row():
    model, X = conditional()
    eps = np.random.default_rng(1).standard_normal((8, 2))
    rows = np.tile(VECTORS[0], (8, 1))
    expected = model.loss(X, labels=rows, eps=eps)
    assert model.loss(X, labels=VECTORS[0], eps=eps) == pytest.approx(expected, rel=1e-12)
    assert model.given(VECTORS[0]).loss(X, eps=eps) == pytest.approx(expected, rel=1e-12)


def test_a_vector_of_zeros_is_a_label_as_any_other():
    model, X = conditional()
    zeros = model.given(np.zeros(K))
    assert np.array_equal(zeros.elbo(X), model.elbo(X, labels=np.zeros((8, K))))
    assert np.isfinite(model.loss(X, labels=np.zeros((8, K))))
    with pytest.raises(ValueError, match="labels=None, but this model is conditional"):
        model.impute(X)


def test_a_model_given_a_vector_is_a_plain_vae():
    model, X = conditional((2, 3))
    one, rows = model.given(VECTORS[2]), np.tile(VECTORS[2], (8, 1))
    assert np.array_equal(one.sample(4, seed=3), model.sample(4, seed=3, labels=VECTORS[2]))
    assert np.allclose(one.encode(X), model.encode(X, labels=rows), rtol=1e-12)
    assert one.traverse(steps=3).shape == (2, 3, 2, 3)
    assert one.impute(X, steps=2).shape == X.shape
    with pytest.raises(ValueError, match=r"fixed label tuple\(\.\.\.\): call fit on the original"):
        one.fit(X, labels=VECTORS, verbose=0)
    with pytest.raises(ValueError, match=r"fixed label tuple\(\.\.\.\).*epochs=0"):
        AnomalyDetector(one).fit(X)
    assert AnomalyDetector(one).fit(X, epochs=0).decision_scores_.shape == (8,)


def test_draws_blocks_and_threads_have_the_vectors_of_their_rows(monkeypatch):
    model, X = conditional()
    X, labels = np.tile(X, (4, 1)), np.random.default_rng(5).standard_normal((32, K))
    Z = model.posterior_sample(X, 3, seed=0, labels=labels)
    decoded = model.decode(Z, labels=labels)
    codes, log_p = model.encode(X, labels), model.log_likelihood(X, 5, labels=labels)
    one = model.decode(Z, labels=labels[1])
    assert log_p.shape == (32,) and decoded.shape == (3, 32, 6)
    for i in range(3):
        assert np.allclose(decoded[i], model.decode(Z[i], labels=labels), rtol=1e-12)
        assert np.allclose(one[i], model.given(labels[1]).decode(Z[i]), rtol=1e-12)
    monkeypatch.setattr("miniae.plumbing.batches.ROWS", 5)
    assert np.allclose(model.decode(Z, labels=labels), decoded, rtol=1e-12)
    assert np.allclose(model.encode(X, labels), codes, rtol=1e-12)
    with ThreadPoolExecutor(4) as pool:
        parts = [slice(i, i + 8) for i in range(0, 32, 8)] * 5
        found = list(pool.map(lambda rows: model.encode(X[rows], labels[rows]), parts))
    assert all(
        np.allclose(a, codes[rows], rtol=1e-12) for a, rows in zip(found, parts, strict=True)
    )


def test_vectors_keep_the_precision_of_the_model():
    model, X = conditional()
    close = VECTORS + 1e-12
    assert not np.array_equal(model.encode(X, close), model.encode(X, VECTORS))


def test_a_fixed_vector_does_not_change_with_the_array_that_it_came_from():
    model, X = conditional()
    vector = VECTORS[0].copy()
    one = model.given(vector)
    before = one.elbo(X)
    vector += 1
    assert np.array_equal(one.elbo(X), before) and one.label == tuple(VECTORS[0])


def test_a_fixed_vector_is_not_rounded_to_the_dtype_of_the_model():
    model, X = conditional(dtype="float32")
    one, wide = model.given(VECTORS[0]), model.astype("float64")
    assert np.array_equal(one.astype("float64").elbo(X), wide.given(VECTORS[0]).elbo(X))


def test_files_copies_and_pickles_keep_the_vector(tmp_path):
    model, X = conditional((2, 3), likelihood="gaussian")
    model.fit(X, labels=VECTORS, epochs=1, verbose=0)
    for vector in (
        VECTORS[1],
        VECTORS[1].tolist(),
        tuple(VECTORS[1]),
        VECTORS[1].astype("float32"),
    ):
        one = model.given(vector)
        one.save(tmp_path / "one.npz")
        again = ConditionalVAE.load(tmp_path / "one.npz")
        assert again.label == one.label == tuple(np.asarray(vector).tolist())
        for other in (again, copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
            assert np.array_equal(other.elbo(X), one.elbo(X))
    model.save(tmp_path / "all.npz")
    again = ConditionalVAE.load(tmp_path / "all.npz")
    assert np.array_equal(again.elbo(X, labels=VECTORS), model.elbo(X, labels=VECTORS))
    assert again.get_params()["n_condition"] == K and again.n_classes is None
    assert np.allclose(
        model.astype("float32").encode(X, VECTORS), model.encode(X, VECTORS), atol=1e-5
    )


def test_a_scikit_learn_clone_has_the_vector():
    base = pytest.importorskip("sklearn.base")
    model, X = conditional()
    copied = base.clone(model.given(VECTORS[1]))
    assert copied.label == tuple(VECTORS[1]) and copied.elbo(X).shape == (8,)
    assert base.clone(model).n_condition == K


WITH_NAN = VECTORS.copy()
WITH_NAN[5, 2] = np.nan


@pytest.mark.parametrize(
    "labels, message",
    [
        (None, "pass labels=, one per row"),
        (VECTORS[:3], r"shape \(8, 4\), or \(4,\) for all rows, got shape \(3, 4\)"),
        (VECTORS[:1], r"got shape \(1, 4\)"),
        (VECTORS[:, :3], r"got shape \(8, 3\)"),
        (CLASSES, r"got shape \(8,\); for one integer per row, build the model with n_classes="),
        (3, r"got shape \(\)"),
        (VECTORS.reshape(8, 2, 2), r"labels\.reshape\(8, 4\) makes a row of each"),
        (WITH_NAN, r"labels\[5, 2\] is nan, but labels must be finite"),
        (np.where(WITH_NAN > 9, 0, np.inf), r"labels\[0, 0\] is inf"),
        (np.ma.masked_greater(VECTORS, 1), "masked array with hidden entries, but each row needs"),
        ([[1.0, 2.0], [3.0]], "labels is a list whose 2 entries differ in shape"),
    ],
)
def test_vectors_that_do_not_fit_are_refused_before_any_training(labels, message):
    refuses_labels(*conditional(), labels, message)


def test_vectors_of_text_and_numbers_too_large_are_refused():
    model, X = conditional(dtype="float32")
    with pytest.raises(TypeError, match=r"labels must hold real numbers.*labels\.astype\(float\)"):
        model.encode(X, labels=VECTORS.astype(str))
    with pytest.raises(ValueError, match="too large for the model's dtype float32"):
        model.encode(X, labels=1e300 * VECTORS)
    one = ConditionalVAE(6, 2, n_condition=1)
    with pytest.raises(ValueError, match=r"labels\[:, None\] makes rows of one number"):
        one.encode(X, labels=CLASSES)
    with pytest.raises(ValueError, match=r"do not fit Z of shape \(2, 8, 2\).*\(8, 4\)"):
        model.decode(np.zeros((2, 8, 2)), labels=VECTORS[:3])


@pytest.mark.parametrize("label", [VECTORS, VECTORS[0, :3], 1.0, None, WITH_NAN[5], "abcd"])
def test_a_vector_that_cannot_be_fixed_is_refused(label):
    model, _ = conditional()
    with pytest.raises(ValueError, match="label"):
        model.given(label)


def test_a_model_has_classes_or_vectors():
    for sizes in ({}, {"n_classes": 3, "n_condition": 4}):
        with pytest.raises(TypeError, match="pass one of them, n_classes= for labels that are int"):
            ConditionalVAE(6, 2, **sizes)
    for wrong in (0, -1, 2.5, True, "4"):
        with pytest.raises(ValueError, match="n_condition="):
            ConditionalVAE(6, 2, n_condition=wrong)
    with pytest.raises(TypeError, match="called n_condition"):
        ConditionalVAE(6, 2, cond_dim=4)
    with pytest.raises(ValueError, match=r"encoder needs a Condition\(4\) layer"):
        ConditionalVAE(6, 2, n_condition=4, encoder=Sequential(Condition(3), Dense(9, 4)))
    assert "n_condition=4" in repr(ConditionalVAE(6, 2, n_condition=4))
    with pytest.raises(ValueError, match="build the model with n_condition=4"):
        ConditionalVAE(6, 2, n_classes=3).encode(np.ones((8, 6)), labels=VECTORS)


def test_lists_tables_sparse_rows_and_batches_of_vectors_are_understood():
    model, X = conditional()
    codes = model.encode(X, VECTORS)
    assert np.array_equal(model.encode(X.tolist(), VECTORS.tolist()), codes)
    whole, parts, batches = (copy.deepcopy(model) for _ in range(3))
    options = {"epochs": 2, "batch_size": 4, "shuffle": False, "verbose": 0}
    whole.fit(X, labels=VECTORS, **options)
    batch = [(X[i : i + 4], None, VECTORS[i : i + 4]) for i in (0, 4)]
    parts.fit(lambda: iter(batch), epochs=2, verbose=0)
    assert np.array_equal(whole.theta, parts.theta)

    class Loader:
        def __iter__(self):
            return iter([(x, labels) for x, _, labels in batch])

    batches.fit(Loader(), epochs=2, verbose=0)
    assert np.array_equal(whole.theta, batches.theta)
    report = check_training(model, np.tile(X, (4, 1)), labels=np.tile(VECTORS, (4, 1)))
    assert "32 of 32 rows" in str(report)


@pytest.mark.slow
def test_tables_and_sparse_matrices_are_rows_of_vectors():
    pandas, sparse = pytest.importorskip("pandas"), pytest.importorskip("scipy.sparse")
    model, X = conditional()
    codes = model.encode(X, VECTORS)
    assert np.array_equal(model.encode(pandas.DataFrame(X), pandas.DataFrame(VECTORS)), codes)
    assert np.array_equal(model.encode(X, sparse.csr_matrix(VECTORS)), codes)
    fitted = [
        copy.deepcopy(model).fit(X, labels=labels, epochs=1, verbose=0).theta
        for labels in (VECTORS, pandas.DataFrame(VECTORS), sparse.csr_matrix(VECTORS))
    ]
    assert np.array_equal(fitted[0], fitted[1]) and np.array_equal(fitted[0], fitted[2])
