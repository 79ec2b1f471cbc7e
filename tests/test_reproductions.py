"""The reproductions: what they share, Burda et al. (2016), Kingma and Welling (2014)."""

import json
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from demo_runs import DEMOS, MNIST, load, on_mnist, quick, run

from miniae import ImportanceWeightedVAE, gradient_check

pytestmark = pytest.mark.demo

EPS = np.finfo(np.float64).eps


@pytest.fixture(autouse=True)
def folder_of_the_scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(DEMOS / "reproduce"))


@pytest.fixture
def paper():
    with load("reproduce/paper") as module:
        return module


@pytest.fixture
def burda(monkeypatch):
    """The script, with small networks."""
    with load("reproduce/burda_2016") as module:
        monkeypatch.setattr(module, "HIDDEN", 5)
        monkeypatch.setattr(module, "LATENT", 3)
        return module


@pytest.fixture
def kingma():
    with load("reproduce/kingma_2014") as module:
        return module


def choose(folder, seed=0, **more):
    return SimpleNamespace(out=folder, seed=seed, quick=True, **more)


# What all of them share.


def test_a_record_measures_once_and_adds_up_the_time_of_all_calls(tmp_path, paper):
    first = paper.Record(choose(tmp_path), "name", [])
    assert first.measure("nll", lambda: 1.5) == 1.5
    before = json.loads((tmp_path / "record.json").read_text())
    again = paper.Record(choose(tmp_path), "name", ["--stages", "3"])
    assert again.measure("nll", lambda: pytest.fail("measured twice")) == 1.5
    again.save()
    after = json.loads((tmp_path / "record.json").read_text())
    assert after["results"] == {"nll": 1.5}
    assert after["command"] == "python demos/reproduce/name.py --stages 3"
    assert after["seconds"]["wall"] > before["seconds"]["wall"] > 0


def test_two_processes_may_write_to_one_record(tmp_path, paper):
    trains, measures = (paper.Record(choose(tmp_path), "name", []) for _ in range(2))
    measures.measure("nll", lambda: 1.5)
    trains.measure("loss", lambda: 2.5)
    measures.save()
    found = json.loads((tmp_path / "record.json").read_text())["results"]
    assert found == {"nll": 1.5, "loss": 2.5}


def test_a_folder_of_another_seed_is_refused(tmp_path, paper):
    paper.Record(choose(tmp_path), "name", []).save()
    with pytest.raises(ValueError, match=r"record\.json is of another run: .*give another folder"):
        paper.Record(choose(tmp_path, seed=1), "name", [])


def test_the_folder_is_no_part_of_the_command_that_is_recorded(tmp_path, paper):
    arguments = ["--seed", "1", "--out", "there", "--quick", "--out=here"]
    assert paper.without_out(arguments) == ["--seed", "1", "--quick"]


def test_the_table_is_printed_and_written_with_date_command_and_time(tmp_path, paper, capsys):
    record = paper.Record(choose(tmp_path), "name", [])
    record.table("nats", [("NLL", 86.76, 87.123), ("active", "-", "19")])
    printed, written = capsys.readouterr().out, (tmp_path / "table.md").read_text()
    assert "NLL     86.76  87.12" in printed and "nothing to hold against" in printed
    assert written.startswith(
        "| nats | paper | ours |\n| --- | --- | --- |\n| NLL | 86.76 | 87.12 |"
    )
    assert "`python demos/reproduce/name.py`, 0.0 min" in written


def test_in_full_the_data_are_mnist_and_quickly_the_built_in_digits(tmp_path, paper):
    for arguments, data in ((["--quick"], "digits"), ([], "mnist")):
        out = tmp_path / data
        chosen, record = paper.start("A paper.", [*arguments, "--out", str(out)], stages=3)
        assert (chosen.data, chosen.stages, record.path.parent) == (data, 3, out)


@pytest.mark.parametrize("name", ["burda_2016", "kingma_2014"])
def test_without_mnist_the_error_says_where_to_put_it(tmp_path, monkeypatch, name):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with load(f"reproduce/{name}") as module:
        with pytest.raises(FileNotFoundError, match="MINIAE_DATA"):
            module.main(["--out", str(tmp_path / "out")])


# Burda et al. (2016).


def test_adam_makes_the_steps_of_the_authors_on_the_summed_gradient(burda):
    rng = np.random.default_rng(0)
    theta = rng.standard_normal(7)
    start, expected, m, v = theta.copy(), theta.copy(), np.zeros(7), np.ones(7)
    adam = burda.SummedAdam(lambda step: 0.1 / (step + 1), batch_size=20)
    for t in range(1, 31):
        dtheta = rng.standard_normal(7) * 10.0 ** rng.integers(-4, 2, 7)
        adam.step(theta, dtheta)
        total = 20 * dtheta
        m = 0.99 * m + 0.01 * total
        v = 0.999 * v + 0.001 * total**2
        alpha = 0.1 / t * np.sqrt(1 - 0.999**t) / (1 - 0.99**t)
        expected += -alpha * m / (np.sqrt(v) + 1e-4)
    # Of 30 sums each may round ten times, relative to what m and v were at their largest.
    np.testing.assert_allclose(theta, expected, rtol=300 * EPS, atol=300 * EPS)
    assert np.abs(theta - start).min() > 1e6 * EPS


