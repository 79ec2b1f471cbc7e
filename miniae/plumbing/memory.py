"""Memory: let the C library reuse the arrays of a training step for the next step."""

import numpy as np


def reuse_memory():
    """Let the C library keep the memory that a step frees, for the next step.

    Each step creates the arrays of a batch and frees them. glibc returns such memory to the system
    and requests it again, page by page, which took 42 % of the time of a small VAE
    (docs/10_speed.md). But it keeps blocks no larger than the largest that was ever freed, up to
    32 MiB (mallopt(3)). The block here is freed at once and never written, so it costs nothing.
    With other C libraries it has no effect.
    """
    np.empty(2**25 - 2**16, np.uint8)
