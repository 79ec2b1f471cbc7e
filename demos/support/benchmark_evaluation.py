"""What speed/benchmark.py times besides training: a trained VAE in use, in miniae and in PyTorch.

E1 to E4 use the VAE of W1, with the same weights in both libraries, in float32:

E1  `elbo` of each row: encode, draw a code, decode, the Bernoulli loss and the KL
E2  `log_likelihood` of each row by importance sampling, with 5,000 codes
E3  `impute`: 300 steps of Adam on the codes of rows of which the lower half is missing
E4  `encode`: the posterior means

The PyTorch versions have no gradients where none are needed (`inference_mode`), take as many rows
at a time as is fastest for them, and make no step that miniae does not make.
tests/demos/speed/test_evaluation.py shows in float64 that, with the same noise, the results of both
are equal to rounding.
"""

import math
from dataclasses import dataclass

import numpy as np

from support.benchmark_peers import Miniae, Torch
from support.benchmark_workloads import WORKLOADS

DRAWS, STEPS = 5000, 300


@dataclass(frozen=True)
class Evaluation:
    """A method of the VAE of W1, and the number of rows that it is timed with."""

    method: str
    n: int
    what: str

    def __str__(self):
        return f"{self.what}, {str(WORKLOADS['W1']).rpartition(',')[0]}"


EVALUATIONS = {
    "E1": Evaluation("elbo", 60_000, "elbo"),
    "E2": Evaluation("log_likelihood", 100, f"log_likelihood(k={DRAWS})"),
    "E3": Evaluation("impute", 300, f"impute, {STEPS} steps"),
    "E4": Evaluation("encode", 60_000, "encode"),
}


def with_holes(X):
    """Return a copy of the rows without the lower half of each image: NaN."""
    X = X.copy()
    X[:, X.shape[1] // 2 :] = np.nan
    return X


class MiniaeUsed(Miniae):
    """miniae: the methods, as a user calls them."""

    def elbo(self, X):
        """See E1; (n,)."""
        return self.model.elbo(X)

    def log_likelihood(self, X, k=DRAWS):
        """See E2; (n,)."""
        return self.model.log_likelihood(X, k)

    def impute(self, X, steps=STEPS):
        """See E3; of the shape of X."""
        return self.model.impute(X, steps=steps)

    def encode(self, X):
        """See E4; (n, latent)."""
        return self.model.encode(X)


class TorchUsed(Torch):
    """PyTorch: the same results, on NumPy arrays too."""

    ROWS = 1024

    def __init__(self, workload, weights):
        super().__init__(workload, weights)
        for parameter in [*self.encoder.parameters(), *self.decoder.parameters()]:
            parameter.requires_grad_(False)
        self.normal = self.torch.randn

    def posterior(self, x):
        """Return mu and log_var of q(z|x), each (n, latent)."""
        return self.encoder(x).chunk(2, dim=1)

    def nll(self, z, x):
        """Return -log p(x|z) of each row, (n,)."""
        bce = self.torch.nn.functional.binary_cross_entropy_with_logits
        return bce(self.decoder(z), x, reduction="none").sum(dim=1)

    def by_rows(self, function, X):
        """Apply a function to some rows at a time, without gradients; return an array."""
        with self.torch.inference_mode():
            parts = [function(x) for x in self.array(X).split(self.ROWS)]
            return self.torch.cat(parts).numpy()

    def encode(self, X):
        """See E4."""
        return self.by_rows(lambda x: self.posterior(x)[0], X)

    def elbo(self, X):
        """See E1."""

        def bound(x):
            mu, log_var = self.posterior(x)
            z = mu + (0.5 * log_var).exp() * self.normal(mu.shape, dtype=mu.dtype)
            kl = -0.5 * (1 + log_var - mu**2 - log_var.exp()).sum(dim=1)
            return -self.nll(z, x) - kl

        return self.by_rows(bound, X)

    def log_likelihood(self, X, k=DRAWS):
        """See E2: log of the mean over k codes of p(x|z) p(z) / q(z|x). k times n decodings."""
        torch = self.torch

        def estimate(x):
            mu, log_var = self.posterior(x)
            std, found = (0.5 * log_var).exp(), []
            at_once = max(1, self.ROWS // len(x))
            for start in range(0, k, at_once):
                m = min(at_once, k - start)
                eps = self.normal((m, *mu.shape), dtype=mu.dtype)
                z = mu + std * eps
                targets = x.expand(m, *x.shape).reshape(-1, x.shape[1])
                nll = self.nll(z.reshape(-1, z.shape[2]), targets).reshape(m, len(x))
                # log p(z) - log q(z|x), without the constants, which cancel
                found.append(0.5 * (eps**2 + log_var - z**2).sum(dim=2) - nll)
            return torch.cat(found).logsumexp(dim=0) - math.log(k)

        return self.by_rows(estimate, X)

    def energy(self, z, x, weight):
        """Return -log p(x_observed|z) - log p(z) of each row, up to a constant, (n,)."""
        bce = self.torch.nn.functional.binary_cross_entropy_with_logits
        loss = bce(self.decoder(z), x, weight=weight, reduction="none").sum(dim=1)
        return loss + 0.5 * (z**2).sum(dim=1)

    def impute(self, X, steps=STEPS):
        """See E3: the search of `miniae.missing.find_codes`, whose gradients are PyTorch's."""
        torch, found = self.torch, []
        for x in self.array(X).split(self.ROWS):
            seen = ~x.isnan()
            rows = torch.where(seen, x, 0.0), seen.to(x.dtype)
            with torch.no_grad():
                z, _ = self.posterior(rows[0])
                better = self.energy(z, *rows) < self.energy(torch.zeros_like(z), *rows)
                z = torch.where(better[:, None], z, 0.0)
            z.requires_grad_(True)
            best, least = z.detach().clone(), torch.full((len(x),), torch.inf, dtype=x.dtype)
            adam = torch.optim.Adam([z], lr=0.1)
            for step in range(steps):
                adam.param_groups[0]["lr"] = 0.1 * (1 - step / steps)
                each = self.energy(z, *rows)
                (z.grad,) = torch.autograd.grad(each.sum(), z)
                with torch.no_grad():
                    better = each < least
                    best = torch.where(better[:, None], z, best)
                    least = torch.where(better, each, least)
                adam.step()
            with torch.inference_mode():
                found.append(torch.where(seen, x, self.decoder(best).sigmoid()))
        return torch.cat(found).numpy()


USERS = {"miniae": MiniaeUsed, "torch": TorchUsed}
