"""Settings that must stand before NumPy is imported."""

import os

# Small matrices gain nothing from a second thread, and lose much where the machine is busy.
for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")
