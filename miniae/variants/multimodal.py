"""MultimodalVAE: one code for several kinds of data on the same thing, any of which may be missing.

Inside the model the modalities are columns side by side, NaN where one is missing: `pack` makes
such rows of a dict, and `unpack` a dict of rows.
"""

import numpy as np

from miniae.layers import Sequential
from miniae.plumbing.checks import diverged, whole
from miniae.plumbing.signatures import short
from miniae.vae import VAE
from miniae.variants.experts import (
    JointDecoder,
    ModalitiesNLL,
    ProductEncoder,
    columns_of,
    modalities_there,
    normal,
)
from miniae.variants.modalities import (
    as_rows,
    by_modality,
    check_rows,
    make_experts,
)


class MultimodalVAE(VAE):
    """A VAE of several modalities with a product of experts. Wu and Goodman (2018).

    Each modality x_i has its own encoder, decoder and likelihood. An encoder outputs a Gaussian
    factor of z, its expert, and the posterior given the modalities that are there is the product of
    their experts and the prior (`miniae.variants.experts`):

        q(z|x) ~ p(z) prod_i N(z; mu_i(x_i), exp(log_var_i(x_i))).

    So one model encodes every subset of the modalities. The loss of a row is minus the ELBO of what
    is there. A row with nothing has the prior as its posterior, and loss 0.

    Data are a dict by modality, ``{"image": X, "text": Y}``, each (n, *shape), or a list in the
    order of the modalities. What is missing is NaN: a whole row of a modality, or None for all
    its rows; a masked array is missing where it is masked. Methods that return data return a dict.
    All methods of VAE work, and `generate` makes one modality from the others.

    **Training.** Rows that have everything never show an encoder alone, so the paper adds terms:
    for each row the ELBO of all that is there, of each modality alone, and of `n_subsets` random
    subsets (each modality with probability 1/2). Here a term is a row, with NaN for what it leaves
    out, and the loss in training is the mean over all terms. Subsets that are empty, or have all
    that the row has, are left out. In evaluation each row is one term.

    Parameters
    ----------
    input_dim : dict by modality of int or image shape, two or more
    latent_dim, hidden, activation, dropout : as in VAE, the same for each modality
    likelihood : as in VAE, for all modalities, or a dict by modality
        Masked(...) allows single missing entries in a modality that is there.
    n_subsets : int, 0 or more, random subsets for each row; of use with three or more modalities
    prior : N(0, I) or a GaussianPrior, since it is an expert
    encoder, decoder : dict by modality of Sequential, or None
        A modality without an entry gets the network that `hidden` describes.
    beta, kl_warmup, free_bits, dtype, seed : as in VAE

    Examples
    --------
    >>> model = MultimodalVAE({"image": (28, 28), "text": 30}, 16).fit({"image": X, "text": Y})
    >>> model.generate("text", {"image": X_new})
    """

    encoder_class, loss_class = ProductEncoder, ModalitiesNLL
    needs_whole_batch = "the loss is a mean over terms, and their number differs between shares"

    def __init__(
        self, input_dim, latent_dim=2, hidden=(128,), *, activation="tanh", likelihood="bernoulli",
        n_subsets=0, beta=1.0, kl_warmup=0, free_bits=0.0, prior=None, dropout=0.0, encoder=None,
        decoder=None, dtype="float32", seed=0,
    ):  # fmt: skip
        self.n_subsets = whole(n_subsets, "n_subsets", 0)
        experts = make_experts(
            input_dim, latent_dim, hidden, activation=activation, likelihood=likelihood,
            prior=prior, dropout=dropout, encoder=encoder, decoder=decoder, dtype=dtype, seed=seed,
        )  # fmt: skip
        self.shapes = {name: each.shape for name, each in experts.items()}
        self.columns = columns_of(self.shapes)
        self.with_holes = {name for name, each in experts.items() if each.takes_nan}
        encoders = {name: each.encoder for name, each in experts.items()}
        decoders = {name: each.decoder for name, each in experts.items()}
        losses = [each.loss for each in experts.values()]
        self.sizes = [here.stop - here.start for here in self.columns.values()]
        prior_as_expert = normal(prior, latent_dim)
        super().__init__(
            sum(self.sizes), latent_dim, hidden, activation=activation,
            likelihood=self.loss_class(losses, self.sizes), beta=beta, kl_warmup=kl_warmup,
            free_bits=free_bits, prior=prior, dtype=dtype, seed=seed,
            encoder=Sequential(self.encoder_class(encoders, self.shapes, *prior_as_expert)),
            decoder=Sequential(JointDecoder(decoders, self.shapes)),
        )  # fmt: skip
        self.dropout = dropout
        self.arguments |= {
            "input_dim": input_dim, "likelihood": likelihood, "encoder": encoder,
            "decoder": decoder, "dropout": dropout,
        }  # fmt: skip

    def pack(self, X, name="X"):
        """Return data as rows (n, features), checked: the modalities side by side, NaN if missing.

        X : dict or list by modality, or such rows
        """
        blocks = {
            key: as_rows(values, self.shapes[key], f'{name}["{key}"]', self.theta.real.dtype)
            for key, values in by_modality(X, self.columns, name).items()
            if values is not None
        }
        lengths = {key: len(block) for key, block in blocks.items()}
        if len({*lengths.values()}) != 1:
            raise ValueError(
                f"{name} must have as many rows in each modality, got {lengths}; give NaN for rows "
                "that are missing, and at least one modality that is not None"
            )
        rows = np.full((*{*lengths.values()}, *self.input_shape), np.nan, self.theta.real.dtype)
        losses = dict(zip(self.columns, self.reconstruction_loss.base.parts.values(), strict=True))
        for key, block in blocks.items():
            check_rows(block, losses[key], key in self.with_holes, f'{name}["{key}"]')
            rows[:, self.columns[key]] = block
        return rows

    def unpack(self, rows):
        """Return rows (..., features) as a dict by modality of arrays (..., *shape)."""
        return {
            key: rows[..., here].reshape(*rows.shape[:-1], *self.shapes[key])
            for key, here in self.columns.items()
        }

    def draw_terms(self, x, rng):
        """Return the terms of the loss in training: their rows (m,), and what they keep (m, k).

        The first n terms keep all k modalities; the others those of a subset.
        """
        there = modalities_there(x, self.columns)
        n, k = there.shape
        subsets = [*np.eye(k, dtype=bool)]
        subsets += [rng.random((n, k)) < 0.5 for _ in range(self.n_subsets)]
        rows, keep = [np.arange(n)], [np.ones((n, k), bool)]
        for subset in subsets:
            left = subset & there
            is_new = left.any(axis=1) & (left != there).any(axis=1)
            rows.append(np.flatnonzero(is_new))
            keep.append(left[is_new])
        return np.concatenate(rows), np.concatenate(keep)

    def prepare(self, x, target, rng, training):
        """As Model.prepare; x and target may be dicts."""
        x = x if isinstance(x, np.ndarray) else self.pack(x, "x")
        if target is not None and not isinstance(target, np.ndarray):
            target = self.pack(target, "target")
        return super().prepare(x, target, rng, training)

    def loss(self, x, target=None, *, eps=None, rng=None, training=False):
        """As VAE.loss; in training, the mean over all terms. Those of a row share a given eps."""
        x, target, rng = self.prepare(x, target, rng, training)
        x, target = x.real, target.real  # data are real in a complex copy too: VAE.loss wants that
        if training:
            if eps is not None and np.shape(eps) != (len(x), self.latent_dim):
                raise ValueError(
                    f"eps has shape {np.shape(eps)}, but must be {(len(x), self.latent_dim)}"
                )
            rows, keep = self.draw_terms(x, rng)
            keep = np.repeat(keep, self.sizes, axis=1)
            x, target = (np.where(keep, values[rows], np.nan) for values in (x, target))
            eps = None if eps is None else np.asarray(eps)[rows]
        return super().loss(x, target, eps=eps, rng=rng, training=training)

    def infer(self, x, training=False):
        """Return mu and log_var of q(z|x) for checked rows, NaN where a modality is missing."""
        code = self.encoder.forward(x, training)
        if not np.isfinite(code.real).all():
            raise diverged(self, "encoder: mu or log_var of the product is not finite")
        return code[:, : self.latent_dim], code[:, self.latent_dim :]

    def decode(self, Z):
        """Return the data, in data space, that belong to codes Z: a dict of arrays (n, *shape)."""
        return self.unpack(super().decode(Z))

    def generate(self, target, given, *, n_draws=None, seed=None):
        """Return modalities that are missing, given others.

        Parameters
        ----------
        target : str, the modality to return; a list of them returns a dict
        given : data, as the class takes them, without the targets
            A row with nothing gets what the prior gives.
        n_draws : int or None
            None decodes the mean of q(z|given), the same at each call. With k draws of z, their
            spread shows what `given` leaves open.
        seed : int, of the draws; with None each call draws others

        Returns
        -------
        (n, *shape), or (n_draws, n, *shape): expected data, such as probabilities of pixels
        """
        if not isinstance(target, (str, list, tuple)):
            raise TypeError(
                f"target={short(target)} must be the name of a modality, or a list of names; there "
                f"are {[*self.columns]}"
            )
        names, rows = [target] if isinstance(target, str) else [*target], self.pack(given, "given")
        for name in names:
            if name not in self.columns:
                raise ValueError(f"target: no modality {name!r}; there are {[*self.columns]}")
            if not np.isnan(rows[:, self.columns[name]]).all():
                raise ValueError(
                    f"given has {name!r}, which is a target: it would be made from itself; leave "
                    "it out, or use reconstruct"
                )
        Z = self.encode(rows) if n_draws is None else self.posterior_sample(rows, n_draws, seed)
        data = self.decode(Z)
        return data[target] if isinstance(target, str) else {name: data[name] for name in names}

    def impute(self, X, **options):
        """As Model.impute: by a search for the code, which does not rely on the encoders."""
        return self.unpack(super().impute(self.pack(X), **options))

    def trace(self, x, target=None, *, backward=True, **options):
        """As Model.trace."""
        return super().trace(self.pack(x, "x"), target, backward=backward, **options)

    def traverse(self, x=None, dims=None, span=(-3.0, 3.0), steps=11):
        """As VAE.traverse, from the code of one sample: a dict or list of arrays (*shape)."""
        if x is not None:
            one = by_modality(x, self.columns, "x")
            one = {name: np.asarray(each)[None] for name, each in one.items() if each is not None}
            x = self.pack(one, "x")[0]
        return super().traverse(x, dims, span, steps)

    def interpolate(self, a, b, steps=10, path="line"):
        """As Model.interpolate, between batches: a dict of arrays (n, steps, *shape)."""
        return super().interpolate(self.pack(a, "a"), self.pack(b, "b"), steps, path)
