import copy
import itertools
import pickle

import numpy as np
import pytest

from miniae import (
    GaussianPrior,
    SequenceAutoencoder,
    SequenceVAE,
    check_training,
    gradient_check,
    pad_sequences,
)
from miniae.variants.token_layers import END, TokenNLL

WORDS = [[2, 3, 4], [4, 2], [], [3, 3, 2, 4, 4, 2, 2], [2] * 5]
X = pad_sequences(WORDS, 6)
SMALL = {"embedding_dim": 3, "dtype": "float64"}


def model(cls=SequenceVAE, n_tokens=5, length=6, latent_dim=2, **options):
    """Return a model with random weights, larger than the first ones."""
    made = cls(n_tokens, length, latent_dim, (4,), **{**SMALL, **options})
    made.theta = 0.7 * np.random.default_rng(1).standard_normal(made.theta.size)
    return made


def every_row(n_tokens, length):
    """Return all rows of tokens that end, or that are cut off: (n, length)."""
    words = range(2, n_tokens)
    return pad_sequences(
        [row for k in range(length + 1) for row in itertools.product(words, repeat=k)], length
    )


def log_p(vae, rows, z):
    """Return log p(row | z) of each row for one code z (latent_dim,)."""
    view = vae.own_view()
    view.writer.tokens = rows
    return -TokenNLL(vae.n_tokens).per_sample(view.writer.forward(np.tile(z, (len(rows), 1))), rows)


def total_log_p(vae, rows, z):
    """Return log p of beginnings (n, t) given one code, (n,); they need not have an end."""
    writer = vae.own_view().writer
    writer.tokens = rows
    logits = writer.forward(np.tile(z, (len(rows), 1)))
    log_p = logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))
    return np.take_along_axis(log_p, rows[:, :, None] - 1, axis=2).sum(axis=(1, 2))


def test_sequences_are_padded_with_the_end_token_and_cut_off():
    expected = [[2, 3, 1, 0], [1, 0, 0, 0], [4, 4, 4, 4], [4, 4, 4, 1]]
    rows = pad_sequences([[2, 3], [], [4] * 9, [4] * 3], 4)
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_array_equal(pad_sequences(iter([[2, 3], np.array([4.0])]), 3)[1], [4, 1, 0])


@pytest.mark.parametrize(
    "sequence, message",
    [
        ([3, 1], "has 1, but words are whole numbers from 2"),
        ([2, 3.5], "has 3.5, but words are whole numbers"),
        ([2, np.nan], "has nan, but words are whole numbers"),
        ([2, np.inf], "has inf, but words are whole numbers"),
        ([2, 1e300], "has 1e.300, but words are whole numbers"),
        (3, r"=3 must be a list of word numbers, such as \[2, 3, 4\]"),
        ("23", "='23' must be a list of word numbers"),
        (["2", "3"], "must be a list of word numbers"),
        ([[2, 3], [4, 2]], "must be a list of word numbers"),
        ([True], "must be a list of word numbers"),
        ([2**70], "must be a list of word numbers"),
    ],
)
def test_what_is_not_a_sequence_of_words_is_refused_by_number(sequence, message):
    with pytest.raises(ValueError, match=r"sequences\[1\].*" + message):
        pad_sequences([[2], sequence], 4)


@pytest.mark.slow
@pytest.mark.parametrize("cls", [SequenceVAE, SequenceAutoencoder])
@pytest.mark.parametrize("word_dropout", [0.0, 0.4])
def test_gradients_of_the_whole_model_are_exact_for_rows_of_unequal_length(cls, word_dropout):
    noise = {"eps": np.random.default_rng(2).standard_normal((5, 2))}
    report = gradient_check(
        model(cls, word_dropout=word_dropout), X, training=True, tolerance=1e-12, **noise
    )
    assert report.ok, report


@pytest.mark.parametrize("cls", [SequenceVAE, SequenceAutoencoder])
def test_the_gradient_along_a_direction_in_each_layer_is_exact(cls):
    made, rng = model(cls, word_dropout=0.4), np.random.default_rng(3)
    options = {"training": True, "eps": rng.standard_normal((5, 2))}
    if cls is SequenceAutoencoder:
        del options["eps"]
    made.loss(X, rng=np.random.default_rng(4), **options)
    made.backward()
    start, exact = 0, made.astype(complex)
    for name, value, gradient in made.named_params():
        step, theta = rng.standard_normal(value.shape), made.theta.astype(complex)
        theta[start : start + value.size] += 1e-30j * step.ravel()
        start += value.size
        exact.theta = theta
        slope = exact.loss(X, rng=np.random.default_rng(4), **options).imag / 1e-30
        size = np.linalg.norm(gradient) * np.linalg.norm(step)
        assert slope == pytest.approx((gradient * step).sum(), rel=0, abs=1e-12 * size), name


