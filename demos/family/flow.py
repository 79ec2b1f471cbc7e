# %% [markdown]
"""A flow posterior: planar flows bend the Gaussian q(z|x) where the true posterior is bent.

    python demos/family/flow.py

The decoder is known, x = z2 + z1^2 + noise. So p(z|x) is a bent ridge, and log p(x) is known by
quadrature. The gap between log p(x) and the ELBO is KL(q(z|x) || p(z|x)). The table has the gap of
a VAE, whose q is a Gaussian with independent latents; of the best Gaussian for each x, of any
covariance, found without an encoder; and of planar flows, whose parameters the encoder outputs.
"""

# %%
import sys
from pathlib import Path

import numpy as np

from miniae import VAE, GaussianNLL, Model, Sequential, StandardNormal
from miniae.numerics import LOG_2PI, softplus

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.bent_posterior import Bend, best_gaussian_elbo, draw_posteriors, log_likelihood
from support.common import options, save, show, train

SIGMA, FLOWS, LR, DRAWS = 0.3, (1, 2, 4), 3e-3, 100
GAUSSIAN, SHOWN = "VAE, Gaussian q", (-0.5, 1.0, 3.0)  # the x in the picture


# %%
class Planar:
    """z' = z + v tanh(w.z + b); each sample has its w, v, b. Rezende and Mohamed (2015), eq. 10.

    dz'/dz = I + (1 - t^2) v w^T with t = tanh(w.z + b), so its determinant is 1 + (1 - t^2) w.v. It
    is above 0, and the map one to one, if w.v > -1. So v is u moved along w until w.v is
    m = softplus(w.u) - 1: v = u + g w with g = (m - w.u) / |w|^2 (their appendix A.1).
    """

    def forward(self, z, w, u, b):
        """z, w, u (n, d), b (n, 1) -> z' (n, d) and log det (n, 1)."""
        a, square = (w * u).sum(axis=1, keepdims=True), (w * w).sum(axis=1, keepdims=True)
        m = softplus(a) - 1
        g, t = (m - a) / square, np.tanh((w * z).sum(axis=1, keepdims=True) + b)
        det = t * t + (1 - t * t) * softplus(a)  # 1 + (1 - t^2) m, which may round to 0
        self.cache = z, w, u, a, square, m, g, t, det
        return z + (u + g * w) * t, np.log(det)

    def backward(self, dz, dlog_det):
        """Gradients with respect to z' and log det -> with respect to z, w, u, b.

        log det moves with t by -2 t m / det, and with m by (1 - t^2) / det; g with |w|^2 by
        -g / |w|^2, and with a = w.u by (s - 1) / |w|^2, where s is sigmoid(a), the slope of m.
        """
        z, w, u, a, square, m, g, t, det = self.cache
        dv = dz * t
        dt = (dz * (u + g * w)).sum(axis=1, keepdims=True) - dlog_det * 2 * t * m / det
        dg = (dv * w).sum(axis=1, keepdims=True) / square
        da = (dg + dlog_det * (1 - t * t) / det) * np.exp(-softplus(-a)) - dg  # s, to all digits
        db = dt * (1 - t * t)
        return dz + db * w, db * z + g * dv - 2 * dg * g * w + da * u, dv + da * w, db


