"""The demos on tables: what is strange in them, what is missing, what somebody would rate."""

import gzip

import numpy as np
import pytest
from demo_runs import MNIST, load, on_mnist, quick, run

from miniae.proof.oracles import ProbabilisticPCA, conditional_gaussian

DISTANCE, PCA = "squared distance to the mean", "PCA error, best of 7 sizes"
NEAREST, ERROR, VAE = (
    "distance to the 5th nearest",
    "autoencoder, squared error",
    "VAE, negative ELBO",
)
JUDGES = [DISTANCE, PCA, NEAREST, ERROR, VAE]


def judged(table, data):
    """Return, by judge: AUROC on new rows; false alarms expected and measured; anomalies found."""
    rows = {name.split(": ")[1]: row for name, row in table.items() if name.startswith(data)}
    for name, row in rows.items():
        auroc, _, expected, measured, _, found, _ = row[-7:]
        rows[name] = auroc, expected, measured, found
    return rows


@pytest.mark.demo
def test_anomaly_detection_quick_prints_every_judge_and_draws_the_scores(tmp_path):
    table, pictures = quick(tmp_path, "anomaly_detection", "--data", "digits")
    assert list(judged(table, "digits")) == JUDGES == list(judged(table, "curved"))
    assert len(table) == 2 * len(JUDGES) and pictures == {"scores"}
    for data, held_out in (("digits", 27), ("curved", 19)):
        for _, expected, *_ in judged(table, data).values():
            m = held_out + 1  # ranks above the threshold, of the held-out scores and a new one
            assert expected == pytest.approx(100 * int(0.05 * m) / m, abs=0.051)


def test_the_distance_to_the_5th_nearest_is_that_of_all_distances_sorted():
    rng = np.random.default_rng(0)
    X, new = rng.standard_normal((30, 4)), rng.standard_normal((7, 4))
    far = np.sort(np.linalg.norm(new[:, None] - X, axis=2), axis=1)
    own = np.sort(np.linalg.norm(X[:, None] - X, axis=2), axis=1)  # 0 first: a row and itself
    with load("anomaly_detection") as demo:
        judge = demo.Neighbours().fit(X, epochs=1)
        assert np.allclose(judge.anomaly_score(new), far[:, 4])
        assert np.allclose(judge.anomaly_score(X), own[:, 5])


@pytest.mark.slow
def test_imputation_knocks_out_what_it_says_and_its_exact_answer_is_exact():
    rng = np.random.default_rng(0)
    with load("imputation") as demo:
        X, covariance = demo.gaussian_table(800, rng)
        assert np.allclose(np.diag(covariance), 1)
        # The variance of an entry of the sample covariance is at most 2 / n.
        assert np.abs(np.cov(X.T) - covariance).max() < 5 * np.sqrt(2 / 800)
        H = demo.at_random(0.3)(X, rng)
        assert np.isnan(H).mean() == pytest.approx(0.3, abs=5 * np.sqrt(0.21 / X.size))
        filled, draws = demo.exact(covariance, H, rng)
        gone = np.isnan(H)
        assert np.array_equal(filled[~gone], X[~gone]) and (draws[:, ~gone] == X[~gone]).all()
        # Truth and draws have one law: the truth is the least or greatest of 20 in 2 / 20 of cases.
        # Entries of a row go together, at most twelve of them: its rows count as independent.
        assert demo.coverage(draws, H, X) == pytest.approx(90, abs=500 * np.sqrt(0.09 / 800))
        images = demo.block(np.zeros((50, 784)), rng).reshape(50, 28, 28)
        assert (np.isnan(images).sum(axis=(1, 2)) == 14 * 14).all()
        assert not np.isnan(images[:, [0, 1, -2, -1]]).any()
        assert not np.isnan(images[:, :, [0, 1, -2, -1]]).any()


def test_the_fill_of_probabilistic_pca_is_the_conditional_mean_of_its_gaussian():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 3)) @ rng.standard_normal((3, 8)) + rng.standard_normal((200, 8))
    H = np.where(rng.random((20, 8)) < 0.5, np.nan, X[:20])
    H[0], H[1] = np.nan, X[1]  # nothing, and everything observed
    model = ProbabilisticPCA(3).fit(X)
    C = model.W_.T @ model.W_ + model.sigma2_ * np.eye(8)
    with load("imputation") as demo:
        filled = demo.most_likely(model, H)
    assert np.array_equal(filled[1], X[1])
    for row, F in zip(H, filled, strict=True):
        assert np.allclose(F, conditional_gaussian(model.mean_, C, row)[0])


