"""The demo on ratings, and its reader of MovieLens' files."""

import gzip

import numpy as np
import pytest
from demo_runs import load, quick, run

RATINGS = ["mean of all ratings", "biases of user and item", "AutoRec"]

RATINGS += ["AutoRec of ratings minus biases", "the same, with a row per user"]
RATINGS += ["a row per item: all ratings, mean of 4", "mean of this and a row per user"]
RATINGS += ["the ratings without noise"]


@pytest.mark.demo
def test_collaborative_filtering_quick_prints_its_baselines_and_the_floor(tmp_path):
    table, pictures = quick(tmp_path, "collaborative_filtering")
    assert list(table) == RATINGS and pictures == {"rmse"}
    assert table[RATINGS[1]][1] < table[RATINGS[0]][1]


@pytest.mark.parametrize("separator", ["\t", "::"])
def test_collaborative_filtering_reads_movielens_files(tmp_path, separator):
    lines = [("7", "a", "5", "1"), ("7", "b", "3.5", "2"), ("9", "a", "1", "3")]
    for name, some in (("base", lines[:2]), ("test", lines[2:])):
        text = "\n".join(separator.join(line) for line in some)
        (tmp_path / name).write_text(text + "\n")
    with load("collaborative_filtering") as reader:
        train, test = (reader.read_ratings(tmp_path / name) for name in ("base", "test"))
    assert train == {("7", "a"): 5, ("7", "b"): 3.5} and test == {("9", "a"): 1}
    R, held = reader.as_tables(train, test)
    nan = np.nan
    assert np.array_equal(R, [[5, 3.5], [nan, nan]], equal_nan=True)
    assert np.array_equal(held, [[nan, nan], [1, nan]], equal_nan=True)


@pytest.mark.parametrize(
    "text, message",
    [
        ("1\t2\t3\t4\n1\t2\t3\n", r"ratings, line 2: must be user.* has 3 of these: '1\\t2\\t3'"),
        ("1::2::3\n", "line 1: must be user, item, rating, timestamp"),
        ("1,2,3,4\n", "line 1: must be .* separated by tabs or ::"),
        ("1::::3::4\n", "line 1: must be .* has 3 of these"),
        ("1\t2\tnan\t4\n", r"line 1: the rating \(column 3\) is 'nan'"),
        ("user\titem\trating\ttime\n", r"line 1: the rating \(column 3\) is 'rating'"),
        ("1\t2\t3\t4\n1\t2\t5\t6\n", "line 2: user 1 has already rated item 2"),
        ("1 \t2\t3\t4\n1\t2\t5\t6\n", "line 2: user 1 has already rated item 2"),
        (
            "1\t2\t881250949\t3\n",
            r"ratings, line 1: .*'881250949'.*column 3 looks like a timestamp",
        ),
        ("1\t2\t3\t4\n2\t2\t-1e300\t4\n", "line 2: .*'-1e300', over 1000"),
        ("1\t2\t3\t4\n\n1\t3\t3\t4\n", "line 2: must be .* has 0 of these"),
        ("", "ratings has no ratings in it"),
        ("\ufeff \n\n", "ratings has no ratings in it"),
    ],
)
def test_a_bad_line_of_ratings_is_named(tmp_path, text, message):
    path = tmp_path / "ratings"
    path.write_text(text, encoding="utf-8")
    with load("collaborative_filtering") as reader, pytest.raises(ValueError, match=message):
        reader.read_ratings(path)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff0\ta\t5\t1\n7\ta\t3\t2\n",
        "0 \t a\t5 \t1\r\n7\ta \t 3\t2\r\n",
        "0::a::5::1\n7::a::3::2\n\n \n\n",
    ],
)
def test_marks_spaces_and_blank_lines_at_the_end_do_not_change_what_is_read(tmp_path, text):
    path = tmp_path / "ratings"
    path.write_bytes(text.encode())
    with load("collaborative_filtering") as reader:
        assert reader.read_ratings(path) == {("0", "a"): 5, ("7", "a"): 3}


LINE = "1\t2\t3\t4\n"


@pytest.mark.parametrize(
    "content, message",
    [
        (LINE.encode("utf-16"), "is not plain text, or it is UTF-16: save it as UTF-8"),
        (LINE.encode("utf-16-le"), ".* it is UTF-16"),
        (gzip.compress(LINE.encode(), mtime=0), "is compressed: unpack it first"),
        (b"PK\x03\x04" + LINE.encode(), "is compressed"),
        (None, "is a folder: give a file of ratings, such as u1.base"),
    ],
)
def test_what_is_no_plain_text_is_no_file_of_ratings(tmp_path, content, message):
    path = tmp_path / "ratings"
    path.mkdir() if content is None else path.write_bytes(content)
    with (
        load("collaborative_filtering") as reader,
        pytest.raises(ValueError, match="ratings " + message),
    ):
        reader.read_ratings(path)