def test_the_rate_falls_by_stages_of_1_3_9_epochs(burda):
    rate, expected = burda.schedule(batches=10), [10, 7.2, 5.2, 3.7, 2.7, 1.9, 1.4, 1.0]
    first, lengths = 0, [3**i for i in range(8)]
    for length, factor in zip(lengths, expected, strict=True):
        for epoch in (first, first + length - 1):
            assert rate(10 * epoch) == rate(10 * epoch + 9) == pytest.approx(1e-4 * factor)
        first += length
    assert first == burda.ENDS[-1] == 3280


def test_the_gradient_of_the_model_is_right_with_its_output_of_log_std(burda):
    rng = np.random.default_rng(1)
    X = rng.random((30, 12), dtype=np.float32)
    model = burda.build(X, seed=0)
    assert gradient_check(model, burda.paper.binary(X[:3], rng)).ok
    x = model.encoder.layers[-2].forward(rng.standard_normal((4, 5), dtype=np.float32))
    code = model.encoder.layers[-1].forward(x)
    mu, log_std = x[:, :3], x[:, 3:]
    np.testing.assert_array_equal(code, np.concatenate([mu, 2 * log_std], axis=1))
    assert log_std.any()


def test_weights_start_as_in_two_layers_and_pixels_at_their_mean(burda):
    X = np.random.default_rng(2).random((30, 12), dtype=np.float32)
    X[:, 0], X[:, 1] = 0, 1
    model = burda.build(X, seed=0)
    W = np.abs(model.encoder.layers[4].params["W"])
    # The largest of 30 is below three quarters of the limit with probability 0.75^30 = 2e-4.
    assert 0.75 * np.sqrt(6 / 8) < W.max() <= np.sqrt(6 / 8)
    logits = model.decoder.layers[-1].params["b"].astype(np.float64)
    expected = X.mean(axis=0, dtype=np.float64).clip(0.001, 0.999)
    # A logit is at most 7, so that rounding it in float32 moves p by less than 7 eps p (1 - p).
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), expected, atol=7 * 1.2e-7)


def test_pixels_are_1_as_often_as_their_grey_value_says(burda):
    p = np.array([0, 0.2, 0.5, 0.9, 1], np.float32)
    n = 20_000
    x = burda.paper.binary(np.tile(p, (n, 1)), np.random.default_rng(3))
    assert set(np.unique(x)) == {0, 1} and x.dtype == np.float32
    assert (np.abs(x.mean(axis=0) - p) <= 4 * np.sqrt(p * (1 - p) / n)).all()


def trained(burda, paper, folder, *stages):
    """Train a small model so far and then further, each time as a new process would."""
    X = np.random.default_rng(4).random((50, 12), dtype=np.float32)
    folder.mkdir()
    for stage in stages:
        chosen, model = choose(folder, stages=stage), burda.build(X, seed=0)
        burda.train(model, X, chosen, paper.Record(chosen, "burda_2016", []))
    return model


def test_a_run_that_is_broken_off_goes_on_to_the_same_weights(tmp_path, burda, paper):
    whole = trained(burda, paper, tmp_path / "whole", 2)
    broken = trained(burda, paper, tmp_path / "broken", 1, 2)
    assert len(broken.history["loss"]) == 4
    np.testing.assert_array_equal(broken.theta, whole.theta)
    names = sorted(path.name for path in (tmp_path / "broken").glob("*.npz"))
    assert names == ["run.npz", "stage_0.npz", "stage_1.npz"]
    last = tmp_path / "broken" / "stage_1.npz"
    kept = ImportanceWeightedVAE.load(last, encoder=whole.encoder)
    np.testing.assert_array_equal(kept.theta, whole.theta)


