"""The channel between the grader and the student's process."""

import io
import json

import numpy as np
import pytest

from miniae import Dense, Sequential
from miniae.exercises.grader import stand_ins
from miniae.exercises.grader.wire import FRAME, HEADER, SIZES, Broken, Channel, Refused


class Nothing:
    """Objects that are not plain: none here."""

    def pack(self, value):
        """Return a name in place of a value."""
        return {"type": type(value).__name__}

    def unpack(self, value):
        """Return the name."""
        return value["type"]


def sent(value):
    """Return the bytes of a frame."""
    file = io.BytesIO()
    Channel(None, file).send({"value": value}, Nothing())
    return file.getvalue()


def received(data):
    """Return the value of a frame."""
    return Channel(io.BytesIO(data), None).receive(Nothing())["value"]


def same(a, b):
    """Return whether two values are equal, with their types and dtypes."""
    if type(a) is not type(b):
        return False
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return repr(a) == repr(b)


@pytest.mark.parametrize("value", [
    None, True, 0, -(2**200), 0.1, float("inf"), float("nan"), 1 + 2j, "\xe4\u4e2d\udcff\x00",
    [], (), [1, (2.5, [None])], {"a": 1, 2: (3,)}, {"array": 1}, {"object": {}}, np.float32(0.1),
    np.bool_(True), np.complex128(1j), np.zeros((0, 3)), np.array(3.5), np.array([1, np.nan, -0.0]),
    np.arange(6).reshape(2, 3).T, np.array([True, False]), np.ones(3, complex), np.ones(2, ">f4"),
    [np.ones(2), np.zeros(1)],
])  # fmt: skip
def test_a_value_arrives_as_it_is(value):
    assert same(received(sent(value)), value)
    for array in (received(sent(np.ones(3))), received(sent([np.ones(3)]))[0]):
        array[:] = 2  # not read-only


def test_what_is_not_plain_arrives_as_the_objects_say():
    for value in (object(), {1}, lambda: 0, 10**10000, np.array("x")[()]):
        assert received(sent(value)) == type(value).__name__
    assert received(sent(range(3))) == [0, 1, 2]
    assert received(sent(np.array([1, None]))) == [1, None]
    deep = []
    deep.append(deep)
    received(sent(deep))


def test_what_is_too_large_is_refused_before_it_is_sent():
    file = io.BytesIO()
    for value in (np.zeros(FRAME + 1, np.uint8), "x" * (HEADER + 1)):
        with pytest.raises(Refused, match="are too much"):
            Channel(None, file).send({"value": value}, Nothing())
    assert file.getvalue() == b""


def frame(packed, described=(), data=b""):
    """Return the bytes of a frame with this header."""
    header = json.dumps([packed, list(described)]).encode()
    return SIZES.pack(len(header), len(data)) + header + data


BAD = {
    "nothing": b"",
    "half a size": b"\x00" * 7,
    "a huge header": b"\xff" * 16,
    "a huge body": SIZES.pack(2, 1 << 62) + b"[]",
    "no JSON": SIZES.pack(4, 0) + b"{{{{",
    "no UTF-8": SIZES.pack(1, 0) + b"\xff",
    "nested without end": SIZES.pack(200_000, 0) + b"[" * 200_000,
    "a number": SIZES.pack(1, 0) + b"3",
    "no dict": frame([1]),
    "an unknown kind": frame({"value": {"code": "os"}}),
    "two kinds": frame({"value": {"tuple": [], "dict": []}}),
    "an array that is not there": frame({"value": {"array": 3, "scalar": False}}),
    "objects of Python": frame({"value": None}, [["|O", [1]]], bytes(8)),
    "a dtype with fields": frame({"value": None}, [["f8,f8", [1]]], bytes(16)),
    "a negative shape": frame({"value": None}, [["<f8", [-1]]], bytes(8)),
    "a shape that overflows": frame({"value": None}, [["<f8", [1 << 40, 1 << 40]]], bytes(8)),
    "zero times much": frame({"value": None}, [["<f8", [0] + [1 << 26] * 30]]),
    "a fractional shape": frame({"value": None}, [["<f8", [0.5]]], bytes(4)),
    "an array beyond the frame": frame({"value": None}, [["<f8", [9]]], bytes(8)),
    "bytes that nobody needs": frame({"value": None}, [], bytes(8)),
    "a dict with a list as key": frame({"value": {"dict": [[[1]], [1]]}}),
}


@pytest.mark.parametrize("name", BAD)
def test_bytes_that_are_not_a_frame_are_refused(name):
    with pytest.raises(Broken):
        received(BAD[name])


def test_random_bytes_raise_nothing_else():
    rng = np.random.default_rng(0)
    good = sent([np.ones((2, 3)), {"a": (1, "x")}, 3j])
    for _ in range(500):
        data = bytearray(good)
        for place in rng.integers(len(data), size=3):
            data[place] = rng.integers(256)
        try:
            Channel(io.BytesIO(bytes(data)), None).receive(Nothing())
        except Broken:
            pass


def recorded():
    """Return a network that records its passes, and a copy of it for the other process."""
    network = Sequential(Dense(3, 2, rng=0))
    stand_ins.record(network, "argument")
    network.forward(np.ones((4, 3)))
    return network, stand_ins.build(stand_ins.describe(network), stand_ins.get_state(network, True))


def arrays_of(network):
    """Return the arrays that a network has recorded."""
    return [array.tolist() for _, array in network.passes["forward"]]


def test_each_recorded_pass_crosses_once_whoever_has_made_it():
    here, there = recorded()
    for turn in range(6):
        sender, receiver = (here, there) if turn % 2 else (there, here)
        sender.forward(np.full((1, 3), turn))
        state = stand_ins.get_state(sender)
        assert state["passes"]["forward"][0] == turn + 1
        assert [array.tolist() for _, array in state["passes"]["forward"][1]] == [[[turn] * 3]]
        for _ in range(2):  # a layer may be in a message twice
            stand_ins.set_state(receiver, state)
        assert arrays_of(here) == arrays_of(there) and len(arrays_of(here)) == turn + 2
    assert stand_ins.get_state(here)["passes"]["forward"] == [7, []]


def test_the_other_process_cannot_fill_the_memory_with_passes():
    here, there = recorded()
    state = stand_ins.get_state(there)
    for new in ([(0, ())] * stand_ins.PASSES, [(0, np.zeros(stand_ins.MOST))], [(0, "x")], 7):
        state["passes"]["forward"] = [1, new]
        with pytest.raises((ValueError, TypeError)):
            stand_ins.set_state(here, state)
        assert len(arrays_of(here)) == 1
