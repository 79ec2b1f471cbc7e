import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from demo_runs import quick

from miniae import VAE

DEMOS = Path(__file__).parents[1] / "demos"


def run(tmp_path, *arguments):
    """Run a demo as a user would, in another folder, and return what it printed."""
    command = [
        sys.executable,
        "-W",
        "error::RuntimeWarning",
        str(DEMOS / arguments[0]),
        *arguments[1:],
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


def numbers(line):
    return [float(x) for x in re.findall(r"-?\d+\.\d+", line)]


def table(printed):
    """Return (bound, reconstruction, kl, squared error) of the VAE, and both baselines' rows."""
    rows = {line.split(",")[0]: numbers(line) for line in printed.splitlines()}
    vae, independent, pca = rows["VAE"], None, rows["PCA"]
    independent = next(v for k, v in rows.items() if k.startswith("independent pixels"))
    return vae, independent, pca


PICTURES = {"codes.png", "loss.png", "manifold.png", "reconstructions.png", "samples.png"}


@pytest.mark.demo
def test_train_vae_quick_prints_its_table_and_saves_its_pictures(tmp_path):
    done = quick(tmp_path, "train_vae")
    vae, independent, pca = table(done.text)
    assert vae[0] == pytest.approx(-vae[1] - vae[2], abs=0.11)
    assert vae[0] > independent[0] and len(pca) == 1
    out = done.out
    assert set(os.listdir(out)) == PICTURES | {"vae.npz"}
    assert all((out / name).stat().st_size > 5000 for name in PICTURES)
    assert VAE.load(out / "vae.npz").sample(2).shape == (2, 28, 28)


@pytest.mark.slow
def test_train_vae_takes_its_options_and_repeats_by_seed(tmp_path):
    for name in ("a", "b"):
        run(tmp_path, "train_vae.py", "--quick", "--epochs", "1", "--latent", "3", "--seed", "4",
            "--out", name)  # fmt: skip
    a, b = (VAE.load(tmp_path / name / "vae.npz") for name in ("a", "b"))
    assert a.latent_dim == 3 and len(a.history["loss"]) == 1
    assert np.array_equal(a.theta, b.theta)


@pytest.mark.demo
def test_train_vae_without_the_data_says_where_to_put_it(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="MINIAE_DATA"):
        quick(tmp_path, "train_vae", "--data", "mnist")


@pytest.mark.slow
def test_gradient_check_shows_a_right_model_a_wrong_one_and_its_diagnosis(tmp_path):
    printed = run(tmp_path, "gradient_check.py", "--quick", "--out", "here")
    assert printed.count("all ok") == 1 and printed.count("WRONG: largest error") == 1
    assert "diagnosis: encoder.1, BrokenTanh() is wrong" in printed
    errors = [float(x) for x in re.findall(r"smallest error (\S+),", printed)]
    assert errors[0] > 1e-9 > errors[1] > 1e-13 > errors[2]
    assert (tmp_path / "here" / "error_by_step.png").stat().st_size > 5000


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["0", "5"])
def test_bug_hunt_ends_at_the_specimen(tmp_path, seed):
    printed = run(tmp_path, "bug_hunt.py", "--quick", "--seed", seed)
    assert "WRONG" in printed and "Step 5. The diagnosis" in printed and "It was vae-" in printed
    assert (tmp_path / "out" / "bug_hunt" / "loss.png").stat().st_size > 5000


@pytest.mark.slow
def test_the_wrong_std_passes_the_gradient_check_and_fails_the_distribution_test(tmp_path):
    printed = run(tmp_path, "gradcheck_is_not_enough.py", "--quick")
    lines = printed.splitlines()
    assert next(line for line in lines if line.startswith("its verdict")).count("right") == 2
    verdict = next(line for line in lines if line.startswith("verdict of the distribution"))
    assert verdict.split()[-2:] == ["right", "WRONG"]
    out = tmp_path / "out" / "gradcheck_is_not_enough"
    assert (out / "sampled_z.png").stat().st_size > 5000


@pytest.mark.full
def test_train_vae_beats_both_baselines_on_the_embedded_digits(tmp_path):
    vae, independent, pca = table(run(tmp_path, "train_vae.py"))
    assert vae[0] > independent[0] + 40
    assert vae[3] < 0.8 * pca[0] < independent[3]


@pytest.mark.full
@pytest.mark.skipif("MINIAE_DATA" not in os.environ, reason="needs MNIST under MINIAE_DATA")
def test_train_vae_learns_mnist(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIAE_DATA", str(Path(os.environ["MINIAE_DATA"]).resolve()))
    vae, independent, pca = table(run(tmp_path, "train_vae.py", "--data", "mnist"))
    assert vae[0] > -107.5 and vae[3] < pca[0] < independent[3]
