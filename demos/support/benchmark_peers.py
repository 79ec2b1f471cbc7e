"""What speed/benchmark.py times: the plain training loop of each library.

All peers have the same float32 images in memory, the same initial weights, and the same batches in
the same order. They all compute a forward pass, the Bernoulli loss from logits (for a VAE also the
exact KL, with noise from the library's own generator), a backward pass, and a step of Adam.
tests/demos/speed/test_benchmark.py shows in float64, with given noise, that their losses are equal
over several steps.

Two do not train this network, and are marked: scikit-learn has no VAE and no Bernoulli loss, and
trains a plain network of the same size on the squared error. The floor is nothing but the matrix
products, in NumPy's BLAS.
"""

import functools
import math
import os

import numpy as np

from support.benchmark_workloads import products, shapes


class Peer:
    """A library that trains a workload from given weights; `step` is what differs."""

    def __init__(self, workload, weights):
        self.workload = workload

    def vectors(self):
        """Return which vector instructions the library uses, in its own words; "" if unknown."""
        return ""

    def step(self, x, eps=None):
        """Make a training step on a batch, with this noise if it is given; return the loss."""
        raise NotImplementedError(f"{type(self).__name__} has no step")

    def array(self, x):
        """Return x as an array of the library."""
        return x

    def step_on(self, X, rows):
        """Make a step on these rows of X."""
        return self.step(X[rows])

    def fit(self, X, epochs, callback):
        """Train, and call callback(epoch, mean loss) after each epoch."""
        X = self.array(X)
        batch = self.workload.batch
        for epoch in range(epochs):
            order = self.array(np.random.default_rng(epoch).permutation(len(X)))
            losses, sizes = [], []
            for start in range(0, len(X), batch):
                rows = order[start : start + batch]
                losses.append(self.step_on(X, rows))
                sizes.append(len(rows))
            callback(epoch, float(np.average([float(loss) for loss in losses], weights=sizes)))


class Miniae(Peer):
    """miniae: `fit`, as a user calls it, in one process or with worker processes."""

    module = "miniae"

    def __init__(self, workload, weights, workers=1):
        from miniae import VAE, Adam, Autoencoder, conv_networks

        super().__init__(workload, weights)
        self.more = {} if workers == 1 else {"workers": workers}
        features, *hidden, code = workload.sizes
        options = {"activation": workload.activation, "dtype": weights[0].dtype}
        if workload.channels:
            networks = conv_networks((28, 28), code, workload.channels, **options)
            options |= dict(zip(("encoder", "decoder"), networks, strict=True))
            features = 28, 28
        self.model = (VAE if workload.vae else Autoencoder)(features, code, hidden, **options)
        self.model.theta = np.concatenate([array.ravel() for array in weights])
        self.adam = Adam()

    def step(self, x, eps=None):
        """See Peer: the loop that `fit` runs."""
        loss = self.model.loss(x, eps=eps, training=True)
        self.model.backward()
        self.adam.step(self.model.theta, self.model.dtheta)
        return loss

    def fit(self, X, epochs, callback):
        """See Peer."""

        def after(model, epoch, logs):
            callback(epoch, logs["loss"])
            model.rng = np.random.default_rng(epoch + 1)  # so that all peers have the same order

        self.model.rng = np.random.default_rng(0)
        self.model.fit(X, epochs=epochs, batch_size=self.workload.batch, optimizer=self.adam,
                       callback=after, verbose=0, **self.more)  # fmt: skip


