"""From miniae to PyTorch: a saved model is rebuilt there, computes the same, and trains on.

    pip install torch                               once
    python demos/graduate_to_pytorch.py             10,000 embedded digits, under a minute

The day comes when a GPU is wanted, or a layer whose gradient nobody derives by hand. Nothing that
was learned is lost: a file of `save` is a vector and a JSON text, which NumPy and json read without
miniae, and each layer has its twin. The twins differ in the order of axes. PyTorch keeps the
weights of a dense layer as (out, in) and the channels of an image before its pixels; so the weights
are transposed, and where an image becomes a row, or a row an image, it is put into miniae's order.

Two VAEs, dense and convolutional, are trained here and rebuilt there. The first table compares
what both compute: differences, relative to the largest entry, beside what rounding allows. The
gradients, which one side has from formulas derived by hand and the other from automatic
differentiation, are of the same weights, images and noise; and so are ten steps of Adam. The second
table has both train on from the file, each with noise of its own and a new Adam (`save` keeps no
optimiser): they end at the same bound but for the luck of the draw, which the seed changes too.
"""

# %%
import itertools
import json
import math

import numpy as np
from common import images, options, show, timed

from miniae import VAE, Adam, conv_networks

try:
    import torch
    import torch.nn.functional as F
    from torch import nn
except ImportError as error:
    raise SystemExit(f"graduate_to_pytorch needs PyTorch ({error}): pip install torch") from None

EPOCHS, MORE, LATENT = {"digits": 5, "mnist": 2}, 2, 10


# %%
def read(path):
    """Return what a file of `save` holds: its header, and the parameters by name."""
    with np.load(path, allow_pickle=False) as file:
        theta, header = file["theta"], json.loads(str(file["header"]))
    params, start = {}, 0
    for name, shape in header["shapes"].items():  # in the order of theta
        stop = start + math.prod(shape)
        params[name], start = theta[start:stop].reshape(shape), stop
    return header, params


class Reshape(nn.Module):
    """As miniae's, which has the channels last, between images of PyTorch: channels first."""

    def __init__(self, *shape):
        super().__init__()
        self.shape = shape

    def forward(self, x):
        """x (n, ...) -> (n, *shape), images as (n, c, h, w)."""
        x = x.movedim(1, -1) if x.ndim == 4 else x
        x = x.reshape(len(x), *self.shape)
        return x.movedim(-1, 1) if x.ndim == 4 else x


