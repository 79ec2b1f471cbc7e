# %% [markdown]
"""Data-parallel training: many processes, one model, and one all-reduce of dtheta per step.

    pip install mpi4py mpich                                                       once
    OPENBLAS_NUM_THREADS=1 mpiexec -n 2 python demos/speed/data_parallel.py        two ranks
    python demos/speed/data_parallel.py                                            one rank

Every rank computes the gradient of its share of each batch. MPI's all-reduce adds the gradients up,
and every rank makes the same step. All parameters are one vector, so this is one call. The baseline
is `fit` in one process, on the same images with the same seed. The table shows the time, and the
picture shows how rounding errors grow during training.
"""

# %%
import contextlib
import io
import os
import sys
import time
import traceback
import zlib
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from miniae import VAE, Adam
from miniae.plumbing.parcel import reasons

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.common import images, options, save, show

EPOCHS = {"digits": 5, "mnist": 3}


# %%
class Noise:
    """The noise of some rows of a batch, used like a Generator: ``model.loss(x[rows], rng=...)``.

    A model asks for noise of shape (m, ...) for its m rows. This class draws it for all n rows of
    the batch and returns that of the m rows. So each row gets the noise that it would get in one
    process, and the generators of all ranks stay in the same state.
    """

    def __init__(self, rng, n, rows):
        self.rng, self.n, self.rows = rng, n, rows

    def random(self, shape, dtype=np.float64):
        """As Generator.random."""
        return self.rng.random((self.n, *shape[1:]), dtype)[self.rows]

    def standard_normal(self, shape, dtype=np.float64):
        """As Generator.standard_normal."""
        return self.rng.standard_normal((self.n, *shape[1:]), dtype)[self.rows]


def share(n, comm):
    """Return this rank's share of n rows, a slice, and its weight in the mean over all rows.

    If there are fewer rows than ranks, some ranks compute a row of weight 0.
    """
    start, stop = n * comm.rank // comm.size, n * (comm.rank + 1) // comm.size
    return slice(start, max(stop, start + 1)), (stop - start) / n


def train(model, X, comm, *, epochs, batch_size, optimizer, callback=None):
    """Train as `fit` does, each rank on its share of every batch.

    Every rank calls it with the same arguments. X may be a np.memmap: a rank reads its rows only.
    The history has the loss of each epoch, and the generator ends in the same state as after `fit`.

    Returns
    -------
    waited : float, seconds spent in the all-reduce: waiting for other ranks, and adding up
    """
    needs = [f"in {part} {said}" for part, said in reasons(model)]
    if model.n_draws > 1:
        needs.append("k draws have noise of shape (k, n, latent_dim), which Noise does not divide")
    if needs:
        raise ValueError(
            f"model={model}: no rank can compute its part from its own rows: {'; '.join(needs)}. "
            "Train it by fit, or without these"
        )
    calls = comm.allgather((X.shape, model.theta.shape, epochs, batch_size))
    if calls.count(calls[0]) < comm.size:
        raise ValueError(
            f"(X.shape, theta.shape, epochs, batch_size) must be equal on all ranks, got {calls}"
        )
    comm.Bcast(model.theta)  # all start where rank 0 does
    model.rng.bit_generator.state = comm.bcast(model.rng.bit_generator.state)
    waited, n, first = 0.0, len(X), len(model.history.get("loss", ()))
    for epoch in range(first, first + epochs):
        model.start_epoch(epoch)
        order, total = model.rng.permutation(n), 0.0
        for start in range(0, n, batch_size):
            batch = order[start : start + batch_size]
            rows, weight = share(len(batch), comm)
            rng = Noise(model.rng, len(batch), rows)
            loss = model.loss(X[batch[rows]], rng=rng, training=True)
            model.backward()
            before = time.perf_counter()
            comm.Allreduce(weight * model.dtheta, model.dtheta)  # the sum, the same on all ranks
            waited += time.perf_counter() - before
            optimizer.step(model.theta, model.dtheta)
            total += weight * loss * len(batch)
        logs = {"loss": comm.allreduce(total) / n}
        for name in {**model.history, **logs}:
            model.history.setdefault(name, []).append(logs.get(name, np.nan))
        if callback is not None:
            callback(model, epoch, logs)
    check_equal(model, comm)
    return waited


def check_equal(model, comm):
    """Raise an error unless weights and generators are the same on all ranks, to the last bit."""
    states = comm.allgather((zlib.crc32(model.theta), model.rng.bit_generator.state))
    others = [rank for rank, state in enumerate(states) if state != states[0]]
    if others:
        raise RuntimeError(
            f"the weights or generators of ranks {others} are not those of rank 0: make the same "
            "calls on all ranks, with equal X"
        )


