"""Health: what a model that trains badly, or gives poor results, most likely suffers from.

`diagnosis` is about a wrong gradient. Here the code is right, and the data, the settings or the
training are not. `symptoms` has the checks, `evidence` the measurements that they judge.
"""

import copy
import textwrap
from dataclasses import dataclass

import numpy as np

from miniae.plumbing.inputs import check_batch
from miniae.proof.evidence import Evidence
from miniae.proof.symptoms import (
    Finding,
    check_baselines,
    check_codes,
    check_data,
    check_floor,
    check_history,
    check_layers,
    check_output,
    check_parameters,
    check_sigma,
    is_trained,
)

NUMBERS = 4_000_000  # entries of X looked at, whatever their shape: bounds the memory
CHECKS = (check_floor, check_codes, check_sigma, check_output, check_baselines)


@dataclass
class HealthReport:
    """What `check_training` found; ``print(report)`` shows it.

    Attributes
    ----------
    title : str, the model, and how many rows were looked at
    findings : list of Finding
    """

    title: str
    findings: list

    @property
    def ok(self):
        """Whether no finding is a problem."""
        return not self.problems

    @property
    def problems(self):
        """The findings that are problems."""
        return [each for each in self.findings if each.severity == "problem"]

    def about(self, topic):
        """Return the findings on one topic."""
        return [each for each in self.findings if each.topic == topic]

    def __str__(self):
        lines = [self.title]
        for each in self.findings:
            severity = each.severity.upper() if each.severity == "problem" else each.severity
            indent, head = " " * 20, f"{each.topic:9}  {severity:7}  "
            text = textwrap.wrap(each.cause, 80)
            text += textwrap.wrap(f"-> {each.remedy}", 80) if each.remedy else []
            lines += [head + text[0], *(indent + line for line in text[1:])]
        notes = sum(each.severity == "note" for each in self.findings)
        return "\n".join([*lines, f"problems: {len(self.problems)}, notes: {notes}"])


def check_training(model, X, *, rows=2000, **side):
    """Examine a model, and data that it was trained on or is meant for.

    The model stays as it is. All of X is read once; all else is measured on so many rows, evenly
    spread, so that the memory is bounded.

    Parameters
    ----------
    model : Autoencoder or VAE
        One that is not trained yet is examined too: what only training puts right is then a note.
    X : (n, *input_shape), n >= 10, better some hundred; NaN where the loss is Masked
        Data that the model would refuse are reported, not raised.
    rows : int, how many to look at; fewer where the samples are large
    **side : (n,) arrays that the model's `loss` takes besides, such as a conditional VAE's labels

    Returns
    -------
    HealthReport

    Raises
    ------
    ValueError, TypeError : X has the wrong shape or is no numbers; n or rows is below 10;
        labels are missing
    """
    if not isinstance(rows, (int, np.integer)) or rows < 10:
        raise ValueError(f"rows={rows!r} must be 10 or more")
    X = np.asarray(X)
    probe = np.zeros(X.shape if X.ndim < 2 else X[:1].shape, X.dtype)
    check_batch(model, probe, "X")  # refuses wrong shapes and dtypes
    if len(X) < 10:
        raise ValueError(f"X has {len(X)} samples: pass ten at least, better some hundred")
    for name, values in side.items():
        shape = np.shape(values)
        if shape[:1] != X.shape[:1]:
            raise ValueError(f"{name} has shape {shape}, but X {len(X)} rows")
    model = copy.deepcopy(model)
    fits = max(10, NUMBERS // X[0].size)
    chosen = np.linspace(0, len(X) - 1, min(len(X), rows, fits)).astype(int)
    side = {name: np.asarray(values)[chosen] for name, values in side.items()}
    title = f"{model}, {len(chosen):,} of {len(X):,} rows"

    findings = [*check_parameters(model), *check_data(model, X, X[chosen])]
    usable = not any(each.severity == "problem" for each in findings)
    findings += check_history(model)
    if usable:
        evidence = Evidence(model, X[chosen], side, is_trained(model))
        findings += check_layers(evidence)
        if not evidence.failure:
            for check in CHECKS:
                findings += check(evidence)
    else:
        words = "the rest was not looked at, since nothing can be computed with these"
        findings.append(Finding("numbers", "note", words))
    return HealthReport(title, findings)


diagnose = check_training  # its name in version 0.1
