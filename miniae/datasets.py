"""Image data: handwriting-like digits made on the spot, and readers for MNIST and Fashion-MNIST.

`synthetic_digits` needs no file and no network, and knows the slant, thickness, ... behind every
image. `mnist` and `fashion_mnist` read the real sets from disk, and fetch them when asked to.
"""

import math
import os
import time
from pathlib import Path

import numpy as np

# Ways of writing each digit: pen positions "x,y" in a box of 100 by 100 (x right, y down) that a
# smooth curve runs through; "/" begins a new stroke, after a corner or a lift of the pen.
_DIGITS = (
    ("50,0 25,13 13,50 25,87 50,100 75,87 87,50 75,13 50,0",
     "62,5 36,6 16,44 24,88 50,100 80,76 84,36 66,4 40,10"),
    ("50,0 50,50 50,100", "52,0 50,50 47,100",
     "28,24 54,0 / 54,0 54,100", "30,22 52,0 / 52,0 52,100 / 26,100 78,100"),
    ("14,24 28,5 52,0 76,12 78,34 56,64 14,98 / 14,98 50,95 90,98",
     "16,22 34,3 60,1 78,20 68,50 40,84 18,96 10,84 26,76 56,90 92,94"),
    ("18,10 46,0 74,8 76,30 42,47 / 42,47 76,56 86,80 58,100 14,90",
     "16,14 40,0 72,8 70,34 48,46 / 48,46 82,62 76,90 44,100 12,84"),
    ("20,2 16,36 22,54 50,56 80,50 / 80,4 76,50 70,100",
     "62,0 36,32 10,66 / 10,66 50,66 92,64 / 62,0 62,50 60,100"),
    ("82,2 54,2 30,4 / 30,4 26,24 22,44 / 22,44 50,36 78,52 78,84 46,100 12,90",
     "34,4 28,26 24,46 / 24,46 54,38 80,58 72,90 40,100 12,88 / 34,4 60,3 86,0"),
    ("68,0 38,24 18,64 30,96 58,98 78,76 64,52 38,56 20,78",
     "56,0 30,30 20,72 40,100 70,90 74,64 50,54 24,74"),
    ("12,8 46,6 84,4 / 84,4 58,46 42,100", "12,22 14,8 / 14,8 48,8 82,4 / 82,4 66,44 50,100",
     "12,8 46,6 84,4 / 84,4 58,46 42,100 / 34,54 56,52 80,50"),
    ("76,18 54,0 28,10 30,34 64,58 78,82 50,100 24,84 36,58 70,36 76,18",
     "50,46 26,28 36,4 64,2 76,22 50,46 24,72 34,96 62,98 78,76 50,46"),
    ("78,22 52,0 24,14 20,40 46,52 70,40 78,22 / 78,22 76,60 68,100",
     "78,24 56,0 26,12 20,38 46,52 70,42 78,24 / 78,24 80,66 60,96 26,92"),
)  # fmt: skip
_FACTORS = {  # each drawn uniformly from its range
    "slant": (-15, 35), "rotation": (-8, 8), "scale": (0.85, 1.1), "aspect": (0.8, 1.25),
    "shift_x": (-1, 1), "shift_y": (-1, 1), "thickness": (1.4, 3.5), "wobble": (0, 1.2),
}  # fmt: skip
_HEIGHT = 17.0  # pixels from pen position 0 to 100; the ink makes it about MNIST's 20
_SEGMENTS = 28  # straight pieces per digit, of some 2 pixels each

