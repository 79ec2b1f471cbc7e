# %% [markdown]
"""From miniae to PyTorch: a saved model is rebuilt there, computes the same, and trains on.

    pip install torch                                     once
    python demos/speed/graduate_to_pytorch.py             10,000 built-in digits, under a minute

NumPy and json read a saved model without miniae. Each layer has a counterpart in PyTorch; they
differ in the order of axes. Two VAEs, dense and convolutional, are trained here and rebuilt there.
The first table compares outputs, loss, gradients and ten steps of Adam. The second one compares the
bounds after further training on either side.
"""

# %%
import itertools
import json
import math
import sys
from pathlib import Path

import numpy as np

from miniae import VAE, Adam, conv_networks

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.common import images, options, show, timed

try:
    import torch
    import torch.nn.functional as F
    from support.torch_layers import COUNTERPARTS, Reshape, axes_of, counterpart
    from torch import nn
except ImportError as error:
    raise SystemExit(f"graduate_to_pytorch needs PyTorch ({error}): pip install torch") from None

EPOCHS, MORE, LATENT = {"digits": 5, "mnist": 2}, 2, 10


# %%
def read(path):
    """Return the content of a file written by `save`: the header, parameters, buffers by name."""
    with np.load(path, allow_pickle=False) as file:
        theta, header = file["theta"], json.loads(str(file["header"]))
        starts = ((name, name.partition(".")) for name in file.files)
        buffers = {rest: file[name] for name, (kind, _, rest) in starts if kind == "buffer"}
    params, start = {}, 0
    for name, shape in header["shapes"].items():  # in the order of theta
        stop = start + math.prod(shape)
        params[name], start = theta[start:stop].reshape(shape), stop
    return header, params, buffers


BERNOULLI = ["bernoulli", "bce", "binary_crossentropy", {"class": "BernoulliNLL", "arguments": {}}]
ACTIVATIONS = {"relu": "ReLU", "sigmoid": "Sigmoid", "softplus": "Softplus", "tanh": "Tanh"}
ACTIVATIONS |= {"elu": "ELU", "gelu": "GELU", "leaky_relu": "LeakyReLU"}
DEFAULTS = {"alpha": 1.0, "slope": 0.01}


def mlp(sizes, activation, dropout):
    """Return the counterparts of the layers that miniae builds for these sizes, a list."""
    modules = []
    for n_in, n_out in itertools.pairwise(sizes):
        modules += [nn.Linear(n_in, n_out), COUNTERPARTS[ACTIVATIONS[activation]](DEFAULTS)]
        if dropout:
            modules.append(nn.Dropout(dropout))
    return modules[: -2 if dropout else -1]  # nothing follows the last dense layer


def networks(arguments):
    """Return encoder and decoder for the arguments of a VAE: the given ones, or new ones."""
    shape = np.atleast_1d(arguments["input_dim"]).tolist()
    n_x, hidden, n_z = math.prod(shape), arguments["hidden"], arguments["latent_dim"]
    options = arguments["activation"], arguments["dropout"]
    encoder = mlp([n_x, *hidden, 2 * n_z], *options)
    decoder = mlp([n_z, *reversed(hidden), n_x], *options)
    if len(shape) > 1:  # images become rows, and rows images
        encoder, decoder = [Reshape(-1), *encoder], [*decoder, Reshape(*shape)]
    return [
        counterpart(arguments[name]) if arguments[name] else nn.Sequential(*built)
        for name, built in (("encoder", encoder), ("decoder", decoder))
    ]


