import numpy as np
import pytest
from some_models import refuses_labels

from miniae import (
    VAE,
    Adam,
    Condition,
    ConditionalVAE,
    Dense,
    Sequential,
    gradient_check,
)

LABELS = np.array([2, 0, 1, 1, 0, 2, 2, 0])


def conditional(shape=6, **options):
    rng = np.random.default_rng(0)
    sizes = shape if np.ndim(shape) else (shape,)
    model = ConditionalVAE(shape, 2, (5,), n_classes=3, dtype="float64", **options)
    return model, rng.random((8, *sizes))


def test_the_one_hot_label_goes_into_both_halves():
    model, X = conditional()
    one_hot = np.eye(3)[LABELS]
    h = np.hstack([X, one_hot])
    for layer in model.encoder.layers[2:]:
        h = layer.forward(h)
    assert np.allclose(model.encode(X, labels=LABELS), h[:, :2], rtol=1e-12)
    assert np.allclose(model.posterior(X, labels=LABELS)[1], h[:, 2:], rtol=1e-12)
    logits = np.hstack([h[:, :2], one_hot])
    for layer in model.decoder.layers[1:-1]:
        logits = layer.forward(logits)
    p = 1 / (1 + np.exp(-logits))
    assert np.allclose(model.decode(h[:, :2], labels=LABELS), p, rtol=1e-12)
    assert np.allclose(model.reconstruct(X, labels=LABELS), p, rtol=1e-12)


def test_the_loss_of_a_mixed_batch_is_the_mean_of_its_classes():
    model, X = conditional((2, 3))
    eps = np.random.default_rng(1).standard_normal((8, 2))
    whole = model.loss(X, labels=LABELS, eps=eps)
    parts = [
        model.given(c).loss(X[LABELS == c], eps=eps[LABELS == c]) * (LABELS == c).sum()
        for c in range(3)
    ]
    assert whole == pytest.approx(sum(parts) / 8, rel=1e-12)


def test_gradients_of_a_conditional_vae_are_right_for_networks_of_ones_own_too():
    encoder = Sequential(Condition(3), Dense(9, 4, rng=1))
    decoder = Sequential(Dense(2, 4, rng=2), Condition(3), Dense(7, 6, rng=3))
    model = ConditionalVAE(6, 2, n_classes=3, encoder=encoder, decoder=decoder)
    X = np.random.default_rng(0).random((8, 6))
    report = gradient_check(model, X, labels=LABELS, tolerance=1e-12)
    assert report.ok, report


def test_a_model_given_a_label_is_a_plain_vae():
    model, X = conditional((2, 3))
    ones = model.given(1)
    assert np.array_equal(ones.sample(4, seed=3), model.sample(4, seed=3, labels=1))
    assert np.array_equal(ones.encode(X), model.encode(X, labels=np.ones(8, int)))
    assert ones.elbo(X).shape == ones.log_likelihood(X, k=3).shape == (8,)
    assert ones.traverse(steps=3).shape == (2, 3, 2, 3)
    assert ones.interpolate(X[0], X[1]).shape == (10, 2, 3)
    assert np.isfinite(ones.evaluate(X)) and np.isfinite(ones.score(X))
    ones.summary(print_fn=lambda line: None)


def test_samples_may_each_have_their_label():
    model, _ = conditional()
    labels = np.array([0, 1, 2, 0])
    mixed = model.sample(4, seed=3, labels=labels)
    for i, label in enumerate(labels):
        assert np.allclose(mixed[i], model.sample(4, seed=3, labels=label)[i], rtol=1e-12)


def test_fit_takes_labels_splits_and_shuffles_them_with_the_rows():
    # Rows of class c are c / 2 throughout: with labels and a latent that is switched off by beta,
    # the decoder can know the class from the label alone.
    labels = np.random.default_rng(0).integers(3, size=300)
    X = np.repeat(labels[:, None] / 2, 4, axis=1).astype(np.float32)
    model = ConditionalVAE(4, 1, (), n_classes=3, beta=100.0)
    model.fit(X, labels=labels, epochs=60, optimizer=Adam(0.03), validation_split=0.2, verbose=0)
    out = model.sample(3, labels=[0, 1, 2])
    assert np.abs(out - [[0], [0.5], [1]]).max() < 0.1
    assert len(model.history["val_loss"]) == 60
    again = ConditionalVAE(4, 1, (), n_classes=3)
    validation = X[:9], None, labels[:9]
    again.fit(X, labels=labels, epochs=1, validation_data=validation, verbose=0)
    assert again.history["val_loss"][0] == pytest.approx(again.evaluate(X[:9], labels=labels[:9]))
    codes = again.fit_transform(X, labels=labels, epochs=1, verbose=0)
    assert np.array_equal(codes, again.encode(X, labels))
    assert again.kl_per_dimension(X, labels=labels).shape == (1,)
    assert again.active_units(X, labels=labels) in (0, 1)
    assert again.posterior_sample(X, 2, labels=labels).shape == (2, 300, 1)


