"""What stopped a student's code, as data in the student's process and as a sentence in the grader.

Both use this module, so it imports nothing of miniae.
"""

import traceback


def problem(error, path):
    """Return what stopped the student's code, a dict: kind, said, line, text, function, hidden.

    `line` and `text` are those of the student's file; `function` and `last` belong to the last
    frame of all.
    """
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError) and error.filename == path:
        line, text = error.lineno, (error.text or "").strip()
    else:
        theirs = [frame for frame in frames if frame.filename == path]
        line, text = (theirs[-1].lineno, theirs[-1].line) if theirs else (None, "")
    try:
        said = str(error.msg if isinstance(error, SyntaxError) else error)  # without its line
    except Exception:  # an error class of the student's own
        said = "?"
    return {
        "kind": type(error).__name__,
        "bases": [base.__name__ for base in type(error).__mro__],
        "said": said[:2000],
        "line": line,
        "text": (text or "")[:300],
        "function": frames[-1].name if frames else "",
        "last": frames[-1].lineno if frames else None,
    }


def too_long(seconds, line=None):
    """Return a sentence: the student's code did not end in time."""
    where = f" (it stopped in line {line})" if line else ""
    return f"it did not end within {seconds:g} s{where}: is there an endless loop?"


def sentence(what, called_with=""):
    """Return a sentence: which error stopped the student's code, and in which line."""
    kind, said, text, bases = (what[key] for key in ("kind", "said", "text", "bases"))
    where = ""
    if what["line"]:
        where = f"line {what['line']}: "
    if text:
        where += f"`{text}`: "
    if "SystemExit" in bases:
        return f"{where}it ends Python (sys.exit or quit): remove this, so that the check can go on"
    if "MemoryError" in bases:
        return f"{where}it needs more memory than is allowed: is an array far too large?"
    if "FloatingPointError" in bases:
        if "where(" in text:
            return (
                f"{where}{said} (this must not happen for any input; np.where runs both branches)"
            )
        return f"{where}{said} (this must not happen for any input)"
    said = f"{where}{kind}: {said}"
    return f"{said}; {called_with}" if called_with else said
