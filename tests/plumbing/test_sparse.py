import tracemalloc

import numpy as np
import pytest

from miniae import VAE, AnomalyDetector, Autoencoder, AutoencoderTransformer

sparse = pytest.importorskip("scipy.sparse")
RNG = np.random.default_rng(2)
DENSE = RNG.random((50, 8)) * (RNG.random((50, 8)) < 0.3)
QUIET = {"epochs": 2, "batch_size": 16, "verbose": 0}
FORMATS = ["csr_matrix", "csr_array", "csc_array", "coo_array", "lil_array", "dok_array",
           "bsr_array", "dia_array"]  # fmt: skip


@pytest.mark.parametrize("kind", FORMATS)
def test_sparse_data_train_as_dense_ones_do(kind):
    X = getattr(sparse, kind)(DENSE)
    ours, theirs = Autoencoder(8, 2, (5,)), Autoencoder(8, 2, (5,))
    ours.fit(X, validation_split=0.2, **QUIET)
    theirs.fit(DENSE, validation_split=0.2, **QUIET)
    assert np.array_equal(ours.theta, theirs.theta) and ours.history == theirs.history
    for name in ("encode", "reconstruct", "evaluate", "score", "anomaly_score"):
        assert np.array_equal(getattr(ours, name)(X), getattr(theirs, name)(DENSE))


def test_a_vae_a_target_a_detector_and_the_estimator_take_sparse_data(tmp_path):
    X = sparse.csr_array(DENSE)
    vae = VAE(8, 2, (5,), likelihood="multinomial").fit(X, X, validation_data=X, **QUIET)
    assert np.array_equal(vae.elbo(X), vae.elbo(DENSE))
    detector = AnomalyDetector(Autoencoder(8, 2, (5,))).fit(X, **QUIET)
    assert detector.predict(X).shape == (50,)
    assert AutoencoderTransformer(2, epochs=1).fit_transform(X).shape == (50, 2)
    for epochs in (1, 2):  # the run of the second call goes on from the file
        Autoencoder(8, 2, (5,)).fit(X, epochs=epochs, checkpoint=tmp_path / "run.npz", verbose=0)
    with pytest.raises(ValueError, match="another run: data"):
        Autoencoder(8, 2, (5,)).fit(X[:40], epochs=3,
                                    checkpoint=tmp_path / "run.npz", verbose=0)  # fmt: skip


def test_batches_of_a_function_may_be_sparse():
    batches = [sparse.csr_array(DENSE[:30]), sparse.csr_array(DENSE[30:])]
    model = Autoencoder(8, 2, (5,)).fit(lambda: iter(batches), epochs=1, verbose=0)
    assert len(model.history["loss"]) == 1


def test_wrong_sparse_data_are_named_as_dense_ones_are():
    X = DENSE.copy()
    X[41, 3] = 7.0
    for data, words in (
        (sparse.csr_array(X), r"X\[41, 3\] is 7"),
        (sparse.csr_array(DENSE[:, :5]), r"X must have shape \(n, 8\).* got \(50, 5\)"),
        (sparse.csr_array(DENSE + 1j), "complex"),
    ):
        with pytest.raises((ValueError, TypeError), match=words):
            Autoencoder(8, 2, (5,)).fit(data, **QUIET)


@pytest.mark.slow
def test_a_wide_bag_of_words_never_becomes_dense():
    """5000 x 20000 numbers of float32 are 400 MB; the model's six vectors are 32 MB."""
    X = sparse.random(5000, 20_000, 0.001, format="csr", rng=0)
    model = VAE(20_000, 2, (10,), likelihood="multinomial")
    tracemalloc.start()
    try:
        model.fit(X, epochs=1, verbose=0)
        model.encode(X), model.score(X), model.anomaly_score(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 200e6
