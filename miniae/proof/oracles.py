"""Exact answers in closed form, to compare trained models with.

`estimates` has the answers that need quadrature or sampling, `oracle_certificate` the comparisons.
"""

import numpy as np

from miniae.layers import Dense, Reshape
from miniae.losses import GaussianNLL, StandardNormal
from miniae.numerics import LOG_2PI
from miniae.plumbing.checks import is_whole
from miniae.plumbing.inputs import check_batch
from miniae.priors import GaussianPrior
from miniae.vae import VAE


def as_rows(X, features=None, name="X"):
    """Return X as finite float64 of shape (n, features), n >= 1, or raise ValueError."""
    X = np.asarray(X, dtype=np.float64)
    if X.ndim != 2 or len(X) == 0 or features not in (None, X.shape[1]):
        raise ValueError(f"{name} must have shape (n, {features or 'features'}), got {X.shape}")
    bad = ~np.isfinite(X).all(axis=1)
    if bad.any():
        raise ValueError(f"{name} must be finite; row {bad.argmax()} is {X[bad.argmax()]}")
    return X


class PCA:
    """Principal component analysis: the best linear code of a given size, in closed form.

    No linear autoencoder has a smaller squared error on the data of `fit`. Baldi and Hornik (1989).
    Projecting on orthonormal rows V leaves an error of tr S - tr V S V' per sample, where S is the
    covariance of X. It is smallest if V are the eigenvectors of the largest eigenvalues.

    Parameters
    ----------
    n_components : int, from 1 to the number of features

    Attributes
    ----------
    mean_ : (features,)
    components_ : (n_components, features), orthonormal rows, the largest variance first
    variances_ : (features,), of all components, kept or not, in squared units of X; divided by n
    """

    def __init__(self, n_components):
        self.n_components = n_components

    def fit(self, X):
        """Find the components of X (n, features), from the eigenvectors of its covariance."""
        X = as_rows(X)
        k, features = self.n_components, X.shape[1]
        if not isinstance(k, (int, np.integer)) or not 0 < k <= features:
            raise ValueError(
                f"n_components={k!r} must be an integer from 1 to {features}, X's features"
            )
        self.mean_ = X.mean(axis=0)
        centred = X - self.mean_
        values, vectors = np.linalg.eigh(centred.T @ centred)  # in ascending order of variance
        self.variances_ = np.maximum(values[::-1], 0) / len(X)
        self.components_ = vectors[:, ::-1][:, :k].T
        return self

    def transform(self, X):
        """Return the codes (n, n_components) of X (n, features)."""
        return (as_rows(X, len(self.mean_)) - self.mean_) @ self.components_.T

    def inverse_transform(self, Z):
        """Return X (n, features) for codes (n, n_components)."""
        return as_rows(Z, self.n_components, "Z") @ self.components_ + self.mean_

    def reconstruction_error(self, X):
        """Return the squared error, summed over features, mean over samples, as SquaredError does.

        On the data of `fit` it is the sum of the variances that are not kept.
        """
        return ((self.inverse_transform(self.transform(X)) - X) ** 2).sum(axis=1).mean()


def principal_angles(A, B):
    """Return the angles between the row spaces of A (a, features) and B (b, features), in radians.

    Returns
    -------
    angles : (min(a, b),), ascending, from 0 to pi / 2; all 0 if one space contains the other

    Notes
    -----
    With orthonormal bases Q of the larger space and P of the smaller, the singular values of P Q'
    are the cosines; those of P - P Q'Q, the part of P outside the space of Q, are the sines. The
    cosine is inaccurate for angles below 1e-8, and the sine for angles near pi / 2; arctan2 uses
    the better one. Bjorck and Golub (1973).
    """
    A, B = as_rows(A, name="A"), as_rows(B, name="B")
    if A.shape[1] != B.shape[1]:
        raise ValueError(f"A has shape {A.shape} and B {B.shape}: features must be equal")
    for name, M in (("A", A), ("B", B)):
        rank = np.linalg.matrix_rank(M)
        if rank != len(M):
            raise ValueError(f"{name} of shape {M.shape} has rank {rank}: its rows are dependent")
    Q, P = (np.linalg.qr(M.T)[0].T for M in sorted((A, B), key=len, reverse=True))
    cosines = np.linalg.svd(P @ Q.T, compute_uv=False)
    sines = np.linalg.svd(P - P @ Q.T @ Q, compute_uv=False)
    return np.arctan2(sines[::-1], cosines)


def _cholesky(covariance, name):
    """Return L with L L' = covariance, which must be symmetric and positive definite."""
    gap, largest = (np.abs(C).max(initial=0) for C in (covariance - covariance.T, covariance))
    if not gap <= 1e-9 * largest:
        raise ValueError(f"{name} is not symmetric: entries differ by {gap:.2g}")
    try:
        return np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        lowest = np.linalg.eigvalsh(covariance)[0]
        message = f"{name} must be positive definite; its smallest eigenvalue is {lowest:.3g}"
        raise ValueError(message) from None


