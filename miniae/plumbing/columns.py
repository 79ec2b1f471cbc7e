"""Columns of a table: their number and their names must be those that `fit` has seen."""

import sys
import warnings


class NotFittedError(ValueError, AttributeError):
    """An estimator is used before `fit`; as scikit-learn's error of this name."""


def not_fitted(estimator):
    """Return the error to raise: scikit-learn's own where that is loaded, so that it is caught."""
    theirs = sys.modules.get("sklearn.exceptions")
    cls = theirs.NotFittedError if theirs else NotFittedError
    name = type(estimator).__name__
    return cls(f"This {name} is not fitted: call fit before predict and the other methods")


def column_names(X):
    """Return the names of a DataFrame's columns, a list, or None if they are not all text."""
    names = list(getattr(X, "columns", ()))
    return names if names and all(isinstance(name, str) for name in names) else None


def check_names(estimator, X):
    """Refuse a DataFrame whose columns are not those of `fit`, in that order.

    Raises
    ------
    ValueError : names and order are compared with `feature_names_in_`; a table without names is
        accepted with a warning
    """
    names, cls = column_names(X), type(estimator).__name__
    seen = getattr(estimator, "feature_names_in_", None)
    if seen is None and names is not None:
        warnings.warn(f"X has feature names, but {cls} was fitted without feature names",
                      stacklevel=4)  # fmt: skip
    elif seen is not None and names is None:
        warnings.warn(
            f"X does not have valid feature names, but {cls} was fitted with feature names",
            stacklevel=4,
        )
    elif seen is not None and names != list(seen):
        new = [name for name in names if name not in seen]
        gone = [name for name in seen if name not in names]
        reasons = {
            "Feature names unseen at fit time": new,
            "Feature names seen at fit time, yet now missing": gone,
        }
        lines = [
            f"{reason}:\n" + "\n".join(f"- {name}" for name in sorted(found))
            for reason, found in reasons.items()
            if found
        ]
        order = "Feature names must be in the same order as they were in fit."
        text = "\n".join(lines or [order])
        raise ValueError(
            f"The feature names should match those that were passed during fit.\n{text}\n"
        )
