"""Settings that must stand before NumPy is imported."""

import gc
import os

# Small matrices gain nothing from a second thread, and lose much where the machine is busy.
for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# Collecting makes many objects that all stay until the end. The garbage collector would look
# through them again and again, which takes a quarter of the time.
gc.disable()


def pytest_collection_finish():
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000)  # by default it looks for cycles after every 700 new objects