_FILES = (
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
)  # fmt: skip
# SHA-256 of the unzipped content, in the order of _FILES: mirrors zip the same content differently.
_SHA256 = {
    "mnist": (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    "fashion_mnist": (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
}
_MIRRORS = {
    "mnist": (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    "fashion_mnist": (
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
}
_IDX_DTYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def synthetic_digits(n, seed=0):
    """Draw `n` handwriting-like digits, with the factors that made each of them.

    Every image is a pen path from a small table (two or more ways of writing per digit), bent by
    two slow random waves over the plane, stretched, slanted, turned, shifted, and inked with a
    round pen. Sizes, mean ink and slants are close to MNIST's. 10,000 images take about a second.

    Parameters
    ----------
    n : int
        Number of images, at least 1.
    seed : int
        The same seed and `n` give the same arrays; NumPy's global random state is not used.

    Returns
    -------
    images : float32, (n, 28, 28)
        0 is paper, 1 is full ink. The outermost pixels are always 0.
    labels : int64, (n,)
        0 to 9 in random order, as equally often as `n` allows.
    factors : dict of float64, each (n,)
        "slant": degrees, positive leans right; "rotation": degrees, positive clockwise;
        "scale": 1 is about 20 pixels high; "aspect": width over height, 1 as in the table;
        "shift_x", "shift_y": pixels right and down of the image centre, to the centre of the
        path; "thickness": pixels, pen diameter; "wobble": pixels, rms of the bend in x and in y.

    Raises
    ------
    TypeError, ValueError
        If `n` is not an int, or is below 1.
    """
    if isinstance(n, (bool, np.bool_)) or not isinstance(n, (int, np.integer)):
        raise TypeError(f"n must be an int, got {n!r} ({type(n).__name__}); pass e.g. n=1000")
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}; pass e.g. n=1000")
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n, dtype=np.int64) % 10)
    factors = {name: rng.uniform(*limits, n) for name, limits in _FACTORS.items()}
    ways = np.array([len(digit) for digit in _DIGITS])
    paths = np.stack([_pen_path(way) for digit in _DIGITS for way in digit])
    which = (np.cumsum(ways) - ways)[labels] + rng.integers(ways[labels])
    # Each wave has a direction and a frequency of up to 0.7 cycles per digit height along x and y.
    waves = rng.uniform(-0.7, 0.7, (n, 2, 2, 2)) * (2 * np.pi / _HEIGHT)
    phases = rng.uniform(0, 2 * np.pi, (n, 2, 1, 1, 2))
    images = np.empty((n, 28, 28), np.float32)
    for start in range(0, n, 256):  # bounds the memory; larger blocks are no faster
        part = slice(start, start + 256)
        views = {name: values[part] for name, values in factors.items()}
        path = _pose(paths[which[part]], views, waves[part], phases[part])
        images[part] = _ink(path, views["thickness"])
    return images, labels, factors


def _pen_path(way):
    """Turn one way of writing into (_SEGMENTS, 2, 2) straight pieces [piece, end, xy] in pixels."""
    curves, travelled = [], []
    for stroke in way.split("/"):
        points = np.array([pair.split(",") for pair in stroke.split()], dtype=float)
        points = (points - 50) * (_HEIGHT / 100)
        before, after = 2 * points[0] - points[1], 2 * points[-1] - points[-2]
        if (points[0] == points[-1]).all():  # a closed loop goes through its start smoothly
            before, after = points[-2], points[1]
        p = np.vstack([before, points, after])
        # Catmull and Rom's (1974) cubic from b to c, with slopes (c - a) / 2 and (d - b) / 2.
        a, b, c, d = p[:-3, None], p[1:-2, None], p[2:-1, None], p[3:, None]
        t = np.linspace(0, 1, 24)[:, None]
        cubic = b + t / 2 * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
        curves.append(cubic.reshape(-1, 2))
        travelled.append(np.append(0, np.hypot(*np.diff(curves[-1], axis=0).T).cumsum()))
    lengths = np.array([s[-1] for s in travelled])
    pieces = np.maximum(1, np.rint(_SEGMENTS * lengths / lengths.sum()).astype(int))
    pieces[lengths.argmax()] += _SEGMENTS - pieces.sum()  # what the rounding left over
    path = []
    for curve, s, k in zip(curves, travelled, pieces, strict=True):
        even = np.linspace(0, s[-1], k + 1)
        ends = np.stack([np.interp(even, s, curve[:, 0]), np.interp(even, s, curve[:, 1])], axis=1)
        path.append(np.stack([ends[:-1], ends[1:]], axis=1))
    return np.concatenate(path)


def _pose(path, factors, waves, phases):
    """Bend and place paths (m, _SEGMENTS, 2, 2); where one would not fit, change its `factors`."""
    # Two sines of independent phase have the mean square 1/2 + 1/2, so the wobble is the rms.
    bend = sum(np.sin(path @ waves[:, j, None] + phases[:, j]) for j in (0, 1))
    path = path + factors["wobble"][:, None, None, None] * bend
    wide = factors["scale"] * np.sqrt(factors["aspect"])
    tall = factors["scale"] / np.sqrt(factors["aspect"])
    lean = -np.tan(np.radians(factors["slant"])) * tall  # y points down, so up is negative
    cos, sin = np.cos(np.radians(factors["rotation"])), np.sin(np.radians(factors["rotation"]))
    # Rows are the images of the x and the y unit vector: first stretch and slant, then turn.
    matrix = np.array(
        [[wide * cos, wide * sin], [lean * cos - tall * sin, lean * sin + tall * cos]]
    )
    path = path @ matrix.transpose(2, 0, 1)[:, None]
    path -= path.mean(axis=(1, 2), keepdims=True)
    reach = 12.99 - factors["thickness"] / 2  # so far may the pen go and leave the border white
    low, high = path.min(axis=(1, 2)), path.max(axis=(1, 2))
    fit = np.minimum(1, 2 * reach / (high - low).max(axis=1))  # below 1 for one image in 300
    factors["scale"] *= fit
    for axis, name in enumerate(("shift_x", "shift_y")):
        shift, edges = factors[name], (fit * low[:, axis], fit * high[:, axis])
        np.clip(shift, -reach - edges[0], reach - edges[1], out=shift)
    shift = np.stack([factors["shift_x"], factors["shift_y"]], axis=1)
    # The image centre lies between pixels 13 and 14.
    return path * fit[:, None, None, None] + (shift + 13.5)[:, None, None]


def _ink(path, thickness):
    """Ink (m, 28, 28) of a round pen: 1 inside, falling to 0 over the pixel at its edge."""
    # The images run along the last axis, so that every operation below is on long rows.
    path = path.astype(np.float32).transpose(1, 2, 3, 0)
    pixel = np.arange(28, dtype=np.float32)[:, None]
    nearest = np.full((28, 28, path.shape[-1]), np.inf, np.float32)  # squared distances [y, x]
    for (ax, ay), (bx, by) in path:
        dx, dy = bx - ax, by - ay
        length2 = dx * dx + dy * dy + np.float32(1e-12)
        x, y = pixel - ax, pixel - ay
        # The foot of the perpendicular is a + t (b - a), t clipped to the piece, and
        # |p - a - t (b - a)|^2 = |p - a|^2 - |b - a|^2 t (2 t_unclipped - t).
        t = (y * (dy / length2))[:, None] + (x * (dx / length2))[None]
        gain = 2 * t
        np.clip(t, 0, 1, out=t)
        gain -= t
        gain *= t
        gain *= length2
        distance2 = (y * y)[:, None] + (x * x)[None]
        distance2 -= gain
        np.minimum(nearest, distance2, out=nearest)
    distance = np.sqrt(np.maximum(nearest, 0, out=nearest), out=nearest)  # rounding may give -1e-6
    ink = (thickness / 2 + 0.5).astype(np.float32) - distance
    return np.clip(ink, 0, 1, out=ink).transpose(2, 0, 1)


def load_idx(path):
    """Read an IDX file, zipped by gzip or not (told by its first bytes, not by its name).

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    ndarray
        Of the file's shape and dtype (uint8, int8, int16, int32, float32 or float64), in native
        byte order, writable.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not exactly one whole IDX array: the message has the path and the reason.
        The sizes in the header are checked against the file before memory is taken for them.

    References
    ----------
    Y. LeCun, C. Cortes, C. Burges, "The MNIST database", http://yann.lecun.com/exdb/mnist: two
    zero bytes, the dtype's code, the rank, each size as a big-endian uint32, then the values,
    big-endian, last axis fastest.
    """
    import gzip
    import zlib

    with open(path, "rb") as file:
        on_disk = os.fstat(file.fileno()).st_size
        zipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        try:
            # Deflate shrinks at most 1032-fold: what cannot be in the file is refused unread.
            content = gzip.GzipFile(fileobj=file) if zipped else file
            return _parse_idx(content, on_disk * 1032 if zipped else on_disk)
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise ValueError(f"{path}: damaged gzip data ({error}); get the file again") from error
        except ValueError as error:
            raise ValueError(f"{path}: {error}; is it a whole IDX file?") from error


def _parse_idx(file, room):
    """Read one IDX array from an open file whose content is known to be at most `room` bytes."""
    magic = _read(file, 4)
    if len(magic) < 4:
        raise ValueError(f"truncated header: {len(magic)} of the first 4 bytes")
    if magic[:2] != b"\0\0":
        raise ValueError(f"bad magic number 0x{magic.hex()}: the first two bytes must be zero")
    code, rank = magic[2:]
    if code not in _IDX_DTYPES:
        known = ", ".join(f"0x{known:02x}" for known in _IDX_DTYPES)
        raise ValueError(f"unknown dtype code 0x{code:02x}, the format has {known}")
    if rank > 32:
        raise ValueError(f"rank {rank} is more than the 32 that every NumPy can hold")
    sizes = _read(file, 4 * rank)
    if len(sizes) < 4 * rank:
        raise ValueError(f"truncated header: {len(sizes)} of the {4 * rank} bytes of sizes")
    shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4")) if rank else ()
    dtype = np.dtype(_IDX_DTYPES[code])
    # Python ints do not overflow. A size of 0 must not hide others that NumPy cannot hold.
    needed = math.prod(shape) * dtype.itemsize
    if needed > room or math.prod(size or 1 for size in shape) > 2**48:
        raise ValueError(f"shape {shape} of {dtype.name} takes {needed} bytes, more than it holds")
    data = _read(file, needed + 1)
    if len(data) != needed:
        what = "truncated data" if len(data) < needed else "trailing bytes"
        raise ValueError(f"{what}: shape {shape} of {dtype.name} takes exactly {needed} bytes")
    # A bytearray is writable, so the array is too.
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _read(file, count):
    """At most `count` bytes, by the mebibyte, so that memory follows what the file really has."""
    data = bytearray()
    while len(data) < count and (chunk := file.read(min(count - len(data), 2**20))):
        data += chunk
    return data


def mnist(split="train", folder=None, *, download=False):
    """Load MNIST: 60,000 training or 10,000 test images of handwritten digits.

    The two files of the split, e.g. ``train-images-idx3-ubyte`` and ``train-labels-idx1-ubyte``,
    with or without ``.gz``, are taken from `folder` if given, else from the first of
    ``$MINIAE_DATA/mnist`` and the user's cache (``miniae/mnist`` in ``$XDG_CACHE_HOME`` or
    ``~/.cache``, on Windows in ``%LOCALAPPDATA%``) that has both.

    Parameters
    ----------
    split : {"train", "test"}
        The test files are those named ``t10k``.
    folder : str or path-like, optional
        The only folder to look in, and to download into.
    download : bool
        If the files are not found, fetch them by HTTPS (train 10 MB, test 2 MB) into `folder` or
        the cache, and check their SHA-256. Files already there are not checked against it.

    Returns
    -------
    images : float32, (n, 28, 28)
        0 is background, 1 is full ink.
    labels : int64, (n,)
        0 to 9.

    Raises
    ------
    ValueError
        If `split` is unknown, or a file is damaged or not what its name says.
    FileNotFoundError
        If the files are not found; the message has the folders looked in.
    ConnectionError
        If no mirror gave the right file; the message has what was tried and why it failed.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
    recognition", Proc. IEEE 86(11), 1998.
    """
    return _load("mnist", split, folder, download)


def fashion_mnist(split="train", folder=None, *, download=False):
    """Load Fashion-MNIST: 28x28 images of clothes in ten classes, in the format of MNIST.

    Parameters, return values and errors are those of `mnist`; the folders end in
    ``fashion_mnist`` and the downloads are 26 MB (train) and 4 MB (test). The classes are T-shirt,
    trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle boot.

    References
    ----------
    H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
    learning algorithms", arXiv:1708.07747, 2017.
    """
    return _load("fashion_mnist", split, folder, download)


def _load(name, split, folder, download):
    if split not in ("train", "test"):
        raise ValueError(f"split must be 'train' or 'test', got {split!r}")
    files = _FILES[:2] if split == "train" else _FILES[2:]
    places = [Path(folder).expanduser()] if folder is not None else _places(name)
    found = next((at for at in places if all(_find(at, file) for file in files)), None)
    if found is None:
        found = places[-1]  # the given folder, or the cache
        if not download:
            looked = "\n".join(f"  {place}" for place in places)
            raise FileNotFoundError(
                f"{name} {split!r} needs {files[0]} and {files[1]} (or .gz); looked in\n{looked}\n"
                f"Pass download=True to fetch them into {found}, or put {', '.join(_FILES)} there, "
                f"or set MINIAE_DATA to a folder that has them in its subfolder {name}."
            )
        _download(name, found, files)
    paths = [_find(found, file) for file in files]
    images, labels = (load_idx(path) for path in paths)
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28):
        raise ValueError(
            f"{paths[0]} holds {images.dtype} {images.shape}, expected uint8 (n, 28, 28): "
            "is it the file of images?"
        )
    if labels.dtype != np.uint8 or labels.shape != images.shape[:1] or (labels > 9).any():
        raise ValueError(
            f"{paths[1]} holds {labels.dtype} {labels.shape}, expected uint8 {images.shape[:1]} "
            f"from 0 to 9, one for each image in {paths[0]}: are they of the same split?"
        )
    images = images.astype(np.float32)
    images /= 255
    return images, labels.astype(np.int64)


