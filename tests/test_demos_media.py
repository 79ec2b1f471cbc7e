"""The demos on a photograph and on compression: patches, an arithmetic coder, bits back."""

import numpy as np
import pytest
from demo_runs import MNIST, load, on_mnist, quick, run

from miniae import VAE, Autoencoder, Sequential, gradient_check


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
            coder.put_byte()
        assert bytes(coder.data) == bytes([8, 0, 0, 0])

    def test_refuses_bytes_that_are_cut_short_or_changed(self):
        with load("arithmetic_coding") as demo:
            data = demo.encode(np.arange(40).reshape(20, 2))
            for damaged in (b"", data[:8], data[:-1], data + b"0", data[:20] + b"?" + data[21:]):
                with pytest.raises(ValueError, match="cut short, or damaged"):
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
                ValueError, match=f"{said}; this coder is for small integers, 10,000"
            ):
                demo.encode([values])
            largest = np.array([[-10_000, 10_000]])
            assert np.array_equal(demo.decode(demo.encode(largest)), largest)


class TestPhotoDenoising:
    def test_the_patches_of_an_image_average_to_the_image(self):
        image = np.random.default_rng(0).random((19, 23))
        with load("photo_denoising") as demo:
            rows = demo.patches(image)
            averaged = demo.average(rows, image.shape)
        assert rows.shape == (12 * 16, 64)
        # A sum of at most 64 numbers below 1 and a division, each rounded to 1.2e-16 of it.
        assert averaged == pytest.approx(image, abs=65 * 1.2e-16)

    def test_a_blur_keeps_a_constant_and_spreads_a_point_by_its_width(self):
        flat, point = np.full((40, 50), 0.3), np.zeros((41, 41))
        point[20, 20] = 1
        with load("photo_denoising") as demo:
            assert demo.blur(flat, 2.0) == pytest.approx(flat, abs=1e-15)
            spread, place = demo.blur(point, 2.0), np.arange(41) - 20
        assert spread.sum() == pytest.approx(1) and np.array_equal(spread, spread.T)
        # Cut off at 9 pixels, 4.5 widths, it loses 7e-6 of its mass and some 1e-4 of its variance.
        assert (spread.sum(axis=0) * place**2).sum() == pytest.approx(4, rel=1e-3)

    @pytest.mark.parametrize("noise", ["0", "-0.1", "nan", "25"])
    def test_refuses_a_noise_that_is_none_or_not_in_units_of_the_picture(self, noise):
        with (
            load("photo_denoising") as demo,
            pytest.raises(ValueError, match="--noise .*: give its standard deviation, above 0"),
        ):
            demo.main(["--quick", "--noise", noise])

    @pytest.mark.demo
    def test_quick_prints_its_baselines_and_saves_its_picture(self, tmp_path):
        table, pictures = quick(tmp_path, "photo_denoising")
        assert [name.split(",")[0] for name in table] == [
            *("noisy as it is", "Gaussian blur", "PCA", "PCA", "denoising autoencoder")
        ]
        noisy, *_ = table.values()
        # Noise of 0.1 is 20 dB; that it is clipped to [0, 1] takes a little off it, not half.
        assert 20 < noisy[0] < 23 and pictures == {"denoised"}
        for *_, psnr, rmse in table.values():  # one figure says the other; both are rounded
            assert rmse == pytest.approx(255 * 10 ** (-psnr / 20), abs=0.005 + 6e-4 * rmse)


