# %% [markdown]
"""Two layers of latents: a ladder VAE beside a VAE with one layer and as many parameters.

    python demos/family/hierarchical.py

z2 decides the prior of z1, and z1 the image. In the simple model, the posteriors of both come from
the image alone; in the ladder (Sonderby et al. 2016), that of z1 depends on z2 too. The table has
the ELBO, and what each layer does: its KL, and how many of its latents are in use.
"""

# %%
import sys
from pathlib import Path

import numpy as np

from miniae import Dense, Model, ReLU, Sequential, gaussian_kl, gaussian_kl_grad
from miniae.numerics import sigmoid, softplus

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.baselines import HeVAE
from support.common import draw_rows, images, options, save, show, train

LATENT, TOP, HIDDEN, LR = 10, 5, 128, 2e-3
ONE, USED = 131, 0.01  # hidden units for as many parameters; KL (nats) of a latent in use
EPOCHS = {"digits": 15, "mnist": 8}


# %%
class HierarchicalVAE(Model):
    """A VAE with latents z2 above latents z1. Sonderby et al. (2016), with one encoder for both.

    p(z2) = N(0, I); the network `top` outputs mu_p, log_var_p of p(z1|z2), and the decoder p(x|z1).
    The encoder outputs mu_hat, log_var_hat and the mu2, log_var2 of q(z2|x). Without ladder,
    q(z1|x) = N(mu_hat, exp(log_var_hat)). With it, q(z1|x, z2) is that Gaussian times p(z1|z2)
    (their section 2): the precisions add up, and the means are weighted with them,

        mu1 = w mu_hat + (1 - w) mu_p,  w = sigmoid(log_var_p - log_var_hat),
        log_var1 = -log(exp(-log_var_hat) + exp(-log_var_p)).

    The loss, on average minus the ELBO, is -log p(x|z1) + KL(q(z1|x, z2) || p(z1|z2))
    + KL(q(z2|x) || p(z2)) at one draw of z2 and z1.
    """

    def __init__(self, input_dim, latent_dim, top_dim, hidden, ladder=True, kl_warmup=0, **more):
        self.top_dim, self.ladder, self.kl_warmup, self.kl_share = top_dim, ladder, kl_warmup, 1.0
        super().__init__(
            input_dim, latent_dim, hidden, code_size=2 * (latent_dim + top_dim), **more
        )
        first = Dense(top_dim, hidden[-1], init="he", rng=self.rng)
        self.top = Sequential(first, ReLU(), Dense(hidden[-1], 2 * latent_dim, rng=self.rng))

    def start_epoch(self, epoch):
        self.kl_share = min(1.0, epoch / self.kl_warmup) if self.kl_warmup else 1.0

    def draw(self, x, eps, training=False):
        """Draw both latents from eps (n, latent_dim + top_dim), the noise of z1 and then of z2."""
        d = self.latent_dim
        code = np.split(self.encoder.forward(x, training), [d, 2 * d, 2 * d + self.top_dim], axis=1)
        mu_hat, log_var_hat, mu2, log_var2 = code
        noise2 = eps[:, d:] * np.exp(0.5 * log_var2)
        prior = np.split(self.top.forward(mu2 + noise2, training), 2, axis=1)
        mu1, log_var1, w = mu_hat, log_var_hat, np.ones_like(mu_hat)
        if self.ladder:
            w = sigmoid(prior[1] - log_var_hat)
            mu1 = w * mu_hat + (1 - w) * prior[0]
            log_var1 = log_var_hat - softplus(log_var_hat - prior[1])
        return code, prior, (mu1, log_var1), w, (noise2, eps[:, :d] * np.exp(0.5 * log_var1))

    def infer(self, x, training=False):
        """Return mu1 at z2 = mu2: what `encode` returns."""
        return self.draw(x, np.zeros((1, self.latent_dim + self.top_dim), x.dtype), training)[2][0]

    def loss(self, x, target=None, *, eps=None, rng=None, training=False):
        x, target, rng = self.prepare(x, target, rng, training)
        if eps is None:
            eps = rng.standard_normal((len(x), self.latent_dim + self.top_dim), x.real.dtype)
        code, (mu_p, log_var_p), (mu1, log_var1), w, noise = self.draw(x, eps, training)
        out = self.decoder.forward(mu1 + noise[1], training)
        reconstruction = self.reconstruction_loss.forward(out, target)
        # A KL has no units: measure z1 in standard deviations of p(z1|z2), from its mean.
        u, v = (mu1 - mu_p) * np.exp(-0.5 * log_var_p), log_var1 - log_var_p
        kl1, kl2 = gaussian_kl(u, v).mean(axis=0), gaussian_kl(*code[2:]).mean(axis=0)
        weight = self.kl_share if training else 1.0
        self.cache = code, (mu_p, log_var_p), u, v, w, noise, weight / len(x)
        terms = {"reconstruction": reconstruction, "kl": kl1.sum(), "kl2": kl2.sum()}
        terms |= {"used": (kl1.real > USED).sum(), "used2": (kl2.real > USED).sum()}
        loss = reconstruction + weight * (terms["kl"] + terms["kl2"])
        return self.record(loss, **terms)

    def backward(self):
        """Fill dtheta, from z1 up to z2. log_var moves each noise eps std by half of that noise.

        KL1 is the KL of (u, v) from N(0, 1): u moves with mu1 and -mu_p by exp(-log_var_p / 2),
        and with log_var_p by -u / 2; v with log_var1 and -log_var_p by 1. In the ladder, w moves
        with log_var_p by w (1 - w), with log_var_hat by minus that, and mu1 with w by
        mu_hat - mu_p; log_var1 moves with log_var_hat by w, and with log_var_p by 1 - w.
        """
        (mu_hat, _, mu2, log_var2), (mu_p, log_var_p), u, v, w, noise, weight = self.cached()
        dz1 = self.decoder.backward(self.reconstruction_loss.backward())
        du, dv = (weight * slope for slope in gaussian_kl_grad(u, v))
        by_u = du * np.exp(-0.5 * log_var_p)
        dmu1, dlog_var1 = dz1 + by_u, 0.5 * dz1 * noise[1] + dv
        by_w = dmu1 * (mu_hat - mu_p) * w * (1 - w)  # without ladder w is 1, and this is 0
        dmu_p = (1 - w) * dmu1 - by_u
        dlog_var_p = (1 - w) * dlog_var1 + by_w - 0.5 * u * du - dv
        dz2 = self.top.backward(np.concatenate([dmu_p, dlog_var_p], axis=1))
        dmu2, dlog_var2 = (weight * slope for slope in gaussian_kl_grad(mu2, log_var2))
        dcode = [w * dmu1, w * dlog_var1 - by_w, dz2 + dmu2, 0.5 * dz2 * noise[0] + dlog_var2]
        self.encoder.backward_params(np.concatenate(dcode, axis=1))


