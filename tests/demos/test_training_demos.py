"""The demos on what happens in training: collapse, overfitting, an animation."""

import pytest
from demo_runs import MNIST, on_mnist, quick, run
from PIL import Image

CURES = [
    "warm-up over 8 epochs",
    "free bits, 0.1 nats",
    "free bits, 0.5 nats",
    "free bits, 1 nat",
    "plain, steps / 5",
]


def check_collapse(table):
    """Columns: active latents, of how many, live units, of how many, bound, reconstruction, KL."""
    plain, floor = table["plain"], table["independent pixels"]
    assert plain[0] <= 0.25 * plain[1] and plain[4] == pytest.approx(floor[0], abs=3)
    for free_bits in CURES[1:4]:
        active, of, *_ = table[free_bits]
        assert active >= 0.9 * of
    for cure in CURES[:-1]:  # smaller steps cure MNIST, and not the embedded digits
        assert table[cure][0] >= 0.5 * table[cure][1] and table[cure][4] > plain[4] + 40


@pytest.mark.slow
def test_collapse_quick_prints_each_cure_beside_plain_training_and_saves_its_pictures(tmp_path):
    table, pictures = quick(tmp_path, "collapse")
    assert set(table) == {"plain", *CURES, "independent pixels"}
    for name in ["plain", *CURES]:
        _, _, _, _, bound, reconstruction, kl = table[name]
        assert bound == pytest.approx(-reconstruction - kl, abs=0.11)
    assert pictures == {"active_units", "kl"}


@pytest.mark.full
def test_free_bits_keep_nine_latents_in_ten_active_where_plain_training_collapses(tmp_path):
    check_collapse(run(tmp_path, "collapse").table)


@pytest.mark.full
@on_mnist
def test_free_bits_keep_nine_latents_in_ten_active_on_mnist(tmp_path):
    check_collapse(run(tmp_path, "collapse", data=MNIST).table)


@pytest.mark.slow
def test_overfitting_quick_prints_its_table_and_saves_its_picture(tmp_path):
    table, pictures = quick(tmp_path, "overfitting")
    plain, dropout, early = table.values()
    assert plain[0] == dropout[0] == early[0] == 4 and plain == early
    assert pictures == {"curves"}


def check_overfitting(table):
    """Hold the claim: the plain curve turns round, and either way ends well below its end."""
    plain, dropout, early = table.values()
    epochs, train, final, test, best, best_epoch = plain
    assert epochs == 80 and best_epoch < 40 and final > best + 3 and final > train + 20
    for way in (dropout, early):
        assert way[2] < final - 2 and way[3] < test - 2
    assert early[0] < 80 and early[2] == early[4] == best and early[5] == best_epoch
    assert dropout[2] < dropout[4] + 0.5 * (final - best)


@pytest.mark.slow
def test_watch_training_quick_animates_every_epoch(tmp_path):
    done = quick(tmp_path, "watch_training")
    assert set(done.table) == {"independent pixels", "VAE, epoch 1", "VAE, epoch 2", "VAE, epoch 3"}
    with Image.open(done.out / "training.gif") as film:
        assert 3 <= film.n_frames <= 3 + 8
    assert done.pictures == {"last_epoch"}


@pytest.mark.full
def test_dropout_and_early_stopping_end_below_the_plain_curve_on_the_embedded_digits(tmp_path):
    check_overfitting(run(tmp_path, "overfitting").table)


@pytest.mark.full
@on_mnist
def test_dropout_and_early_stopping_end_below_the_plain_curve_on_mnist(tmp_path):
    check_overfitting(run(tmp_path, "overfitting", data=MNIST).table)