def test_the_test_nll_is_the_mean_over_all_images_whatever_the_parts(
    tmp_path, burda, paper, monkeypatch
):
    X = np.random.default_rng(5).random((50, 12), dtype=np.float32)
    model, x = burda.build(X, seed=0), (X[:7] > 0.5).astype(np.float32)
    monkeypatch.setattr(burda, "ROWS", 3)
    record = paper.Record(choose(tmp_path), "burda_2016", [])
    nll = burda.measure(model, 0, x, 5, record)
    parts = [model.log_likelihood(x[i : i + 3], k=5).sum() for i in (0, 3, 6)]
    assert nll == pytest.approx(-sum(parts) / 7, rel=100 * EPS) and len(record.results) == 3


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--stages", "9"], "--stages=9 must be from 1 to 8"),
        (["--samples", "0"], "--samples=0 must be above 0"),
        (["--only", "test"], "--only=test must be train, nll or both"),
        (["--quick", "--only", "nll"], "has no stage_0.npz yet: train first"),
    ],
)
def test_wrong_options_are_refused_by_their_names(tmp_path, burda, arguments, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        burda.main([*arguments, "--out", str(tmp_path)])


@pytest.mark.demo
def test_burda_quick_prints_the_stages_beside_the_paper(tmp_path):
    done = quick(tmp_path, "reproduce/burda_2016")
    assert "VAE, one stochastic layer, k = 1, binary digits  paper  ours" in done.text
    assert "test NLL, epochs: 4 of 3,280                     86.76" in done.text
    assert done.pictures == {"nll", "samples"}
    rows = [line.split() for line in done.text.splitlines() if line[:3] in ("0  ", "1  ")]
    bounds, nlls = np.array([[float(x) for x in row[3:5]] for row in rows]).T
    assert (nlls < bounds).all() and nlls[1] < nlls[0]


@pytest.mark.full
@on_mnist
def test_one_stage_on_mnist_is_far_below_independent_pixels_and_above_the_paper(tmp_path):
    done = run(tmp_path, "reproduce/burda_2016", "--stages", "1", "--samples", "20", data=MNIST)
    pixels, stage = (line.split() for line in done.text.splitlines() if line[:3] in ("-, ", "0  "))
    assert 86.76 < float(stage[4]) < float(stage[3]) < float(pixels[-2]) - 60


# Kingma and Welling (2014).


def test_adagrad_divides_by_the_root_of_all_squares_so_far(kingma):
    rng = np.random.default_rng(6)
    theta, adagrad = rng.standard_normal(5), kingma.Adagrad(0.1, weight_decay=0.3)
    expected, squares, smallest = theta.copy(), np.zeros(5), np.inf
    for _ in range(10):
        dtheta = rng.standard_normal(5)
        adagrad.step(theta, dtheta)
        total = dtheta + 0.3 * expected
        squares += total**2
        smallest = min(smallest, np.sqrt(squares).min())
        expected -= 0.1 * total / np.sqrt(squares)
    # A step, at most 0.1, differs by the 1e-10 beside the root, and 10 of them feed on each other.
    np.testing.assert_allclose(theta, expected, rtol=0, atol=10 * 2 * 0.1 * 1e-10 / smallest)


def test_the_model_starts_with_weights_of_variance_a_hundredth(kingma):
    theta = kingma.build((28, 28), 3, seed=0).theta
    # The variance of n normals is known to sqrt(2 / n) of itself.
    assert theta.var() == pytest.approx(0.01, rel=4 * np.sqrt(2 / theta.size))
    assert not np.array_equal(theta[:100], kingma.build((28, 28), 3, seed=1).theta[:100])


def test_curves_are_measured_at_epochs_that_grow_by_a_factor_up_to_the_last(kingma):
    assert kingma.epochs_to_measure(1) == [1]
    for last in (2, 3, 50, 1667):
        epochs = kingma.epochs_to_measure(last)
        assert epochs[0] == 1 and epochs[-1] == last
        assert all(a < b < 1.5 * a + 1 for a, b in pairwise(epochs))


@pytest.mark.slow
def test_a_step_size_that_blows_up_is_not_chosen(kingma, monkeypatch):
    X = np.random.default_rng(7).random((200, 4, 4), dtype=np.float32)
    monkeypatch.setattr(kingma, "STEP_SIZES", (0.01, 1e4))
    assert kingma.choose_step_size(X, 3, seed=0) == 0.01


def test_a_curve_is_the_same_after_a_break_and_measured_once(tmp_path, kingma, paper, monkeypatch):
    monkeypatch.setattr(kingma, "HIDDEN", 6)
    X = np.random.default_rng(8).random((200, 4, 4), dtype=np.float32)
    curves = {}
    for name, runs in {"whole": [5], "broken": [2, 5, 5]}.items():
        for epochs in runs:
            chosen = choose(tmp_path / name)
            record = paper.Record(chosen, "kingma_2014", [])
            vae, curves[name] = kingma.train(X, X[:50], 3, epochs, chosen, record)
    np.testing.assert_array_equal(curves["broken"], curves["whole"])
    samples, train, test = curves["whole"].T
    assert samples.tolist() == [200, 400, 600, 1000]
    assert train[-1] == vae.elbo(X).mean() and test[-1] == vae.elbo(X[:50]).mean()


@pytest.mark.demo
def test_kingma_quick_draws_both_figures(tmp_path):
    done = quick(tmp_path, "reproduce/kingma_2014")
    assert done.pictures == {"bound", "manifold"}
    assert list(done.table) == ["independent pixels", "Nz = 3", "Nz = 20"]
    for train, test, difference in done.table.values():
        assert difference == pytest.approx(train - test, abs=0.011)  # each rounded to 0.005