@pytest.mark.parametrize(
    "labels, message",
    [
        (None, "pass labels=, one per row"),
        ([0, 1], r"shape \(8,\), got int64 of shape \(2,\)"),
        (LABELS + 1, "from 1 to 3, but there are n_classes=3"),
        (LABELS - 1, "from -1 to 1"),
        (LABELS / 1.0, "must be integers"),
        (np.eye(3)[LABELS], "must be integers"),
    ],
)
def test_labels_that_do_not_fit_are_refused_before_any_training(labels, message):
    refuses_labels(*conditional(), labels, message)


def test_a_model_without_use_for_labels_says_so():
    X = np.random.default_rng(0).random((8, 6))
    with pytest.raises(TypeError, match="VAE takes no argument 'labels'"):
        VAE(6).fit(X, labels=LABELS, verbose=0)
    with pytest.raises(TypeError, match="has no argument 'epoch'; did you mean epochs"):
        VAE(6).fit(X, epoch=3, verbose=0)


def test_networks_without_a_place_for_the_label_are_refused():
    with pytest.raises(ValueError, match=r"encoder needs a Condition\(3\) layer"):
        ConditionalVAE(6, 2, n_classes=3, encoder=Sequential(Dense(6, 4)))
    with pytest.raises(ValueError, match="n_classes=0"):
        ConditionalVAE(6, 2, n_classes=0)


@pytest.mark.parametrize("n_draws", [3, 5])
def test_posterior_draws_decode_with_the_labels_of_their_rows(n_draws):
    model, X = conditional()
    labels = LABELS[:3]
    Z = model.posterior_sample(X[:3], n_draws, seed=0, labels=labels)
    decoded = model.decode(Z, labels=labels)
    for i in range(n_draws):
        assert np.allclose(decoded[i], model.decode(Z[i], labels=labels), rtol=1e-12)


def test_labels_reach_the_rows_of_every_block(monkeypatch):
    model, X = conditional()
    X, labels = np.tile(X, (4, 1)), np.tile(LABELS, 4)
    whole = model.posterior(X, labels)[1], model.decode(model.encode(X, labels), labels)
    log_p = model.log_likelihood(X, 5, labels=labels)
    monkeypatch.setattr("miniae.plumbing.batches.ROWS", 5)
    assert np.allclose(model.posterior(X, labels)[1], whole[0], rtol=1e-12)
    assert np.allclose(model.decode(model.encode(X, labels), labels), whole[1], rtol=1e-12)
    assert model.log_likelihood(X, 5, labels=labels).shape == log_p.shape


def test_log_likelihood_takes_each_rows_label():
    model, X = conditional()
    model.encoder.theta = np.zeros_like(model.encoder.theta)  # q is the prior: w = p(x|z)
    model.decoder.layers[1].params["W"][2:] *= 5  # the label has a great effect
    log_p = model.log_likelihood(X, 4000, labels=LABELS)
    other = model.log_likelihood(X, 4000, labels=(LABELS + 1) % 3)
    # log of a mean of 4000 draws, whose standard deviation is about their mean: 5 standard errors
    bound = 5 / np.sqrt(4000)
    assert np.abs(log_p - other).max() > 6 * bound
    for c in range(3):
        alone = model.given(c).log_likelihood(X[LABELS == c], 4000)
        assert np.allclose(log_p[LABELS == c], alone, rtol=0, atol=bound)


def test_a_given_model_keeps_its_label_and_is_for_looking_only():
    model, X = conditional()
    ones = model.given(1)
    sample = ones.sample(2, seed=0)
    ones.loss(X[:1], labels=[2])
    ones.evaluate(X)
    assert np.array_equal(ones.sample(2, seed=0), sample)
    with pytest.raises(ValueError, match="original model"):
        ones.fit(X, labels=LABELS, verbose=0)
    model.loss(X, labels=LABELS)
    with pytest.raises(ValueError, match="pass labels="):
        model.impute(X)
    assert model.given(2).impute(X, steps=2).shape == X.shape


MANY = np.eye(3)[LABELS]
MANY[0] = 1


@pytest.mark.parametrize(
    "labels, message",
    [
        (LABELS / 1.0, r"float64 of shape \(8,\); astype\(int\) makes integers"),
        (LABELS / 2, "not whole numbers, so they are not classes"),
        (np.where(LABELS == 1, np.inf, LABELS), "not whole numbers, so they are not classes"),
        (LABELS > 0, r"bool .*; astype\(int\) makes them 0 and 1"),
        (LABELS.astype(str), "return_inverse=True.* numbers the classes"),
        (["a", "b", None, "a", "b", "a", "b", "a"], "leave out the rows without a label"),
        (LABELS.astype(object), r"astype\(int\) makes integers"),
        (LABELS[:, None], r"ravel\(\) makes a row of a column"),
        (np.eye(3)[LABELS], r"argmax\(axis=1\) undoes a one-hot"),
        (np.eye(3, dtype=bool)[LABELS], r"argmax\(axis=1\) undoes a one-hot"),
        (MANY, "exactly one class here, so several labels per row cannot be used"),
        (np.zeros((8, 3), int), "exactly one class here"),
        (np.full((8, 3), 0.5), "exactly one class here"),
        (np.ma.masked_equal(LABELS, 1), "masked array with hidden entries"),
        (np.ma.masked_equal(LABELS[:1], 2), "masked array with hidden entries"),
    ],
)
def test_labels_of_another_kind_are_told_what_to_write(labels, message):
    model, X = conditional()
    before = model.theta.copy()
    for call in (
        lambda: model.fit(X, labels=labels, verbose=0),
        lambda: model.elbo(X, labels=labels),
        lambda: model.loss(X, labels=labels),
    ):
        with pytest.raises(ValueError, match=message) as error:
            call()
        assert "argmax" in message or "argmax" not in str(error.value)
    assert np.array_equal(model.theta, before)