# %%
def draw_samples(model, rng, rows=6, columns=9):
    """Draw images, in each row from one z2 of N(0, I) and from several z1; return the figure."""
    z2 = np.repeat(rng.standard_normal((rows, model.top_dim)), columns, axis=0)
    mu_p, log_var_p = np.split(model.top.forward(z2), 2, axis=1)
    pictures = model.decode(mu_p + rng.standard_normal(mu_p.shape) * np.exp(0.5 * log_var_p))
    named = {f"z2 no. {i + 1}": row for i, row in enumerate(np.split(pictures, rows))}
    return draw_rows(named, "Samples: one z2 in each row, and a z1 for each image")


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("hierarchical", __doc__, argv, data=tuple(EPOCHS))
    X, X_test, _, _ = images(chosen, n_train=5000)
    epochs = 2 if chosen.quick else EPOCHS[chosen.data]
    same, warm = {"activation": "relu", "seed": chosen.seed}, {"kl_warmup": epochs // 2}
    one, two = (X.shape[1:], LATENT, (ONE,)), (X.shape[1:], LATENT, TOP, (HIDDEN,))
    models = {
        "one layer": HeVAE(*one, **same),
        "one layer, warm-up": HeVAE(*one, **same, **warm),
        "simple": HierarchicalVAE(*two, loss="bernoulli", ladder=False, **same),
        "ladder": HierarchicalVAE(*two, loss="bernoulli", **same),
        "ladder, warm-up": HierarchicalVAE(*two, loss="bernoulli", **same, **warm),
    }
    rows, names = [], ("kl", "used", "kl2", "used2")
    for name, model in models.items():
        terms = train(name, model, X, lr=LR, epochs=epochs).evaluate(X_test, return_dict=True)
        if isinstance(model, HeVAE):
            terms["used"] = float((model.kl_per_dimension(X_test) > USED).sum())
        rows.append((name, model.theta.size, -terms["loss"], *(terms.get(k, "-") for k in names)))
    show(("nats per image", "parameters", "ELBO", "KL of z1", "in use", "KL of z2", "in use"), rows)
    save(chosen.out, samples=draw_samples(model, np.random.default_rng(chosen.seed)))


# %%
if __name__ == "__main__":
    main()
