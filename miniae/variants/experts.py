"""The parts of the multi-modal VAE: a product of Gaussian experts, its networks, its likelihood.

A *modality* is one kind of data on the same thing, such as its picture. The modalities of a row are
columns side by side, NaN where one is missing.
"""

import numpy as np

from miniae.layers import Layer
from miniae.likelihoods import Mixed
from miniae.losses import Loss, StandardNormal
from miniae.missing import Masked, observed
from miniae.priors import GaussianPrior


def product_of_experts(mu, log_var):
    """Return mu, log_var and shares of the normalised product of Gaussian densities of z.

    Parameters
    ----------
    mu, log_var : (k, n, d), mean and log variance of k experts
        One that knows nothing of a row has log_var = inf there, and any finite mu. At least one
        expert of each row must know something.

    Returns
    -------
    mu, log_var : (n, d), of the product
    share : (k, n, d), each expert's part of the total precision; the sum over experts is 1

    Notes
    -----
    The logarithms of densities add up, and that of N(mu_i, v_i) is -(z - mu_i)^2 / (2 v_i) plus a
    constant. A sum of parabolas is a parabola. With the precision T_i = 1 / v_i, comparing the
    factors of z^2 and z gives

        T = sum_i T_i,    mu = sum_i T_i mu_i / T = sum_i share_i mu_i.

    Wu and Goodman (2018), section 2.2; Cao and Fleet (2014). Only the shares T_i / T are formed,
    from log T_i less the largest one, so nothing overflows, however small or large the variances.
    """
    log_precision = -log_var
    highest = log_precision.real.max(axis=0)
    precision = np.exp(log_precision - highest)  # the largest is 1
    total = precision.sum(axis=0)
    share = precision / total
    return (share * mu).sum(axis=0), -(highest + np.log(total)), share


def product_of_experts_grad(dmu, dlog_var, mu, product_mu, share):
    """Return dL/dmu_i and dL/dlog_var_i of all experts, each (k, n, d).

    dmu and dlog_var (n, d) are the gradients with respect to the product; mu (k, n, d) are the
    means of the experts, product_mu and share what `product_of_experts` returned.

    Notes
    -----
    mu = sum_i share_i mu_i, so dmu/dmu_i = share_i.

    Let t_i = log T_i = -log_var_i. Then log T = log sum_j e^(t_j) has the slope share_i with
    respect to t_i, and log_var = -log T, so dlog_var/dlog_var_i = share_i. From
    share_j = e^(t_j - log T), dshare_j/dt_i = share_j (1[i = j] - share_i), so

        dmu/dt_i = share_i mu_i - share_i sum_j share_j mu_j = share_i (mu_i - mu),

    and with respect to log_var_i it has the other sign: an expert that becomes less sure lets the
    mean move away from its own.
    """
    return share * dmu, share * (dlog_var - (mu - product_mu) * dmu)


class ProductEncoder(Layer):
    """x (n, features), NaN where a modality is missing -> out (n, 2 d): mu and log_var of q(z|x).

    q(z|x) is proportional to p(z) times a Gaussian factor for each modality that is there, made by
    its own encoder. So the prior is an expert too, and without any modality q(z|x) is the prior. An
    encoder sees only the rows that have its modality.

    Parameters
    ----------
    encoders : dict of Sequential, by modality, each (n, *shape) -> (n, 2 d)
    shapes : dict of tuple, the shape of a sample of each modality
    prior_mu, prior_log_var : (d,)
    """

    product, product_grad = staticmethod(product_of_experts), staticmethod(product_of_experts_grad)

    def __init__(self, encoders, shapes, prior_mu, prior_log_var):
        self.shapes, self.columns = shapes, columns_of(shapes)
        self.prior = np.array([prior_mu, prior_log_var])
        super().__init__(parts=encoders)

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(self.parts)})"

    def there(self, x):
        """Return which modalities each row has, (n, k) bools."""
        return modalities_there(x, self.columns)

    def forward(self, x, training=False):
        """x (n, features) -> out (n, 2 d)."""
        n, d, there = len(x), self.prior.shape[1], self.there(x)
        mu = np.zeros((1 + len(self.parts), n, d), np.result_type(x, self.theta))
        log_var = np.full_like(mu, np.inf)  # a missing expert knows nothing
        mu[0], log_var[0] = self.prior
        for i, (name, encoder) in enumerate(self.parts.items()):
            rows = there[:, i]
            if rows.any():
                _, own = observed(x[rows, self.columns[name]])
                code = encoder.forward(own.reshape(-1, *self.shapes[name]), training)
                mu[i + 1, rows], log_var[i + 1, rows] = code[:, :d], code[:, d:]
        product_mu, product_log_var, share = self.product(mu, log_var)
        cache = x.shape, there, mu, product_mu, share
        return self.remember(cache, np.concatenate([product_mu, product_log_var], axis=1))

    def backward(self, dout):
        """The product passes dout on to each expert, and its encoder to its columns of x.

        A missing modality has share 0, so no gradient. The prior is a constant.
        """
        dx = np.zeros(self.recall(dout)[0], dout.dtype)
        for name, rows, dcode in self.dcodes(dout):
            dx[rows, self.columns[name]] = self.parts[name].backward(dcode).reshape(rows.sum(), -1)
        return dx

    def backward_params(self, dout):
        """dout (n, 2 d) -> grads, as `backward`."""
        for name, _, dcode in self.dcodes(dout):
            self.parts[name].backward_params(dcode)

    def dcodes(self, dout):
        """Yield (modality, its rows, dout of its encoder); an encoder without rows gets grads 0."""
        _, there, mu, product_mu, share = self.recall(dout)
        dmu, dlog_var = np.split(dout, 2, axis=1)
        both = self.product_grad(dmu, dlog_var, mu, product_mu, share)
        dcode = np.concatenate(both, axis=2)
        for i, (name, encoder) in enumerate(self.parts.items()):
            rows = there[:, i]
            if rows.any():
                yield name, rows, dcode[i + 1, rows]
            else:
                encoder.dtheta[...] = 0