class TorchVAE(nn.Module):
    """The VAE in a file written by `save`: the same weights, and the same loss in nats per sample.

    Data of input_dim (h, w, c) are PyTorch images, (n, c, h, w). Other data are as in miniae.
    """

    def __init__(self, path):
        super().__init__()
        header, params, buffers = read(path)
        arguments = header["arguments"]
        given = {"class": header["class"], "prior": None, **arguments}  # old files have no prior
        supported = {"class": ["VAE"], "likelihood": BERNOULLI, "prior": [None]}
        supported |= {"free_bits": [0], "kl_warmup": [0]}
        for name, known in supported.items():
            if given[name] not in known:
                raise ValueError(
                    f"{path}: {name}={given[name]!r} has no counterpart here, only {known}: "
                    "rebuild its networks, and write its loss as in TorchVAE.loss"
                )
        self.encoder, self.decoder = networks(arguments)
        self.latent_dim, self.beta = arguments["latent_dim"], arguments["beta"]
        self.names = list(params)
        for name, value in params.items():
            axes, parameter = self.find(name)
            parameter.data = torch.from_numpy(value.transpose(axes).copy())
        for name, value in buffers.items():  # the running statistics have the same names there
            self.get_buffer(name).data = torch.from_numpy(value.copy())

    def find(self, name):
        """Return the axes of miniae's parameter in PyTorch's order, and PyTorch's parameter."""
        layer, kind = name.rsplit(".", 1)
        module = self.get_submodule(layer)
        if kind in ("b", "beta"):
            return (0,), module.bias
        return axes_of(module), module.weight

    def theta(self, gradient=False):
        """Return all parameters, or all gradients, as one vector in miniae's order."""
        parts = []
        for name in self.names:
            axes, parameter = self.find(name)
            values = parameter.grad if gradient else parameter.detach()
            parts.append(values.numpy().transpose(np.argsort(axes)).ravel())
        return np.concatenate(parts)

    def forward(self, x, eps):
        """Return logits, mu and log_var for noise eps (n, latent_dim)."""
        mu, log_var = self.encoder(x).chunk(2, dim=1)
        return self.decoder(mu + eps * torch.exp(0.5 * log_var)), mu, log_var

    def loss(self, x, eps):
        """Return minus the ELBO with its KL weighted: a sum over pixels, a mean over samples."""
        logits, mu, log_var = self(x, eps)
        nll = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        kl = 0.5 * (mu**2 + torch.expm1(log_var) - log_var).sum()
        return (nll + self.beta * kl) / len(x)


def tensor(x):
    """Return an array as a tensor, images (n, h, w, c) as (n, c, h, w)."""
    x = torch.from_numpy(x)
    return x.movedim(-1, 1) if x.ndim == 4 else x


def difference(a, b):
    """Return the largest difference of two arrays, relative to the largest entry."""
    return float(np.abs(a - b).max() / np.abs(b).max())


def outputs(vae, model, X):
    """Return codes (n, 2 latent_dim) and reconstructions, of PyTorch and of miniae.

    Returns
    -------
    code, posterior : codes of PyTorch, codes of miniae
    mean, reconstruction : reconstructions of PyTorch, reconstructions of miniae
    """
    with torch.no_grad():
        code = model.encoder(tensor(X))
        mean = torch.sigmoid(model.decoder(code[:, : model.latent_dim]))
    mean = mean.movedim(1, -1) if X.ndim == 4 else mean
    posterior = np.concatenate(vae.posterior(X), axis=1)
    return code.numpy(), posterior, mean.numpy(), vae.reconstruct(X)


