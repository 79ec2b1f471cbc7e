"""The payoff: a student's functions make a VAE that learns."""

import time

import numpy as np
import pytest
from solutions import replace, solved, stub

from miniae.exercises import find
from miniae.exercises.payoff import PARTS, Library, collect, payoff
from miniae.exercises.payoff import run as run_apart


def write(folder, texts):
    for id, text in texts.items():
        (folder / find(id).file).write_text(text, "utf-8")


def run(folder, **options):
    said = []
    status = payoff(folder, n=200, epochs=2, say=said.append, **options)
    return status, "\n".join(said)


def losses(said):
    return [
        float(line.split(":")[1].split()[0])
        for line in said.split("\n")
        if line.startswith("loss ")
    ]


@pytest.mark.slow
def test_the_solutions_make_a_vae_that_learns_and_draws(tmp_path):
    write(tmp_path, {id: solved(id) for id in PARTS})
    status, said = run(tmp_path)
    first, last = losses(said)
    assert status == 0 and "Yours (15 of 15)" in said and last < first - 10
    assert float(said.split("differ by ")[1].split(".\n")[0]) < 1e-12
    assert (tmp_path / "payoff.png").stat().st_size > 10_000


@pytest.mark.slow
def test_what_is_not_solved_comes_from_the_library_and_the_result_is_the_same(tmp_path):
    write(tmp_path, {id: solved(id) for id in PARTS})
    whole = losses(run(tmp_path)[1])
    wrong = replace(solved("kl_value"), "log_var - 1", "log_var")
    write(tmp_path, {id: stub(id) for id in PARTS if id != "dense_backward"} | {"kl_value": wrong})
    (tmp_path / find("adam").file).unlink()
    write(tmp_path, {"dense_forward": "x = 1 +", "elbo": "import sys\nsys.exit(3)"})
    _, said = run(tmp_path, out=tmp_path / "other.png")
    assert "Yours (1 of 15): dense_backward." in said and (tmp_path / "other.png").exists()
    for words in (
        "gaussian_kl (kl_value: wrong)",
        "Adam (adam: missing)",
        "dense_forward (dense_forward: error)",
        "elbo_loss (elbo: error)",
        "sigmoid (sigmoid_softplus: not started)",
    ):
        assert words in said
    np.testing.assert_allclose(losses(said), whole, rtol=1e-3)


def test_with_nothing_solved_it_says_what_to_do(tmp_path):
    write(tmp_path, {id: stub(id) for id in PARTS})
    status, said = run(tmp_path)
    assert status == 1 and "solve one" in said and not (tmp_path / "payoff.png").exists()
    with pytest.raises(ValueError, match="not found"):
        payoff(tmp_path / "no")


def test_the_students_function_is_used_if_it_is_right(tmp_path):
    text = solved("dense_forward").replace("return x @ W + b", "return np.add(x @ W, b)")
    write(tmp_path, {"dense_forward": text})
    functions, states = collect(tmp_path)
    assert functions["dense_forward"] is not Library.dense_forward
    assert states["dense_forward", "dense_forward"] == "done"
    assert functions["Adam"] is Library.Adam


@pytest.mark.slow
def test_in_a_process_of_its_own_it_draws_in_less_than_a_minute(tmp_path, capfd):
    write(tmp_path, {id: solved(id) for id in PARTS})
    start = time.perf_counter()
    assert run_apart(tmp_path) == 0
    assert time.perf_counter() - start < 60
    before, *after = losses(capfd.readouterr().out)
    assert len(after) >= 2 and after[-1] < 0.5 * before and (tmp_path / "payoff.png").exists()
