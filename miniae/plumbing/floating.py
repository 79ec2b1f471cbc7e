"""What NumPy does at an overflow or an underflow, while a model computes.

A program may have set ``np.seterr(all="raise")``. A model's numbers often underflow (the tail of a
sigmoid, the square of a small gradient), and 0 is the right result. The model checks its own
results, so an overflow need not stop it. So a model computes under settings of its own.
"""

import numpy as np

# The methods of a training step. A loop of your own that calls them keeps its settings, except that
# an underflow is never an error.
STEP = {"loss", "losses", "backward", "prepare", "infer", "record", "use_rows", "start_epoch"}


def at_most_warn():
    """Return a context in which NumPy raises no error: an overflow is a warning, or ignored."""
    now = np.geterr()
    modes = {name: mode if mode == "ignore" else "warn" for name, mode in now.items()}
    return np.errstate(**{**modes, "under": "ignore"})