class Torch(Peer):
    """PyTorch, eager, with its default Adam."""

    module, fused = "torch", None

    def __init__(self, workload, weights):
        import torch
        from torch import nn

        super().__init__(workload, weights)
        self.torch, between = torch, {"relu": nn.ReLU, "tanh": nn.Tanh}[workload.activation]
        if workload.channels:
            (a, b), code = workload.channels, workload.sizes[-1]
            encoder = [nn.Conv2d(1, a, 3, 2, 1), between(), nn.Conv2d(a, b, 3, 2, 1), between(),
                       nn.Flatten(), nn.Linear(7 * 7 * b, code)]  # fmt: skip
            decoder = [nn.Linear(code, 7 * 7 * b), between(), nn.Unflatten(1, (b, 7, 7)),
                       nn.ConvTranspose2d(b, a, 3, 2, 1, 1), between(),
                       nn.ConvTranspose2d(a, 1, 3, 2, 1, 1)]  # fmt: skip
        else:
            encoder, decoder = (
                [part for shape in network for part in (nn.Linear(*shape), between())][:-1]
                for network in shapes(workload)
            )
        self.encoder, self.decoder = nn.Sequential(*encoder), nn.Sequential(*decoder)
        parameters = [*self.encoder.parameters(), *self.decoder.parameters()]
        for parameter, array in zip(parameters, self.in_its_order(weights), strict=True):
            parameter.data = torch.tensor(np.ascontiguousarray(array))
        self.adam = torch.optim.Adam(parameters, lr=1e-3, fused=self.fused)

    def vectors(self):
        """See Peer."""
        return self.torch.backends.cpu.get_cpu_capability()

    def in_its_order(self, weights):
        """Return the arrays with PyTorch's order of axes: n_out first, channels before pixels."""
        arrays = list(weights)
        if self.workload.channels:
            order = np.arange(len(arrays[4])).reshape(7 * 7, -1).T.ravel()
            arrays[4], arrays[6] = arrays[4][order], arrays[6][:, order]
            arrays[7] = arrays[7][order]
        axes = [(3, 2, 0, 1)] * (len(arrays) // 2) + [(2, 3, 0, 1)] * (len(arrays) // 2)
        return [
            array.transpose(order) if array.ndim == 4 else array.T
            for array, order in zip(arrays, axes, strict=True)
        ]

    def array(self, x):
        """See Peer."""
        return self.torch.from_numpy(x)

    def loss(self, x, eps):
        """Return the loss of a batch."""
        torch = self.torch
        x = x[:, None] if self.workload.channels else x
        z, kl = self.encoder(x), 0.0
        if self.workload.vae:
            mu, log_var = z.chunk(2, dim=1)
            std = torch.exp(0.5 * log_var)
            z = mu + std * (torch.randn_like(std) if eps is None else eps)
            kl = -0.5 * (1 + log_var - mu**2 - log_var.exp()).sum()
        logits = self.decoder(z)
        bce = torch.nn.functional.binary_cross_entropy_with_logits
        return (bce(logits, x, reduction="sum") + kl) / len(x)

    def step(self, x, eps=None):
        """See Peer."""
        self.adam.zero_grad()
        loss = self.loss(x, eps)
        loss.backward()
        self.adam.step()
        return loss.item()


class TorchFused(Torch):
    """PyTorch, eager, with the fused Adam."""

    fused = True


class Jax(Peer):
    """JAX: one compiled function makes a step, with Adam written out and its state donated."""

    module = "jax"

    def __init__(self, workload, weights):
        import jax
        import jax.numpy as jnp

        super().__init__(workload, weights)
        jax.config.update("jax_enable_x64", weights[0].dtype == np.float64)
        between = {"relu": jax.nn.relu, "tanh": jnp.tanh}[workload.activation]
        depth = len(weights) // 4  # layers of the encoder, and of the decoder
        key = jax.random.key(0)
        axes = "NHWC", "HWIO", "NHWC"

        def layer(W, b, x, transposed):
            if W.ndim == 2:
                return x.reshape(len(x), -1) @ W + b
            side = math.isqrt(x[0].size // W.shape[2])
            x = x.reshape(len(x), side, side, W.shape[2])
            if (
                transposed
            ):  # a convolution of x, with zeros between its pixels, with the flipped kernel
                return jax.lax.conv_transpose(
                    x, W[::-1, ::-1], (2, 2), [(1, 2)] * 2, dimension_numbers=axes
                ) + b  # fmt: skip
            return jax.lax.conv_general_dilated(
                x, W, (2, 2), [(1, 1)] * 2, dimension_numbers=axes
            ) + b  # fmt: skip

        def network(params, x, transposed):
            for W, b in params[:-1]:
                x = between(layer(W, b, x, transposed))
            return layer(*params[-1], x, transposed)

        def loss_of(params, x, eps, t):
            z, kl = network(params[:depth], x, False), 0.0
            if workload.vae:
                mu, log_var = jnp.split(z, 2, axis=1)
                if eps is None:
                    eps = jax.random.normal(jax.random.fold_in(key, t), mu.shape, mu.dtype)
                z = mu + eps * jnp.exp(0.5 * log_var)
                kl = -0.5 * (1 + log_var - mu**2 - jnp.exp(log_var)).sum()
            logits = network(params[depth:], z, True).reshape(x.shape)
            return ((jax.nn.softplus(logits) - x * logits).sum() + kl) / len(x)

        @functools.partial(jax.jit, donate_argnums=(0, 1))
        def update(params, adam, X, rows, eps):
            m, v, t = adam
            x, t = X if rows is None else X[rows], t + 1
            loss, grads = jax.value_and_grad(loss_of)(params, x, eps, t)
            m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, grads)
            v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, grads)
            rate, root = 1e-3 / (1 - 0.9**t), jnp.sqrt(1 - 0.999**t)
            moved = jax.tree.map(
                lambda p, m, v: p - rate * m / (jnp.sqrt(v) / root + 1e-8), params, m, v
            )
            return moved, (m, v, t), loss

        self.update, self.asarray = update, jnp.asarray
        self.params = [tuple(map(jnp.array, weights[i : i + 2])) for i in range(0, len(weights), 2)]
        zeros = functools.partial(jax.tree.map, jnp.zeros_like, self.params)
        self.adam = zeros(), zeros(), 0

    def vectors(self):
        """See Peer. XLA does not tell; the option is known."""
        return os.environ.get("XLA_FLAGS", "")

    def array(self, x):
        """See Peer."""
        return self.asarray(x)

    def step(self, x, eps=None, rows=None):
        """See Peer. It does not wait for the loss."""
        self.params, self.adam, loss = self.update(self.params, self.adam, x, rows, eps)
        return loss

    def step_on(self, X, rows):
        """See Peer. The selection of the rows is compiled too, which is faster."""
        return self.step(X, rows=rows)


