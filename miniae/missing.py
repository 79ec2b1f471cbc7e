"""Missing entries: a loss that counts what was observed, and nothing else."""

import copy

import numpy as np

from miniae.losses import Loss, MultinomialNLL
from miniae.parameters import require


class Masked(Loss):
    """Another loss, in which NaN in the target stands for an entry that was not observed.

    Such an entry adds nothing to the loss and nothing to the gradient. What remains is the loss of
    the observed entries: for a likelihood, of their marginal, since given z the entries are
    independent. In the input of a model a missing entry stands as 0. Nazabal et al. (2020), sec. 3.

    Parameters
    ----------
    loss : Loss whose entries are independent, such as BernoulliNLL() or GaussianNLL() (copied)

    Examples
    --------
    >>> vae = VAE(20, likelihood=Masked(GaussianNLL(learn_sigma=True))).fit(X_with_nan)
    """

    config = ("loss",)
    missing = True
    bounds = property(lambda self: self.loss.bounds)
    base = property(lambda self: self.loss)

    def __init__(self, loss):
        if not isinstance(loss, Loss):
            raise TypeError(f"Masked takes a Loss such as BernoulliNLL(), got {loss!r}")
        require(
            not isinstance(loss, (Masked, MultinomialNLL)),
            f"Masked: the entries of {loss} are not independent, so none can be left out",
        )
        self.loss = copy.deepcopy(loss)
        super().__init__(parts={"loss": self.loss})

    def entries(self, out, target):
        """out and target (n, ...), with NaN -> (n, ...), 0 where the target is missing."""
        seen, target = self._observed(target)
        return np.where(seen, self.loss.entries(out, target), 0)

    def slopes(self, out, target, weight):
        """The loss is a sum over entries with factors 1 (observed) and 0: so is its gradient."""
        seen, target = self._observed(target)
        return self.loss.slopes(out, target, weight * seen.astype(out.real.dtype))

    def _observed(self, target):
        seen = ~np.isnan(target)
        return seen, np.where(seen, target, 0)

    def mean(self, out):
        """As the loss that is masked."""
        return self.loss.mean(out)

    def draw(self, out, rng):
        """As the loss that is masked: every entry is drawn."""
        return self.loss.draw(out, rng)