def _places(name):
    """Where to look for a data set if no folder is given; the last is where downloads go."""
    windows = os.name == "nt"
    cache = os.environ.get("LOCALAPPDATA" if windows else "XDG_CACHE_HOME")
    cache = cache or os.path.expanduser("~/AppData/Local" if windows else "~/.cache")
    roots = [Path(cache, "miniae")]
    if os.environ.get("MINIAE_DATA"):
        roots.insert(0, Path(os.environ["MINIAE_DATA"]).expanduser())
    return [root / name for root in roots]


def _find(folder, file):
    """Path of `file` or `file`.gz in `folder`, or None."""
    return next((p for p in (folder / file, folder / f"{file}.gz") if p.is_file()), None)


def _download(name, folder, files=_FILES, *, mirrors=None, timeout=30.0, max_bytes=2**26):
    """Fetch those of `files` that `folder` lacks, each from the first mirror that has it right."""
    import gzip
    import hashlib
    import http.client
    import io
    import zlib

    folder.mkdir(parents=True, exist_ok=True)
    for file, sha256 in zip(_FILES, _SHA256[name], strict=True):
        if file not in files or _find(folder, file):
            continue
        failures = []
        for mirror in mirrors or _MIRRORS[name]:
            url = f"{mirror}{file}.gz"
            try:
                data = _fetch(url, timeout, max_bytes)
                content = _read(gzip.GzipFile(fileobj=io.BytesIO(data)), max_bytes)
                if hashlib.sha256(content).hexdigest() != sha256:
                    raise ValueError("wrong SHA-256 of the unzipped content")
                break
            except (OSError, ValueError, EOFError, zlib.error, http.client.HTTPException) as error:
                failures.append(f"  {url}: {type(error).__name__}: {error}")
        else:
            raise ConnectionError(
                f"could not download {file}.gz of {name}:\n" + "\n".join(failures) + "\nTry again "
                f"later, or get {', '.join(_FILES)} (or .gz) elsewhere and put them in {folder}."
            )
        # Written beside the target and renamed, so that no reader ever sees half a file.
        part = folder / f".{file}.{os.getpid()}.{time.time_ns()}.part"
        try:
            part.write_bytes(data)
            os.replace(part, folder / f"{file}.gz")
        finally:
            part.unlink(missing_ok=True)