class ScikitLearn(Peer):
    """scikit-learn's MLPRegressor: no VAE, the squared error, its own initial weights."""

    module = "sklearn.neural_network"

    def __init__(self, workload, weights):
        from sklearn.neural_network import MLPRegressor

        super().__init__(workload, weights)
        _, *hidden, code = workload.sizes
        self.model = MLPRegressor(
            hidden_layer_sizes=(*hidden, code, *reversed(hidden)), activation=workload.activation,
            alpha=0.0, batch_size=workload.batch, random_state=0,
        )  # fmt: skip

    def fit(self, X, epochs, callback):
        """See Peer."""
        for epoch in range(epochs):
            self.model.partial_fit(X, X)
            callback(epoch, None)


class Floor(Peer):
    """The matrix products alone, of random numbers: forward, dW, and dx after the first layer."""

    module = "numpy"

    def __init__(self, workload, weights):
        super().__init__(workload, weights)
        rng, dtype = np.random.default_rng(0), weights[0].dtype
        self.layers = []
        for rows, k, n in products(workload):
            x = rng.standard_normal((rows * workload.batch, k), dtype)
            W = rng.standard_normal((k, n), dtype)
            dx = np.empty_like(x) if self.layers else None
            self.layers.append((rows, x, W, np.empty((len(x), n), dtype), np.empty_like(W), dx))

    def step(self, n):
        """Compute the products of n samples."""
        for rows, x, W, out, _, _ in self.layers:
            np.matmul(x[: n * rows], W, out=out[: n * rows])
        for rows, x, W, dout, dW, dx in reversed(self.layers):
            here = slice(n * rows)
            np.matmul(x[here].T, dout[here], out=dW)
            if dx is not None:
                np.matmul(dout[here], W.T, out=dx[here])

    def fit(self, X, epochs, callback):
        """See Peer; there is no loss."""
        for epoch in range(epochs):
            for start in range(0, len(X), self.workload.batch):
                self.step(min(self.workload.batch, len(X) - start))
            callback(epoch, None)


PEERS = {
    "miniae": Miniae,
    "torch": Torch,
    "torch-fused": TorchFused,
    "jax": Jax,
    "sklearn": ScikitLearn,
    "floor": Floor,
}


def our_name(workers):
    """Return the name of miniae with so many worker processes: "miniae", "miniae-2", ..."""
    return "miniae" if workers == 1 else f"miniae-{workers}"


def build(name, workload, weights):
    """Return the peer of this name, ready to train a workload from given weights."""
    if name.startswith("miniae-"):
        return Miniae(workload, weights, workers=int(name.removeprefix("miniae-")))
    return PEERS[name](workload, weights)
