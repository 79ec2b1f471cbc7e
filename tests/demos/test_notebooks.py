"""Every demo opens as a notebook, runs there with MINIAE_QUICK=1, and shows its pictures."""

import importlib.util

import pytest
from demo_runs import SCRIPTS

pytestmark = pytest.mark.slow

NEEDS = {"data_parallel": "mpi4py", "graduate_to_pytorch": "torch"}
NO_PICTURES = {"graduate_to_pytorch"}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("default")  # those of the notebook's client are not ours
def test_a_demo_runs_as_a_notebook_and_shows_its_pictures(path, tmp_path, monkeypatch):
    jupytext, nbclient = pytest.importorskip("jupytext"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    if path.stem in NEEDS and importlib.util.find_spec(NEEDS[path.stem]) is None:
        pytest.skip(f"{path.stem} needs {NEEDS[path.stem]}")
    monkeypatch.setenv("MINIAE_QUICK", "1")
    monkeypatch.delenv("MINIAE_DATA", raising=False)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = jupytext.read(path)
    assert notebook.cells[0].cell_type == "markdown"
    # Everything is as when a reader opens it, except that nothing is written beside the demo.
    assert notebook.cells[-1].source == 'if __name__ == "__main__":\n    main()'
    notebook.cells[-1].source = f"main(['--out', {str(tmp_path / 'out')!r}])"
    nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": path.parent}}
    ).execute()
    shown = [output.get("data", {}) for output in notebook.cells[-1].outputs]
    pictures = [data for data in shown if "image/png" in data]
    written = {file.stem for file in (tmp_path / "out").glob("*.png")}
    assert len(pictures) == len(written) and (written or path.stem in NO_PICTURES)
