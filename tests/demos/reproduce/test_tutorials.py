"""Tutorials in miniae's words: the sizes are theirs, and a row is trained once."""

import json

import numpy as np
import pytest
from demo_runs import load, quick
from reproduction import choose

pytestmark = pytest.mark.demo


@pytest.fixture
def tutorials():
    with load("tutorials") as module:
        yield module


def test_the_models_have_the_parameters_of_the_tutorials(tutorials):
    def sizes(model):
        return model.encoder.theta.size, model.decoder.theta.size

    assert sizes(tutorials.simple(0)) == (784 * 32 + 32, 32 * 784 + 784)
    assert sizes(tutorials.keras_io(0)) == (69_076, 65_089)  # as the page's summary() prints
    hidden, code = 784 * 400 + 400, 400 * 40 + 40
    assert sizes(tutorials.pytorch(0)) == (hidden + code, 20 * 400 + 400 + 400 * 784 + 784)
    assert sizes(tutorials.squared(0)) == (784 * 64 + 64, 64 * 784 + 784)
    assert tutorials.convolutional(0).latent_dim == 4 * 4 * 8
    assert tutorials.sparse(0).penalty.weight == pytest.approx(784 * 10e-5)


def test_layers_of_one_network_start_differently(tutorials):
    decoder = tutorials.denoising(0).decoder
    first, second = [layer.params["W"] for layer in decoder.layers if layer.theta.size][:2]
    assert first.shape == second.shape and not np.array_equal(first, second)


def test_the_data_of_a_tutorial_are_as_it_says(tutorials, tmp_path):
    chosen = choose(tmp_path)
    X, X_test = tutorials.read(chosen, "mnist")
    assert X.shape[1:] == (28, 28) and 0 <= X.min() < X.max() <= 1
    assert len(tutorials.read(chosen, "both")[0]) == len(X) + len(X_test)
    assert set(np.unique(tutorials.read(chosen, "binary")[0])) == {0.0, 1.0}


@pytest.mark.slow
def test_tutorials_quick_prints_a_row_each_and_trains_it_once(tmp_path, tutorials):
    done = quick(tmp_path, "tutorials", "--only", "Keras blog, s")
    rows = done.text.split("\n\n")[1].splitlines()[1:]
    assert [row.split("  ")[0] for row in rows] == ["Keras blog, simple", "Keras blog, sparse"]
    record = json.loads((done.out / "record.json").read_text())["results"]
    # one epoch on a few digits: near log 2 = 0.69 a pixel, the loss of grey images
    assert all(0.6 < curve[-1] < 0.7 for curve in record.values())
    assert quick(tmp_path, "tutorials").text.count("Keras blog, simple") == 2
    with pytest.raises(ValueError, match="--only='nothing' is in none of"):
        quick(tmp_path, "tutorials", "--only", "nothing")