METHODS = ["column means", "probabilistic PCA, 3 and 20", "probabilistic PCA, 6 and 100"]
METHODS += ["autoencoder", "VAE", "VAE, of incomplete rows"]


@pytest.mark.demo
def test_imputation_quick_prints_every_method_and_draws_the_digits(tmp_path):
    table, pictures = quick(tmp_path, "imputation")
    assert list(table) == [*METHODS, "exact conditional Gaussian"] and pictures == {"digits"}
    assert [len(row) for row in table.values()] == [4, 4, 4, 4, 5, 5, 4]


RATINGS = ["mean of all ratings", "biases of user and item", "AutoRec"]
RATINGS += ["AutoRec on what biases leave", "the truth without noise"]


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
    with load("movielens") as reader:
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
        ("1\t2\t3\t4\n1\t2\t5\t6\n", "line 2: user 1 has rated item 2 before"),
        ("1 \t2\t3\t4\n1\t2\t5\t6\n", "line 2: user 1 has rated item 2 before"),
        (
            "1\t2\t881250949\t3\n",
            r"ratings, line 1: .*'881250949'.*column 3 looks like a timestamp",
        ),
        ("1\t2\t3\t4\n2\t2\t-1e300\t4\n", "line 2: .*'-1e300', over 1000"),
        ("1\t2\t3\t4\n\n1\t3\t3\t4\n", "line 2: must be .* has 0 of these"),
        ("", "ratings: there is no rating in it"),
        ("\ufeff \n\n", "ratings: there is no rating in it"),
    ],
)
def test_a_bad_line_of_ratings_is_named(tmp_path, text, message):
    path = tmp_path / "ratings"
    path.write_text(text, encoding="utf-8")
    with load("movielens") as reader, pytest.raises(ValueError, match=message):
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
    with load("movielens") as reader:
        assert reader.read_ratings(path) == {("0", "a"): 5, ("7", "a"): 3}


LINE = "1\t2\t3\t4\n"


@pytest.mark.parametrize(
    "content, message",
    [
        (LINE.encode("utf-16"), "is UTF-16 or no text at all: save it as UTF-8"),
        (LINE.encode("utf-16-le"), "is UTF-16"),
        (gzip.compress(LINE.encode(), mtime=0), "is compressed: unpack it first"),
        (b"PK\x03\x04" + LINE.encode(), "is compressed"),
        (None, "is a folder: give a file of ratings, such as u1.base"),
    ],
)
def test_what_is_no_plain_text_is_no_file_of_ratings(tmp_path, content, message):
    path = tmp_path / "ratings"
    path.mkdir() if content is None else path.write_bytes(content)
    with load("movielens") as reader, pytest.raises(ValueError, match="ratings " + message):
        reader.read_ratings(path)


def test_ratings_that_do_not_go_together_are_refused(monkeypatch):
    with load("movielens") as reader:
        with pytest.raises(ValueError, match="user 1 rates item 2 in the training file and"):
            reader.as_tables({("1", "2"): 3.0}, {("1", "2"): 4.0})
        monkeypatch.setattr(reader, "MOST", 3)
        with pytest.raises(ValueError, match="2 users and 2 items .* take the ratings of fewer"):
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


def read_letter(folder, monkeypatch, **arrays):
    """Write arrays, if there are any, where the demo looks for a table; return what it reads."""
    (folder / "anomaly").mkdir(exist_ok=True)
    if arrays:
        np.savez(folder / "anomaly" / "letter.npz", **arrays)
    with load("outlier_tables") as reader, monkeypatch.context() as patch:
        patch.setenv("MINIAE_DATA", str(folder))
        return reader.read_table("letter")


