"""Training: the loop over epochs and batches.

What surrounds it (checks, validation, early stopping, checkpoints, progress) is in `plumbing.run`.
"""

from miniae.plumbing.batches import RunningMean
from miniae.plumbing.run import Run


def fit(model, X, y=None, **options):
    """Train a model; see `Model.fit` for the options."""
    run = Run(model, X, y, **options)
    if run.workers > 1:  # the same loop, in which several processes make each step
        from miniae.plumbing.workers import train

        return train(run)
    optimizer = model.optimizer
    try:
        for epoch in run.epochs():
            model.start_epoch(epoch)
            means = RunningMean()
            for count, batch in enumerate(run.source.epoch(model.rng), 1):
                with run.errors_explained(epoch, count, batch):  # of a loss that is NaN
                    model.loss(**batch, training=True)
                model.backward()
                optimizer.step(model.theta, model.dtheta)

                means.add(model.terms, len(batch["x"]))
                run.progress.batch(epoch, count, means)
            run.finish_epoch(epoch, means.values())
    finally:
        run.restore_best()
    return model
