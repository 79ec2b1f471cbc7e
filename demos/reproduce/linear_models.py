# %% [markdown]
"""Linear models, exactly: Baldi and Hornik (1989), and Lucas et al. (2019).

    MINIAE_DATA=<folder> python demos/reproduce/linear_models.py     60,000 images, a minute

Both papers are theorems, so the models are trained until only rounding errors are left. A linear
autoencoder has one minimum, at which it projects on the first principal components; all other
critical points are saddles. A linear VAE ends at the maximum likelihood of probabilistic PCA, and a
fixed noise above a component's variance collapses its latent in both alike.
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from miniae import VAE, Autoencoder, GaussianNLL
from miniae.proof.oracle_certificate import train_to_optimum
from miniae.proof.oracles import (
    PCA,
    ProbabilisticPCA,
    exact_elbo,
    gaussian_log_density,
    principal_angles,
    sigma_points,
)

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.common import images, save, timed
from support.paper import start

SIDE, CODE = 4, 4
STARTS = 5
KEPT = ((0, 1, 2, 3), (0, 1, 2, 4), (0, 1, 3, 5), (12, 13, 14, 15), (0, 1), ())


# %%
def coarse(images):
    """Return the ink in SIDE x SIDE squares of images (n, h, w): centred rows (n, SIDE^2).

    They are divided by one standard deviation.
    """
    n, height, width = images.shape
    squares = images.reshape(n, SIDE, height // SIDE, SIDE, width // SIDE)
    X = squares.mean(axis=(2, 4), dtype=np.float64).reshape(n, SIDE * SIDE)
    X -= X.mean(axis=0)
    return X / X.std()


def same_moments(X):
    """Return a few points with the mean and the covariance of the rows X.

    The error of a linear model depends on these alone, so the points replace the data in training.
    """
    values, vectors = np.linalg.eigh(np.cov(X.T, bias=True))
    return sigma_points(X.shape[1]) * np.sqrt(values) @ vectors.T + X.mean(axis=0)


def weights(network):
    """Return W of a network that is one Dense layer."""
    return network.layers[0].params["W"]


def linear_autoencoder(X, seed):
    """Return a linear autoencoder with random weights."""
    return Autoencoder(X.shape[1], CODE, (), loss="mse", dtype="float64", seed=seed)


def keep(model, V):
    """Set the model to project on orthonormal rows V: a critical point if they are components."""
    model.theta = np.zeros_like(model.theta)
    weights(model.encoder)[:, : len(V)], weights(model.decoder)[: len(V)] = V.T, V


def gradient(model, theta, X):
    """Return the gradient at theta, which may be complex."""
    model.theta = theta
    model.loss(X)
    model.backward()
    return model.dtheta.copy()


def curvatures(model, X, step=1e-30):
    """Return the eigenvalues of the Hessian, whose columns are complex steps of the gradient."""
    complex_model, steps = model.astype(complex), 1j * step * np.eye(model.theta.size)
    columns = [gradient(complex_model, model.theta + h, X).imag / step for h in steps]
    return np.linalg.eigvalsh(np.array(columns))


def negative_by_theory(kept, variances):
    """Return how many curvatures are negative at the critical point that keeps these components.

    There is one for each pair of a component i that is not kept and a component j that is, with
    variance_i > variance_j; and for each unused number of the code one per component not kept.
    """
    others = [i for i in range(len(variances)) if i not in kept]
    pairs = sum(variances[i] > variances[j] for i in others for j in kept)
    return int(pairs) + (CODE - len(kept)) * len(others)


# %%
def critical_point(kept, X, pca, rng):
    """Compare theory and model at the critical point that keeps these components."""
    model, V = linear_autoencoder(X, seed=0), pca.components_[list(kept)]
    keep(model, V)
    error, variances = model.evaluate(X), pca.variances_
    steepest = np.abs(gradient(model, model.theta.copy(), X)).max()
    found = curvatures(model, X)
    model.theta = model.theta + 1e-3 * rng.standard_normal(model.theta.size)  # a push
    train_to_optimum(model, X)
    return {
        "kept": [int(i) + 1 for i in kept],
        "error by theory": float(variances.sum() - variances[list(kept)].sum()),
        "error": float(error),
        "gradient": float(steepest),
        "negative by theory": negative_by_theory(kept, variances),
        "negative": int((found < -1e-9 * found.max()).sum()),
        "excess after a push": float(model.evaluate(X) - variances[CODE:].sum()),
    }


def train_autoencoder(seed, X, pca):
    """Return how far a linear autoencoder is from PCA after training from random weights."""
    model, V = linear_autoencoder(X, seed), pca.components_[:CODE]
    train_to_optimum(model, X)
    W_in, W_out = weights(model.encoder), weights(model.decoder)
    return {
        "excess": float(model.evaluate(X) - pca.variances_[CODE:].sum()),
        "angle": float(principal_angles(W_out, V).max()),
        "projector": float(np.abs(W_in @ W_out - V.T @ V).max()),
    }


def train_vae(seed, points, X, ppca):
    """Return how far a linear VAE is from probabilistic PCA after training from random weights.

    By theory (Tipping and Bishop 1999) log p(x) = bound for each image, sigma^2 is the mean of the
    variances not kept, and W W' = diag(variances kept - sigma^2).
    """
    vae = VAE(X.shape[1], CODE, (), likelihood="gaussian", dtype="float64", seed=seed)
    train_to_optimum(vae, points)
    W, log_p = weights(vae.decoder), ppca.log_likelihood(X)
    mu, log_var = vae.posterior(X)
    mean, covariance = ppca.posterior(X)
    spread = np.exp(log_var).mean(axis=0)
    order = np.argsort(spread)  # latents have any order and either sign
    return {
        "log p": float(log_p.mean()),
        "bound": float(exact_elbo(vae, X).mean()),
        "worst image": float(np.abs(exact_elbo(vae, X) - log_p).max()),
        "sigma^2": float(vae.reconstruction_loss.sigma**2),
        "W'W": float(np.abs(W.T @ W - ppca.W_.T @ ppca.W_).max()),
        "W W'": np.diag(W @ W.T)[order].tolist(),
        "off the diagonal": float(np.abs(W @ W.T - np.diag(np.diag(W @ W.T))).max()),
        "posterior means": float(np.abs(np.abs(mu[:, order]) - np.abs(mean)).max()),
        "posterior variances": float(np.abs(spread[order] - np.diag(covariance)).max()),
    }


def fixed_noise(sigma2, points, variances, seed):
    """Compare theory and a linear VAE with fixed sigma: active latents, KL, bound.

    By theory a latent collapses if its component's variance is below sigma^2, and has a KL of
    log(variance / sigma^2) / 2 nats otherwise.
    """
    vae = VAE(points.shape[1], CODE, (), likelihood=GaussianNLL(sigma2**0.5), dtype="float64",
              seed=seed)  # fmt: skip
    train_to_optimum(vae, points)
    used = variances[:CODE][variances[:CODE] > sigma2]
    best = np.concatenate([used, np.full(len(variances) - len(used), sigma2)])
    log_p = gaussian_log_density(np.zeros((1, len(best))), np.zeros(len(best)), np.diag(best))[0]
    return {
        "sigma^2": float(sigma2),
        "active by theory": len(used),
        "active": vae.active_units(points),
        "KL by theory": float(0.5 * np.log(used / sigma2).sum()),
        "KL": vae.kl_per_dimension(points).tolist(),
        "log p by theory": float(log_p - 0.5 * (variances / best).sum()),
        "bound": float(exact_elbo(vae, points).mean()),
    }


# %%
def draw(variances, vaes, fixed):
    """Draw the variances of data and model, and the KL by the noise; return the figure."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    numbers = np.arange(1, len(variances) + 1)
    left.semilogy(numbers, variances, "k.-", label="of the images, by component")
    model = [v["sigma^2"] + np.array(v["W W'"] + [0.0] * (len(variances) - CODE)) for v in vaes]
    for modelled in model:
        left.plot(numbers, modelled, "C0o", markersize=9, fillstyle="none", alpha=0.5)
    left.plot([], [], "C0o", fillstyle="none", label=f"of a linear VAE, {len(vaes)} starts")
    left.set(xlabel="principal component", ylabel="variance", title="Noise learned")
    sigma2 = np.geomspace(fixed[-1]["sigma^2"] * 0.8, fixed[0]["sigma^2"] * 1.2, 300)
    for j in range(CODE):
        by_theory = np.maximum(0.5 * np.log(variances[j] / sigma2), 0)
        right.semilogx(sigma2, by_theory, "k-", linewidth=1, label="theory" if j == 0 else None)
    for row in fixed:
        kl = np.sort(row["KL"])
        right.plot([row["sigma^2"]] * CODE, kl, "C0o", fillstyle="none", markersize=8)
    right.plot([], [], "C0o", fillstyle="none", label="a linear VAE, latent by latent")
    right.set(xlabel="sigma^2, fixed", ylabel="KL of a latent (nats)", title="Noise fixed")
    ticks = [row["sigma^2"] for row in fixed]
    right.set_xticks(ticks, [f"{tick:.1f}" for tick in ticks])
    right.minorticks_off()
    for ax in (left, right):
        ax.legend(frameon=False, loc="upper right")
    return figure


