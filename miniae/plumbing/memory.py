"""Memory: what the C library does with the arrays that a training step gives back."""

import numpy as np


def reuse_memory():
    """Let the C library keep the memory that a step gives back, for the next step.

    The arrays of a batch come and go at each step, and glibc returns such memory to the system and
    asks for it again, page by page, which took 42 % of the time of a small VAE (docs/10_speed.md).
    It stops doing so for blocks up to the largest that was ever freed, 32 MiB at most (mallopt(3)).
    This one is freed at once and never touched: it costs nothing. Elsewhere it does nothing.
    """
    np.empty(2**25 - 2**16, np.uint8)
