"""product_of_experts: the product of Gaussian experts, forward and backward.

A VAE of several kinds of data, for example an image and its label, has an encoder for each kind.
Each encoder is an expert: it says that z is N(mu_i, exp(log_var_i)). Some experts may be absent.
The prior N(0, I) is an expert too, and always present. The product of the densities of all experts
that are present, normalised, is again a Gaussian (Wu and Goodman 2018). With the precision
T_i = exp(-log_var_i) of expert i and sums over the experts that are present:

    T = 1 + sum T_i,    mu = (sum T_i mu_i) / T,    log_var = -log T.

An entry of log_vars can be -1000 or 1000, where T_i or its inverse overflows. So compute log T:
np.logaddexp(a, b) is log(e^a + e^b) without overflow, and np.logaddexp.reduce does this along an
axis. The mus and log_vars of an absent expert can be NaN. 0 * NaN is NaN, so use np.where.

For backward you get dmu and dlog_var, the gradients of the loss with respect to mu and log_var.
Return the gradients with respect to mus and log_vars. They are 0 for an absent expert.
Leave the arguments unchanged, and return new arrays.

    python -m miniae.exercises check . product_of_experts
    python -m miniae.exercises hint product_of_experts
"""

import numpy as np


def product_of_experts(mus, log_vars, present):
    """mus, log_vars (m, n, d), present bool (m, n) -> mu, log_var (n, d).

    m experts, n samples, d latents. present[i, j] is True where expert i is there for sample j.
    """
    raise NotImplementedError("product_of_experts: not started yet")


def product_of_experts_backward(dmu, dlog_var, mus, log_vars, present, mu, log_var):
    """dmu, dlog_var (n, d) -> dmus, dlog_vars (m, n, d); mu, log_var are what forward returned."""
    raise NotImplementedError("product_of_experts: not started yet")
