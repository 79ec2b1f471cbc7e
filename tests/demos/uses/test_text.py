"""The demos on texts: counting words, topics, spam."""

import re
from pathlib import Path

import numpy as np
import pytest
from demo_runs import MNIST, load, quick, run

from miniae import VAE, Dense, Sequential
from miniae.losses import gaussian_kl

SMS = MNIST and Path(MNIST) / "text" / "sms_spam.tsv"


SMS = MNIST and Path(MNIST) / "text" / "sms_spam.tsv"


def test_a_word_is_letters_or_digits_or_a_sign():
    text = "Don't WIN £1,000! Call 0800-12 now_or never... ok? Ça va 'quoted'"
    expected = "don't win £ 0 000 ! call 0000 00 now or never ok ? ça va quoted"
    with load("bag_of_words") as demo:
        assert demo.words(text) == expected.split()


def test_a_vocabulary_ranks_words_and_counts_unknown_ones_in_column_0():
    with load("bag_of_words") as demo:
        vocabulary = demo.Vocabulary(["b a b", "c b a", "d"])
    assert vocabulary.words == [demo.UNKNOWN, "b", "a"]
    counts = vocabulary.counts(["a b a", "c d e", "A"])
    assert counts.dtype == np.float32
    np.testing.assert_array_equal(counts, [[0, 1, 2], [3, 0, 0], [0, 0, 1]])


def test_texts_may_come_from_a_generator():
    with load("bag_of_words") as demo:
        vocabulary = demo.Vocabulary(text for text in ["b a b", "a"])
    counts = vocabulary.counts(text for text in ["a c", "b"])
    np.testing.assert_array_equal(counts, [[1, 1, 0], [0, 0, 1]])


def test_an_empty_document_is_a_row_of_zeros():
    with load("bag_of_words") as demo:
        vocabulary = demo.Vocabulary(["a b a b"])
    counts = vocabulary.counts(["", " \t", ":-) ...", "a"])
    np.testing.assert_array_equal(counts.sum(axis=1), [0, 0, 0, 1])
    assert vocabulary.counts([]).shape == (0, 3)


@pytest.mark.parametrize("texts", [[], ["", ":-)"], ["each word only once"]])
def test_texts_that_leave_no_word_are_refused(texts):
    message = rf"in {len(texts)} texts 0 occur 2 times or more, but 1 must: give"
    with load("bag_of_words") as demo, pytest.raises(ValueError, match=message):
        demo.Vocabulary(texts)


@pytest.mark.parametrize(
    "texts, message",
    [
        ("one text", r"got one str; a single text is \[text\]"),
        (["a", float("nan")], r"texts\[1\] is nan, but must be a str"),
        ([None], r"texts\[0\] is None, but must be a str"),
    ],
)
def test_what_is_no_list_of_texts_is_refused(texts, message):
    with load("bag_of_words") as demo:
        for take in (demo.Vocabulary, demo.Vocabulary(["a a"]).counts):
            with pytest.raises(TypeError, match=message):
                take(texts)


@pytest.fixture
def vae():
    return VAE(5, 3, (4,), likelihood="multinomial", dtype="float64")


def test_an_empty_document_costs_a_multinomial_vae_its_kl_and_nothing_else(vae):
    X = np.array([[0, 0, 0, 0, 0], [1, 0, 2, 0, 0]])
    kl = gaussian_kl(*vae.posterior(X)).sum(axis=1)
    log_p, kl_too = vae.elbo(X, split=True)
    assert log_p[0] == 0 > log_p[1]
    np.testing.assert_allclose(kl_too, kl, rtol=1e-12)
    assert vae.elbo(X)[0] == -kl_too[0]
    assert vae.anomaly_score(X)[0] == pytest.approx(kl[0], rel=1e-12)


