# %% [markdown]
"""Speed: one epoch of a recurrent layer of 128 units, here and in PyTorch on the same processor.

    OPENBLAS_NUM_THREADS=1 python demos/speed/recurrent.py     needs torch
    python demos/speed/recurrent.py --quick

Both train a layer on (n, 50, 16) with a linear head, squared error and Adam, float32. They take
turns in one process, a few batches each, so that other work on the machine slows both. The ratio
is the median over the rounds, of elapsed time and of CPU time.
"""

# %%
import os
import sys
import time
from pathlib import Path

import numpy as np

import miniae

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.common import options

UNITS, STEPS, FEATURES = 128, 50, 16


def ours(kind, x, y, size):
    """Return a function that trains one epoch with miniae."""
    net = miniae.Sequential(getattr(miniae, kind)(FEATURES, UNITS), miniae.Dense(UNITS, 1))
    loss, adam = miniae.SquaredError(), miniae.Adam()

    def epoch():
        for i in range(0, len(x), size):
            loss.forward(net.forward(x[i : i + size], training=True), y[i : i + size])
            net.backward_params(loss.backward())
            adam.step(net.theta, net.dtheta)

    return epoch


def theirs(kind, x, y, size):
    """Return a function that trains one epoch with PyTorch."""
    import torch

    torch.set_num_threads(int(os.environ.get("OPENBLAS_NUM_THREADS", os.cpu_count())))
    layer = getattr(torch.nn, kind)(FEATURES, UNITS, batch_first=True)
    head = torch.nn.Linear(UNITS, 1)
    adam = torch.optim.Adam([*layer.parameters(), *head.parameters()])
    x, y = torch.from_numpy(x), torch.from_numpy(y)

    def epoch():
        for i in range(0, len(x), size):
            adam.zero_grad()
            out = head(layer(x[i : i + size])[0][:, -1])
            (out - y[i : i + size]).square().sum(1).mean().backward()
            adam.step()

    return epoch


def measure(epochs, rounds):
    """Return the times (rounds, epochs, 2), elapsed and of the processor, of functions in turns."""
    for epoch in epochs:
        epoch()  # the first one allocates
    times = np.empty((rounds, len(epochs), 2))
    for turn in times:
        for place, epoch in enumerate(epochs):
            before = time.perf_counter(), time.process_time()
            epoch()
            turn[place] = time.perf_counter() - before[0], time.process_time() - before[1]
    return times


# %%
def main(argv=None):
    """Print milliseconds a batch and the ratios."""
    chosen = options("recurrent", __doc__, argv, data=())
    rng = np.random.default_rng(chosen.seed)
    rounds, batches = (2, 1) if chosen.quick else (15, 4)
    threads = os.environ.get("OPENBLAS_NUM_THREADS", os.cpu_count())
    print(f"{threads} threads; load {os.getloadavg()[0]:.1f}; milliseconds a batch")
    ratios = {}
    for kind in ("LSTM", "GRU"):
        for size in (32, 128):
            x = rng.standard_normal((batches * size, STEPS, FEATURES), dtype=np.float32)
            y = x.mean(axis=(1, 2))[:, None]
            times = measure([make(kind, x, y, size) for make in (ours, theirs)], rounds)
            ms = np.median(times[..., 0], axis=0) / batches * 1e3
            ratio = ratios[kind, size] = np.median(times[:, 0] / times[:, 1], axis=0)
            print(
                f"{kind:4}  batch {size:3}  miniae {ms[0]:6.1f}  PyTorch {ms[1]:6.1f}  "
                f"ratio {ratio[0]:.2f}, of CPU time {ratio[1]:.2f}"
            )
    return ratios


if __name__ == "__main__":
    main()
