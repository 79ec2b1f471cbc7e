"""What demos share: options, baselines, notebooks' command lines."""

import os
import subprocess
import sys

import numpy as np
import pytest
from demo_runs import DEMOS, load

from miniae import AnomalyDetector


def test_a_negative_seed_and_a_file_as_folder_are_refused_by_every_demo(tmp_path, capsys):
    path = tmp_path / "table.txt"
    path.write_text("kept")
    wrong = {
        "--seed=-1": "--seed must be 0 or more, got -1",
        f"--out={path}": f"--out must be a folder, but {path} is a file",
        f"--out={path / 'pictures'}": f"--out must be a folder, but {path} is a file",
    }
    with load("common") as demo:
        for argument, message in wrong.items():
            with pytest.raises(SystemExit):
                demo.options("a_demo", "A demo.", [argument])
            assert message in capsys.readouterr().err
        assert demo.options("a_demo", "A demo.", ["--seed=0", f"--out={tmp_path}"]).out == tmp_path


def test_labelled_rows_are_as_many_of_each_class_and_none_twice():
    labels = np.random.default_rng(1).permutation(np.arange(60) % 3)
    with load("baselines") as demo:
        rows = demo.pick(labels, 7, np.random.default_rng(2))
    assert labels[rows].tolist() == [0] * 7 + [1] * 7 + [2] * 7 and len(set(rows)) == 21


def test_the_nearest_row_gives_its_label():
    X, labels = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 9.0]]), np.array([5, 3, 8])
    with load("baselines") as demo:
        said = demo.nearest(X, labels, np.array([[3.0, 1.0], [0.0, 5.0], [1.0, 1.0]]))
    assert said.tolist() == [3, 8, 5]


def test_the_score_of_a_projection_is_pcas_squared_error():
    rng = np.random.default_rng(10)
    X = rng.standard_normal((40, 6)) @ rng.standard_normal((6, 6))
    with load("baselines") as baselines:
        pca = baselines.PCA(2).fit(X)
        score = baselines.Projection(2).fit(X).anomaly_score(X)
        from_mean = baselines.Projection(0).fit(X).anomaly_score(X)
    left = X - pca.inverse_transform(pca.transform(X))
    assert np.allclose(score, (left**2).sum(axis=1), rtol=1e-10)
    assert np.allclose(from_mean, ((X - X.mean(axis=0)) ** 2).sum(axis=1), rtol=1e-12)


def test_a_detector_that_only_sets_a_threshold_leaves_a_projection_as_it_was_fitted():
    rng = np.random.default_rng(11)
    X, other = rng.standard_normal((2, 40, 6))
    with load("baselines") as baselines:
        p = baselines.Projection(2).fit(X)
    mean, V = p.mean.copy(), p.V.copy()
    detector = AnomalyDetector(p, holdout=0).fit(other, epochs=0)
    assert np.array_equal(p.mean, mean) and np.array_equal(p.V, V)
    assert np.array_equal(detector.decision_scores_, p.anomaly_score(other))
    assert not np.allclose(AnomalyDetector(p, holdout=0).fit(other).model_.V, V)


def test_in_a_notebook_the_kernels_command_line_is_not_the_demos(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["ipykernel_launcher.py", "-f", "kernel.json"])
    monkeypatch.chdir(tmp_path)
    with load("common") as common:
        monkeypatch.setattr(common, "NOTEBOOK", True)
        chosen = common.options("a_demo", "A demo.", width=(3, "pixels"))
    assert chosen.width == 3 and not chosen.quick and chosen.data == "digits"


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="elsewhere the user sets the variable")
def test_a_demo_starts_again_with_one_blas_thread_unless_told_otherwise(tmp_path):
    """In a process, since the number is read when NumPy is imported."""
    code = (
        "import os, sys; sys.path.insert(1, sys.argv.pop()); import numpy\n"
        "from support.common import THREADS, options\n"
        "options('x', 'text')\n"
        "print([os.environ.get(name) for name in THREADS])\n"
    )
    script = tmp_path / "a demo.py"
    script.write_text(code.replace("sys.argv.pop()", repr(str(DEMOS))))
    plain = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    for more, expected in (
        ({}, "['1', '1', '1']"),
        ({"OPENBLAS_NUM_THREADS": "2"}, "['2', None, None]"),
    ):
        out = subprocess.run(
            [sys.executable, str(script), "--quick"], env={**plain, **more},
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert out.strip() == expected


def test_a_picture_that_fails_leaves_the_old_one(tmp_path):
    class Broken:
        def savefig(self, file, **options):
            file.write(b"half")
            raise RuntimeError("no more ink")

    (tmp_path / "a.png").write_bytes(b"old")
    with load("common") as demo, pytest.raises(RuntimeError, match="no more ink"):
        demo.save(tmp_path, a=Broken())
    assert (tmp_path / "a.png").read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1
