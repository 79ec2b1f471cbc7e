"""Training: the loop over epochs and batches.

What surrounds it (checks, validation, early stopping, checkpoints, progress) is in `plumbing.run`.
"""

from miniae.plumbing.batches import RunningMean
from miniae.plumbing.run import Run


def fit(model, X, y=None, **options):
    """Train a model; see `Model.fit` for the options."""
    run = Run(model, X, y, **options)
    optimizer = model.optimizer
    try:
        for epoch in run.epochs():
            model.start_epoch(epoch)
            means = RunningMean()
            with run.errors_explained():  # adds batch and layer to the error of a NaN
                for batch in run.batches(epoch):
                    model.loss(**batch, training=True)
                    model.backward()
                    optimizer.step(model.theta, model.dtheta)

                    means.add(model.terms, len(batch["x"]))
                    run.progress.batch(epoch, run.count, means)
            run.finish_epoch(epoch, means.values())
    finally:
        run.restore_best()
    return model
