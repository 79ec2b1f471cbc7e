"""Health: the likely reasons why a model trains badly or gives poor results.

`diagnosis` is about a wrong gradient. Here the code is right, but the data, the settings or the
training are not. `data_symptoms` and `symptoms` have the checks, `evidence` the measurements.
"""

import copy
import textwrap
from dataclasses import dataclass

import numpy as np

from miniae.plumbing.checks import is_whole
from miniae.plumbing.inputs import as_data, check_batch
from miniae.proof import data_symptoms, symptoms
from miniae.proof.data_symptoms import Finding, is_trained
from miniae.proof.evidence import Evidence

NUMBERS = 4_000_000  # the largest number of entries of X that are examined: bounds the memory


@dataclass
class HealthReport:
    """The findings of `check_training`; ``print(report)`` shows them.

    Attributes
    ----------
    title : str, the model, and the number of rows examined
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
    """Examine a model together with its training data, or other data of the same kind.

    The model is not changed. The function reads all of X once, and measures everything else on
    `rows` evenly spaced rows, so that the memory is bounded.

    Parameters
    ----------
    model : Autoencoder or VAE
        If it is not yet trained, problems that training solves are reported as notes.
    X : (n, *input_shape), n >= 10, better some hundred; may contain NaN if the loss is Masked
        Data that the model would refuse are reported as a finding; no error is raised.
    rows : int, the number of rows to examine; fewer if the samples are large
    **side : arrays of n rows, other arguments of the model's `loss`: a conditional VAE's labels

    Returns
    -------
    HealthReport

    Raises
    ------
    ValueError, TypeError : X has the wrong shape or is not numeric; n or rows is below 10; labels
        are missing
    TypeError : the model is one of token sequences
    """
    if not is_whole(rows, 10):
        raise ValueError(f"rows={rows!r} must be 10 or more")
    if hasattr(type(model), "check_rows"):  # tokens: their numbers have no mean and no PCA
        raise TypeError(
            f"check_training measures quantities, but the data of a {type(model).__name__} are "
            "tokens: compare model.perplexity(X_test) with that of a simple language model, and "
            "look at the KL in model.history"
        )
    X = np.asarray(as_data(model, X, "X"))
    probe = np.zeros(X.shape if X.ndim < 2 else X[:1].shape, X.dtype)
    check_batch(model, probe, "X")  # refuses wrong shapes and dtypes
    if len(X) < 10:
        raise ValueError(f"X has {len(X)} samples: pass ten at least, better some hundred")
    for name, values in side.items():
        shape = np.shape(values)
        if shape[:1] != X.shape[:1]:
            raise ValueError(f"{name} has shape {shape}, but X {len(X)} rows")
    model = copy.deepcopy(model)
    model.unpack = np.asarray  # of several modalities: the copy returns rows, not a dict
    count = min(len(X), rows, max(10, NUMBERS // X[0].size))
    chosen = np.linspace(0, len(X) - 1, count).astype(int)
    side = {name: np.asarray(values)[chosen] for name, values in side.items()}
    title = f"{model}, {len(chosen):,} of {len(X):,} rows"

    findings = [*data_symptoms.check_parameters(model)]
    findings += data_symptoms.check_data(model, X, X[chosen])
    usable = not any(each.severity == "problem" for each in findings)
    findings += data_symptoms.check_history(model)
    if usable:
        evidence = Evidence(model, X[chosen], side, is_trained(model))
        findings += symptoms.check_layers(evidence)
        if not evidence.failure:
            for check in symptoms.CHECKS:
                findings += check(evidence)
    else:
        words = "the rest was not looked at, because nothing can be computed with these numbers"
        findings.append(Finding("numbers", "note", words))
    return HealthReport(title, findings)


diagnose = check_training  # the name in version 0.1
