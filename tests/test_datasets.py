"""Behaviour of miniae.datasets. The only network is a server on the loopback address."""

import gzip
import hashlib
import http.server
import itertools
import os
import struct
import subprocess
import sys
import threading
import tracemalloc

import numpy as np
import pytest
from sampled import often

from miniae import datasets
from miniae.datasets import fashion_mnist, load_idx, mnist

IDX_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
MAGIC = b"\x00\x00\x08\x01"


def idx_bytes(array):
    """Write the IDX format, independently of the reader."""
    code = IDX_CODES[array.dtype.str[1:]]
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write_set(folder, n, prefix="train", zipped=False, value=255):
    """Write n tiny fake images, all `value`, and labels, as MNIST names them."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        f"{prefix}-images-idx3-ubyte": np.full((n, 28, 28), value, np.uint8),
        f"{prefix}-labels-idx1-ubyte": (np.arange(n) % 10).astype(np.uint8),
    }
    for name, array in arrays.items():
        data = idx_bytes(array)
        path = folder / (name + ".gz" if zipped else name)
        path.write_bytes(gzip.compress(data) if zipped else data)


def peak_memory(action):
    """Return the peak memory of Python and NumPy during `action`, in bytes."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("dtype", "rank", "zipped"), often(7, itertools.product(IDX_CODES, range(5), (False, True)))
)
def test_an_idx_file_comes_back_as_written(tmp_path, dtype, rank, zipped):
    shape = (3, 1, 4, 2)[:rank]
    rng = np.random.default_rng(rank)
    values = np.asarray(rng.integers(-1000, 1000, shape) * 100.5).astype(dtype)
    data = idx_bytes(values)
    path = tmp_path / "values"  # the name does not say whether it is zipped
    path.write_bytes(gzip.compress(data) if zipped else data)
    read = load_idx(str(path))
    assert read.shape == shape and read.dtype == np.dtype(dtype) and read.dtype.isnative
    assert (read == values).all()
    read[...] = 1  # writable


def test_values_are_big_endian(tmp_path):
    path = tmp_path / "values"
    path.write_bytes(b"\x00\x00\x0b\x01" + b"\x00\x00\x00\x02" + b"\x01\x02\xff\xfe")
    assert load_idx(path).tolist() == [258, -2]


def test_an_axis_of_size_zero_is_read(tmp_path):
    path = tmp_path / "empty"
    path.write_bytes(idx_bytes(np.zeros((0, 28, 28), np.uint8)))
    assert load_idx(path).shape == (0, 28, 28)


MALFORMED = {
    "empty": (b"", "truncated header"),
    "short magic": (b"\x00\x00\x08", "truncated header"),
    "bad magic": (b"PK\x08\x01" + bytes(8), "bad magic number 0x504b0801"),
    "unknown dtype": (b"\x00\x00\x0a\x01" + bytes(8), "unknown dtype code 0x0a"),
    "short sizes": (b"\x00\x00\x08\x03" + bytes(10), "truncated header"),
    "no data": (MAGIC + b"\x00\x00\x00\x05", "takes"),
    "short data": (MAGIC + b"\x00\x00\x00\x05" + bytes(4), "takes"),
    "trailing byte": (MAGIC + b"\x00\x00\x00\x05" + bytes(6), "trailing bytes"),
    "data after size zero": (MAGIC + bytes(4) + b"\x01", "trailing bytes"),
    "sizes that multiply to more": (
        b"\x00\x00\x08\x02" + struct.pack(">2I", 3, 4) + bytes(11),
        "takes",
    ),
    "absurd size": (MAGIC + b"\xff" * 4 + bytes(100), "4294967295"),
    "absurd product": (b"\x00\x00\x0e\x20" + b"\xff" * 128 + bytes(100), "takes"),
    "absurd rank": (b"\x00\x00\x08\xff" + b"\xff" * 1020, "rank 255"),
    "rank 33": (b"\x00\x00\x08\x21" + b"\x00\x00\x00\x01" * 33 + b"\x01", "rank 33"),
    "zero hiding absurd sizes": (b"\x00\x00\x08\x04" + bytes(4) + b"\xff" * 12, "takes"),
}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_file_is_refused_by_path_and_reason_without_taking_memory(
    tmp_path, case, zipped
):
    data, reason = MALFORMED[case]
    path = tmp_path / "bad-file"
    path.write_bytes(gzip.compress(data) if zipped else data)

    def read():
        with pytest.raises(ValueError, match=reason) as caught:
            load_idx(path)
        assert str(path) in str(caught.value)

    read()  # once before measuring, because the first call imports modules
    assert peak_memory(read) < 1_000_000


