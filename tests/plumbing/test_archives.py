"""Files: written completely or not at all."""

import os
from pathlib import Path

import numpy as np
import pytest

from miniae import (
    VAE,
)


def test_a_saved_file_has_the_permissions_of_any_new_file(tmp_path):
    VAE(6, 2).save(tmp_path / "m")
    (tmp_path / "other").write_bytes(b"")
    assert (tmp_path / "m").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_save_writes_exactly_where_it_is_told_and_leaves_nothing_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("plain", "with.npz"):
        VAE(6, 2).save(name)
        VAE(6, 2, seed=1).save(name)
        assert np.array_equal(VAE.load(name).theta, VAE(6, 2, seed=1).theta)
    assert sorted(os.listdir(tmp_path)) == ["plain", "with.npz"]


def test_a_save_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.npz"
    VAE(6, 2).save(path)
    before = path.read_bytes()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        VAE(6, 2, seed=1).save(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["model.npz"]


def test_a_read_only_folder_and_a_missing_one_are_errors_that_name_the_file(tmp_path):
    with pytest.raises(OSError, match=r"no file was written: .*nowhere.*m\.npz"):
        VAE(6, 2).save(tmp_path / "nowhere" / "m.npz")
    folder = tmp_path / "m.npz"
    folder.mkdir()
    with pytest.raises(OSError, match="is unchanged"):
        VAE(6, 2).save(folder)
    assert os.listdir(tmp_path) == ["m.npz"] and not os.listdir(folder)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "m.npz"
    VAE(6, 2).save(path)
    before, real = path.read_bytes(), open

    def opened(name, *mode, **more):
        return real("/dev/full" if str(name).endswith(".tmp") else name, *mode, **more)

    monkeypatch.setattr("builtins.open", opened)
    with pytest.raises(OSError, match=r"No space left.*is unchanged"):
        VAE(6, 2, seed=1).save(path)
    assert path.read_bytes() == before