def test_a_table_is_read_without_its_flags(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.random((20, 6)), np.arange(20) < 3
    X[:, 0], X[:, 3] = 7, rng.integers(0, 2, 20)
    read, labels = read_letter(tmp_path, monkeypatch, X=X, y=y[:, None].astype(float))
    assert np.array_equal(read, X[:, [1, 2, 4, 5]]) and np.array_equal(labels, y)


GOOD, FEW = np.arange(60.0).reshape(10, 6), np.arange(10) < 2


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"X": GOOD}, "must be an .npz with arrays X and y"),
        ({"X": GOOD, "y": FEW[:9]}, r"X float64\(10, 6\) must be numbers .* y \(9,\)"),
        ({"X": GOOD[:0], "y": FEW[:0]}, r"X float64\(0, 6\) must be numbers"),
        ({"X": GOOD.astype(str), "y": FEW}, "must be numbers"),
        ({"X": np.where(GOOD == 8, np.nan, GOOD), "y": FEW}, r"X\[1, 2\] is nan.*drop that row"),
        ({"X": GOOD, "y": 0 * FEW}, "y must be 0 or 1, with some ones"),
        ({"X": GOOD, "y": 1 - FEW}, "y must be 0 or 1, .* below half"),
        ({"X": GOOD[:, :3], "y": FEW}, "X has 3 columns with over two values; 4 are needed"),
    ],
)
def test_a_bad_table_of_outliers_is_refused(tmp_path, monkeypatch, arrays, message):
    with pytest.raises(ValueError, match="letter.npz.*" + message):
        read_letter(tmp_path, monkeypatch, **arrays)


def test_a_table_that_is_not_there_or_is_a_folder_is_asked_for(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="set MINIAE_DATA=<folder> that has anomaly/"):
        read_letter(tmp_path, monkeypatch)
    (tmp_path / "anomaly" / "letter.npz").mkdir()
    with pytest.raises(ValueError, match="letter.npz is a folder: it must be an .npz"):
        read_letter(tmp_path, monkeypatch)


def auroc(scores, y):
    """Return the share of pairs of an anomaly and a normal row in which the former scores more."""
    more = scores[y == 1][:, None] - scores[y == 0]
    return ((more > 0) + 0.5 * (more == 0)).mean()