WHOLE = gzip.compress(idx_bytes(np.random.default_rng(0).integers(0, 256, 5000).astype(np.uint8)))
DAMAGED = {
    "cut in the header": WHOLE[:5],
    "cut in the data": WHOLE[:2000],
    "cut in the checksum": WHOLE[:-3],
    "wrong checksum": WHOLE[:-8] + bytes(4) + WHOLE[-4:],
    "wrong block": WHOLE[:10] + b"\xff" * 20 + WHOLE[30:],
    "wrong method": WHOLE[:2] + b"\x07" + WHOLE[3:],
    "rubbish behind": WHOLE + b"rubbish",
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_gzip_data_is_a_value_error_that_names_the_path(tmp_path, case):
    path = tmp_path / "damaged.gz"
    path.write_bytes(DAMAGED[case])
    with pytest.raises(ValueError, match="damaged gzip data") as caught:
        load_idx(path)
    assert str(path) in str(caught.value)


def test_a_gzip_bomb_is_refused_without_unpacking_it(tmp_path):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(MAGIC + b"\x00\x00\x00\x64" + bytes(2**25), compresslevel=1))

    def read():
        with pytest.raises(ValueError, match="trailing bytes"):
            load_idx(path)

    assert peak_memory(read) < 2_000_000


def test_a_zipped_header_that_promises_more_than_gzip_can_hold_is_refused_unread(tmp_path):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(MAGIC + b"\x7f" + bytes(3 + 2**24), compresslevel=1))

    def read():
        with pytest.raises(ValueError, match="2130706432"):
            load_idx(path)

    assert peak_memory(read) < 2_000_000


