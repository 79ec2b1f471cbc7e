"""The demos on a photograph: denoising and compression."""

import numpy as np
import pytest
from demo_runs import load, quick, run

from miniae import Autoencoder, Sequential, gradient_check


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
            pytest.raises(ValueError, match="--noise .* must be a standard deviation above 0"),
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

    def test_the_penalty_has_the_gradient_that_it_claims(self):
        with load("photo_compression") as demo:
            model = Autoencoder(3, 2, (4,), loss="mse", penalty=demo.RatePenalty(0.5))
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


@pytest.mark.full
def test_the_autoencoder_beats_the_blur_and_loses_to_pca_with_small_scores_set_to_0(tmp_path):
    check_denoising(run(tmp_path, "photo_denoising"))


@pytest.mark.full
def test_the_autoencoder_is_a_little_below_pca_at_the_same_rate(tmp_path):
    check_compression(run(tmp_path, "photo_compression"))
