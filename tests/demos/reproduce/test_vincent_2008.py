"""Denoising autoencoders: Vincent et al. (2008)."""

import numpy as np
import pytest
from reproduction import paper_table

from miniae import Autoencoder

pytestmark = pytest.mark.demo


def small_stack(module, X):
    """Three autoencoders of one layer, untrained, each on the codes of the one below."""
    sizes = [X.shape[1]] + [module.UNITS] * (module.LAYERS - 1)
    return [
        Autoencoder(n, module.UNITS, (), code_activation="sigmoid", seed=i)
        for i, n in enumerate(sizes)
    ]


def test_a_stack_becomes_a_network_that_starts_from_its_codes_and_leaves_it_as_it_is(
    script, monkeypatch
):
    module = script("vincent_2008")
    monkeypatch.setattr(module, "UNITS", 20)
    rng = np.random.default_rng(0)
    X, labels = rng.random((60, 9), dtype=np.float32), rng.integers(10, size=60)
    models = small_stack(module, X)
    before, network = module.codes(models, X), module.network(models)
    hidden = X
    for layer in network.layers[:-1]:
        hidden = layer.forward(hidden)
    assert np.array_equal(hidden, before)
    parts = [(X[i : i + 20], labels[i : i + 20]) for i in (0, 20, 40)]
    result = module.tune(network, parts, epochs=3, seed=0)
    assert module.error_rate(network, *parts[1]) == result["chosen by"]
    assert module.error_rate(network, *parts[2]) == result["test"]
    assert np.array_equal(module.codes(models, X), before)


@pytest.mark.demo
def test_vincent_quick_prints_features_beside_pixels_and_the_papers_errors(run_quick):
    done = run_quick("vincent_2008")
    assert "raw pixels" in done.text and "random weights" in done.text
    papers = [paper for paper, _ in paper_table(done.text).values()]
    assert papers == ["-", "3.46", "2.80"]
    assert done.pictures == {"few_labels", "filters"}
