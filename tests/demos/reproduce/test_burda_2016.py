"""Burda et al. (2016)."""

import numpy as np
import pytest
from demo_runs import MNIST, load, on_mnist, quick, run
from reproduction import EPS, choose

from miniae import ImportanceWeightedVAE, gradient_check

pytestmark = pytest.mark.demo


@pytest.fixture
def burda(monkeypatch):
    """The script, with small networks."""
    with load("burda_2016") as module:
        monkeypatch.setattr(module, "HIDDEN", 5)
        monkeypatch.setattr(module, "LATENT", 3)
        return module


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
    done = quick(tmp_path, "burda_2016")
    assert "VAE, one stochastic layer, k = 1, binary digits  paper  ours" in done.text
    assert "test NLL, epochs: 4 of 3,280                     86.76" in done.text
    assert done.pictures == {"nll", "samples"}
    rows = [line.split() for line in done.text.splitlines() if line[:3] in ("0  ", "1  ")]
    bounds, nlls = np.array([[float(x) for x in row[3:5]] for row in rows]).T
    assert (nlls < bounds).all() and nlls[1] < nlls[0]


@pytest.mark.full
@on_mnist
def test_one_stage_on_mnist_is_far_below_independent_pixels_and_above_the_paper(tmp_path):
    done = run(tmp_path, "burda_2016", "--stages", "1", "--samples", "20", data=MNIST)
    pixels, stage = (line.split() for line in done.text.splitlines() if line[:3] in ("-, ", "0  "))
    assert 86.76 < float(stage[4]) < float(stage[3]) < float(pixels[-2]) - 60
