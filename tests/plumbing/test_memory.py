import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource
import numpy as np
from miniae import VAE
X = np.random.default_rng(0).random((5120, 784), np.float32)
model = VAE(784, 16, (64, 32)).fit(X, epochs=1, batch_size=256, verbose=0)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
model.fit(X, epochs=1, batch_size=256, verbose=0)
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 20)
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="speaks of glibc's malloc")
def test_steps_do_not_ask_the_system_for_memory_again_and_again():
    run = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    # One array of the batch's 256 x 784 pixels is 196 pages, and a step makes some twenty of them.
    assert float(run.stdout) < 196
