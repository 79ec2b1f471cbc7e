"""Compression without loss: an arithmetic coder, and bits back."""

import numpy as np
import pytest
from demo_runs import MNIST, load, on_mnist, quick, run

from miniae import VAE


def code_length(table):
    """Return the least and the most bits that an adaptive code of the table's bits may take.

    An integer is a chain of bits, each with counts of its own. The counts' estimate of Krichevsky
    and Trofimov costs no less than the shares as they are in hindsight, and at most log2(n) / 2 + 1
    more for each bit of the chain. Whole numbers for probabilities, of which the width of the
    interval is a multiple of 2^32 / (2 n + 2) or more, cost n log2(e) (2 n + 2) / 2^32 more.
    """
    least = most = 0
    for column in np.asarray(table).T:
        sizes = np.abs(column)
        bits = [sizes[sizes >= k] > k for k in range(sizes.max() + 1)] + [column[sizes > 0] < 0]
        for bit in bits:
            n, p = len(bit), np.array([bit.mean(), 1 - bit.mean()]) if len(bit) else np.ones(1)
            entropy = -n * (p[p > 0] * np.log2(p[p > 0])).sum()
            least += entropy
            most += entropy + np.log2(max(n, 1)) / 2 + 1 + 1.45 * n * (2 * n + 2) / 2**32
    return least, most


SOURCES = {
    "uniform": lambda rng: rng.integers(-3, 4, (3000, 1)),
    "rare ones": lambda rng: (rng.random((9000, 1)) < 0.02).astype(int),
    "all alike": lambda rng: np.full((2000, 1), -1),
    "rounded normal": lambda rng: np.round(rng.normal(0, [3, 1], (1500, 2))).astype(int),
}


@pytest.mark.demo
class TestArithmeticCoding:
    @pytest.mark.parametrize("name", SOURCES)
    def test_takes_the_bits_that_counting_takes_and_the_table_comes_back(self, name):
        table = SOURCES[name](np.random.default_rng(0))
        with load("arithmetic_coding") as demo:
            data = demo.encode(table)
            assert np.array_equal(demo.decode(data), table)
        least, most = code_length(table)
        # A byte or two end the message, which has 5 in the coder's number when it begins.
        assert least <= 8 * (len(data) - demo.HEADER) <= most + 8 * 6

    def test_many_small_tables_come_back_also_empty_and_large_numbers(self):
        rng = np.random.default_rng(1)
        with load("arithmetic_coding") as demo:
            for i in range(150):
                shape = rng.integers(0, 12, 2)
                table = np.round(rng.standard_cauchy(shape).clip(-300, 300) * (i % 4)).astype(int)
                decoded = demo.decode(demo.encode(table))
                assert decoded.shape == tuple(shape) and np.array_equal(decoded, table)

    def test_a_carry_runs_through_bytes_that_are_255(self):
        with load("arithmetic_coding") as demo:
            coder = demo.Encoder()
            coder.data, coder.low = bytearray([7, 255, 255]), demo.TOP
            coder.output_byte()
        assert bytes(coder.data) == bytes([8, 0, 0, 0])

    def test_refuses_bytes_that_are_cut_short_or_changed(self):
        with load("arithmetic_coding") as demo:
            data = demo.encode(np.arange(40).reshape(20, 2))
            for damaged in (b"", data[:8], data[:-1], data + b"0", data[:20] + b"?" + data[21:]):
                with pytest.raises(ValueError, match="is incomplete or damaged"):
                    demo.decode(damaged)

    @pytest.mark.parametrize("table", [np.zeros((3, 2)), np.zeros(3, int)])
    def test_refuses_what_is_not_a_table_of_integers(self, table):
        with (
            load("arithmetic_coding") as demo,
            pytest.raises(ValueError, match=r"must be \(rows, columns\) integers, got"),
        ):
            demo.encode(table)

    @pytest.mark.parametrize(
        "values, said",
        [
            ([10**9, 0], "from 0 to 1,000,000,000"),
            ([-10_001], "from -10,001 to 0"),
            ([-(2**63)], "from -9,223,372,036,854,775,808 to 0"),
            (np.array([2**64 - 1], np.uint64), "to 18,446,744,073,709,551,615"),
        ],
    )
    def test_refuses_large_integers_which_would_take_as_many_steps(self, values, said):
        with load("arithmetic_coding") as demo:
            with pytest.raises(
                ValueError, match=f"{said}, but this coder is for small integers, at most 10,000"
            ):
                demo.encode([values])
            largest = np.array([[-10_000, 10_000]])
            assert np.array_equal(demo.decode(demo.encode(largest)), largest)