def test_a_missing_file_stays_file_not_found(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_idx(tmp_path / "nowhere")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty user cache, and no MINIAE_DATA."""
    root = tmp_path / "cache"
    monkeypatch.setenv("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME", str(root))
    monkeypatch.delenv("MINIAE_DATA", raising=False)
    return root / "miniae"


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("split, prefix", [("train", "train"), ("test", "t10k")])
@pytest.mark.parametrize("loader", [mnist, fashion_mnist])
def test_a_folder_is_read_zipped_or_not(tmp_path, cache, loader, split, prefix, zipped):
    write_set(tmp_path / "set", 12, prefix, zipped, value=51)
    images, labels = loader(split, str(tmp_path / "set"))
    assert images.shape == (12, 28, 28) and images.dtype == np.float32
    assert (images == np.float32(51 / 255)).all()
    assert labels.dtype == np.int64 and labels.tolist() == [*range(10), 0, 1]


def test_full_ink_is_exactly_one(tmp_path):
    write_set(tmp_path, 1)
    assert (mnist("train", tmp_path)[0] == 1).all()


def test_the_given_folder_comes_before_miniae_data_and_that_before_the_cache(
    tmp_path, cache, monkeypatch
):
    write_set(cache / "mnist", 1)
    assert len(mnist()[0]) == 1
    monkeypatch.setenv("MINIAE_DATA", str(tmp_path / "data"))
    assert len(mnist()[0]) == 1  # nothing in MINIAE_DATA yet
    write_set(tmp_path / "data" / "mnist", 2)
    assert len(mnist()[0]) == 2
    write_set(tmp_path / "mine", 3)
    assert len(mnist("train", tmp_path / "mine")[0]) == 3


def test_the_two_data_sets_do_not_share_a_folder(tmp_path, cache, monkeypatch):
    monkeypatch.setenv("MINIAE_DATA", str(tmp_path))
    write_set(tmp_path / "mnist", 1)
    write_set(tmp_path / "fashion_mnist", 2)
    assert len(mnist()[0]) == 1 and len(fashion_mnist()[0]) == 2


def test_a_folder_with_half_a_split_is_passed_over(tmp_path, cache, monkeypatch):
    monkeypatch.setenv("MINIAE_DATA", str(tmp_path))
    write_set(tmp_path / "mnist", 2)
    (tmp_path / "mnist" / "train-labels-idx1-ubyte").unlink()
    write_set(cache / "mnist", 1)
    assert len(mnist()[0]) == 1


def test_files_not_found_are_an_error_that_says_where_and_what_to_do(tmp_path, cache, monkeypatch):
    monkeypatch.setenv("MINIAE_DATA", str(tmp_path / "data"))
    with pytest.raises(FileNotFoundError) as caught:
        mnist("test")
    message = str(caught.value)
    for part in (tmp_path / "data" / "mnist", cache / "mnist", *datasets._FILES):
        assert str(part) in message
    assert "download=True" in message and "MINIAE_DATA" in message


def test_a_given_folder_comes_first_and_the_usual_places_after_it(tmp_path, cache):
    with pytest.raises(FileNotFoundError, match="nowhere") as caught:
        mnist("train", tmp_path / "nowhere")
    assert str(cache) in str(caught.value)
    write_set(cache / "mnist", 1)
    assert mnist("train", tmp_path / "nowhere")[1].size == mnist("train")[1].size
    write_set(tmp_path / "here", 7)
    assert mnist("train", tmp_path / "here")[1].tolist() != mnist("train")[1].tolist()


@pytest.mark.parametrize("split", ["validation", "Train", "", None, 0])
def test_an_unknown_split_is_refused_with_its_value(split):
    with pytest.raises(ValueError, match=f"split must be 'train' or 'test', got {split!r}"):
        mnist(split)


WRONG_IMAGES = [np.zeros((5, 784), np.uint8), np.zeros((5, 28, 28), np.int16), np.uint8(0)]
WRONG_LABELS = [np.zeros(4, np.uint8), np.zeros((5, 1), np.uint8), np.zeros(5, np.int32)]


@pytest.mark.parametrize("array", [np.asarray(array) for array in WRONG_IMAGES])
def test_images_of_another_shape_or_dtype_are_refused_by_file_name(tmp_path, array):
    write_set(tmp_path, 5)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx_bytes(array))
    with pytest.raises(ValueError, match="train-images-idx3-ubyte has"):
        mnist("train", tmp_path)


@pytest.mark.parametrize("array", [*WRONG_LABELS, np.full(5, 10, np.uint8)])
def test_labels_that_do_not_fit_the_images_are_refused_by_both_file_names(tmp_path, array):
    write_set(tmp_path, 5)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(array))
    with pytest.raises(ValueError, match="train-labels-idx1-ubyte has.*train-images-idx3"):
        mnist("train", tmp_path)


@pytest.mark.skipif("MINIAE_DATA" not in os.environ, reason="MINIAE_DATA is not set")
def test_the_real_mnist_is_the_original():
    for split, n, first, mean in (("train", 60000, 5, 0.1307), ("test", 10000, 7, 0.1325)):
        try:
            images, labels = mnist(split, os.path.join(os.environ["MINIAE_DATA"], "mnist"))
        except FileNotFoundError:
            pytest.skip("no mnist in MINIAE_DATA")
        assert images.shape == (n, 28, 28) and labels[0] == first and np.unique(labels).size == 10
        assert images.mean(dtype=float) == pytest.approx(mean, abs=1e-4)
        assert images.min() == 0 and images.max() == 1
        content = np.rint(images * 255).astype(np.uint8)
        sha256 = dict(zip(datasets._FILES, datasets._SHA256["mnist"], strict=True))
        name = f"{'train' if split == 'train' else 't10k'}-images-idx3-ubyte"
        assert hashlib.sha256(idx_bytes(content)).hexdigest() == sha256[name]


class Server(http.server.ThreadingHTTPServer):
    """Serves `files`: path -> bytes, a status code, "stall", or a URL to redirect to."""

    daemon_threads = True
    block_on_close = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.asked, self.closing = {}, [], threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        answer = self.server.files.get(self.path, 404)
        if isinstance(answer, int):
            self.send_error(answer)
        elif isinstance(answer, bytes):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)
        elif answer == "stall":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"some")
            self.wfile.flush()
            self.server.closing.wait(10)
        else:
            self.send_response(302)
            self.send_header("Location", answer)
            self.end_headers()

    def handle(self):
        try:
            super().handle()
        except ConnectionError:
            pass  # the client has closed the connection, as some tests want

    def log_message(self, *args):
        pass


LABELS = "t10k-labels-idx1-ubyte"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def published(monkeypatch):
    """Fake files to publish, with their checksums instead of MNIST's: name -> gzip bytes."""
    rng = np.random.default_rng(0)
    content = {}
    for name in datasets._FILES:
        shape = (4, 28, 28) if "images" in name else (4,)
        content[name] = idx_bytes(rng.integers(0, 10, shape).astype(np.uint8))
    sha256 = tuple(hashlib.sha256(data).hexdigest() for data in content.values())
    monkeypatch.setitem(datasets._SHA256, "mnist", sha256)
    return {name: gzip.compress(data) for name, data in content.items()}


def publish(server, published, at="/"):
    server.files.update({f"{at}{name}.gz": data for name, data in published.items()})


def fetch_labels(folder, *mirrors, **options):
    datasets._download("mnist", folder, [LABELS], mirrors=mirrors, **options)


def test_a_download_fills_the_cache_with_the_split_and_is_not_repeated(
    server, published, cache, monkeypatch
):
    publish(server, published)
    monkeypatch.setitem(datasets._MIRRORS, "mnist", (server.url,))
    images, labels = mnist("test", download=True)
    assert images.shape == (4, 28, 28) and labels.shape == (4,)
    files = ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]
    assert sorted(os.listdir(cache / "mnist")) == files
    assert server.asked == [f"/{file}" for file in files]
    assert (mnist("test", download=True)[0] == images).all()
    assert len(server.asked) == 2


