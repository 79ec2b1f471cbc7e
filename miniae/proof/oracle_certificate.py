"""Comparisons of miniae's models with the exact answers of `oracles` and `estimates`."""

from dataclasses import dataclass

import numpy as np

from miniae.autoencoder import Autoencoder
from miniae.losses import GaussianNLL, gaussian_kl
from miniae.optim import Adam
from miniae.proof import estimates, oracles
from miniae.proof.samplers import check_sampler
from miniae.vae import VAE
from miniae.variants import ConditionalVAE, ImportanceWeightedVAE


@dataclass
class Line:
    """One comparison of the certificate; it is ok if measured <= bound (never for NaN)."""

    name: str
    measured: float
    bound: float
    ok: bool
    note: str  # what was compared, and the unit


def compare(name, measured, bound, note):
    """Return the Line for a measured error and its upper bound."""
    return Line(name, float(measured), bound, bool(measured <= bound), note)


def minimise(function, theta, steps=2000, tolerance=1e-10):
    """Minimise a smooth function of a few hundred numbers by BFGS.

    Parameters
    ----------
    function : theta (size,) -> value, gradient (size,); a step to a value of inf is not accepted
    theta : (size,), where to start
    steps : int, the largest number of steps
    tolerance : float, stop if no entry of the gradient is larger than this

    Returns
    -------
    theta, value, gradient : at the end

    Notes
    -----
    H estimates the inverse Hessian. Each step follows -H gradient and is halved until the value
    falls by 1e-4 of the decrease that the slope predicts, up to rounding. Then H is updated, so
    that H y = s holds for the step s and the change y of the gradient. Nocedal and Wright (2006),
    algorithm 6.1, eqs. 6.17 and 6.20 (the first scaling), with backtracking, algorithm 3.1.
    """
    value, gradient = function(theta)
    H, identity = None, np.eye(len(theta))
    for _ in range(steps):
        if np.abs(gradient).max() <= tolerance:
            break
        direction = -gradient if H is None else -H @ gradient
        slope, size = gradient @ direction, 1.0
        while size > 1e-20:
            new_value, new_gradient = function(theta + size * direction)
            if new_value <= value + 1e-4 * size * slope + 4e-16 * abs(value):
                break
            size /= 2
        else:
            break  # no step decreases the value: the gradient is rounding noise
        s, y = size * direction, new_gradient - gradient
        theta, value, gradient = theta + s, new_value, new_gradient
        if s @ y > 1e-12 * np.sqrt((s @ s) * (y @ y)):
            H = identity * (s @ y) / (y @ y) if H is None else H
            V = identity - np.outer(y, s) / (s @ y)
            H = V.T @ H @ V + np.outer(s, s) / (s @ y)
    return theta, value, gradient


def train_to_optimum(model, X):
    """Train a small float64 model on all of X by its own `loss` and `backward`, by `minimise`.

    The decoder of a VAE must be linear and Gaussian. Then the noise is integrated exactly, by
    repeating X for each of the sigma points, and the optimum is that of theory.

    Parameters
    ----------
    model : Autoencoder or VAE, changed in place; dtype="float64"
    X : (n, *input_shape)

    Returns
    -------
    float, the largest entry of the gradient at the end
    """
    if model.theta.dtype != np.float64:
        raise ValueError(f"model has dtype {model.theta.dtype}, not float64; pass dtype='float64'")
    eps = None
    if isinstance(model, VAE):
        oracles.joint_gaussian(model)  # raises an error if the model is not linear and Gaussian
        points = oracles.sigma_points(model.latent_dim)
        X, eps = np.concatenate([X] * len(points)), np.repeat(points, len(X), axis=0)

    def function(theta):
        model.theta = theta
        try:
            loss = model.loss(X, eps=eps)
        except FloatingPointError:  # the step is too large
            return np.inf, None
        model.backward()
        return loss, model.dtheta.copy()

    model.theta, _, gradient = minimise(function, model.theta.copy())
    return float(np.abs(gradient).max())


def _linear_data():
    """Return 200 samples of 6 features with two main directions, all variances different."""
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    X = rng.standard_normal((200, 6)) * [2.0, 1.4, 0.6, 0.5, 0.4, 0.3]
    return X @ rotation + rng.standard_normal(6)


