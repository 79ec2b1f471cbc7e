"""The demo on colours: its chessboard, its measures, and what several answers gain."""

import numpy as np
import pytest
from demo_runs import load, quick, run

NAMES = [
    "mean colour",
    "linear regression",
    "network without a latent",
    "8 nearest neighbours",
    "conditional VAE",
]


def random_image(seed=0, shape=(70, 100, 3)):
    return np.random.default_rng(seed).random(shape)


def test_grey_and_two_colours_say_what_red_green_and_blue_say():
    image = random_image()
    with load("colours") as colours:
        grey, two = colours.split(image)
        assert np.allclose(colours.join(grey, two), image, rtol=0, atol=1e-14)
        assert np.allclose(colours.split(np.full((3, 3), 0.4))[1], 0, atol=1e-15)
        # a guess of the colours moves no grey level, unless it leaves [0, 1]
        other = colours.join(np.full(5, 0.5), random_image(1, (5, 2)) / 5)
        assert np.allclose(colours.split(other)[0], 0.5, rtol=0, atol=1e-14)


def test_the_patches_of_the_two_halves_have_no_pixel_in_common():
    numbered = np.repeat(np.arange(70 * 100.0).reshape(70, 100, 1), 3, axis=2)
    with load("colours") as colours:
        board = colours.Chessboard(numbered)
        white, black = (board.patches(colour, 1) for colour in (False, True))
        assert white.shape == black.shape == (3 * 25 * 25, 8, 8, 3)
        assert not set(white.ravel()) & set(black.ravel())
        assert len(set(white.ravel()) | set(black.ravel())) == 6 * 32 * 32
        whole = board.picture(*(board.patches(colour, 8) for colour in (False, True)))
    assert np.array_equal(whole, numbered[:64, :96])


def test_no_method_sees_the_colours_that_it_has_to_find():
    image = 0.4 + 0.2 * random_image()
    with load("colourisation") as demo:
        board, hidden = demo.Chessboard(image), demo.Chessboard(image.copy())
        grey, two = demo.split(hidden.tiles[hidden.black])
        hidden.tiles[hidden.black] = demo.join(grey, 0.1 - two)
        assert np.allclose(demo.split(hidden.tiles)[0], demo.split(board.tiles)[0], atol=1e-14)
        for name, method in demo.METHODS.items():
            (guess, answers), (other, others) = (
                demo.coloured(method, each, 8, 1, seed=0) for each in (board, hidden)
            )
            n = len(guess) // 2  # the black patches, which models of the white ones have coloured
            assert np.allclose(guess[n:], other[n:], rtol=0, atol=1e-6), name
            assert not np.allclose(guess[:n], other[:n], rtol=0, atol=1e-3), name
            if answers is not None:
                assert np.allclose(answers[:, n:], others[:, n:], rtol=0, atol=1e-6), name


def test_answers_from_the_true_law_have_a_spread_as_large_as_the_error():
    rng = np.random.default_rng(0)
    guess = np.full((300, 8, 8, 3), 0.5)
    true = guess + 0.1 * rng.standard_normal(guess.shape)
    answers = guess + 0.1 * rng.standard_normal((8, *guess.shape))
    with load("colourisation") as demo:
        psnr, answer, best, ratio, energy = demo.measure(true, guess, answers)
        alone = demo.measure(true, guess, None)
        wide, narrow = (
            demo.measure(true, guess, guess + factor * (answers - guess)) for factor in (2, 0.5)
        )
    # 57,600 numbers: the standard error of their mean square, 0.01, is 0.6 % of it.
    assert psnr == pytest.approx(20, abs=0.1) and alone[0] == psnr
    assert answer == pytest.approx(20 - 10 * np.log10(2), abs=0.1) and answer < best < psnr
    assert ratio == pytest.approx(1, abs=0.02) and wide[3] == pytest.approx(2 * ratio)
    # Two draws are sqrt(2) * 0.1 apart, and so are a draw and the truth.
    assert float(energy) == pytest.approx(0.1 / np.sqrt(2), abs=0.001)
    assert float(energy) < min(float(each[4]) for each in (alone, wide, narrow))


@pytest.mark.demo
def test_colourisation_quick_prints_its_baselines_and_draws_its_answers(tmp_path):
    done = quick(tmp_path, "colourisation")
    assert list(done.table) == NAMES and done.pictures == {"pictures", "answers"}
    for name, (psnr, *more) in done.table.items():
        assert 0 < more[-1] <= 10 ** (-psnr / 20) + 0.001 and len(more) in (1, 4)
        if len(more) > 1:
            answers, best, ratio, _ = more
            assert answers <= best and answers <= psnr + 0.1 and 0 < ratio < 2, name


@pytest.mark.full
def test_the_guess_of_the_vae_beats_a_line_and_one_of_its_answers_beats_all_others(tmp_path):
    table = run(tmp_path, "colourisation").table
    line, one, nearest, vae = (table[name] for name in NAMES[1:])
    assert vae[0] > line[0] + 3 and vae[0] > one[0] - 1.5
    assert vae[2] > max(line[2], nearest[2]) + 1.5
    assert 0.4 < vae[3] < 1  # the answers differ, but less than they should
    assert vae[4] < min(line[-1], one[-1]) and nearest[4] < vae[4]
