"""The demo on signals: made-up faults, and a recording."""

import numpy as np
import pytest
from demo_runs import Run, load, quick, run

AUTOENCODER, PCA, LARGER, DISTANCE, LARGEST = NAMES = [
    "autoencoder, code of 4",
    "PCA, code of 4",
    "PCA, code of 20",
    "squared distance to the mean",
    "largest |z| in the window",
]


def recording(done):
    """Return the second table, of the EEG."""
    return Run("\n\n" + done.text[done.text.index("EEG, second half") :], done.out).table


@pytest.mark.demo
def test_time_series_quick_prints_its_baselines_and_the_recording(tmp_path):
    done = quick(tmp_path, "time_series")
    assert list(done.table) == list(recording(done)) == NAMES
    for area, *found, alarms in done.table.values():
        assert 0 <= area <= 1 and set(found) <= {0, 1} and len(found) == 5 and 0 <= alarms <= 100
    for error, *peaks in recording(done).values():
        assert error > 0 and len(peaks) == 4
        assert all(5.2 <= peak <= 9.8 for peak in peaks)  # the middles of windows of 0.4 s
    assert done.pictures == {"scores", "eeg"}


@pytest.mark.full
def test_the_autoencoder_ranks_faults_better_than_pca_with_five_times_its_code(tmp_path):
    done = run(tmp_path, "time_series")
    areas = {name: row[0] for name, row in done.table.items()}
    found = {name: sum(row[1:6]) for name, row in done.table.items()}
    assert areas[AUTOENCODER] > areas[LARGER] > areas[PCA] > areas[DISTANCE]
    # A coin's AUROC, by 50 faults and the stretches between, spreads by sqrt(101 / 12) / 50 = 0.06.
    assert areas[DISTANCE] < 0.5 + 3 * 0.06 < areas[LARGER]
    assert found[AUTOENCODER] == found[LARGER] == 50 > 2 * max(found[PCA], found[DISTANCE])
    # 1 % is promised. The threshold, set by 1249 windows of which 12 lie above it, is off by
    # 1 / sqrt(12) of that; the test has some 280 normal windows that do not overlap, of which
    # sqrt(0.01 / 280) = 0.6 % more or fewer raise an alarm: 0.7 % together.
    assert all(row[-1] < 1 + 3 * 0.7 for row in done.table.values())
    error = {name: row[0] for name, row in recording(done).items()}
    assert error[PCA] < error[AUTOENCODER] < error[DISTANCE]


def test_the_signals_faults_are_where_it_says_and_of_the_kinds_it_says():
    with load("time_series") as demo:
        kinds = np.array(demo.KINDS * 2)
        x, faults = demo.beats(5200, np.random.default_rng(8), kinds)
        again, _ = demo.beats(5200, np.random.default_rng(8), kinds)
        assert demo.beats(100, np.random.default_rng(9))[1] == []
    assert np.array_equal(x, again) and x.shape == (5200,)
    for i, (kind, here) in enumerate(zip(kinds, faults, strict=True)):
        assert 500 * i + 200 <= here.start < here.stop <= 500 * (i + 1) - 20
        assert here.stop - here.start == (1 if kind == "spike" else 80)
        if kind == "constant":  # what is left is the noise; 80 draws: sd of the sd is 8 %
            assert 0.035 < x[here].std() < 0.065
        elif kind != "spike":
            assert x[here].std() > 0.15
