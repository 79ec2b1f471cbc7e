"""The demo of a sequence autoencoder of a signal, against a dense one of its windows."""

import numpy as np
import pytest
from demo_runs import load, quick, run

from miniae import gradient_check

LSTM, DENSE, PCA, LARGER, DISTANCE, LARGEST = NAMES = [
    "LSTM, code of 4",
    "dense, code of 4",
    "PCA, code of 4",
    "PCA, code of 20",
    "squared distance to the mean",
    "largest |z| in the window",
]


@pytest.mark.demo
def test_signals_quick_prints_both_autoencoders_and_their_baselines(tmp_path):
    done = quick(tmp_path, "signals")
    assert list(done.table) == NAMES and done.pictures == {"signals"}
    for name, row in done.table.items():
        assert 0 <= row[-1] <= 1 and len(row) == (2 if name in (LSTM, DENSE) else 1)


@pytest.mark.full
def test_both_autoencoders_rank_faults_better_than_pca_with_the_same_code(tmp_path):
    table = run(tmp_path, "signals").table
    areas = {name: row[-1] for name, row in table.items()}
    # A coin's AUROC, by 50 faults and the stretches between, spreads by sqrt(101 / 12) / 50 = 0.06.
    assert min(areas[LSTM], areas[DENSE]) > areas[PCA] + 2 * 0.06
    assert max(areas[DISTANCE], areas[LARGEST]) < 0.5 + 3 * 0.06


@pytest.mark.slow
def test_the_sequence_autoencoders_gradient_is_right_and_windows_become_steps():
    with load("signals") as demo:
        demo.UNITS, demo.STEPS, demo.SAMPLES = 3, 4, 2
        model, X = demo.sequence_autoencoder(0), np.random.default_rng(1).random((3, 8))
        sequences = demo.in_steps(X)
    assert sequences.shape == (3, 4, 2) and np.array_equal(sequences[1, 2], X[1, 4:6])
    gradient_check(model, sequences).raise_if_wrong()