def without_training(X, y):
    """Return the AUROC, on all rows, of distance to the mean, best PCA, and 5th nearest row."""
    Z, d = (X - X.mean(axis=0)) / X.std(axis=0), X.shape[1]
    V = np.linalg.svd(Z, full_matrices=False)[2]
    rest = [Z - Z @ V[:k].T @ V[:k] for k in range(d)]
    distance, *pca = (auroc((rest[i * d // 8] ** 2).sum(axis=1), y) for i in range(8))
    nearest = [np.sort(np.linalg.norm(Z - z, axis=1))[5] for z in Z]  # 0 first: the row itself
    return distance, max(pca), auroc(np.array(nearest), y)


def check_digits(rows):
    """Hold that the autoencoder beats the distance, and that false alarms are as promised."""
    assert list(rows) == JUDGES
    assert rows[ERROR][0] > rows[DISTANCE][0]
    # Expected: near 5 %. A rate has a standard error of sqrt(0.05 * 0.95 (1 / m + 1 / n)), m = 270
    # rows that set the threshold and n = 1350 judged; classes share most rows, so they do not help.
    for _, expected, measured, _ in rows.values():
        assert measured == pytest.approx(expected, abs=500 * np.sqrt(0.0475 * (1 / 270 + 1 / 1350)))


@pytest.mark.full
def test_an_autoencoder_detects_what_pca_misses_and_neighbours_find_the_rest(tmp_path):
    table = run(tmp_path, "anomaly_detection").table
    digits = judged(table, "digits")
    check_digits(digits)
    assert digits[ERROR][0] > max(digits[PCA][0], digits[VAE][0])
    # Its AUROC's standard deviation over ten classes is near 0.1: the mean's error is 0.03.
    assert digits[ERROR][0] == pytest.approx(digits[NEAREST][0], abs=2 * 0.1 / np.sqrt(10))
    curved = judged(table, "curved")
    assert list(curved) == JUDGES
    # Outliers have the columns' laws: the distance to the mean is a coin's, give or take its error
    # over 5 x 100 anomalies, 0.29 / sqrt(500) for independent ranks; shared tables may double it.
    assert curved[DISTANCE][0] == pytest.approx(0.5, abs=10 * 0.29 / np.sqrt(500))
    for column in (0, 3):  # AUROC on new rows, anomalies found
        distance, pca, nearest, autoencoder, vae = (row[column] for row in curved.values())
        assert nearest > autoencoder > pca > max(distance, vae)
    for _, expected, measured, _ in curved.values():
        error = np.sqrt(0.0475 * (1 / 190 + 1 / 950) / 5)
        assert measured == pytest.approx(expected, abs=500 * error)
    with load("outlier_tables") as tables:
        records = [
            without_training(*tables.curved_table(2000, np.random.default_rng(seed)))
            for seed in range(5)
        ]
    # The table is rounded to 5e-4, and the last bits decide which of two equal scores is larger.
    for name, expected in zip(JUDGES, np.mean(records, axis=0), strict=False):
        assert table[f"curved table: {name}"][0] == pytest.approx(expected, abs=1e-3)


@pytest.mark.full
@on_mnist
def test_on_small_digits_of_mnist_pca_at_its_best_detects_more_than_an_autoencoder(tmp_path):
    rows = judged(run(tmp_path, "anomaly_detection", data=MNIST).table, "mnist")
    check_digits(rows)
    assert rows[PCA][0] > max(rows[ERROR][0], rows[VAE][0])


@pytest.mark.full
@on_mnist
def test_on_the_collections_tables_it_depends_on_the_table_what_wins(tmp_path, monkeypatch):
    table = run(tmp_path, "anomaly_detection", "--data", "all", data=MNIST).table
    with load("outlier_tables") as reader, monkeypatch.context() as patch:
        patch.setenv("MINIAE_DATA", MNIST)
        tables = {name: reader.read_table(name) for name in reader.TABLES}
    for data, (X, y) in tables.items():
        for name, expected in zip(JUDGES, without_training(X, y), strict=False):
            assert table[f"{data}: {name}"][0] == pytest.approx(expected, abs=1e-3)
    on_all = {data: {name: table[f"{data}: {name}"][0] for name in JUDGES} for data in tables}
    on_new = {data: {name: row[0] for name, row in judged(table, data).items()} for data in tables}
    for by_table in (on_all, on_new):
        assert len({max(rows, key=rows.get) for rows in by_table.values()}) > 1
    # Where the table says less than 0.01 apart, seeds or rounding may turn it: nothing is claimed.
    for rows in (on_all["vowels"], on_new["vowels"]):
        assert rows[ERROR] < min(rows[NEAREST], rows[PCA]) - 0.005
    assert on_new["letter"][ERROR] > max(on_new["letter"][NEAREST], on_new["letter"][PCA]) + 0.01
    assert on_all["letter"][ERROR] > on_all["letter"][PCA] + 0.01
    four = [on_new["ionosphere"][name] for name in JUDGES[1:]]
    assert max(four) - min(four) < 0.02 < min(four) - on_new["ionosphere"][DISTANCE]
    for data in ("vowels", "letter"):
        assert on_new[data][VAE] < min(on_new[data][ERROR], on_new[data][PCA]) - 0.01


@pytest.mark.full
def test_a_vae_imputes_nearly_as_well_as_the_exact_conditional_gaussian(tmp_path):
    table = run(tmp_path, "imputation").table
    assert list(table) == [*METHODS, "exact conditional Gaussian"]
    mean, pca, more, autoencoder, vae, masked, exact = table.values()
    for k in range(3):  # shares of the table that are missing
        assert exact[k] < vae[k] < 1.1 * exact[k] and vae[k] < masked[k] < 0.8 * mean[k]
        # Of 2,000 rows, the covariance's entries are known to 1 / sqrt(2000) = 2 %.
        assert max(pca[k], more[k]) < 1.02 * exact[k]
    for *_, within in (vae, masked, exact):
        # 500 rows: a row's entries go together, so that it counts as a single one.
        assert within == pytest.approx(90, abs=500 * np.sqrt(0.09 / 500))
    best = max(more[3], autoencoder[3])
    assert best < min(row[3] for row in (mean, pca, vae, masked)) and vae[3] < mean[3]


@pytest.mark.full
@on_mnist
def test_on_mnist_vaes_impute_better_than_an_autoencoder_and_probabilistic_pca_best(tmp_path):
    table = run(tmp_path, "imputation", data=MNIST).table
    mean, _, more, autoencoder, vae, masked = (table[name][3] for name in METHODS)
    assert more < min(vae, masked) < max(vae, masked) < autoencoder < mean


@pytest.mark.full
def test_autorec_beats_the_biases_and_stays_above_the_noise(tmp_path):
    table = run(tmp_path, "collaborative_filtering").table
    assert list(table) == RATINGS
    mean, biases, autorec, both, floor = (row[1] for row in table.values())
    assert both < autorec < 0.9 * biases < 0.9 * mean
    # About 4,800 held-out ratings have noise of standard deviation 0.7, but for what is clipped.
    assert floor < autorec and floor == pytest.approx(0.7, abs=5 * 0.7 / np.sqrt(2 * 4800))