def gaussian_log_density(X, mean, covariance):
    """Return log N(x; mean, covariance) of each row of X (n, features): shape (n,), in nats.

    With covariance = L L', the quadratic form is |L^-1 (x - mean)|^2, and half the log
    determinant is the sum of the logarithms of L's diagonal.
    """
    mean, C = np.asarray(mean, dtype=np.float64), np.asarray(covariance, dtype=np.float64)
    if mean.ndim != 1 or C.shape != 2 * mean.shape:
        raise ValueError(f"mean {mean.shape} and covariance {C.shape} must be (d,) and (d, d)")
    X, L = as_rows(X, len(mean)), _cholesky(C, "covariance")
    whitened = np.linalg.solve(L, (X - mean).T)
    log_det = 2 * np.log(np.diag(L)).sum()
    return -0.5 * ((whitened**2).sum(axis=0) + log_det + len(mean) * LOG_2PI)


def conditional_gaussian(mean, covariance, x):
    """Return the distribution of the missing part of x ~ N(mean, covariance), given the rest.

    Parameters
    ----------
    mean : (features,)
    covariance : (features, features); the block of the observed entries must be positive definite
    x : (features,), one sample, NaN where it is missing

    Returns
    -------
    filled : (features,), x with the conditional mean where it was missing
    conditional_covariance : (missing, missing), in the order of the missing entries

    Notes
    -----
    With m for missing and o for observed: mean_m + C_mo C_oo^-1 (x_o - mean_o) and
    C_mm - C_mo C_oo^-1 C_om. Bishop (2006), eqs. 2.81 and 2.82. The reason: x_m - C_mo C_oo^-1 x_o
    is uncorrelated with x_o, so it is independent of it and has the same covariance given x_o.
    With C_oo = L L' and A = L^-1 C_om they are mean_m + A' L^-1 (x_o - mean_o) and C_mm - A'A.
    """
    mean, C, x = (np.asarray(array, dtype=np.float64) for array in (mean, covariance, x))
    if x.ndim != 1 or mean.shape != x.shape or C.shape != 2 * x.shape:
        shapes = f"mean {mean.shape}, covariance {C.shape} and x {x.shape}"
        raise ValueError(f"{shapes} must be (features,), (features, features) and (features,)")
    if np.isinf(x).any():
        raise ValueError(f"x[{np.argmax(np.isinf(x))}] is infinite; NaN marks missing")
    missing, observed = np.flatnonzero(np.isnan(x)), np.flatnonzero(~np.isnan(x))
    L = _cholesky(C[np.ix_(observed, observed)], "covariance (of the observed entries)")
    A = np.linalg.solve(L, C[np.ix_(observed, missing)])
    filled = x.copy()
    filled[missing] = mean[missing] + A.T @ np.linalg.solve(L, x[observed] - mean[observed])
    return filled, C[np.ix_(missing, missing)] - A.T @ A


class ProbabilisticPCA:
    """The most likely linear model with isotropic normal noise. Tipping and Bishop (1999).

    x = z W + mean + noise, z ~ N(0, I), noise ~ N(0, sigma2 I). This is the decoder of a linear
    VAE, with W as in `Dense`. Then x ~ N(mean, W'W + sigma2 I). Its likelihood is largest (their
    eqs. 7 and 8, the rotation R = I) if sigma2 is the mean of the variances that are not kept, and
    row j of W is sqrt(variance_j - sigma2) times principal component j.

    Parameters
    ----------
    n_components : int, from 1 to the number of features less 1

    Attributes
    ----------
    mean_ : (features,)
    sigma2_ : float, variance of the noise, in squared units of X
    W_ : (n_components, features), orthogonal rows: W W' = diag(variances - sigma2)

    Notes
    -----
    With C = W'W + sigma2 I and S the covariance of X, the mean of -log p is (log |C| + tr C^-1 S)
    / 2 plus a constant. Its gradient with respect to W is 0 where W C^-1 S = W. For rows that are
    eigenvectors v of S with squared length l, this means (l + sigma2)^-1 variance = 1. Each
    eigenvector that is left out adds (log sigma2 + variance / sigma2) / 2; the sum is smallest if
    sigma2 is the mean of their variances.
    """

    def __init__(self, n_components):
        self.n_components = n_components

    def fit(self, X):
        """Maximise the likelihood of X (n, features)."""
        pca, k = PCA(self.n_components).fit(X), self.n_components
        features = len(pca.mean_)
        if k >= features:
            raise ValueError(f"n_components={k} must be less than X's {features} features")
        kept, left_out = pca.variances_[:k], pca.variances_[k:]
        self.mean_, self.sigma2_ = pca.mean_, float(left_out.mean())
        if not self.sigma2_ > features * np.finfo(float).eps * kept[0]:
            raise ValueError(
                f"X {np.shape(X)} has no variance beyond {k} components: the likelihood is "
                "unbounded; use fewer components"
            )
        self.W_ = np.sqrt(np.maximum(kept - self.sigma2_, 0))[:, None] * pca.components_
        return self

    def log_likelihood(self, X):
        """Return log p(x) of each row of X (n, features): shape (n,), in nats."""
        covariance = self.W_.T @ self.W_ + self.sigma2_ * np.eye(len(self.mean_))
        return gaussian_log_density(X, self.mean_, covariance)

    def posterior(self, X):
        """Return the mean (n, n_components) and covariance (n_components, n_components) of z | x.

        With M = W W' + sigma2 I, they are (x - mean) W' M^-1 and sigma2 M^-1 (their eq. 6). M is
        diagonal here, so the encoder of a VAE can represent the exact posterior.
        """
        inverse = np.linalg.inv(self.W_ @ self.W_.T + self.sigma2_ * np.eye(self.n_components))
        mean = (as_rows(X, len(self.mean_)) - self.mean_) @ self.W_.T @ inverse
        return mean, self.sigma2_ * inverse


