"""Files: written completely or not at all."""

import copy
import os
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from miniae import VAE
from miniae.plumbing import archives


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


def write_by(name):
    """Return a function of a path that writes a file in one of the package's ways."""

    def export(path):
        from miniae import explorer

        explorer.export_html(VAE(16, 2, (4,)), path, title=str(os.urandom(4)))

    def log(path):
        from miniae.callbacks import CSVLog

        VAE(6, 2).fit(np.ones((4, 6)), epochs=1, callback=CSVLog(path), verbose=0)

    def run(path):
        VAE(6, 2).fit(np.ones((4, 6)), epochs=1, checkpoint=path, verbose=0)

    def save(path):
        VAE(6, 2).save(path)

    return {"export": export, "log": log, "run": run, "save": save}[name]


each_writer = pytest.mark.parametrize("name", ["export", "log", "run", "save"])


@each_writer
@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_every_writer_keeps_permissions_and_symbolic_links(tmp_path, name):
    folder, write = tmp_path / "there", write_by(name)
    folder.mkdir()
    file, link = folder / "file", tmp_path / "link"
    write(file)
    before = file.stat().st_ino
    file.chmod(0o640)
    link.symlink_to(file)
    if name != "run":  # the same run is complete: it writes nothing
        write(link)
        assert file.stat().st_ino != before
    assert link.is_symlink() and file.stat().st_mode & 0o777 == 0o640
    link.unlink()
    link.symlink_to(folder / "new")  # of a file that is not there yet
    write(link)
    assert link.is_symlink() and sorted(os.listdir(folder)) == ["file", "new"]
    old = os.umask(0o027)
    try:
        write(tmp_path / "fresh")
    finally:
        os.umask(old)
    assert (tmp_path / "fresh").stat().st_mode & 0o777 == 0o640


@each_writer
def test_every_writer_leaves_the_old_file_when_it_fails(tmp_path, name, monkeypatch):
    path, write = tmp_path / "file", write_by(name)
    if name != "run":
        path.write_text("old")

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device; "):
        write(path)
    assert os.listdir(tmp_path) == ([] if name == "run" else ["file"])
    assert name == "run" or path.read_text() == "old"


def test_an_error_in_the_block_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), archives.atomic(path, "w") as file:
        file.write("new")
        1 / 0  # noqa: B018
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["file"]


def test_a_file_that_may_not_be_written_is_not_replaced(tmp_path, monkeypatch):
    VAE(6, 2).save(tmp_path / "m")
    before = (tmp_path / "m").read_bytes()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError, match="Permission denied; the existing file is unchanged"):
        VAE(6, 2, seed=1).save(tmp_path / "m")
    assert (tmp_path / "m").read_bytes() == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_is_not_a_regular_file_is_written_to_and_not_replaced_or_read(tmp_path):
    import stat
    import threading

    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    archives.write_text(pipe, "hello")
    reader.join()
    assert got == [b"hello"] and stat.S_ISFIFO(pipe.stat().st_mode)
    for path in (pipe, tmp_path, "/dev/zero"):
        if os.path.exists(path):
            with pytest.raises(ValueError, match="is not a model .*: it is not a regular file"):
                VAE.load(path)


def npy(shape, data=b"", descr="<f8"):
    """Return the bytes of an .npy file whose header claims a shape."""
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (118 - len(header)) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


def overlapping(path, names, size):
    """Write an archive in which each name is an entry that points to the same data."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(zipfile.ZipInfo(f"{names[0]}.npy"), npy((size,), b"\0" * 8 * size))
        first = file.infolist()[0]
        for name in names[1:]:
            other = copy.copy(first)
            other.filename = f"{name}.npy"
            file.filelist.append(other)


def peak(function):
    """Return the largest memory that a call allocates, in bytes."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_entries_that_overlap_are_refused_before_anything_is_read(tmp_path):
    path = tmp_path / "m.npz"
    overlapping(path, ["theta", *(f"buffer.{i}" for i in range(100))], 10**5)

    def read():
        with pytest.raises(ValueError, match="its entries overlap"):
            VAE.load(path)

    assert path.stat().st_size < 1e6 and peak(read) < 1e6


def test_names_that_are_not_known_are_refused_before_anything_is_read(tmp_path):
    path = tmp_path / "m.npz"
    np.savez(path, theta=np.zeros(10**6), **{"some.thing": np.zeros(10**6)})

    def read():
        with pytest.raises(ValueError, match=r"entries that are not known: \['some.thing'\]"):
            VAE.load(path)

    assert peak(read) < 1e6


@pytest.mark.slow
def test_a_very_long_list_of_entries_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "m.npz"
    overlapping(path, [f"buffer.{i}" for i in range(20_000)], 1)

    def read():
        with pytest.raises(ValueError, match="its list of entries is too long"):
            VAE.load(path)

    assert path.stat().st_size > 1.1e6 and peak(read) < 1e6


def test_what_follows_or_hides_the_list_of_entries_is_refused(tmp_path):
    path = tmp_path / "m.npz"
    VAE(6, 2).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole + b"more")
    with pytest.raises(ValueError, match="does not end as an .npz file does"):
        VAE.load(path)


@pytest.mark.parametrize("shape", ["(10**12,)", "(1000000000000,)", "(2**40, 2**40)", "(-1,)"])
def test_a_header_that_claims_much_allocates_nothing(tmp_path, shape):
    path = tmp_path / "m.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(zipfile.ZipInfo("theta.npy"), npy(shape, b"12345678"))

    def read():
        with pytest.raises(ValueError, match="is not a model that miniae can read"):
            VAE.load(path)

    assert peak(read) < 1e6


def test_a_file_of_several_gigabytes_states_its_list_in_other_records(tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 100)
    path = tmp_path / "m.npz"
    model = VAE(6, 2)
    model.save(path)
    assert b"PK\6\7" in path.read_bytes()[-100:]
    assert np.array_equal(VAE.load(path).theta, model.theta)
