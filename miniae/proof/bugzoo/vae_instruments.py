"""Instruments for the rest of a VAE, outside its two passes: noise, schedule, methods."""

import warnings

import numpy as np

from miniae.inspection import watch
from miniae.losses import GaussianNLL, gaussian_kl
from miniae.plumbing.batches import ROWS
from miniae.proof import estimates, oracles
from miniae.proof.bugzoo.instruments import SURE, linear_vae
from miniae.proof.bugzoo.specimen import Finding
from miniae.proof.samplers import check_sampler

DRAWS = 4000  # of each of 8 rows, 3 latents
REPEATS = 1000  # estimates of a bound, each with independent noise
BETA = 1.7


def verdict(report):
    """Turn a SamplerReport into a Finding."""
    wrong = [each for each in report.properties if each.verdict == "WRONG"]
    words = "; ".join([*report.causes, *(f"{each.name}: {each.seen}" for each in wrong)][:2])
    return Finding(not report.ok, words or "independent draws from N(mu, exp(log_var))")


def noise_test(sampler, seed):
    """Test the draws of a sampler, or of a VAE's loss: distribution, independence, source."""
    return verdict(check_sampler(sampler, n=DRAWS, seed=seed))


def noise_in_fit(cls, seed):
    """Test the noise in `fit`, with epochs of one batch."""
    vae = estimates.transparent(cls, 3)

    def draws(mu, log_var, rng):
        vae.rng, x = rng, np.concatenate([mu, log_var], axis=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of columns whose scales differ: they may
            vae.fit(x, epochs=1, batch_size=len(x), shuffle=False, verbose=0)
        return vae.decoder.layers[0].z

    return verdict(check_sampler(draws, n=DRAWS, seed=seed))


def prior_draws(cls, seed):
    """Test the codes that `sample` decodes: they must be N(0, I), and depend on the seed only."""
    vae, drawn = cls(4, 3, (5,), dtype="float64", seed=seed), []
    watch(vae, lambda name, x, out: drawn.append(x.copy()) if name == "decoder.0" else None)
    x = vae.sample(5, seed=seed)
    expected = vae.decode(np.concatenate(drawn))
    if not np.allclose(x, expected, rtol=1e-9):
        words = f"sample returns {x[0, 0]:.4g}, but its code decodes to {expected[0, 0]:.4g}"
        return Finding(True, words)
    if np.array_equal(vae.sample(5), vae.sample(5)):
        return Finding(True, "two calls without a seed give the same samples")

    def draws(mu, log_var, rng):
        drawn.clear()
        vae.sample(len(mu), seed=int(rng.integers(2**32)))
        return np.concatenate(drawn)

    zeros = np.zeros((8, 3))
    return verdict(check_sampler(draws, zeros, zeros, n=DRAWS, seed=seed))


def posterior_draws(cls, seed):
    """Test the codes that `posterior_sample` draws, two of each row at a time."""
    vae = estimates.transparent(cls, 3)

    def draws(mu, log_var, rng):
        x = np.concatenate([mu, log_var], axis=1)
        return vae.posterior_sample(x, 2, seed=int(rng.integers(2**32)))

    return verdict(check_sampler(draws, n=DRAWS, seed=seed))


def compare_methods(pairs):
    """Return the Finding of the first of (name, got, expected) that differs."""
    for name, got, expected in pairs:
        got, expected = np.asarray(got), np.asarray(expected)
        if got.shape != expected.shape:
            return Finding(True, f"{name} has shape {got.shape}, by hand {expected.shape}")
        off = np.abs(got - expected)
        if not off.max() <= 1e-5 * np.abs(expected).max():  # true for NaN
            place = np.unravel_index(off.argmax(), off.shape)
            return Finding(True, f"{name} gives {got[place]:.4g}, by hand {expected[place]:.4g}")
    return Finding(False, "all as by hand")


def stated_posterior(cls, seed):
    """Compare the methods on the posterior with the outputs of the encoder: mu, log_var."""
    rng = np.random.default_rng(seed)
    vae = estimates.transparent(cls, 3)
    mu = rng.standard_normal((7, 3)) * [1.5, 0.7, 0.05]  # the last one is not active
    log_var = rng.uniform(-14, 3, (7, 3))
    x = np.concatenate([mu, log_var], axis=1)
    posterior = vae.posterior(x)
    return compare_methods([
        ("posterior, mu,", posterior[0], mu),
        ("posterior, log_var,", posterior[1], log_var),
        ("encode", vae.encode(x), mu),
        ("kl_per_dimension", vae.kl_per_dimension(x), gaussian_kl(mu, log_var).mean(axis=0)),
        ("active_units", vae.active_units(x), (mu.var(axis=0) > 0.01).sum()),
    ])  # fmt: skip


def passes_by_hand(cls, seed):
    """Compare the deterministic methods with passes through encoder and decoder, by hand."""
    rng = np.random.default_rng(seed)
    vae, x = cls(6, 3, (5,), dtype="float64", seed=seed), rng.random((7, 6))
    vae.theta = 0.8 * rng.standard_normal(vae.theta.size)
    code = vae.encoder.forward(x)
    mu, log_var = code[:, :3], code[:, 3:]
    out, loss = vae.decoder.forward(mu), vae.reconstruction_loss
    mean, nll = loss.expected(out), loss.per_sample(out, x)
    path, t = vae.interpolate(x[0], x[1], steps=4), np.linspace(0, 1, 4)[:, None]
    moved = np.tile(mu[0], (3, 1)) * [1, 0, 1] + np.outer([-2, 0, 2], [0, 1, 0])
    return compare_methods([
        ("encode", vae.encode(x), mu),
        ("decode", vae.decode(mu), mean),
        ("reconstruct", vae.reconstruct(x), mean),
        ("interpolate", path, vae.decode((1 - t) * mu[0] + t * mu[1])),
        ("traverse", vae.traverse(x[0], [1], (-2, 2), 3)[0], vae.decode(moved)),
        ("anomaly_score", vae.anomaly_score(x), nll + gaussian_kl(mu, log_var).sum(axis=1)),
    ])  # fmt: skip


def evaluation_by_hand(cls, seed):
    """Compare `evaluate` and `score`, for more rows than one batch, with the mean over rows.

    The posterior is nearly a point, so the noise has no effect. A warm-up has just begun; it must
    not apply in evaluation.
    """
    rng = np.random.default_rng(seed)
    options = {"likelihood": GaussianNLL(0.6), "beta": BETA, "kl_warmup": 4, "dtype": "float64"}
    vae, x = cls(5, 2, (), seed=seed, **options), rng.standard_normal((ROWS + 40, 5))
    x[ROWS:] *= 5  # the last batch differs from the others
    vae.encoder.layers[0].params["b"][2:] = -30.0
    vae.encoder.layers[0].params["W"][:, 2:] = 0.0
    mu, log_var = np.split(vae.encoder.forward(x), 2, axis=1)
    nll = vae.reconstruction_loss.per_sample(vae.decoder.forward(mu), x)
    loss = nll.mean() + BETA * gaussian_kl(mu, log_var).sum(axis=1).mean()
    return compare_methods([("evaluate", vae.evaluate(x), loss), ("score", vae.score(x), -loss)])


def kl_schedule(cls, seed):
    """Check the weight of the KL during a warm-up and after it: the reported one, and the loss."""
    rng = np.random.default_rng(seed)
    warmup = int(rng.integers(2, 6))
    options = {"beta": BETA, "kl_warmup": warmup, "dtype": "float64", "seed": seed}
    vae, x, eps = cls(6, 2, (4,), **options), rng.random((5, 6)), rng.standard_normal((5, 2))
    weights = [BETA * min(1.0, epoch / warmup) for epoch in range(warmup + 3)]
    pairs = []
    for epoch, weight in enumerate(weights):
        vae.start_epoch(epoch)
        mu, log_var = np.split(vae.encoder.forward(x), 2, axis=1)
        out = vae.decoder.forward(mu + eps * np.exp(0.5 * log_var))
        reconstruction = vae.reconstruction_loss.forward(out, x)
        kl = gaussian_kl(mu, log_var).sum(axis=1).mean()
        loss = vae.loss(x, eps=eps, training=True)
        pairs += [
            (f"epoch {epoch}: kl_weight", vae.kl_weight, weight),
            (f"epoch {epoch}: loss", loss, reconstruction + weight * kl),
        ]
    for epoch, weight in enumerate(weights):  # each fit continues after the last one
        vae.fit(x, epochs=1, verbose=0)
        pairs.append((f"fit, epoch {epoch}: kl_weight", vae.kl_weight, weight))
    return compare_methods(pairs)


def elbo_of_linear(cls, seed):
    """Compare `elbo` of a linear VAE, with a posterior that is too wide, with its expectation.

    It must use beta = 1 for any beta of the model, and split=True must give its two parts.
    """
    rng = np.random.default_rng(seed)
    vae, x = linear_vae(cls, rng, widen=1.5), rng.standard_normal((6, 5))
    vae.beta = BETA
    kl = gaussian_kl(*np.split(vae.encoder.forward(x), 2, axis=1)).sum(axis=1)
    log_p, parts_kl = vae.elbo(x, split=True)
    parts = [("KL of elbo", parts_kl, kl), ("elbo in two parts", log_p - parts_kl, vae.elbo(x))]
    finding = compare_methods(parts)
    return finding if finding.caught else mean_bound(vae.elbo, vae, x)


def bound_of_one_draw(cls, seed):
    """Compare `log_likelihood(X, k=1)`, the log of one weight, with its expectation, the ELBO."""
    rng = np.random.default_rng(seed)
    vae, x = linear_vae(cls, rng, widen=1.5), rng.standard_normal((6, 5))
    return mean_bound(lambda X: vae.log_likelihood(X, k=1), vae, x)


def mean_bound(method, vae, x):
    """Compare the mean of a noisy bound over many draws with the exact ELBO."""
    values = method(np.tile(x, (REPEATS, 1))).reshape(REPEATS, len(x))
    mean, error = values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(REPEATS)
    exact = oracles.exact_elbo(vae, x)
    off = np.abs(mean - exact) / np.maximum(error, 1e-12 * np.abs(exact))
    i = off.argmax()
    evidence = f"{mean[i]:.3f} +- {error[i]:.3f}, exact ELBO {exact[i]:.3f}"
    return Finding(bool(off[i] > SURE), evidence)