def test_empty_documents_give_the_decoder_no_gradient_and_training_goes_on(vae):
    empty = np.zeros((6, 5))
    vae.loss(empty, training=True)
    vae.backward()
    for layer in vae.decoder.layers:
        assert all((grad == 0).all() for grad in layer.grads.values())
    counts = np.vstack([empty, np.random.default_rng(0).poisson(2.0, (6, 5))])
    vae.fit(counts, epochs=3, batch_size=4, verbose=0)
    assert np.isfinite(vae.theta).all() and np.isfinite(vae.elbo(counts)).all()


def test_the_documents_draw_the_words_of_a_topic_by_its_share():
    with load("text_topics") as demo:
        texts, shares = demo.documents(400, np.random.default_rng(0))
    assert shares.shape == (400, 6) and (shares >= 0).all() and (shares.sum(axis=1) < 1).all()
    counts = [text.split() for text in texts]
    everywhere = " ".join((*demo.TOPICS.values(), demo.SHARED)).split()
    for (name, text), share in zip(demo.TOPICS.items(), shares.T, strict=True):
        weights = {word: 1 / np.sqrt(k) for k, word in enumerate(text.split(), start=1)}
        own = {word for word in weights if everywhere.count(word) == 1}
        p = share * sum(weights[word] for word in own) / sum(weights.values())
        n = np.array([len(words) for words in counts])
        found = sum(word in own for words in counts for word in words)
        # Of n words each is one of the topic's own with probability p: a sum of binomials.
        assert abs(found - (n * p).sum()) < 4 * np.sqrt((n * p * (1 - p)).sum()), name


def test_matching_finds_the_latent_of_each_topic_whatever_its_sign_and_none_twice():
    rng = np.random.default_rng(0)
    shares = rng.random((50, 3))
    codes = np.column_stack([rng.random(50), -shares[:, 2], 5 * shares[:, 0], 1 - shares[:, 1]])
    with load("text_topics") as demo:
        r, latents = demo.match(codes, shares)
    assert r.shape == (4, 3) and latents.tolist() == [2, 3, 1]
    np.testing.assert_allclose(r[latents, range(3)], [1, -1, -1])
    # Both topics go best with latent 0, and the second topic with no other.
    a, b = np.array([1, 1, -1, -1]), np.array([1, -1, 1, -1])
    _, latents = demo.match(np.stack([a, b], 1), np.stack([a + b / 2, a], 1))
    assert latents.tolist() == [1, 0]


def test_the_raised_words_are_those_that_gain_most_probability():
    decoder = Sequential(Dense(2, 4, dtype="float64"))
    decoder.layers[0].params["W"] = [[2.0, 1.0, 0.0, -1.0], [0.0, 0.0, 0.0, 3.0]]
    decoder.layers[0].params["b"] = np.zeros(4)
    vae = VAE(4, 2, likelihood="multinomial", decoder=decoder, dtype="float64")
    words = ["a", "b", "c", "d"]
    with load("text_topics") as demo:
        assert demo.raised_words(vae, words, 0, +0.9, n=1) == "a"
        assert demo.raised_words(vae, words, 0, -0.9, n=2) == "d c"
        assert demo.raised_words(vae, words, 1, +0.9, n=1) == "d"


def messages(n, rng, lengths=(6, 12)):
    """Return n lines of a file of messages, a third of them spam, which has words of its own."""
    words = np.array([a + b for a in "bdfgklmnp" for b in ("at", "en", "it", "og")])
    kinds = [(words[12:], "ham"), (words[:24], "spam")]
    lines = []
    for i in range(n):
        known, label = kinds[i % 3 == 0]
        lines.append(f"{label}\t{' '.join(rng.choice(known, rng.integers(*lengths)))} {i}x{i * i}")
    return lines


def write(path, lines, encoding="utf-8"):
    path.write_bytes("\n".join(lines).encode(encoding))
    return path