def _generic_linear_vae(latent_dim, seed):
    """Return a linear VAE at a random point, with q near p(z|x) and wider, and 30 of its samples.

    If q had half of the variance of p(z|x) or less in some direction, the importance weights would
    have an infinite variance (see `estimates.weight_z_scores`), and no standard error.
    """
    vae = VAE(5, latent_dim, (), likelihood=GaussianNLL(0.6), dtype="float64")
    rng = np.random.default_rng(seed)
    vae.theta = 0.5 * rng.standard_normal(vae.theta.size)
    W, b = (vae.decoder.layers[0].params[name] for name in "Wb")
    sigma2 = vae.reconstruction_loss.sigma**2
    inverse = np.linalg.inv(W @ W.T + sigma2 * np.eye(latent_dim))
    to_mu, log_var = W.T @ inverse, np.log(sigma2 * np.diag(inverse)) + 0.5
    vae.encoder.theta *= 0.1
    vae.encoder.layers[0].params["W"][:, :latent_dim] += to_mu
    vae.encoder.layers[0].params["b"] += np.concatenate([-b @ to_mu, log_var])
    mean, covariance = oracles.joint_gaussian(vae)
    return vae, rng.multivariate_normal(mean, covariance, size=30)[:, latent_dim:]


def _posteriors(vae, X):
    """Return the exact posteriors of a linear VAE: means (n, d), covariances (n, d, d)."""
    joint = oracles.joint_gaussian(vae)
    unknown = np.full(vae.latent_dim, np.nan)
    pairs = [oracles.conditional_gaussian(*joint, np.concatenate([unknown, x])) for x in X]
    means, covariances = zip(*pairs, strict=True)
    return np.array(means)[:, : vae.latent_dim], np.array(covariances)


def _trained_lines():
    """Compare linear models at their optimum with PCA and probabilistic PCA."""
    X = _linear_data()
    model, pca = Autoencoder(6, 2, (), loss="mse", dtype="float64"), oracles.PCA(2).fit(X)
    train_to_optimum(model, X)
    error = abs(model.evaluate(X) / pca.reconstruction_error(X) - 1)
    yield compare("PCA: squared error", error, 1e-6, "linear autoencoder, relative")
    angle = oracles.principal_angles(model.decoder.layers[0].params["W"], pca.components_).max()
    yield compare("PCA: subspace", angle, 1e-3, "linear autoencoder, largest principal angle, rad")

    vae = VAE(6, 2, (), likelihood="gaussian", dtype="float64")
    train_to_optimum(vae, X)
    ppca, W = oracles.ProbabilisticPCA(2).fit(X), vae.decoder.layers[0].params["W"]
    log_p = ppca.log_likelihood(X)
    error = np.abs(oracles.exact_elbo(vae, X) - log_p).max()
    yield compare("PPCA: log-likelihood", error, 1e-8, "ELBO of a linear VAE, worst sample, nats")
    error = abs(vae.reconstruction_loss.sigma**2 / ppca.sigma2_ - 1)
    yield compare("PPCA: sigma^2", error, 1e-8, "learned sigma^2, relative")
    gram = W @ W.T
    order = np.argsort(-np.diag(gram))
    expected = ppca.W_ @ ppca.W_.T
    error = np.abs(gram[np.ix_(order, order)] - expected).max() / expected.max()
    yield compare("PPCA: W W'", error, 1e-8, "against diag(lambda - sigma^2), relative")
    mu, log_var = vae.posterior(X)
    means, covariances = _posteriors(vae, X)
    diagonal = np.exp(log_var)[:, :, None] * np.eye(2)
    error = max(np.abs(mu - means).max(), np.abs(diagonal - covariances).max())
    yield compare("PPCA: posterior", error, 1e-8, "encoder against p(z|x), means and covariances")
    error = np.abs(vae.log_likelihood(X, k=3) - log_p).max()
    yield compare("PPCA: weights", error, 1e-8, "log_likelihood(X, k=3), worst sample, nats")


def _generic_lines():
    """Check identities and expectations of an untrained linear VAE."""
    vae, X = _generic_linear_vae(2, seed=3)
    log_p, elbo = oracles.gaussian_marginal(vae, X), oracles.exact_elbo(vae, X)
    points = oracles.sigma_points(2)
    loss = np.mean([vae.loss(X, eps=np.tile(eps, (len(X), 1))) for eps in points])
    error = abs(loss + elbo.mean())
    yield compare("sigma points: loss", error, 1e-10, "mean of loss(X, eps) against -ELBO, nats")
    # KL(N(m, S) || N(M, C)) = (tr C^-1 S + (M - m)' C^-1 (M - m) - d + log |C| / |S|) / 2
    mu, log_var = vae.posterior(X)
    means, covariances = _posteriors(vae, X)
    precision = np.linalg.inv(covariances[0])
    kl = (np.exp(log_var) * np.diag(precision)).sum(axis=1) - log_var.sum(axis=1) - 2
    kl += ((means - mu) @ precision * (means - mu)).sum(axis=1) - np.linalg.slogdet(precision)[1]
    error = np.abs(elbo + kl / 2 - log_p).max()
    yield compare("ELBO + KL(q || p(z|x))", error, 1e-10, "against log p(x), worst sample, nats")
    gap = estimates.bound_gaps(vae, X, elbo, ks=())[0]
    score = abs(gap.value) / gap.standard_error
    yield compare("elbo(X)", score, 5, "against its exact expectation, standard errors")
    scores = np.abs(estimates.weight_z_scores(vae, X, log_p))
    yield compare("log_likelihood, unbiased", scores.max(), 5, "linear VAE, standard errors")
    mean, covariance = oracles.joint_gaussian(vae)
    x = np.array([np.nan, 0.3, -0.8, np.nan, 1.1, np.nan, 0.2])
    filled, conditional = oracles.conditional_gaussian(mean, covariance, x)
    lost, P = np.isnan(x), np.linalg.inv(covariance)  # Bishop (2006), eqs. 2.73 and 2.75
    shift = np.linalg.solve(P[lost][:, lost], P[lost][:, ~lost] @ (x - mean)[~lost])
    error = np.abs(filled[lost] - mean[lost] + shift).max()
    error = max(error, np.abs(conditional - np.linalg.inv(P[lost][:, lost])).max())
    yield compare(
        "conditional Gaussian", error, 1e-10, "against the form with the precision matrix"
    )