def main(argv=None):
    """Run the reproduction; see the top of the file."""
    chosen, record = start("linear_models", __doc__, argv)
    X = coarse(images(chosen)[0])
    points, starts = same_moments(X), range(1 if chosen.quick else STARTS)
    kept_sets = KEPT[::2] if chosen.quick else KEPT
    pca, ppca = PCA(X.shape[1]).fit(X), ProbabilisticPCA(CODE).fit(X)
    variances, rng = pca.variances_, np.random.default_rng(chosen.seed)

    with timed("linear autoencoders"):
        plain = record.measure(
            "autoencoder", lambda: [train_autoencoder(chosen.seed + i, points, pca) for i in starts]
        )
        critical = record.measure(
            "critical points",
            lambda: [critical_point(kept, points, pca, rng) for kept in kept_sets],
        )
    with timed("linear VAEs"):
        vaes = record.measure(
            "VAE", lambda: [train_vae(chosen.seed + i, points, X, ppca) for i in starts]
        )
        between = np.sqrt(variances[:CODE] * variances[1 : CODE + 1])  # geometric means
        levels = [2 * variances[0], *between][:: CODE if chosen.quick else 1]
        fixed = record.measure(
            "fixed noise", lambda: [fixed_noise(s, points, variances, chosen.seed) for s in levels]
        )

    def worst(rows, name):
        return f"{max(abs(row[name]) for row in rows):.1e}"

    rows = [
        (f"autoencoder, {len(starts)} starts: error above PCA's", "0", worst(plain, "excess")),
        ("its decoder and PCA, largest angle (rad)", "0", worst(plain, "angle")),
        ("its map and PCA's projector, worst entry", "0", worst(plain, "projector")),
    ]
    for point in critical:
        kept = "components " + ", ".join(map(str, point["kept"])) if point["kept"] else "nothing"
        rows += [
            (f"critical point, keeps {kept}: error", f"{point['error by theory']:.6f}",
             f"{point['error']:.6f}"),
            ("   largest entry of the gradient", "0", f"{point['gradient']:.1e}"),
            ("   negative curvatures", str(point["negative by theory"]), str(point["negative"])),
            ("   after a push and descent: error above PCA's", "0",
             f"{point['excess after a push']:.1e}"),
        ]  # fmt: skip
    highest = np.mean([v["log p"] for v in vaes])
    lowest = min(v["bound"] for v in vaes)
    sigma2 = max((v["sigma^2"] for v in vaes), key=lambda s: abs(s - ppca.sigma2_))
    rows += [
        (f"VAE, {len(starts)} starts: bound (nats), the lowest", f"{highest:.6f}", f"{lowest:.6f}"),
        ("bound and log p(x), worst image (nats)", "0", worst(vaes, "worst image")),
        ("sigma^2, the farthest", f"{ppca.sigma2_:.9f}", f"{sigma2:.9f}"),
        ("W'W, worst entry", "0", worst(vaes, "W'W")),
        ("W W' off its diagonal", "0", worst(vaes, "off the diagonal")),
        ("posterior means, worst", "0", worst(vaes, "posterior means")),
        ("posterior variances, worst", "0", worst(vaes, "posterior variances")),
    ]
    for row in fixed:
        rows += [
            (f"sigma^2 = {row['sigma^2']:.3f}: active latents", str(row["active by theory"]),
             str(row["active"])),
            ("   KL (nats)", f"{row['KL by theory']:.6f}", f"{sum(row['KL']):.6f}"),
            ("   bound (nats)", f"{row['log p by theory']:.6f}", f"{row['bound']:.6f}"),
        ]  # fmt: skip
    record.table(f"{len(X):,} images of {SIDE} x {SIDE}, codes of {CODE}", rows)
    save(chosen.out, linear_models=draw(variances, vaes, fixed))


# %%
if __name__ == "__main__":
    main()