def joint_gaussian(vae):
    """Return mean and covariance of (z, x) for a VAE with a linear decoder, Gaussian likelihood.

    z ~ N(m, S), by default N(0, I), and x = z W + b + sigma noise. So the mean is (m, m W + b) and
    the covariance is [[S, S W], [W'S, W'S W + sigma^2 I]]. The encoder is not used. Bishop (2006),
    section 2.3.3.

    Returns
    -------
    mean, covariance : (latent_dim + features,), (latent_dim + features, latent_dim + features)

    Raises
    ------
    ValueError : the decoder is not one Dense layer (and reshapes), or likelihood or prior are not
        Gaussian
    """
    if not (isinstance(vae, VAE) and isinstance(vae.reconstruction_loss, GaussianNLL)):
        raise ValueError(f"vae={vae} must be a VAE with a Gaussian likelihood")
    if not isinstance(vae.prior, (StandardNormal, GaussianPrior)):
        raise ValueError(f"vae={vae} must have a Gaussian prior, got {vae.prior}")
    exact = vae.astype(np.float64)
    layers = [layer for layer in exact.decoder.layers if not isinstance(layer, Reshape)]
    if len(layers) != 1 or not isinstance(layers[0], Dense):
        raise ValueError(f"vae={vae} must have a linear decoder, hidden=(); it has layers {layers}")
    W, b = (layers[0].params[name] for name in "Wb")
    noise = exact.reconstruction_loss.sigma**2 * np.eye(len(b))
    m = np.broadcast_to(vae.prior.mean, len(W))
    S = np.diag(np.broadcast_to(getattr(vae.prior, "std", 1.0), len(W)) ** 2)
    covariance = np.block([[S, S @ W], [W.T @ S, W.T @ S @ W + noise]])
    return np.concatenate([m, m @ W + b]), covariance


def gaussian_marginal(vae, X):
    """Return the exact log p(x) under a linear VAE, shape (n,), in nats.

    It is log N(x; m W + b, W'S W + sigma^2 I) for the prior N(m, S), by default N(0, I). The
    decoder must be as for `joint_gaussian`; X is (n, *input_shape).
    """
    mean, covariance = joint_gaussian(vae)
    X = check_batch(vae.astype(np.float64), X, "X")
    d = vae.latent_dim
    return gaussian_log_density(X.reshape(len(X), -1), mean[d:], covariance[d:, d:])


def sigma_points(latent_dim):
    """Return noise eps = +-sqrt(d) e_j with mean 0 and covariance I, shape (2 d, d).

    Over the 2 d points, the mean of eps_i eps_j is 2 d / (2 d) = 1 for i = j and 0 for i != j. So
    the average of any quadratic function of eps is its expectation under N(0, I), without error.
    Julier and Uhlmann (2004), section III.
    """
    d = latent_dim
    if not is_whole(d, 1):
        raise ValueError(f"latent_dim={d!r} must be 1 or more")
    return np.sqrt(d) * np.concatenate([np.eye(d), -np.eye(d)])


def exact_elbo(vae, X):
    """Return the ELBO of each sample under a VAE with a linear decoder, shape (n,), in nats.

    It is `VAE.elbo`, at beta = 1, with the exact expectation over z: log p(x|z) of a linear
    Gaussian decoder is quadratic in eps, so `sigma_points` integrate it exactly. The encoder can be
    any network. At the optimum of a linear VAE, the ELBO is log p(x) of `ProbabilisticPCA`. Lucas
    et al. (2019).
    """
    joint_gaussian(vae)  # refuses a decoder that is not linear
    exact = vae.astype(np.float64)
    mu, log_var = exact.posterior(X)
    X, std = check_batch(exact, X, "X"), np.exp(0.5 * log_var)
    nll = [
        exact.reconstruction_loss.per_sample(exact.decoder.forward(mu + eps * std), X)
        for eps in sigma_points(vae.latent_dim)
    ]
    return -np.mean(nll, axis=0) - exact.prior.kl(mu, log_var).sum(axis=1)