@pytest.mark.slow
def test_a_denoising_target_is_what_is_written():
    made, noisy = model(), X.copy()
    noisy[0, 1] = 4
    report = gradient_check(made, noisy, X, tolerance=1e-12)
    assert report.ok, report
    assert made.loss(noisy, X, eps=np.zeros((5, 2))) != made.loss(X, eps=np.zeros((5, 2)))


def test_the_loss_of_tokens_has_the_right_gradient_and_refuses_other_shapes():
    out = np.random.default_rng(0).standard_normal((5, 6, 4))
    report = gradient_check(TokenNLL(5), out, X, tolerance=1e-12)
    assert report.ok, report
    for wrong in (out[:, :4], out[:, :, :3], out[:4], out[0]):
        with pytest.raises(ValueError, match=r"out has shape .* and target \(5, 6\)"):
            TokenNLL(5).forward(wrong, X)


@pytest.mark.parametrize("wrong", [-2, 2.5, np.nan, np.inf, 1e300, 5])
def test_no_part_of_a_model_takes_what_is_no_token(wrong):
    rows, out = X.astype(float), np.zeros((5, 6, 4))
    rows[1, 0] = wrong
    made = model()
    with pytest.raises(ValueError, match="token"):
        TokenNLL(5).forward(out, rows)
    with pytest.raises(ValueError, match="token"):
        made.encoder.forward(rows)
    with pytest.raises(ValueError, match=r"takes tokens \(n, length\), got \(6,\)"):
        made.encoder.predict(X[0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_whole_pass_is_in_the_dtype_of_the_model(dtype):
    made = model(dtype=dtype, word_dropout=0.3)
    made.loss(X, training=True)
    assert made.reconstruction_loss.backward().dtype == dtype
    made.backward()
    assert {part.dtype for part in made.writer.lstm.dstate} == {np.dtype(dtype)}


def test_without_recurrent_weights_the_likelihood_is_that_of_a_unigram_model():
    made = model()
    made.writer.head.params["W"] = np.zeros((4, 4))
    p = np.exp(made.writer.head.params["b"])
    log_unigram = np.append(-np.inf, np.log(p / p.sum()))
    by_hand = np.array([log_unigram[row[row > 0]].sum() for row in X])
    np.testing.assert_allclose(made.elbo(X, split=True)[0], by_hand, rtol=1e-12)
    nats = -by_hand + made.elbo(X, split=True)[1]
    assert made.perplexity(X) == pytest.approx(np.exp(nats.sum() / (X > 0).sum()), rel=1e-12)


def test_a_model_that_knows_nothing_has_the_number_of_tokens_as_perplexity():
    made = model()
    made.theta = np.zeros_like(made.theta)
    assert made.perplexity(X) == pytest.approx(4, rel=1e-12)  # three words and the end


def test_the_probabilities_of_all_sequences_add_up_to_one():
    made, rows = model(n_tokens=4, length=5), every_row(4, 5)
    for z in np.random.default_rng(3).standard_normal((3, 2)):
        assert np.exp(log_p(made, rows, z)).sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.slow
def test_importance_sampling_tends_to_the_likelihood_by_quadrature():
    made, rows = model(n_tokens=4, length=3, latent_dim=1), every_row(4, 3)
    head = made.encoder.layers[0].head
    head.theta = np.zeros_like(head.theta)  # q(z|x) is the prior, so that no weight is large
    z = np.linspace(-8, 8, 801)
    weights = np.exp(-0.5 * z**2) / np.exp(-0.5 * z**2).sum()
    p = sum(w * np.exp(log_p(made, rows, [at])) for w, at in zip(weights, z, strict=True))
    assert p.sum() == pytest.approx(1, abs=1e-12)
    # 3,000 draws of weights whose relative deviation is about 1: 6 standard errors are 0.1.
    np.testing.assert_allclose(made.log_likelihood(rows, k=3000), np.log(p), atol=0.1)


@pytest.mark.parametrize("cls", [SequenceVAE, SequenceAutoencoder])
def test_padding_and_longer_neighbours_change_a_row_by_rounding_only(cls):
    made, wide = model(cls), model(cls, length=9)
    padded = np.hstack([X[:3], np.zeros((3, 3), int)])  # the others are cut off at 6
    alone = np.concatenate([made.anomaly_score(X[i : i + 1]) for i in range(len(X))])
    np.testing.assert_allclose(made.anomaly_score(X), alone, rtol=1e-12)
    np.testing.assert_allclose(wide.anomaly_score(padded), alone[:3], rtol=1e-12)
    np.testing.assert_allclose(wide.encode(padded), made.encode(X[:3]), rtol=1e-12)


def test_beam_search_over_all_beginnings_finds_the_most_probable_sequence():
    made, rows = model(n_tokens=4, length=4), every_row(4, 4)
    Z = 2 * np.random.default_rng(4).standard_normal((6, 2))
    tokens, total = made.own_view().writer.beam_search(Z, len(rows))
    for z, row, value in zip(Z, tokens, total, strict=True):
        each = log_p(made, rows, z)
        np.testing.assert_array_equal(row, rows[each.argmax()])
        assert value == pytest.approx(each.max(), rel=1e-12)
    np.testing.assert_array_equal(made.write(Z, beam=len(rows)), tokens)


@pytest.mark.parametrize("width", [2, 3])
def test_a_narrow_beam_keeps_the_most_probable_beginnings(width):
    made, length = model(length=5), 5
    made.writer.head.params["b"][0] = -1  # so that few sequences end at once
    for z in 2 * np.random.default_rng(4).standard_normal((8, 2)):
        beam = [((), 0.0)]
        for _ in range(length):
            longer = [each for each in beam if each[0][-1:] == (END,)]
            for row, _ in beam:
                if row[-1:] != (END,):
                    ends = np.array([[*row, token] for token in range(1, 5)])
                    each = total_log_p(made, ends, z)
                    longer += [((*row, k), p) for k, p in enumerate(each, 1)]
            beam = sorted(longer, key=lambda each: -each[1])[:width]
        row, total = beam[0]
        tokens, found = made.own_view().writer.beam_search(z[None], width)
        np.testing.assert_array_equal(tokens[0, : len(row)], row)
        assert not tokens[0, len(row) :].any() and found[0] == pytest.approx(total, rel=1e-12)


def test_a_beam_of_one_and_temperature_zero_are_greedy_decoding():
    made = model()
    Z = np.random.default_rng(5).standard_normal((20, 2))
    greedy = made.decode(Z)
    assert greedy.shape == (20, 6) and greedy.dtype.kind == "i"
    np.testing.assert_array_equal(made.write(Z, beam=1), greedy)
    np.testing.assert_array_equal(made.write(Z, temperature=0), greedy)
    made.check_rows(greedy.astype(float), "greedy", 0)  # rows that the model itself accepts


def test_drawn_sequences_have_the_probabilities_of_the_model():
    made, rows, z, n = model(n_tokens=4, length=2), every_row(4, 2), np.array([0.5, -1.0]), 4000
    for temperature, power in ((1.0, 1.0), (0.5, 2.0)):
        drawn = made.write(np.tile(z, (n, 1)), temperature=temperature, seed=6)
        first = np.array([log_p(model(n_tokens=4, length=1), [[k]], z)[0] for k in (1, 2, 3)])
        p = np.exp(power * first)
        p /= p.sum()
        counts = np.bincount(drawn[:, 0], minlength=4)[1:]
        assert (np.abs(counts - n * p) < 5 * np.sqrt(n * p * (1 - p))).all()
        if temperature == 1:
            q = np.exp(log_p(made, rows, z))
            counts = np.array([(drawn == row).all(axis=1).sum() for row in rows])
            assert (np.abs(counts - n * q) < 5 * np.sqrt(n * q * (1 - q)) + 1e-9).all()


def test_samples_are_repeatable_and_differ_without_a_seed():
    made = model()
    np.testing.assert_array_equal(made.sample(9, seed=3), made.sample(9, seed=3))
    assert (made.sample(30) != made.sample(30)).any()
    made.check_rows(made.sample(50, seed=0).astype(float), "samples", 0)


def test_word_dropout_acts_in_training_only_and_its_draws_come_from_rng():
    made, plain, eps = model(word_dropout=0.6), model(), np.zeros((5, 2))

    def training_loss(seed):
        return made.loss(X, eps=eps, rng=np.random.default_rng(seed), training=True)

    assert training_loss(0) == training_loss(0) != training_loss(1)
    assert made.evaluate(X) == plain.evaluate(X)
    np.testing.assert_array_equal(made.elbo(X), plain.elbo(X))


def test_word_dropout_never_hides_the_start_and_hides_its_share_of_the_others():
    made, rows, z = model(word_dropout=0.4), np.full((500, 6), 2), np.zeros((500, 2))
    view, read = made.own_view(), []
    view.writer.embedding.forward = lambda x: (
        read.append(x.copy()) or 0.0 * x[..., None].repeat(3, 2)
    )
    view.writer.tokens, view.writer.rng = rows, np.random.default_rng(0)
    view.writer.forward(z, training=True)
    assert not read[0][:, 0].any()
    is_lost = read[0][:, 1:] == made.n_tokens
    assert (is_lost | (read[0][:, 1:] == 2)).all()
    assert is_lost.mean() == pytest.approx(0.4, abs=5 * (0.24 / is_lost.size) ** 0.5)


def test_several_draws_for_each_sample_meet_its_own_tokens():
    made, eps = model(), np.random.default_rng(0).standard_normal((3, 5, 2))
    mu, log_var = made.posterior(X)
    view = made.own_view()
    view.writer.tokens = X
    together = view.log_weight(X, mu, log_var, eps)[1]
    for i in range(len(X)):
        one = slice(i, i + 1)
        view.writer.tokens = X[one]
        alone = view.log_weight(X[one], mu[one], log_var[one], eps[:, one])[1]
        np.testing.assert_allclose(together[:, one], alone, rtol=1e-12)


@pytest.mark.slow
def test_a_model_learns_sequences_and_its_code_writes_them_again():
    rng = np.random.default_rng(0)
    rows = pad_sequences([[word] * n for word, n in rng.integers([2, 1], [5, 5], (200, 2))], 6)
    made = SequenceAutoencoder(5, 6, 4, (24,), embedding_dim=8)
    made.fit(rows, epochs=60, batch_size=20, optimizer="adam", verbose=0)
    assert (made.reconstruct(rows) == rows).all(axis=1).mean() > 0.9
    assert made.history["loss"][-1] < 0.2 * made.history["loss"][0]


def test_the_methods_of_a_vae_work_on_sequences():
    made = model(kl_warmup=2, free_bits=0.1)
    made.fit(X, validation_data=X, epochs=3, early_stopping=2, verbose=0)
    assert made.history["kl_weight"] == [0.0, 0.5, 1.0]
    terms = made.evaluate(X, return_dict=True)
    assert terms["loss"] == pytest.approx(-made.score(X)) and "kl" in terms
    assert made.terms == pytest.approx(terms, rel=1e-12)
    assert made.interpolate(X[0], X[1], steps=4).shape == (4, 6)
    np.testing.assert_array_equal(made.interpolate(X[0], X[1])[0], made.reconstruct(X[:1])[0])
    assert made.traverse(steps=3).shape == (2, 3, 6)
    assert made.decode(made.posterior_sample(X, 3, seed=0)).shape == (3, 5, 6)
    assert made.posterior(X)[0].shape == made.encode(X).shape == (5, 2)
    assert 0 <= made.active_units(X) <= 2 and made.kl_per_dimension(X).shape == (2,)
    lines = []
    made.summary(lines.append)
    assert any("SequenceWriter" in line and "(n, 6)" in line for line in lines)
    assert "SequenceReader" in str(made.trace(X, training=True))
    with pytest.raises(TypeError, match="SequenceVAE has no impute"):
        made.impute(X)
    with pytest.raises(TypeError, match="data of a SequenceVAE are tokens: compare"):
        check_training(made, np.tile(X, (2, 1)))


@pytest.mark.parametrize("cls", [SequenceVAE, SequenceAutoencoder])
def test_a_call_between_loss_and_backward_is_refused_not_mixed_up(cls):
    made = model(cls)
    for method, given in (("evaluate", X), ("decode", np.zeros((2, 2))), ("perplexity", X)):
        made.loss(X)
        getattr(made, method)(given)
        with pytest.raises(RuntimeError, match="backward was called before loss"):
            made.backward()


def test_codes_are_drawn_from_the_prior_of_the_model():
    far = model(prior=GaussianPrior([40.0, -40.0], [1e-3, 1e-3]))
    drawn = far.sample(20, seed=0, temperature=0)
    np.testing.assert_array_equal(drawn, far.decode(np.tile([40.0, -40.0], (20, 1))))
    assert (drawn != model().sample(20, seed=0, temperature=0)).any()


@pytest.mark.parametrize("cls", [SequenceVAE, SequenceAutoencoder])
def test_files_copies_and_clones_keep_the_model(cls, tmp_path):
    made = model(cls, word_dropout=0.3)
    made.fit(X, epochs=2, verbose=0)
    made.save(tmp_path / "model.npz")
    for other in (
        cls.load(tmp_path / "model.npz"), copy.deepcopy(made), pickle.loads(pickle.dumps(made))
    ):  # fmt: skip
        assert other.get_params() == made.get_params() and other.history == made.history
        np.testing.assert_array_equal(other.anomaly_score(X), made.anomaly_score(X))
        assert other.word_dropout == 0.3
    assert cls(**made.get_params()).theta.shape == made.theta.shape
    np.testing.assert_allclose(made.astype("float32").encode(X), made.encode(X), atol=1e-5)


def test_a_run_goes_on_from_its_checkpoint(tmp_path):
    whole, broken = model(word_dropout=0.3), model(word_dropout=0.3)
    whole.fit(X, epochs=4, batch_size=2, verbose=0)
    for epochs in (2, 4):
        broken.fit(X, epochs=epochs, batch_size=2, verbose=0, checkpoint=tmp_path / "run.npz")
        broken = model(word_dropout=0.3) if epochs == 2 else broken
    np.testing.assert_array_equal(whole.theta, broken.theta)


@pytest.mark.parametrize(
    "row, message",
    [
        ([2, 3, 1, 0, 0, 2.5], r"\[7, 5\] is 2.5, but tokens are integers"),
        ([2, 5, 1, 0, 0, 0], r"\[7, 1\] is 5, but tokens are numbered from 0 to 4 \(n_tokens=5\)"),
        ([2, -1, 1, 0, 0, 0], r"\[7, 1\] is -1, but tokens are numbered"),
        ([0, 0, 0, 0, 0, 0], r"\[7\] starts with padding"),
        ([0, 0, 0, 2, 3, 1], r"\[7\] starts with padding"),
        ([2, 0, 3, 1, 0, 0], r"\[7, 2\] is 3, but comes after padding"),
        ([2, 3, 0, 1, 0, 0], r"\[7, 3\] is 1, but comes after padding"),
        ([2, 1, 3, 1, 0, 0], r"\[7, 2\] is 3, but comes after the end token 1"),
        ([2, 1, 1, 0, 0, 0], r"\[7, 2\] is 1, but comes after the end token 1"),
        ([2, 3, 4, 0, 0, 0], r"\[7\] is padded but has no end token 1 .* pad_sequences"),
        ([2, np.nan, 1, 0, 0, 0], r"\[7, 1\] is nan"),
    ],
)
def test_wrong_rows_are_refused_by_number_before_training(row, message):
    rows = np.vstack([np.tile(X[:1], (7, 1)).astype(float), [row], X[:2]])
    made = model()
    before = made.theta.copy()
    for method in (made.fit, made.encode, made.elbo, made.perplexity, made.anomaly_score):
        with pytest.raises(ValueError, match=r"X" + message):
            method(rows)
    np.testing.assert_array_equal(made.theta, before)
    with pytest.raises(ValueError, match=r"y" + message):
        made.fit(np.tile(X[:1], (10, 1)), rows, verbose=0)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"n_tokens": 2}, "n_tokens=2 must be an integer above 2"),
        ({"n_tokens": 2**24 + 1}, "n_tokens=16777217 must be at most 16777216: float32"),
        ({"length": 0}, "length=0"),
        ({"hidden": (4, 4)}, r"hidden=\(4, 4\) must be a tuple of one size"),
        ({"hidden": 4}, r"hidden=4 must be a tuple of one size"),
        ({"word_dropout": 1.0}, r"word_dropout=1.0 must be a number in \[0, 1\)"),
        ({"embedding_dim": 1.5}, "embedding_dim=1.5"),
    ],
)
def test_wrong_arguments_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        SequenceVAE(**{"n_tokens": 5, "length": 6, **arguments})


def test_wrong_codes_and_settings_of_writing_are_refused():
    made = model()
    for Z in (np.zeros(2), np.zeros((3, 5)), [[np.nan, 0]], np.zeros((0, 2))):
        with pytest.raises(ValueError, match=r"Z must be finite numbers \(n, 2\)"):
            made.write(Z)
    with pytest.raises(ValueError, match="temperature=-1"):
        made.write(np.zeros((1, 2)), temperature=-1)
    with pytest.raises(ValueError, match="beam=0"):
        made.write(np.zeros((1, 2)), beam=0)
    with pytest.raises(ValueError, match="temperature=0.5 and beam=3: .* pass one of the two"):
        made.write(np.zeros((1, 2)), temperature=0.5, beam=3)


def test_the_end_token_is_number_one():
    assert END == 1