def compare(path, X, seed, steps=10, batch_size=100):
    """Compare the model in a file with its counterpart: return a number for each of LIMITS."""
    vae, model = VAE.load(path), TorchVAE(path).eval()  # eval: no dropout in either
    rng = np.random.default_rng(seed)
    code, posterior, mean, reconstruction = outputs(vae, model, X)
    rms = float(np.sqrt(((mean - reconstruction) ** 2).mean()))
    found = [difference(code, posterior), difference(mean, reconstruction), rms]

    vae, model, X = vae.astype(np.float64), model.double(), X.astype(np.float64)
    _, _, mean, reconstruction = outputs(vae, model, X)
    found.append(difference(mean, reconstruction))
    optimizer, theirs = Adam(1e-3), torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(steps):
        x = X[rng.integers(len(X), size=batch_size)]
        eps = rng.standard_normal((batch_size, vae.latent_dim))
        loss = vae.loss(x, eps=eps)
        vae.backward()
        theirs.zero_grad()
        their_loss = model.loss(tensor(x), torch.from_numpy(eps))
        their_loss.backward()
        if step == 0:
            found.append(abs(their_loss.item() / loss - 1))
            found.append(difference(model.theta(gradient=True), vae.dtheta))
        optimizer.step(vae.theta, vae.dtheta)
        theirs.step()
    return [*found, difference(model.theta(), vae.theta)]


# What is compared, and the largest difference to expect if sums of some hundred numbers are taken
# in another order: tens of roundings of 6e-8 or 1e-16 each. Adam's step can divide a gradient that
# is almost 0 by 1e-8.
LIMITS = {
    "mu and log_var, float32": 1e-5,
    "reconstructions, float32": 1e-5,
    "the same, root mean square": 1e-6,
    "reconstructions, float64": 1e-12,
    "loss, float64": 1e-12,
    "gradients of all parameters, float64": 1e-10,
    "weights after 10 steps of Adam, float64": 1e-8,
}


def train(model, X, *, epochs, seed, batch_size=100):
    """Train a TorchVAE on a tensor X, as `fit` does."""
    rng = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(X), generator=rng).split(batch_size):
            eps = torch.randn(len(rows), model.latent_dim, generator=rng)
            optimizer.zero_grad()
            model.loss(X[rows], eps).backward()
            optimizer.step()


def bound(vae, X):
    """Return the mean ELBO of images."""
    return float(vae.elbo(X).mean())


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("graduate_to_pytorch", __doc__, argv, data=tuple(EPOCHS))
    X, X_test, _, _ = images(chosen)
    X, X_test = X[..., None], X_test[..., None]  # (n, h, w, c)
    shape, epochs = X.shape[1:], 1 if chosen.quick else EPOCHS[chosen.data]
    more, settings = 1 if chosen.quick else MORE, {"batch_size": 100, "verbose": 0}
    encoder, decoder = conv_networks(shape, LATENT, (8, 16), variational=True, rng=chosen.seed)
    models = {
        "dense": VAE(shape, LATENT, (200,), seed=chosen.seed),
        "convolutional": VAE(shape, LATENT, encoder=encoder, decoder=decoder, seed=chosen.seed),
    }
    chosen.out.mkdir(parents=True, exist_ok=True)
    columns, bounds = [], []
    for name, vae in models.items():
        path = chosen.out / f"{name}.npz"
        with timed(f"{name}, {epochs} epochs in miniae"):
            vae.fit(X, epochs=epochs, optimizer=Adam(1e-3), **settings).save(path)
        columns.append(compare(path, X_test, chosen.seed))
        here, there = VAE.load(path), TorchVAE(path)
        with timed(f"{name}, {more} more"):
            here.fit(X, epochs=more, optimizer=Adam(1e-3), **settings)
        with timed(f"{name}, {more} more in PyTorch"):
            train(there, tensor(X), epochs=more, seed=chosen.seed)
        back = VAE.load(path)
        back.theta = there.theta()  # back in miniae, to be measured like the others
        bounds.append((name, bound(vae, X_test), bound(here, X_test), bound(back, X_test)))
    rows = zip(LIMITS, *columns, LIMITS.values(), strict=True)
    show(("largest difference, relative", *models, "limit"),
         [(name, *(f"{x:.0e}" for x in numbers)) for name, *numbers in rows])  # fmt: skip
    show(("held-out bound, nats per image", "as saved", f"{more} epochs more in miniae",
          "in PyTorch"), bounds)  # fmt: skip


# %%
if __name__ == "__main__":
    main()
