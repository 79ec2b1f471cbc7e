"""An adaptive arithmetic coder: small integers to bytes and back, close to their entropy.

A message is a number. Take the interval [0, 1) and cut it in two, in proportion to the
probabilities of a first bit 0 and 1. Keep the part of the bit that occurs, cut it for the second
bit, and so on. The width of the last part is the probability of the message, and any number in it
identifies the message: about -log2(width) binary digits. Rissanen and Langdon (1979); Witten, Neal
and Cleary (1987). Here the interval is [low, low + width), in integers of 40 bits. When it has
become narrow, the highest byte of low is output and the rest is scaled up: Martin (1979).

The probabilities are not known beforehand, but encoder and decoder can both count. After n0 zeros
and n1 ones, a bit is 1 with probability (n1 + 1/2) / (n0 + n1 + 1). That costs about log2(n) / 2
bits more than to know the true shares: Krichevsky and Trofimov (1981). An integer is a chain of
bits, each with its own counts: is it 0? If not, is it negative? Is its size above 1? Above 2? Any
distribution can be written like this. Each column of a table has its own chain. The number of bits
grows with the integer, so the coder is for small integers, such as rounded codes.

All arithmetic is on integers: encoder and decoder agree exactly, on any machine.
"""

import zlib
from collections import defaultdict

import numpy as np

TOP, LEAST = 1 << 40, 1 << 32  # width is TOP at the start, and at least LEAST after each bit
LARGEST = 10_000  # the coder needs as many steps for an integer as its size
HEADER = 12  # bytes: a checksum of the rest, rows, columns, 4 each


class Encoder:
    """Turns bits into bytes. The `counts` of a bit decide how much it adds."""

    def __init__(self):
        self.low, self.width, self.data = 0, TOP, bytearray()

    def bit(self, counts, bit):
        """Code a bit, and count it. counts is [1 + 2 n0, 1 + 2 n1], its odds so far."""
        zeros = self.width // sum(counts) * counts[0]
        if bit:
            self.low += zeros
        self.width = self.width - zeros if bit else zeros
        counts[bit] += 2
        while self.width < LEAST:
            self.output_byte()
            self.width <<= 8
        return bit

    def output_byte(self):
        """Output the highest byte of low. A carry goes to the bytes before it."""
        if self.low >= TOP:
            last = len(self.data) - 1
            while self.data[last] == 255:
                self.data[last] = 0
                last -= 1
            self.data[last] += 1
        self.data.append(self.low // LEAST % 256)
        self.low = self.low % LEAST << 8

    def finish(self):
        """Return the bytes. The number they stand for, with zeros after it, is in the interval."""
        self.low += LEAST - 1
        self.output_byte()
        return bytes(self.data)


class Decoder:
    """Turns the bytes back into bits, with the same counts for every bit."""

    def __init__(self, data):
        self.data, self.width = iter(data), TOP
        self.offset = 0  # from the encoder's low to the number that the bytes stand for
        for _ in range(5):
            self.read_byte()

    def bit(self, counts, _):
        """Return the next bit, and count it."""
        zeros = self.width // sum(counts) * counts[0]
        bit = self.offset >= zeros
        if bit:
            self.offset -= zeros
        self.width = self.width - zeros if bit else zeros
        counts[bit] += 2
        while self.width < LEAST:
            self.read_byte()
            self.width <<= 8
        return bit

    def read_byte(self):
        self.offset = self.offset << 8 | next(self.data, 0)


def integer(coder, chain, value=0):
    """Pass an integer through either coder, and return it. The decoder does not use value."""
    size = negative = 0
    while coder.bit(chain[size], abs(value) > size):
        size += 1
        if size == 1:
            negative = coder.bit(chain["sign"], value < 0)
    return -size if negative else size


def encode(table):
    """Return the bytes of a table (rows, columns) of integers from -LARGEST to LARGEST."""
    table = np.asarray(table)
    if table.ndim != 2 or table.dtype.kind not in "iu":
        raise ValueError(f"table must be (rows, columns) integers, got {table.dtype} {table.shape}")
    low, high = int(table.min(initial=0)), int(table.max(initial=0))
    if not -LARGEST <= low <= high <= LARGEST:
        raise ValueError(
            f"table has values from {low:,} to {high:,}, but this coder is for small integers, at "
            f"most {LARGEST:,} in size: round to a larger step"
        )
    coder, chains = Encoder(), new_chains(table.shape[1])
    for row in table.tolist():
        for chain, value in zip(chains, row, strict=True):
            integer(coder, chain, value)
    shape = b"".join(n.to_bytes(4, "big") for n in table.shape)
    return with_checksum(shape + coder.finish())


def decode(data):
    """Return the table that `encode` was given; ValueError if the bytes have changed since."""
    if len(data) < HEADER or with_checksum(data[4:]) != data:
        raise ValueError(
            f"data ({len(data)} bytes) is incomplete or damaged: encode the table again"
        )
    rows, columns = (int.from_bytes(data[i : i + 4], "big") for i in (4, 8))
    coder, chains = Decoder(data[HEADER:]), new_chains(columns)
    values = [integer(coder, chain) for _ in range(rows) for chain in chains]
    return np.array(values, dtype=int).reshape(rows, columns)


def with_checksum(data):
    """Return the bytes with a checksum of 4 bytes before them."""
    return zlib.crc32(data).to_bytes(4, "big") + data


def new_chains(columns):
    """Return the counts of each bit in the chain, for each column: 0 and 1 are equally likely."""
    return [defaultdict(lambda: [1, 1]) for _ in range(columns)]
