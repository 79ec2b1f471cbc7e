"""An adaptive arithmetic coder: small integers to bytes and back, close to their entropy.

A message is a number. Take the interval [0, 1) and cut it in two, in proportion to how likely the
first bit is 0 and 1; keep the part that the bit names, cut that for the second bit, and so on. What
is left is as wide as the message is probable, and any number in it tells the whole message: some
-log2(width) binary digits, the information in the message. Rissanen and Langdon (1979); Witten,
Neal and Cleary (1987). Here the interval is [low, low + width) in integers of 40 bits; when it has
become narrow, the highest byte of low is put out, and all is scaled up: Martin (1979).

Nobody knows the probabilities beforehand, but both sides can count. A bit that was 0 in n0 cases
and 1 in n1 is taken to be 1 with probability (n1 + 1/2) / (n0 + n1 + 1), which costs some
log2(n) / 2 bits more than to know the shares: Krichevsky and Trofimov (1981). An integer is a chain
of bits, each with counts of its own: is it 0? If not: is it negative? is its size above 1? above 2?
Every distribution can be written in this way, and each column of a table has a chain of its own. It
takes as many steps as the integer is large, and is meant for small ones, such as rounded codes.

All arithmetic is on integers: both sides round alike, on any machine.
"""

import zlib
from collections import defaultdict

import numpy as np

TOP, LEAST = 1 << 40, 1 << 32  # width is TOP at the start, and at least LEAST after each bit
LARGEST = 10_000  # an integer takes as many steps as it is large
HEADER = 12  # bytes: a checksum of the rest, rows, columns, 4 each


class Encoder:
    """Turns bits into bytes; what `counts` say of a bit decides what it costs."""

    def __init__(self):
        self.low, self.width, self.data = 0, TOP, bytearray()

    def bit(self, counts, bit):
        """Code a bit, and count it; counts are [1 + 2 n0, 1 + 2 n1], its odds so far."""
        zeros = self.width // sum(counts) * counts[0]
        if bit:
            self.low += zeros
        self.width = self.width - zeros if bit else zeros
        counts[bit] += 2
        while self.width < LEAST:
            self.put_byte()
            self.width <<= 8
        return bit

    def put_byte(self):
        """Put out the highest byte of low; what low has carried over goes to those before."""
        if self.low >= TOP:
            last = len(self.data) - 1
            while self.data[last] == 255:
                self.data[last] = 0
                last -= 1
            self.data[last] += 1
        self.data.append(self.low // LEAST % 256)
        self.low = self.low % LEAST << 8

    def finish(self):
        """Return the bytes. The last, with zeros for all that follows, is inside the interval."""
        self.low += LEAST - 1
        self.put_byte()
        return bytes(self.data)


class Decoder:
    """Turns the bytes back into bits, given the same counts for every bit."""

    def __init__(self, data):
        self.data, self.width = iter(data), TOP
        self.offset = 0  # of the number that the bytes stand for, from the encoder's low
        for _ in range(5):
            self.get_byte()

    def bit(self, counts, _):
        """Return the next bit, and count it."""
        zeros = self.width // sum(counts) * counts[0]
        bit = self.offset >= zeros
        if bit:
            self.offset -= zeros
        self.width = self.width - zeros if bit else zeros
        counts[bit] += 2
        while self.width < LEAST:
            self.get_byte()
            self.width <<= 8
        return bit

    def get_byte(self):
        self.offset = self.offset << 8 | next(self.data, 0)


def integer(coder, chain, value=0):
    """Pass an integer through either coder and return it; the decoder does not read value."""
    size = negative = 0
    while coder.bit(chain[size], abs(value) > size):
        size += 1
        if size == 1:
            negative = coder.bit(chain["sign"], value < 0)
    return -size if negative else size


def encode(table):
    """Return the bytes of a table of integers up to LARGEST in size, shape (rows, columns)."""
    table = np.asarray(table)
    if table.ndim != 2 or table.dtype.kind not in "iu":
        raise ValueError(f"table must be (rows, columns) integers, got {table.dtype} {table.shape}")
    low, high = int(table.min(initial=0)), int(table.max(initial=0))
    if not -LARGEST <= low <= high <= LARGEST:
        raise ValueError(
            f"table has values from {low:,} to {high:,}; this coder is for small integers, "
            f"{LARGEST:,} at most in size: round to a larger step"
        )
    coder, chains = Encoder(), new_chains(table.shape[1])
    for row in table.tolist():
        for chain, value in zip(chains, row, strict=True):
            integer(coder, chain, value)
    shape = b"".join(n.to_bytes(4, "big") for n in table.shape)
    return with_checksum(shape + coder.finish())


def decode(data):
    """Return the table that `encode` was given; ValueError if the bytes are not as it left them."""
    if len(data) < HEADER or with_checksum(data[4:]) != data:
        raise ValueError(f"data: {len(data)} bytes that are cut short, or damaged")
    rows, columns = (int.from_bytes(data[i : i + 4], "big") for i in (4, 8))
    coder, chains = Decoder(data[HEADER:]), new_chains(columns)
    values = [integer(coder, chain) for _ in range(rows) for chain in chains]
    return np.array(values, dtype=int).reshape(rows, columns)


def with_checksum(data):
    """Return the bytes with 4 before them that tell whether one of them was changed."""
    return zlib.crc32(data).to_bytes(4, "big") + data


def new_chains(columns):
    """Return, for each column, the counts of each bit in the chain: all equally likely so far."""
    return [defaultdict(lambda: [1, 1]) for _ in range(columns)]