class TestCompression:
    def test_rounding_to_a_step_is_off_by_half_a_step_at_most_and_counts_the_bytes(self):
        clean = np.random.default_rng(0).random((16, 24))
        with load("photo_compression") as demo:
            rows = demo.blocks(clean)
            rate, _, picture = demo.transmit(rows, 0.1, lambda Z: Z, 0, clean)
            sent = demo.arithmetic_coding.encode(np.round(rows / 0.1).astype(int))
        assert np.abs(picture - clean).max() <= 0.05 + 1e-12 and rate == 8 * len(sent) / clean.size

    def test_a_dead_zone_rounds_up_later_and_its_offset_is_the_mean_of_what_remains(self):
        codes = np.array([0.0, 0.6, -0.69, 0.75, -1.5, 2.6, -2.8])
        with load("photo_compression") as demo:
            assert demo.rounded(codes, 1).tolist() == [0, 1, -1, 1, -2, 3, -3]
            assert demo.rounded(2 * codes, 2, 0.2).tolist() == [0, 0, 0, 1, -1, 2, -3]
            # Beyond 1, -1, 2 and -3: -0.25, 0.5, 0.6 and -0.2.
            assert demo.offset(2 * codes, 2, 0.2) == pytest.approx(0.65 / 4)

    def test_an_offset_is_put_on_all_but_zeros_away_from_zero(self):
        clean, codes = np.zeros((8, 8)), np.zeros((1, 64))
        codes[0, :3] = 0.5, -0.5, 0.1
        with load("photo_compression") as demo:
            *_, picture = demo.transmit(codes, 0.25, lambda Z: Z, 0.5, clean, 0.2, 0.1)
        # Two steps and a tenth of one, and the mean, which is 0.5; the picture is clipped at 1.
        assert picture[0, :4] == pytest.approx([1, 0, 0.5, 0.5])

    def test_a_rate_that_a_method_does_not_reach_is_no_ground_to_compare(self):
        points = [(0.1, 25.0, None), (0.4, 31.0, None)]
        with load("photo_compression") as demo:
            assert demo.at_rate(0.2, points) == pytest.approx(28)  # half way on the log scale
            for rate in (0.09, 0.41):
                with pytest.raises(ValueError, match="outside 0.100 to 0.400: add steps"):
                    demo.at_rate(rate, points)

    def test_a_network_computes_its_transform_at_first(self):
        rng = np.random.default_rng(0)
        A, B, x = (rng.normal(size=shape) for shape in ((64, 48), (48, 7), (5, 64)))
        with load("photo_compression") as demo:
            network = Sequential(*demo.network(A, B, rng))
        # float32: 6e-8 of each of 64 + 96 terms that are summed, which are 8 and 50 in size.
        assert network.forward(x) == pytest.approx(x @ A @ B, abs=160 * 6e-8 * 200)

    def test_the_price_has_the_gradient_that_it_claims(self):
        with load("photo_compression") as demo:
            model = Autoencoder(3, 2, (4,), loss="mse", penalty=demo.Price(0.5))
        assert gradient_check(model, np.random.default_rng(0).normal(size=(5, 3))).ok

    def test_the_noise_is_within_half_a_step_and_only_in_training(self):
        with load("photo_compression") as demo:
            noise, x = demo.RoundingNoise(0.5), np.zeros((500, 8), np.float32)
        assert np.array_equal(noise.forward(x), x)
        drawn = noise.forward(x, training=True)
        assert drawn.dtype == np.float32 and np.abs(drawn).max() <= 0.25
        # The variance of 4000 draws: step^2 / 12, give or take 6 standard errors.
        error = 0.5**2 * np.sqrt((1 / 80 - 1 / 144) / drawn.size)
        assert drawn.var() == pytest.approx(0.5**2 / 12, abs=6 * error)

    @pytest.mark.demo
    def test_quick_prints_both_at_one_rate_and_saves_its_picture(self, tmp_path):
        table, pictures = quick(tmp_path, "photo_compression")
        ((rate, model, pca, gain),) = table.values()
        assert 0.05 < rate < 1 and gain == pytest.approx(model - pca, abs=0.016)
        assert pictures == {"compressed"}


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
        assert "every pixel and every bit of the start came back" in done.text
        for bits, per_pixel in done.table.values():
            assert per_pixel == pytest.approx(bits / 784, abs=2e-4)
        assert len(done.table) == 5 and done.pictures == {"bits_back"}


def check_denoising(done):
    """Hold the claim: the autoencoder is above what is linear, by a decibel and more, and below
    PCA with small scores set to 0.
    """
    noisy, blur, first, large, model = (row[-2] for row in done.table.values())
    assert large > model > max(blur, first) + 1 and min(blur, first) > noisy


def check_compression(done):
    """Hold the claim: at equal rate the autoencoder is below PCA, by less than a decibel.

    By 0.05 at least: PCA's curve is read off between two points 9 % apart in step, some 0.4 dB, and
    it wavers about a smooth line by 0.05 dB (standard deviation).
    """
    rates, *_, differences = zip(*(row[-4:] for row in done.table.values()), strict=True)
    assert len(rates) == 3 and sorted(rates, reverse=True) == list(rates)
    assert all(-1 < difference < -0.05 for difference in differences)


def check_bits_back(done):
    """Hold the claims: nothing is lost, the rate is -ELBO / ln 2, and the baselines need more."""
    assert "every pixel and every bit of the start came back" in done.text
    *baselines, measured, promised = (row[0] for row in done.table.values())
    # Either mean is over 500 draws, one per image, whose log weights vary by some 5 bits from
    # draw to draw: together sqrt(2 / 500) * 5 = 0.32 bits, one standard error; three are allowed.
    assert measured == pytest.approx(promised, abs=3 * 0.32) and measured < 0.85 * min(baselines)


CLAIMS = {
    "photo_denoising": check_denoising,
    "photo_compression": check_compression,
    "bits_back": check_bits_back,
}


@pytest.mark.full
@pytest.mark.parametrize("name", CLAIMS)
def test_the_claim_holds_on_built_in_data(tmp_path, name):
    CLAIMS[name](run(tmp_path, name))


@pytest.mark.full
@on_mnist
def test_bits_back_keeps_its_promise_on_mnist(tmp_path):
    check_bits_back(run(tmp_path, "bits_back", data=MNIST))