def test_a_download_goes_into_the_given_folder_and_fetches_only_what_is_missing(
    server, published, cache, tmp_path, monkeypatch
):
    publish(server, published)
    monkeypatch.setitem(datasets._MIRRORS, "mnist", (server.url,))
    folder = tmp_path / "new" / "folder"
    folder.mkdir(parents=True)
    (folder / f"{LABELS}.gz").write_bytes(published[LABELS])
    assert len(mnist("test", folder, download=True)[0]) == 4
    assert server.asked == ["/t10k-images-idx3-ubyte.gz"] and not cache.exists()


def test_a_mirror_that_fails_is_followed_by_the_next(server, published, tmp_path):
    publish(server, published, "/second/")
    fetch_labels(tmp_path, server.url + "first/", server.url + "second/")
    assert server.asked == [f"/first/{LABELS}.gz", f"/second/{LABELS}.gz"]
    assert (tmp_path / f"{LABELS}.gz").read_bytes() == published[LABELS]


def test_the_same_content_zipped_otherwise_is_accepted(server, published, tmp_path):
    again = gzip.compress(gzip.decompress(published[LABELS]), compresslevel=1, mtime=1)
    assert again != published[LABELS]
    publish(server, {LABELS: again})
    fetch_labels(tmp_path, server.url)
    assert load_idx(tmp_path / f"{LABELS}.gz").shape == (4,)


WRONG_ANSWERS = {
    "other content": (gzip.compress(b"something else"), "SHA-256"),
    "a web page": (b"<html>please log in</html>", "BadGzipFile"),
    "nothing": (b"", "SHA-256"),
    "a missing page": (404, "404"),
    "a failing server": (500, "500"),
    "too much": (bytes(20_000), "larger than 10000 bytes"),
    "a bomb": (gzip.compress(bytes(2**22)), "SHA-256"),
    "plain http elsewhere": ("http://example.invalid/x.gz", "only https"),
    "a file": ("file:///etc/hostname", "not allowed"),  # refused by urllib itself
}


@pytest.mark.parametrize("case", WRONG_ANSWERS)
def test_a_wrong_answer_is_refused_with_the_reason_and_leaves_no_file(
    server, published, tmp_path, case
):
    answer, reason = WRONG_ANSWERS[case]
    server.files[f"/{LABELS}.gz"] = answer
    with pytest.raises(ConnectionError, match=reason):
        fetch_labels(tmp_path, server.url, max_bytes=10_000)
    assert os.listdir(tmp_path) == []


def test_half_a_file_is_refused(server, published, tmp_path):
    publish(server, {LABELS: published[LABELS][:-9]})
    with pytest.raises(ConnectionError, match="EOFError"):
        fetch_labels(tmp_path, server.url)
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_a_server_that_stalls_is_given_up(server, published, tmp_path):
    server.files[f"/slow/{LABELS}.gz"] = "stall"
    with pytest.raises(ConnectionError, match="timed out"):
        fetch_labels(tmp_path, server.url + "slow/", timeout=0.2)
    publish(server, published, "/quick/")
    fetch_labels(tmp_path, server.url + "slow/", server.url + "quick/", timeout=0.2)
    assert (tmp_path / f"{LABELS}.gz").read_bytes() == published[LABELS]