def test_hidden_labels_are_not_used_in_evaluation_or_validation():
    model, X = conditional()
    hidden = np.ma.masked_equal(LABELS, 1)
    with pytest.raises(ValueError, match="labels is a masked array with hidden entries"):
        model.evaluate(X, labels=hidden)
    with pytest.raises(ValueError, match="labels is a masked array with hidden entries"):
        model.fit(X, labels=LABELS, validation_data=(X, None, hidden), verbose=0)
    with pytest.raises(ValueError, match="Z is a masked array with hidden entries"):
        model.decode(np.ma.masked_less(X[:, :2], 0.5), labels=LABELS)
    with pytest.raises(ValueError, match="labels is a masked array with hidden entries"):
        model.decode(np.zeros((2, 8, 2)), labels=hidden)
    with pytest.raises(
        ValueError, match=r"labels of shape \(3,\) do not fit Z of shape \(2, 8, 2\)"
    ):
        model.decode(np.zeros((2, 8, 2)), labels=[0, 1, 2])
    shown = np.ma.array(LABELS)
    assert np.array_equal(model.encode(X, shown), model.encode(X, LABELS))


def test_lists_and_tables_are_rows_as_arrays_are():
    model, X = conditional()
    pandas = pytest.importorskip("pandas")
    codes = model.encode(X, LABELS)
    assert np.array_equal(model.encode(X.tolist(), LABELS.tolist()), codes)
    assert np.array_equal(model.encode(pandas.DataFrame(X), pandas.Series(LABELS)), codes)


def test_the_file_of_a_given_model_keeps_its_label(tmp_path):
    model, X = conditional((2, 3))
    ones = model.fit(X, labels=LABELS, epochs=1, verbose=0).given(np.int64(1))
    ones.save(tmp_path / "ones.npz")
    again = ConditionalVAE.load(tmp_path / "ones.npz")
    assert again.label == 1 and again.get_params()["label"] == 1
    assert np.array_equal(again.elbo(X), model.elbo(X, labels=np.ones(8, int)))
    assert np.array_equal(again.sample(3, seed=0), model.sample(3, seed=0, labels=1))
    model.save(tmp_path / "all.npz")
    with pytest.raises(ValueError, match="pass labels="):
        ConditionalVAE.load(tmp_path / "all.npz").elbo(X)


@pytest.mark.parametrize("label", [[1], np.array([0, 1]), 3, -1, 1.0, "1", True, None])
def test_a_label_that_cannot_be_fixed_is_refused(label):
    model, _ = conditional()
    for start in (model, model.given(2)):
        with pytest.raises(ValueError, match="label"):
            start.given(label)


def test_a_scikit_learn_clone_of_a_given_model_has_its_label():
    base = pytest.importorskip("sklearn.base")
    model, X = conditional()
    copied = base.clone(model.given(2))
    assert copied.label == 2 and copied.elbo(X).shape == (8,)


@pytest.mark.parametrize(
    "labels, message",
    [
        (LABELS[:3], r"got int64 of shape \(3,\)$"),
        (np.int64([1]), r"got int64 of shape \(1,\)$"),
        ([None, *LABELS[1:]], "leave out the rows without a label"),
        (np.where(LABELS == 1, np.nan, LABELS), "leave out the rows without a label"),
    ],
)
def test_an_error_about_labels_advises_only_what_would_help(labels, message):
    model, X = conditional()
    with pytest.raises(ValueError, match=message):
        model.encode(X, labels)


def test_data_and_labels_in_one_list_are_refused_with_what_is_wrong():
    model, X = conditional((2, 3))
    for method in (model.fit, model.encode, model.reconstruct):
        with pytest.raises(ValueError, match=r"X is a list whose 2 entries differ in shape"):
            method([X, LABELS])


@pytest.mark.parametrize("method", ["encode", "evaluate", "elbo"])
def test_backward_after_another_method_is_refused_not_that_of_another_batch(method):
    model, X = conditional()
    model.loss(X, labels=LABELS)
    getattr(model, method)(X[:4], labels=LABELS[:4])
    with pytest.raises((RuntimeError, ValueError), match="backward"):
        model.backward()


def test_a_loss_leaves_no_labels_in_the_layers_of_the_model():
    model, X = conditional()
    model.loss(X, labels=LABELS)
    layers = [each for _, each in model.walk() if isinstance(each, Condition)]
    assert len(layers) == 2 and all(each.labels is None for each in layers)