def test_ratings_that_do_not_go_together_are_refused(monkeypatch):
    with load("collaborative_filtering") as reader:
        with pytest.raises(ValueError, match="user 1 rates item 2 in the training file and"):
            reader.as_tables({("1", "2"): 3.0}, {("1", "2"): 4.0})
        monkeypatch.setattr(reader, "MAX_ENTRIES", 3)
        with pytest.raises(ValueError, match="2 users and 2 items .* use the ratings of fewer"):
            reader.as_tables({("1", "2"): 3.0, ("2", "1"): 4.0}, {})
    with load("collaborative_filtering") as demo:
        with pytest.raises(ValueError, match="1 ratings are too few to hold out 10%"):
            demo.hold_out(np.array([[3.0, np.nan]]), 0.1, np.random.default_rng(0))
        with pytest.raises(ValueError, match="--test u1.test needs --ratings"):
            demo.main(["--test", "u1.test"])


def test_biases_minimise_the_ridge_and_an_unseen_user_gets_the_mean_and_the_item():
    rng = np.random.default_rng(0)
    R = np.where(rng.random((30, 20)) < 0.5, rng.standard_normal((30, 20)) + 3, np.nan)
    R[4] = np.nan
    seen, ridge = np.argwhere(~np.isnan(R)), 3
    A = np.zeros((len(seen) + 50, 50))  # rows: ratings, then sqrt(ridge) for each of the biases
    A[np.arange(len(seen)), seen[:, 0]] = A[np.arange(len(seen)), 30 + seen[:, 1]] = 1
    A[len(seen) :] = np.sqrt(ridge) * np.eye(50)
    mean = np.nanmean(R)
    target = np.concatenate([R[tuple(seen.T)] - mean, np.zeros(50)])
    biases = np.linalg.lstsq(A, target, rcond=None)[0]
    expected = mean + biases[:30, None] + biases[30:]
    with load("collaborative_filtering") as demo:
        assert np.allclose(demo.add_biases(R, ridge, rounds=200), expected, atol=1e-9)
    assert np.allclose(expected[4], mean + biases[30:])


def test_users_and_items_without_training_ratings_get_what_ratings_are_centred_by():
    rng = np.random.default_rng(0)
    R = rng.uniform(1, 5, (12, 9)).astype(np.float32)
    R[3], R[:, 5] = np.nan, np.nan
    with load("collaborative_filtering") as demo:
        centre = demo.add_biases(R, 3)
        filled, curve = demo.autorec(R, R.copy(), centre, seed=0, epochs=2)
    assert np.array_equal(filled[3], centre[3]) and np.array_equal(filled[:, 5], centre[:, 5])
    assert np.isfinite(filled).all() and len(curve) == 2 and np.isfinite(curve).all()


def test_a_refit_is_the_mean_of_models_that_stop_at_the_epoch_that_validation_chose(monkeypatch):
    rng = np.random.default_rng(0)
    R = rng.uniform(1, 5, (12, 9)).astype(np.float32)
    with load("collaborative_filtering") as demo:
        centre, calls = demo.add_biases(R, 3), []

        def autorec(*arguments):
            calls.append(arguments)
            return centre + arguments[3], None

        monkeypatch.setattr(demo, "autorec", autorec)
        filled = demo.refit(R, centre, 5, [0.9, 0.8, 0.7, 0.75])
    assert [(seed, epochs) for *_, seed, epochs in calls] == [(5, 3), (6, 3), (7, 3), (8, 3)]
    assert all(validation is None for _, validation, *_ in calls)
    assert np.allclose(filled, centre + 6.5)


@pytest.mark.full
def test_autorec_beats_the_biases_and_stays_above_the_noise(tmp_path):
    table = run(tmp_path, "collaborative_filtering").table
    assert list(table) == RATINGS
    mean, biases, autorec, items, users, refitted, both, floor = (row[1] for row in table.values())
    assert items < autorec < 0.9 * biases < 0.9 * mean
    assert both < refitted < items and both < users
    # About 4,800 held-out ratings have noise of standard deviation 0.7, but for what is clipped.
    assert floor < autorec and floor == pytest.approx(0.7, abs=5 * 0.7 / np.sqrt(2 * 4800))