def test_messages_are_read_with_and_without_a_header_and_counted_once(tmp_path):
    lines = [f"{label}\ttext {i} of {label}" for i in range(200) for label in ("ham", "spam")]
    path = write(tmp_path / "plain.tsv", [*lines, lines[3], ""])
    with load("spam") as demo:
        texts, labels = demo.read_messages(path)
    assert texts == [line.split("\t")[1] for line in lines]
    assert labels.tolist() == [0, 1] * 200
    # As a spreadsheet writes it: with a header, a byte-order mark, and \r\n.
    header = [line + "\r" for line in ["label\ttext", *lines, ""]]
    path = write(tmp_path / "header.tsv", header, "utf-8-sig")
    assert demo.read_messages(path)[0] == texts


def test_a_carriage_return_inside_a_message_does_not_end_it(tmp_path):
    lines = [f"{label}\tone\rtwo {i} {label}\r" for i in range(200) for label in ("ham", "spam")]
    with load("spam") as demo:
        texts, _ = demo.read_messages(write(tmp_path / "returns.tsv", lines))
    assert texts[:2] == ["one\rtwo 0 ham", "one\rtwo 0 spam"] and len(texts) == 400


def test_a_folder_and_a_missing_file_of_messages_are_refused_by_name(tmp_path):
    for path in (tmp_path, tmp_path / "no.tsv"):
        with load("spam") as demo, pytest.raises(OSError, match="cannot be read") as refused:
            demo.main(["--quick", "--messages", str(path), "--out", str(tmp_path)])
        assert str(refused.value).startswith(f"{path} cannot be read (")


def test_messages_of_too_few_words_are_refused_by_file_and_number_of_words(tmp_path):
    numbers = {"ham": "ace", "spam": "bdf"}  # six words that recur, and one for each message
    lines = [
        f"{label}\t{' '.join(letters)} {''.join('xyz'[i // 3**k % 3] for k in range(5))}{label}"
        for i in range(200)
        for label, letters in numbers.items()
    ]
    path = write(tmp_path / "few.tsv", lines)
    message = rf"^{re.escape(str(path))}: .* in 200 texts 6 occur 3 times or more, but 20 must"
    with load("spam") as demo, pytest.raises(ValueError, match=message):
        demo.main(["--messages", str(path), "--out", str(tmp_path)])


@pytest.mark.parametrize(
    "lines, message",
    [
        ([], r"line 1: must be .* got ''"),
        (["label\ttext"], "0 ham, 0 spam; needs 20 of each, 400 in all"),
        ([f"ham\ttext {i}" for i in range(400)], "400 ham, 0 spam; needs 20"),
        (
            [f"{label}\ttext {i} {label}" for i in range(30) for label in ("ham", "spam")],
            "30 ham, 30 spam; needs",
        ),
        (["ham\tone", "spam,two"], r"line 2: must be \"ham\" or \"spam\", a tab .* got 'spam,two'"),
        (["ham\tone", "junk\ttwo"], "line 2: must be"),
        (["ham\tone", "", "spam\ttwo"], "line 2: must be .* got ''"),
        (["ham\tone\ttwo"], "line 1: must be"),
        (["ham\tone", "spam\t  "], "line 2: must be"),
        (["ham\tone", "label\ttext"], "line 2: must be"),
        (["text\tlabel"], "line 1: must be"),
    ],
)
def test_a_wrong_file_of_messages_is_refused_by_its_name_and_line(tmp_path, lines, message):
    path = write(tmp_path / "messages.tsv", lines)
    wrong = pytest.raises(ValueError, match=rf"messages\.tsv.*{message}")
    with load("spam") as demo, wrong:
        demo.read_messages(path)


def test_bytes_that_are_not_utf_8_separate_words(tmp_path):
    lines = [f"{label}\tcaf\xe9 {i} {label}" for i in range(200) for label in ("ham", "spam")]
    with load("spam") as demo:
        texts, _ = demo.read_messages(write(tmp_path / "latin.tsv", lines, "latin-1"))
    with load("bag_of_words") as demo:
        assert demo.words(texts[0]) == ["caf", "0", "ham"]


