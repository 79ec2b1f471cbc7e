"""sample_weight: each row is trained on as often as its weight says."""

import numpy as np
import pytest

from miniae import VAE, Autoencoder, ConditionalVAE
from miniae.plumbing.weights import WeightedRows

X = np.random.default_rng(0).random((40, 6))


def drawn(weights, epochs=400, shuffle=True, batch_size=7):
    """How often each row is drawn in each epoch, (epochs, n)."""
    n = len(weights)
    rows = WeightedRows({"x": np.arange(n)[:, None]}, batch_size, shuffle, np.asarray(weights))
    rng = np.random.default_rng(1)
    epochs = [np.concatenate([b["x"][:, 0] for b in rows.epoch(rng)]) for _ in range(epochs)]
    return np.array([np.bincount(rows, minlength=n) for rows in epochs]), epochs


def test_each_row_is_drawn_its_share_rounded_down_or_up_and_right_on_average():
    weights = np.random.default_rng(3).uniform(0.1, 1, 9)
    counts, _ = drawn(weights)
    share = 9 * weights / weights.sum()
    assert (counts.sum(axis=1) == 9).all()
    assert (counts >= np.floor(share)).all() and (counts <= np.ceil(share)).all()
    # 400 epochs of a 0/1 count: a standard error of at most 0.5 / 20
    assert np.abs(counts.mean(axis=0) - share).max() < 4 * 0.5 / 20


def test_whole_weights_are_repeated_rows_on_average():
    weights = np.array([3.0, 1.0, 2.0, 2.0])
    counts, _ = drawn(weights)
    assert np.abs(counts.mean(axis=0) * 2 - weights).max() < 4 * 2 * 0.5 / 20


def test_shuffle_decides_about_the_order():
    weights = np.array([0.5, 1.0, 0.2, 0.9, 0.7])
    assert all((np.diff(rows) >= 0).all() for rows in drawn(weights, 20, shuffle=False)[1])
    assert not all((np.diff(rows) >= 0).all() for rows in drawn(weights, 20)[1])


class Spy(Autoencoder):
    def loss(self, x, target=None, **options):
        if options.get("training"):
            self.seen = [*getattr(self, "seen", []), *np.asarray(x)[:, 0].tolist()]
        return super().loss(x, target, **options)


def test_rows_of_weight_zero_are_never_used_not_even_for_validation():
    weights = np.where(np.arange(40) % 2, 0.0, np.arange(40) + 1.0)
    model = Spy(6, 2, dtype="float64").fit(
        X, epochs=20, validation_split=0.25, sample_weight=weights, verbose=0
    )
    assert set(model.seen) <= set(X[::2, 0].tolist())
    assert not set(model.seen) & set(X[30:, 0].tolist())  # 15 of 20 rows are trained on
    assert model.history["val_loss"][-1] == model.evaluate(X[30::2])


def test_equal_weights_train_as_no_weights_do():
    plain = VAE(6, 2).fit(X, epochs=2, verbose=0)
    equal = VAE(6, 2).fit(X, epochs=2, sample_weight=np.full(40, 3), verbose=0)
    assert plain.theta.tobytes() == equal.theta.tobytes()
    none = VAE(6, 2).fit(X, epochs=2, sample_weight=None, verbose=0)
    assert plain.theta.tobytes() == none.theta.tobytes()


def test_a_row_of_large_weight_is_reconstructed_better():
    weights = np.where(np.arange(40) < 4, 50.0, 1.0)
    plain, weighted = (
        Autoencoder(6, 2, (16,), loss="mse", seed=1).fit(
            X, epochs=40, batch_size=10, optimizer="adam", sample_weight=w, verbose=0
        )
        for w in (None, weights)
    )
    assert weighted.evaluate(X[:4]) < 0.7 * plain.evaluate(X[:4])


def test_targets_and_labels_stay_with_their_rows():
    class Pairs(Autoencoder):
        def loss(self, x, target=None, **options):
            assert np.array_equal(target, 1 - x)
            return super().loss(x, target, **options)

    weights = np.random.default_rng(2).random(40)
    data = X.astype("float32")
    Pairs(6, 2).fit(data, 1 - data, epochs=2, sample_weight=weights, verbose=0)

    class Labelled(ConditionalVAE):
        def loss(self, x, target=None, *, labels=None, **options):
            assert np.array_equal(labels, (x[:, 0] > 0.5).astype(int))
            return super().loss(x, target, labels=labels, **options)

    labels = (data[:, 0] > 0.5).astype(int)
    model = Labelled(6, 2, n_classes=2)
    model.fit(data, labels=labels, epochs=2, sample_weight=weights, verbose=0)
    assert len(model.history["loss"]) == 2


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (np.ones(39), r"one number per row of X, shape \(40,\), got float64 of shape \(39,\)"),
        (np.ones((40, 1)), r"of shape \(40, 1\)"),
        (2.0, r"of shape \(\)"),
        (["a"] * 40, "got <U1"),
        (np.ones(40) * 1j, "complex128"),
        (np.where(np.arange(40) == 7, -1.0, 1.0), r"sample_weight\[7\] is -1.0"),
        (np.where(np.arange(40) == 7, np.nan, 1.0), r"sample_weight\[7\] is nan"),
        (np.where(np.arange(40) == 7, np.inf, 1.0), r"sample_weight\[7\] is inf"),
        (np.zeros(40), "sample_weight is 0 for all rows"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(weights, words):
    with pytest.raises(ValueError, match=words):
        VAE(6, 2).fit(X, epochs=1, sample_weight=weights, verbose=0)


def test_weights_need_arrays():
    with pytest.raises(ValueError, match="sample_weight needs arrays"):
        VAE(6, 2).fit(lambda: [X], epochs=1, sample_weight=np.ones(40), verbose=0)


def test_huge_and_tiny_weights_have_the_same_shares():
    weights = np.random.default_rng(5).random(40)
    thetas = [
        VAE(6, 2).fit(X, epochs=1, sample_weight=scale * weights, verbose=0).theta
        for scale in (1.0, 2.0**1000, 2.0**-1000)
    ]
    assert np.array_equal(thetas[0], thetas[1]) and np.array_equal(thetas[0], thetas[2])


def test_a_weighted_run_goes_on_from_its_checkpoint_and_other_weights_are_refused(tmp_path):
    weights, path = np.random.default_rng(6).random(40), tmp_path / "run.npz"

    def run(epochs, weights=weights, **more):
        return VAE(6, 2).fit(X, epochs=epochs, sample_weight=weights, verbose=0, **more)

    run(2, checkpoint=path)
    assert run(4, checkpoint=path).theta.tobytes() == run(4).theta.tobytes()
    with pytest.raises(ValueError, match="another run: sample_weight is"):
        run(5, weights[::-1], checkpoint=path)
