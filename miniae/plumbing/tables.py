"""Tables with named columns, of pandas, polars and packages like them."""

import sys

import numpy as np

from miniae.plumbing.caller import warn


def is_table(x):
    """Return whether x is a table with columns, such as a DataFrame."""
    return hasattr(x, "columns") and hasattr(x, "dtypes")


def table_as_array(table, name):
    """Return the numbers of a table, with NaN for what its nullable columns lack.

    Raises
    ------
    TypeError : a column that does not hold real numbers; names all such columns
    """
    wrong = [
        f"{column!r} ({dtype})"
        for column, dtype in zip(table.columns, table.dtypes, strict=True)
        if not holds_numbers(dtype)
    ]
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise TypeError(
            f"{name} must hold real numbers; these columns do not: {', '.join(wrong[:5])}{more}. "
            "Leave them out, or convert them: numbers stored as text or objects with "
            "astype(float), categories to one column each (pandas.get_dummies), dates to a number "
            "of days"
        )
    array = np.asarray(table)
    if array.dtype.kind == "O":  # nullable columns, or columns of several types
        array = table.to_numpy(dtype=np.float64, na_value=np.nan)
    return array


def holds_numbers(dtype):
    """Return whether a column of this dtype holds real numbers, or True and False."""
    if hasattr(dtype, "is_numeric"):  # polars
        return dtype.is_numeric() or str(dtype) == "Boolean"
    return getattr(dtype, "kind", "O") in "biuf" and "category" not in str(dtype)


def column_names(X):
    """Return the names of X's columns, an array of str; None if it has none, or other ones."""
    names = list(X.columns) if is_table(X) else []
    if not names or not all(isinstance(name, str) for name in names):
        return None
    return np.array(names, dtype=object)


def keep_columns(model, X):
    """Keep the names of the columns that a model is trained on, as feature_names_in_."""
    if not model.history:
        vars(model).pop("feature_names_in_", None)
    names = column_names(X)
    if names is not None and not hasattr(model, "feature_names_in_"):
        model.feature_names_in_ = names


def set_columns(model, names):
    """Give a model the names of its columns, None for no names; ValueError if they do not fit."""
    if names is None:
        return
    if model.input_shape != (len(names),) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"its feature_names are {names}, for samples of {model.input_shape}")
    model.feature_names_in_ = np.array(names, dtype=object)


def check_columns(model, X, name="X"):
    """Refuse a table whose columns have not the names, or the order, of those in `fit`.

    Data without names pass: then the order is the user's responsibility.
    """
    known, given = getattr(model, "feature_names_in_", None), column_names(X)
    if known is None or given is None or list(known) == list(given):
        return
    lines = ["The feature names should match those that were passed during fit."]
    for what, some, others in (
        ("Feature names unseen at fit time", given, known),
        ("Feature names seen at fit time, yet now missing", known, given),
    ):
        odd = sorted(set(some) - set(others))
        if odd:
            lines += [f"{what}:", *(f"- {each}" for each in odd[:5])]
            lines += ["- ..."] if len(odd) > 5 else []
    if len(lines) == 1:
        lines.append("Feature names must be in the same order as they were in fit.")
    raise ValueError(
        "\n".join(lines) + f"\n({name} has the columns {shortened(given)}, fit had "
        f"{shortened(known)}; {name}[list(model.feature_names_in_)] selects them in that order)"
    )


def same_columns(model, X):
    """Return whether X has the columns that `fit` had, in any order. A target may have others."""
    known, given = getattr(model, "feature_names_in_", None), column_names(X)
    return known is not None and given is not None and set(known) == set(given)


def warn_about_names(model, X):
    """Warn, as scikit-learn does, if only one of `fit` and X has names of columns."""
    known, given = getattr(model, "feature_names_in_", None), column_names(X)
    name = type(model).__name__
    if known is not None and given is None:
        warn(f"X does not have valid feature names, but {name} was fitted with feature names")
    elif known is None and given is not None:
        warn(f"X has feature names, but {name} was fitted without feature names")


def shortened(names):
    """Return at most eight names as text."""
    text = ", ".join(repr(str(each)) for each in names[:8])
    return f"[{text}, ...]" if len(names) > 8 else f"[{text}]"


def as_container(values, names, X, kind=None):
    """Return an array (n, d) as a table with d named columns, as scikit-learn's set_output does.

    X : the data that the values were made of; a pandas table gets the rows' labels of X
    kind : "default" for an array, "pandas" or "polars"; None for the setting of scikit-learn
    """
    if kind is None:  # scikit-learn has a setting only if somebody imported it
        sklearn = sys.modules.get("sklearn")
        kind = "default" if sklearn is None else sklearn.get_config()["transform_output"]
    if kind == "pandas":
        from pandas import DataFrame

        index = X.index if isinstance(X, DataFrame) else None
        return DataFrame(values, index=index, columns=names, copy=False)
    if kind == "polars":
        from polars import DataFrame

        return DataFrame(values, schema=list(names), orient="row")
    return values