def world():
    """Return the communicator of all processes that mpiexec has started, or of this one alone."""
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py finds no MPI
        raise SystemExit(f"data_parallel needs MPI ({error}): pip install mpi4py mpich") from None
    return MPI.COMM_WORLD


@contextlib.contextmanager
def together(comm):
    """Let only rank 0 print, and let a rank that fails end the others, which would wait for it."""
    try:
        with contextlib.redirect_stdout(sys.stdout if comm.rank == 0 else io.StringIO()):
            yield
    except Exception:
        if comm.size == 1:
            raise
        print(f"rank {comm.rank} of {comm.size} failed:\n{traceback.format_exc()}", file=sys.stderr)
        sys.stderr.flush()
        comm.Abort(1)


def compare(build, X, X_test, comm, *, epochs, batch_size):
    """Train by `fit` on rank 0 alone, then on all ranks.

    Returns
    -------
    rows : two rows of the table on rank 0, none on the other ranks
    differences : (epochs, 2), the differences of the weights after each epoch: root mean square,
        and largest
    """
    settings = {"epochs": epochs, "batch_size": batch_size}
    alone, model, paths = build(), build(), ([], [])  # the weights after each epoch

    def keep(path):
        return lambda model, epoch, logs: path.append(model.theta.copy())

    times = [time.perf_counter()]
    if comm.rank == 0:
        alone.fit(X, **settings, optimizer=Adam(), callback=keep(paths[0]), verbose=0)
    request = comm.Ibarrier()
    while not request.Test():  # a Barrier would keep the cores busy that `fit` is using
        time.sleep(0.001)
    times.append(time.perf_counter())
    waited = train(model, X, comm, **settings, optimizer=Adam(), callback=keep(paths[1]))
    times.append(time.perf_counter())
    if comm.rank:
        return [], []
    steps = [a - b for a, b in zip(*paths, strict=True)]
    differences = np.array([(np.sqrt((step**2).mean()), np.abs(step).max()) for step in steps])

    def row(name, vae, seconds, *wait_and_difference):
        bound = float(vae.elbo(X_test).mean())
        name = f"{name}, {vae.theta.dtype}"
        return name, vae.history["loss"][-1], bound, seconds / epochs, *wait_and_difference

    one, many = np.diff(times)
    ranks = "1 rank" if comm.size == 1 else f"{comm.size} ranks"
    return [
        row("fit, one process", alone, one, "-", "-"),
        row(f"all-reduce, {ranks}", model, many, waited / epochs, f"{differences[-1, 1]:.0e}"),
    ], differences


def draw(differences, size):
    """Draw the differences of the weights after each epoch, and return the figure."""
    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    for (dtype, values), colour in zip(differences.items(), ("C1", "C0"), strict=True):
        epochs = np.arange(1, len(values) + 1)
        for value, style, name in zip(values.T, ("o-", "^:"), ("rms", "largest"), strict=True):
            ax.plot(epochs, value, style, color=colour, label=f"{dtype}, {name}")
    if values.any():  # with one rank all are 0
        ax.set_yscale("log")
    ax.set(title=f"One process and {size} ranks: how rounding errors grow", xlabel="epoch")
    ax.set(ylabel="difference of the weights", xticks=epochs)
    ax.legend(frameon=False, loc="center right")
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    comm = world()
    with together(comm):
        chosen = options(
            "data_parallel",
            __doc__,
            argv,
            data=tuple(EPOCHS),
            batch=(500, "batch size of all ranks"),
        )
        X, X_test, _, _ = images(chosen)
        epochs = 2 if chosen.quick else EPOCHS[chosen.data]
        threads = os.environ.get("OPENBLAS_NUM_THREADS", "not set")
        print(f"{comm.size} ranks, OPENBLAS_NUM_THREADS {threads}, batches of {chosen.batch}")
        table, differences = [], {}
        for dtype in ("float32", "float64"):
            rows, differences[dtype] = compare(
                lambda dtype=dtype: VAE(X.shape[1:], 20, (500,), dtype=dtype, seed=chosen.seed),
                X, X_test, comm, epochs=epochs, batch_size=chosen.batch,
            )  # fmt: skip
            table += rows
        if comm.rank == 0:
            header = ("training loss", "held-out bound", "s per epoch", "s in all-reduce",
                      "weights differ by")  # fmt: skip
            show(("nats per image", *header), table)
            save(chosen.out, data_parallel=draw(differences, comm.size))


# %%
if __name__ == "__main__":
    main()
