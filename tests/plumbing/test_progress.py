import io
import sys

import numpy as np
import pytest

from miniae import VAE
from miniae.plumbing.text import as_text


def data(n=50, features=6, seed=0):
    return np.random.default_rng(seed).random((n, features)).astype("float32")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("stream", "verbose"), [(io.StringIO, 1), (io.StringIO, 2), (Terminal, 2)])
def test_progress_is_a_line_per_epoch_where_no_bar_can_be(monkeypatch, stream, verbose):
    monkeypatch.setattr(sys, "stderr", stream())
    VAE(6, 2).fit(data(), epochs=3, validation_split=0.2, verbose=verbose)
    lines = sys.stderr.getvalue().splitlines()
    assert [line.split()[1] for line in lines] == ["1/3", "2/3", "3/3"]
    assert all("loss" in line and "val_kl" in line for line in lines)
    assert "\r" not in sys.stderr.getvalue()


def test_progress_is_a_bar_with_rate_and_time_left_on_a_terminal(monkeypatch):
    now = iter(np.arange(0, 1000, 0.25))
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr("miniae.plumbing.progress.time.perf_counter", lambda: float(next(now)))
    VAE(6, 2).fit(data(), epochs=2, batch_size=10, verbose=1)
    drawn = sys.stderr.getvalue().split("\r")
    third = drawn[3]
    assert third.startswith("epoch 1/2 [" + "=" * 14 + " " * 10 + "] 3/5  4 batches/s  ETA 0:02")
    assert len(third) < 80 and " loss " in third
    # each redraw covers what stood there, and the epoch's line stays
    assert (
        drawn[6]
        .rstrip()
        .endswith(
            f"kl {VAE(6, 2).fit(data(), epochs=1, batch_size=10, verbose=0).history['kl'][0]:.5g}"
            "  active_units 0  kl_weight 1"
        )
    )
    assert drawn[6].startswith("epoch 1/2") and drawn[6].endswith("\n")
    assert len(drawn[6].rstrip("\n")) >= len(drawn[5].rstrip())


def test_verbose_zero_is_silent(capsys):
    model = VAE(6, 2).fit(data(), epochs=2, validation_split=0.2, verbose=0)
    model.evaluate(data())
    assert capsys.readouterr() == ("", "")
    model.evaluate(data(), verbose=1)
    assert capsys.readouterr().out.startswith("loss ")


def test_numbers_are_written_with_their_names():
    assert as_text({"loss": 101.23456, "kl": 25}) == "loss 101.23  kl 25"