class JointDecoder(Layer):
    """z (n, d) -> out (n, features): what the decoder of each modality returns, side by side.

    Parameters
    ----------
    decoders : dict of Sequential, by modality, each (n, d) -> (n, *shape)
    shapes : dict of tuple, the shape of a sample of each modality
    """

    def __init__(self, decoders, shapes):
        self.shapes, self.columns = shapes, columns_of(shapes)
        super().__init__(parts=decoders)

    __repr__ = ProductEncoder.__repr__

    def forward(self, z, training=False):
        """z (n, d) -> out (n, features)."""
        outs = [decoder.forward(z, training).reshape(len(z), -1) for decoder in self.parts.values()]
        return self.remember(len(z), np.concatenate(outs, axis=1))

    def backward(self, dout):
        """z acts on all modalities, so its gradients are added up."""
        n = self.recall(dout)
        return sum(
            decoder.backward(dout[:, self.columns[name]].reshape(n, *self.shapes[name]))
            for name, decoder in self.parts.items()
        )


class Shaped(Loss):
    """A loss of samples of a shape, such as images, for rows that hold their entries.

    Parameters
    ----------
    loss : Loss
    shape : tuple, of a sample
    """

    bounds = property(lambda self: self.loss.bounds)
    is_likelihood = property(lambda self: self.loss.is_likelihood)

    def __init__(self, loss, shape):
        self.shape = shape
        self.loss = loss
        super().__init__(parts={"loss": loss})

    def __repr__(self):
        return repr(self.loss)

    def in_shape(self, function, *arrays):
        """Return function of rows (n, size) as samples (n, *shape), as rows again."""
        samples = (array.reshape(len(array), *self.shape) for array in arrays)
        return function(*samples).reshape(len(arrays[0]), -1)

    def entries(self, out, target):
        """out, target (n, size) -> (n, size), as the loss returns them."""
        return self.in_shape(self.loss.entries, out, target)

    def slopes(self, out, target, weight):
        """A new shape changes no number."""
        return self.in_shape(self.loss.slopes, out, target, np.broadcast_to(weight, out.shape))

    def expected(self, out):
        """As the loss."""
        return self.in_shape(self.loss.expected, np.asarray(out))

    def draw(self, out, rng):
        """As the loss."""
        return self.in_shape(lambda samples: self.loss.draw(samples, rng), np.asarray(out))

    def wrong_target(self, target):
        """As the loss, or None."""
        return self.loss.wrong_target(target) if hasattr(self.loss, "wrong_target") else None

    def check_observed(self, seen):
        """As the loss, if it has such a check."""
        if hasattr(self.loss, "check_observed"):
            self.loss.check_observed(seen)


class ModalitiesNLL(Masked):
    """-log p of the modalities that are there: the sum of their losses. NaN is "not observed".

    Given z the modalities are independent, so leaving one out gives the exact marginal likelihood
    of the others. A modality is missing as a whole, so a multinomial is allowed here.

    Parameters
    ----------
    losses, sizes : of each modality, its loss and its number of columns
    """

    def __init__(self, losses, sizes):
        self.loss = Mixed(list(zip(losses, sizes, strict=True)))
        Loss.__init__(self, parts={"loss": self.loss})


def modalities_there(x, columns):
    """Return which modalities each row of x (n, features) has, (n, k) bools."""
    return np.stack([~np.isnan(x[:, here]).all(axis=1) for here in columns.values()], axis=1)


def columns_of(shapes):
    """Return which columns each modality has, a dict of slices."""
    columns, start = {}, 0
    for name, shape in shapes.items():
        columns[name] = slice(start, start := start + int(np.prod(shape)))
    return columns


def normal(prior, latent_dim):
    """Return mean and log variance of a Gaussian prior, each (latent_dim,)."""
    prior = StandardNormal() if prior is None else prior
    if not isinstance(prior, (StandardNormal, GaussianPrior)):
        raise ValueError(
            f"prior={prior!r} must be N(0, I), None, or a GaussianPrior: it is one of the experts, "
            "and a product of Gaussians is Gaussian"
        )
    std = getattr(prior, "std", 1.0)
    return [np.broadcast_to(value, latent_dim) for value in (prior.mean, 2 * np.log(std))]