class TestBitsBack:
    def test_a_stack_gives_back_what_was_put_on_it_at_the_price_of_its_probability(self):
        with load("bits_back") as demo:
            start, rng = demo.normal(0.3, 0.2), np.random.default_rng(0)
            stack = demo.Stack(2**200 + 12345)
            symbols = rng.integers(450, 700, 200).tolist()
            bits = 0.0
            for symbol in symbols:
                stack.push(symbol, start)
                bits += demo.PRECISION - np.log2(start(symbol + 1) - start(symbol))
        # Each push rounds down a number of 2^170 or more; bit_length rounds up.
        assert stack.value.bit_length() == pytest.approx(201 + bits, abs=1.01)
        assert [stack.pop(2**demo.BINS, start) for _ in symbols] == symbols[::-1]
        assert stack.value == 2**200 + 12345

    @pytest.mark.parametrize("mean, std", [(0.0, 1.0), (-40.0, 1e-3), (3.0, 50.0)])
    def test_every_bin_has_a_share_and_the_shares_sum_to_one(self, mean, std):
        with load("bits_back") as demo:
            start = demo.normal(mean, std)
        edges = [start(i) for i in range(2**demo.BINS + 1)]
        assert edges[0] == 0 and edges[-1] == 2**demo.PRECISION and np.diff(edges).min() >= 1

    def test_images_and_the_bits_beneath_them_come_back(self):
        rng = np.random.default_rng(0)
        X = np.round(rng.random((3, 4, 5))).astype(np.float32)
        with load("bits_back") as demo:
            vae, stack = VAE((4, 5), 2, (8,)), demo.Stack(3**500)
            for x in X:
                demo.pack(vae, stack, x)
            assert np.array_equal([demo.unpack(vae, stack) for _ in X][::-1], X)
        assert stack.value == 3**500

    @pytest.mark.demo
    def test_quick_packs_and_unpacks_and_saves_its_picture(self, tmp_path):
        done = quick(tmp_path, "bits_back")
        assert "every pixel and every initial bit came back" in done.text
        for bits, per_pixel in done.table.values():
            assert per_pixel == pytest.approx(bits / 784, abs=2e-4)
        assert len(done.table) == 5 and done.pictures == {"bits_back"}


def check_bits_back(done):
    """Hold the claims: nothing is lost, the rate is -ELBO / ln 2, and the baselines need more."""
    assert "every pixel and every initial bit came back" in done.text
    *baselines, measured, promised = (row[0] for row in done.table.values())
    # Either mean is over 500 draws, one per image, whose log weights vary by some 5 bits from
    # draw to draw: together sqrt(2 / 500) * 5 = 0.32 bits, one standard error; three are allowed.
    assert measured == pytest.approx(promised, abs=3 * 0.32) and measured < 0.85 * min(baselines)


@pytest.mark.full
@on_mnist
def test_bits_back_keeps_its_promise_on_mnist(tmp_path):
    check_bits_back(run(tmp_path, "bits_back", data=MNIST))


@pytest.mark.full
def test_bits_back_keeps_its_promise_on_built_in_data(tmp_path):
    check_bits_back(run(tmp_path, "bits_back"))