def _sampling_lines(n=40_000):
    """Compare the samplers of the VAEs with their stated posteriors."""
    mu = np.array([[0.3, -1.0], [1.7, 0.4], [-0.6, 0.1], [0.0, 2.2]])
    log_var = np.array([[-1.5, 0.8], [0.6, -0.7], [-3.1, 1.2], [0.4, -5.0]])
    estimate, error = estimates.monte_carlo_kl(mu, log_var, n, rng=0)
    scores = np.abs(estimate - gaussian_kl(mu, log_var).sum(axis=1)) / error
    yield compare("Monte-Carlo KL", scores.max(), 5, "against the analytic KL, standard errors")
    conditional = ConditionalVAE(6, 3, n_classes=4).given(2)
    for seed, model in enumerate((VAE(6, 3), conditional, ImportanceWeightedVAE(6, 3, k=5))):
        report = check_sampler(model, n=n // 10, seed=seed)
        p = min(each.p for each in report.properties)
        note = "p-value, as -log10: distribution, independence, source of z"
        bound = -np.log10(report.alpha)
        yield compare(f"z of {type(model).__name__}", -np.log10(max(p, 1e-300)), bound, note)


def _grid_lines():
    """Check bounds and quadrature for VAEs with one and two latents."""
    latents = {1: "1 latent", 2: "2 latents"}
    for d, words in latents.items():
        vae, X = _generic_linear_vae(d, seed=d)
        log_p, _ = estimates.grid_log_likelihood(vae, X, points=161)
        error = np.abs(log_p - oracles.gaussian_marginal(vae, X)).max()
        yield compare(
            f"grid, {words}", error, 1e-10, "log p(x) of a linear VAE, worst sample, nats"
        )
    rng = np.random.default_rng(5)
    curve = np.tanh(rng.standard_normal((400, 2)) @ rng.standard_normal((2, 8)) * 1.5)
    for d, likelihood, X in (
        (1, "gaussian", curve + 0.3 * rng.standard_normal(curve.shape)),
        (2, "bernoulli", (rng.random(curve.shape) < 0.5 + 0.45 * curve).astype(float)),
    ):
        vae = VAE(8, d, (16,), likelihood=likelihood, dtype="float64")
        vae.fit(X, epochs=60, batch_size=50, optimizer=Adam(1e-2), verbose=0)
        vae.encoder.layers[-1].params["b"][d:] += 0.5  # a wider q, for weights of finite variance
        X, name = X[:25], f"{likelihood} VAE, {latents[d]}"
        log_p, error = estimates.grid_log_likelihood(vae, X, points=641 if d == 1 else 161)
        yield compare(f"{name}: grid", error.max(), 1e-8, "its error as estimated, nats")
        gaps = estimates.bound_gaps(vae, X, log_p, ks=(1, 10, 100, 1000))
        text = ", ".join(f"{gap.name} {gap.value:.4f}" for gap in gaps)
        note = f"ELBO <= bounds <= log p, standard errors; nats below log p: {text}"
        yield compare(f"{name}: chain", estimates.worst_step(gaps), 5, note)
        a, b = gaps[:2]
        score = abs(a.value - b.value) / (a.standard_error + b.standard_error)
        yield compare(f"{name}: ELBO", score, 5, "against the bound of k=1, standard errors")
        yield compare(f"{name}: limit", abs(gaps[-1].value), 0.01, "k=1000 from log p(x), nats")


def certificate():
    """Make every comparison with fixed seeds, in a few seconds, and return a list of Line."""
    parts = (_trained_lines, _generic_lines, _sampling_lines, _grid_lines)
    return [line for part in parts for line in part()]