@pytest.mark.demo
def test_topics_quick_prints_every_topic_and_saves_its_picture(tmp_path):
    table, pictures = quick(tmp_path, "text_topics")
    *topics, mean = table.values()
    with load("text_topics") as demo:
        assert [*table] == [*demo.TOPICS, "mean"]
    assert all(0 <= r <= 1 for row in topics for r in row)
    # Printed to 0.005: the mean of printed ones is as near, and the printed mean once more.
    np.testing.assert_allclose(mean[:2], np.mean(topics, axis=0), atol=0.01 + 1e-9)
    assert 0 <= mean[2] <= 10 and pictures == {"topics"}


def strangeness(text):
    """Return the AUROC of each row of the second table."""
    lines = text[text.index("score: how unlike ham") :].split("\n\n")[0].splitlines()[1:]
    return {line[:-5].strip(): float(line[-5:]) for line in lines}


RIVALS = ["number of words", "number of unknown words", "word frequencies", "VAE"]


@pytest.mark.demo
def test_spam_quick_prints_both_tables_and_saves_its_picture(tmp_path):
    done = quick(tmp_path, "spam")
    table, pictures = done
    assert [name.split()[-1] for name in table] == ["ham", "words", "scores", "VAE"]
    always, *rows = table.values()
    assert always == [always[0]] * 3 and all(len(row) == 5 for row in rows)
    assert all(0 <= cell <= 1 for row in rows for cell in row)
    areas = strangeness(done.text)
    assert list(areas) == RIVALS and all(0 <= area <= 1 for area in areas.values())
    assert pictures == {"spam"}


@pytest.mark.demo
def test_spam_reads_the_messages_that_it_is_told_to(tmp_path):
    path = write(tmp_path / "mine.tsv", messages(400, np.random.default_rng(0)))
    done = quick(tmp_path, "spam", "--messages", str(path))
    assert done.text.startswith(f"{path}: 200 training messages, 200 held out")
    raw = next(cells for name, cells in done.table.items() if name.startswith("raw bag"))
    assert raw[-1] > done.table["always ham"][0]


@pytest.mark.full
def test_each_topic_has_a_latent_of_its_own_and_pca_mixes_them(tmp_path):
    *topics, mean = run(tmp_path, "text_topics").table.values()
    assert len(topics) == 6 and all(vae > 0.8 for vae, _ in topics)
    assert mean[0] > mean[1] + 0.15 and mean[2] == 6


def check_classifiers(table):
    """Hold the claim: the codes are best with few labels; with all, raw words are as good."""
    _, raw, _, codes = table.values()
    # Means over 20 draws. They are the same for both rows, so that this overstates the error.
    errors = [2 * np.hypot(raw[i], codes[i]) / 20**0.5 for i in (1, 3)]
    assert codes[0] > raw[0] + errors[0] and codes[2] > raw[2] + errors[1]
    assert codes[4] < raw[4] + 0.005


@pytest.mark.full
def test_codes_beat_raw_words_with_few_labels_and_the_vae_beats_word_frequencies(tmp_path):
    done = run(tmp_path, "spam")
    check_classifiers(done.table)
    areas = strangeness(done.text)
    assert areas["VAE"] > max(areas[name] for name in RIVALS[:3])


@pytest.mark.full
@pytest.mark.skipif(not (SMS and SMS.exists()), reason="needs text/sms_spam.tsv in MINIAE_DATA")
def test_on_sms_codes_beat_raw_words_with_few_labels_and_unknown_words_beat_the_vae(tmp_path):
    done = run(tmp_path, "spam", data=MNIST)
    check_classifiers(done.table)
    areas = strangeness(done.text)
    assert areas["number of unknown words"] > areas["VAE"] > areas["number of words"]