class FlowVAE(Model):
    """A VAE whose code passes through planar flows, so that q(z|x) is no longer Gaussian.

    With z = flows(z0), z0 = mu + eps std, log q(z|x) = log N(z0; mu, std^2) - the sum of log det.
    The KL has no closed form, so the loss is -log p(x|z) - log p(z) + log q(z|x) at one draw of z:
    minus the ELBO, on average.
    """

    def __init__(self, input_dim, latent_dim=2, hidden=(64,), *, n_flows, loss, **more):
        self.n_flows, d = n_flows, latent_dim
        sizes = [d, d] + [d, d, 1] * n_flows  # mu, log_var, and w, u, b of each flow
        super().__init__(input_dim, d, hidden, loss=loss, code_size=sum(sizes), **more)
        self.flows, self.ends = [Planar() for _ in range(n_flows)], np.cumsum(sizes)[:-1]
        # Flows that start alike would stay alike; and at w = 0, v would be infinite.
        self.encoder.layers[-1].params["b"][2 * d :] = self.rng.standard_normal(sum(sizes[2:]))

    def draw(self, x, eps, training=False):
        """Return z and log q(z|x) for noise eps (n, latent_dim), and eps std."""
        mu, log_var, *rest = np.split(self.encoder.forward(x, training), self.ends, axis=1)
        noise, log_q = eps * np.exp(0.5 * log_var), -0.5 * (eps**2 + log_var + LOG_2PI).sum(axis=1)
        z = mu + noise
        for k, flow in enumerate(self.flows):
            z, log_det = flow.forward(z, *rest[3 * k : 3 * k + 3])
            log_q = log_q - log_det[:, 0]
        return z, log_q, noise

    def infer(self, x, training=False):
        """Return the code without noise, flows(mu): what `encode` returns."""
        return self.draw(x, np.zeros((1, self.latent_dim), x.dtype), training)[0]

    def posterior_sample(self, X, seed=None):
        """Draw a code for each row: (1, n, latent_dim), as VAE.posterior_sample does."""
        eps = np.random.default_rng(seed).standard_normal((len(X), self.latent_dim))
        return self.draw(X, eps)[0][None]

    def loss(self, x, target=None, *, eps=None, rng=None, training=False):
        x, target, rng = self.prepare(x, target, rng, training)
        if eps is None:
            eps = rng.standard_normal((len(x), self.latent_dim), dtype=x.real.dtype)
        z, log_q, noise = self.draw(x, eps, training)
        nll = self.reconstruction_loss.forward(self.decoder.forward(z, training), target)
        kl = (log_q + StandardNormal().nll(z)).mean()
        self.cache = z, noise
        return self.record(nll + kl, reconstruction=nll, kl=kl)

    def backward(self):
        """z moves -log p(x|z), and -log p(z) with slope z; each log det counts with -1 / n.

        Behind all flows, dz is the gradient with respect to z0 = mu + eps std. log N(z0; mu, std^2)
        moves with log_var only, by -1/2: eps is held fixed.
        """
        (z, noise), n, rest = self.cached(), len(self.cache[0]), []
        dz = self.decoder.backward(self.reconstruction_loss.backward()) + z / n
        for flow in reversed(self.flows):
            dz, *own = flow.backward(dz, -1 / n)
            rest = own + rest
        dcode = [dz, 0.5 * dz * noise - 0.5 / n, *rest]
        self.encoder.backward_params(np.concatenate(dcode, axis=1))


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("flow", __doc__, argv, data=())
    n, n_test, epochs = (1000, 50, 4) if chosen.quick else (10_000, 300, 60)
    rng, decoder = np.random.default_rng(chosen.seed), Sequential(Bend())
    X = decoder.forward(rng.standard_normal((n + n_test, 2)))
    X, X_test = np.split(X + SIGMA * rng.standard_normal(X.shape), [n])

    same = {"activation": "tanh", "decoder": decoder, "seed": chosen.seed}
    models = {GAUSSIAN: VAE(1, 2, (64,), likelihood=GaussianNLL(SIGMA), **same)}
    for k in FLOWS[::2] if chosen.quick else FLOWS:
        models[f"planar flows: {k}"] = FlowVAE(1, 2, n_flows=k, loss=GaussianNLL(SIGMA), **same)
    for name, model in models.items():
        train(name, model, X, lr=LR, epochs=epochs)

    exact = float(log_likelihood(X_test, SIGMA).mean())
    elbos = {name: -m.evaluate(np.repeat(X_test, DRAWS, axis=0)) for name, m in models.items()}
    elbos["the best Gaussian for each x"] = best_gaussian_elbo(models[GAUSSIAN], X_test).mean()
    elbos["log p(x), by quadrature"] = exact
    rows = [(name, float(elbo), float(exact - elbo)) for name, elbo in elbos.items()]
    show(("nats per held-out x", "ELBO", "gap"), rows, digits=3)
    shown = {GAUSSIAN: models[GAUSSIAN], name: model}
    save(chosen.out, posteriors=draw_posteriors(shown, SHOWN, chosen.seed))


# %%
if __name__ == "__main__":
    main()
