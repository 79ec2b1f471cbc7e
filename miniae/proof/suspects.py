"""Which lines of a user's forward pass are likely to drop the imaginary part."""

import inspect
import re

SUSPECTS = {  # what to write instead
    r"\babs\(|\.abs\b|absolute\(|fabs\(": "abs: x * np.sign(x.real)",
    r"\bvar\(": "var: ((x - x.mean(axis)) ** 2).mean(axis)",
    r"\bstd\(": "std: the root of ((x - x.mean(axis)) ** 2).mean(axis)",
    r"norm\(": "norm: np.sqrt((x * x).sum())",
    r"\bsign\(": "sign: np.sign(x.real)",
    r"\.real\b|np\.real\(": ".real, in a value and not only in a comparison",
    r"\.conj|vdot\(": "conj, vdot: x * x without conjugation",
    r"\b(zeros|empty|ones|full)\(": "a real array that is filled: give it x.dtype",
    r"float\(|\bfloat64\b|\bfloat32\b|astype\(": "a cast to real numbers",
    r"hypot\(|logaddexp\(|arctan2\(|\bmath\.|cbrt\(|erf\(": "a function of real numbers only",
}
LIBRARY = re.compile(r"miniae\.(?!proof\.bugzoo)")  # the zoo's classes count as a user's
OTHER = ("__init__", "backward", "backward_params", "slopes")  # not part of the forward pass


def suspects(thing):
    """Return a sentence that names the likely culprits in the code of a function or Subject."""
    text, found = source(thing), []
    for pattern, words in SUSPECTS.items():
        if re.search(pattern, text):
            found.append(words)
    named = "; ".join(found) or "abs, var, std, norm, .real, a real array filled in a loop, ..."
    return (
        "forward loses the imaginary part, or does not accept complex numbers. So differences of "
        f"real values decide. Look for: {named}"
    )


def source(thing):
    """Return the source code of a function, or of the forward passes of a Subject's classes.

    The result is empty if Python has no source, as in an interactive session.
    """
    functions = [thing]
    if not inspect.isfunction(thing) and hasattr(thing, "start"):
        parts = [part for _, part in thing.start.walk()]
        parts += [
            held for part in parts for held in vars(part).values() if hasattr(held, "forward")
        ]
        classes = {cls for part in parts for cls in type(part).__mro__}
        functions = [
            member
            for cls in classes
            for name, member in vars(cls).items()
            if inspect.isfunction(member)
            and name not in OTHER
            and not LIBRARY.match(cls.__module__)
        ]
    texts = []
    for function in functions:
        try:
            texts.append(inspect.getsource(function))
        except (OSError, TypeError):
            continue
    return "\n".join(texts)