def test_a_download_that_never_ends_is_given_up(server, published, tmp_path, monkeypatch):
    publish(server, published)
    ticks = iter(range(0, 100_000, 1000))
    monkeypatch.setattr(datasets.time, "monotonic", lambda: next(ticks))
    with pytest.raises(ConnectionError, match="not finished after 30 seconds"):
        fetch_labels(tmp_path, server.url, timeout=1)


def test_when_all_mirrors_fail_the_error_lists_each_reason_and_what_to_do(
    server, published, tmp_path
):
    server.files[f"/b/{LABELS}.gz"] = gzip.compress(b"other")
    mirrors = (server.url + "a/", server.url + "b/")
    with pytest.raises(ConnectionError) as caught:
        fetch_labels(tmp_path, *mirrors)
    message = str(caught.value)
    for part in (*mirrors, "404", "SHA-256", str(tmp_path), *datasets._FILES):
        assert part in message


def test_plain_http_is_refused_before_any_request(published, tmp_path):
    with pytest.raises(ConnectionError, match="only https"):
        fetch_labels(tmp_path, "http://example.invalid/")


def test_a_redirect_within_this_machine_is_followed(server, published, tmp_path):
    server.files[f"/{LABELS}.gz"] = f"{server.url}there/{LABELS}.gz"
    publish(server, published, "/there/")
    fetch_labels(tmp_path, server.url)
    assert (tmp_path / f"{LABELS}.gz").exists()


@pytest.mark.parametrize(
    "urls, allowed",
    [
        (["https://a.org/x"], True),
        (["http://127.0.0.1:80/x"], True),
        (["http://localhost/x"], True),
        (["https://a.org/x", "https://b.org/x"], True),
        (["http://127.0.0.1/x", "https://b.org/x"], True),
        (["http://a.org/x"], False),
        (["http://127.0.0.1.a.org/x"], False),
        (["http://127.0.0.1@a.org/x"], False),
        (["https://a.org/x", "http://a.org/x"], False),
        (["https://a.org/x", "http://127.0.0.1/x"], False),
        (["ftp://127.0.0.1/x"], False),
        (["file:///x"], False),
    ],
)
def test_only_https_is_fetched_unless_everything_stays_on_this_machine(urls, allowed):
    if allowed:
        datasets._refuse_plain_http(*urls)
    else:
        with pytest.raises(ValueError, match="only https"):
            datasets._refuse_plain_http(*urls)


def test_a_disk_that_fails_leaves_no_half_file_and_is_not_blamed_on_the_mirror(
    server, published, tmp_path, monkeypatch
):
    def fail(*args):
        raise PermissionError("disk")

    publish(server, published)
    monkeypatch.setattr(datasets.os, "replace", fail)
    with pytest.raises(PermissionError, match="disk"):
        fetch_labels(tmp_path, server.url)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("answer", [404, 500, "http://elsewhere.invalid/x", "ftp://elsewhere/x"])
def test_the_response_to_a_request_that_fails_is_closed(server, tmp_path, monkeypatch, answer):
    """Python 3.14 warns where an HTTPError, which holds the response, is never closed."""
    from http.client import HTTPResponse
    from urllib.error import HTTPError

    kept = {HTTPResponse: [], HTTPError: []}  # so that none is closed because it is garbage
    for cls, seen in kept.items():

        def noted(self, *args, make=cls.__init__, seen=seen, **options):
            seen.append(self)
            make(self, *args, **options)

        monkeypatch.setattr(cls, "__init__", noted)
    server.files[f"/{LABELS}.gz"] = answer
    with pytest.raises(ConnectionError, match=r"HTTPError|is refused"):
        fetch_labels(tmp_path, server.url)
    assert kept[HTTPResponse] and all(each.isclosed() for each in kept[HTTPResponse])


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_every_file_has_a_checksum_and_every_mirror_is_https(name):
    digests = datasets._SHA256[name]
    assert len(set(digests)) == 4 and all(len(bytes.fromhex(digest)) == 32 for digest in digests)
    assert all(url.startswith("https://") and url.endswith("/") for url in datasets._MIRRORS[name])


@pytest.mark.slow
def test_importing_the_module_loads_nothing_for_the_network():
    # Run the module alone: other tests check the imports of the package.
    code = (
        "import runpy, sys, numpy; before = set(sys.modules); runpy.run_path(sys.argv[1])\n"
        "heavy = {'urllib.request', 'http.client', 'gzip', 'tempfile', 'ssl', 'matplotlib'}\n"
        "print(sorted(heavy & (set(sys.modules) - before)))"
    )
    command = [sys.executable, "-c", code, datasets.__file__]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