def _fetch(url, timeout, max_bytes):
    """Get the bytes at `url`: HTTPS only, unless everything stays on this machine."""
    from urllib.request import HTTPRedirectHandler, build_opener

    class Redirects(HTTPRedirectHandler):
        def redirect_request(self, req, fp, code, msg, headers, newurl):
            _refuse_plain_http(req.full_url, newurl)
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    _refuse_plain_http(url)
    give_up = time.monotonic() + 30 * timeout  # `timeout` is for each wait, this for the whole
    data = bytearray()
    with build_opener(Redirects).open(url, timeout=timeout) as response:
        while chunk := response.read1(2**16):
            data += chunk
            if len(data) > max_bytes:
                raise ValueError(f"larger than {max_bytes} bytes")
            if time.monotonic() > give_up:
                raise TimeoutError(f"not finished after {30 * timeout:g} seconds")
    return data


def _refuse_plain_http(*urls):
    """Raise ValueError unless the last of a chain of redirects is HTTPS or all are loopback."""
    from urllib.parse import urlsplit

    parts = [urlsplit(url) for url in urls]
    local = all(p.scheme == "http" and p.hostname in ("127.0.0.1", "localhost") for p in parts)
    if parts[-1].scheme != "https" and not local:
        raise ValueError(f"refused {urls[-1]}: only https is safe (or http on this machine)")