def frame(size, kernel, stride):
    """Return the zeros that "same" puts (left, right, above, below) an image; the odd one last."""
    zeros = [max((math.ceil(n / stride) - 1) * stride + kernel - n, 0) for n in reversed(size)]
    return [part for extra in zeros for part in (extra // 2, extra - extra // 2)]


class SameConv2d(nn.Conv2d):
    """Conv2D with padding="same", which nn.Conv2d has for stride 1 alone."""

    def forward(self, x):
        """x (n, c_in, h, w) -> out (n, c_out, ceil(h / stride), ceil(w / stride))."""
        return super().forward(F.pad(x, frame(x.shape[2:], self.kernel_size[0], self.stride[0])))


class SameConvTranspose2d(nn.ConvTranspose2d):
    """ConvTranspose2D with padding="same": the frame that Conv2D has put around is cut off."""

    def forward(self, x):
        """x (n, c_in, h, w) -> out (n, c_out, h * stride, w * stride)."""
        size = [n * self.stride[0] for n in x.shape[2:]]
        left, _, top, _ = frame(size, self.kernel_size[0], self.stride[0])
        return super().forward(x)[:, :, top : top + size[0], left : left + size[1]]


def convolution(a):
    """Return the twin of a Conv2D of arguments a."""
    sizes = a["c_in"], a["c_out"], a["kernel"], a["stride"]
    return SameConv2d(*sizes) if a["padding"] == "same" else nn.Conv2d(*sizes, a["padding"])


def transposed_convolution(a):
    """Return the twin of a ConvTranspose2D of arguments a."""
    sizes, rest = (a["c_in"], a["c_out"], a["kernel"], a["stride"]), a["output_padding"]
    if a["padding"] == "same":
        beyond = max(a["stride"] - a["kernel"], 0)  # pixels that no window reaches: the bias alone
        return SameConvTranspose2d(*sizes, output_padding=beyond)
    rest = tuple(rest) if isinstance(rest, list) else rest
    return nn.ConvTranspose2d(*sizes, a["padding"], rest)


# A layer's class -> its twin, given the layer's arguments.
TWINS = {
    "Conv2D": convolution,
    "ConvTranspose2D": transposed_convolution,
    "Dense": lambda a: nn.Linear(a["n_in"], a["n_out"]),
    "Dropout": lambda a: nn.Dropout(a["p"]),
    "Flatten": lambda a: Reshape(-1),
    "ReLU": lambda a: nn.ReLU(),
    "Reshape": lambda a: Reshape(*a["shape"]),
    "Sequential": lambda a: nn.Sequential(*map(twin, a["layers"])),
    "Sigmoid": lambda a: nn.Sigmoid(),
    "Softplus": lambda a: nn.Softplus(threshold=40),  # beyond it out = x; from 20 on, 2e-9 too low
    "Tanh": lambda a: nn.Tanh(),
}
BERNOULLI = ["bernoulli", "bce", "binary_crossentropy", {"class": "BernoulliNLL", "arguments": {}}]
# A twin -> the axes of miniae's W in the order of its weight.
AXES = {nn.Linear: (1, 0), nn.Conv2d: (3, 2, 0, 1), nn.ConvTranspose2d: (2, 3, 0, 1)}
ACTIVATIONS = {"relu": "ReLU", "sigmoid": "Sigmoid", "softplus": "Softplus", "tanh": "Tanh"}


def twin(layer):
    """Return the twin of a layer, which a file describes as {"class": ..., "arguments": ...}."""
    name, arguments = layer["class"], layer["arguments"]
    if name not in TWINS or arguments is None:
        raise ValueError(f"layer {name}: has no twin here; add a line to TWINS, {sorted(TWINS)}")
    return TWINS[name](arguments)


def mlp(sizes, activation, dropout):
    """Return the twins of the layers that miniae builds of these sizes, a list."""
    modules = []
    for n_in, n_out in itertools.pairwise(sizes):
        modules += [nn.Linear(n_in, n_out), TWINS[ACTIVATIONS[activation]]({})]
        modules += [nn.Dropout(dropout)] if dropout else []
    return modules[: -2 if dropout else -1]  # nothing comes after the last dense layer


def networks(arguments):
    """Return encoder and decoder, of the arguments of a VAE: given ones, or those of `hidden`."""
    shape = np.atleast_1d(arguments["input_dim"]).tolist()
    n_x, hidden, n_z = math.prod(shape), arguments["hidden"], arguments["latent_dim"]
    options, is_image = (arguments["activation"], arguments["dropout"]), len(shape) > 1
    encoder = [Reshape(-1)] * is_image + mlp([n_x, *hidden, 2 * n_z], *options)
    decoder = mlp([n_z, *reversed(hidden), n_x], *options) + [Reshape(*shape)] * is_image
    return [
        twin(arguments[name]) if arguments[name] else nn.Sequential(*built)
        for name, built in (("encoder", encoder), ("decoder", decoder))
    ]


class TorchVAE(nn.Module):
    """The VAE of a file of `save`: the same weights, and the same loss in nats per sample.

    Data of input_dim (h, w, c) come as PyTorch's images, (n, c, h, w), all others as in miniae.
    """

    def __init__(self, path):
        super().__init__()
        header, params = read(path)
        arguments = header["arguments"]
        given = {"class": header["class"], **arguments}
        supported = {"class": ["VAE"], "likelihood": BERNOULLI, "free_bits": [0], "kl_warmup": [0]}
        for name, known in supported.items():
            if given[name] not in known:
                raise ValueError(
                    f"{path}: {name}={given[name]!r} has no twin here, {known} have; rebuild its "
                    "networks, and write a loss beside TorchVAE.loss"
                )
        self.encoder, self.decoder = networks(arguments)
        self.latent_dim, self.beta = arguments["latent_dim"], arguments["beta"]
        self.names = list(params)
        for name, value in params.items():
            axes, parameter = self.find(name)
            parameter.data = torch.from_numpy(value.transpose(axes).copy())

    def find(self, name):
        """Return the twin of a parameter of miniae, after the axes of that in the twin's order."""
        layer, kind = name.rsplit(".", 1)
        module = self.get_submodule(layer)
        if kind == "b":
            return (0,), module.bias
        return next(axes for cls, axes in AXES.items() if isinstance(module, cls)), module.weight

    def theta(self, gradient=False):
        """Return all parameters, or all gradients, as the one vector of miniae."""
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


def apart(a, b):
    """Return the largest difference of two arrays, relative to the largest entry."""
    return float(np.abs(a - b).max() / np.abs(b).max())


def outputs(vae, model, X):
    """Return codes (n, 2 latent_dim) of the twin and of miniae, and both reconstructions."""
    with torch.no_grad():
        code = model.encoder(tensor(X))
        mean = torch.sigmoid(model.decoder(code[:, : model.latent_dim]))
    mean = mean.movedim(1, -1) if X.ndim == 4 else mean
    posterior = np.concatenate(vae.posterior(X), axis=1)
    return code.numpy(), posterior, mean.numpy(), vae.reconstruct(X)


def compare(path, X, seed, steps=10, batch_size=100):
    """Return what differs between the model in a file and its twin: a number for each of LIMITS."""
    vae, model = VAE.load(path), TorchVAE(path).eval()  # evaluation: no dropout, in either
    rng = np.random.default_rng(seed)
    code, posterior, mean, reconstruction = outputs(vae, model, X)
    rms = float(np.sqrt(((mean - reconstruction) ** 2).mean()))
    found = [apart(code, posterior), apart(mean, reconstruction), rms]

    vae, model, X = vae.astype(np.float64), model.double(), X.astype(np.float64)
    _, _, mean, reconstruction = outputs(vae, model, X)
    found.append(apart(mean, reconstruction))
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
            found += [abs(their_loss.item() / loss - 1), apart(model.theta(True), vae.dtheta)]
        optimizer.step(vae.theta, vae.dtheta)
        theirs.step()
    return [*found, apart(model.theta(), vae.theta)]


# What is compared, and how much may come of sums of some hundred numbers in another order: tens of
# roundings, each 6e-8 or 1e-16. Adam's step divides a gradient that is all but 0 by 1e-8.
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
    """Train a twin on a tensor X, as `fit` does."""
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
    chosen = options(__doc__, argv, data=tuple(EPOCHS))
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
        back.theta = there.theta()  # and home again, to be measured like the others
        bounds.append((name, bound(vae, X_test), bound(here, X_test), bound(back, X_test)))
    rows = zip(LIMITS, *columns, LIMITS.values(), strict=True)
    show(("largest difference, relative", *models, "limit"),
         [(name, *(f"{x:.0e}" for x in numbers)) for name, *numbers in rows])  # fmt: skip
    show(("held-out bound, nats per image", "as saved", f"{more} epochs more in miniae",
          "in PyTorch"), bounds)  # fmt: skip


# %%
if __name__ == "__main__":
    main()
