"""What a gradient check looks at: any object with its inputs and noise, as one function f(v)."""

import numpy as np

from miniae.layers import Layer, ReLU
from miniae.losses import Loss
from miniae.parameters import Parameterized


class Subject:
    """A layer, loss or model, its inputs and its noise, as a function f(v) of one flat vector.

    v holds theta and, for a layer or a loss, the input behind it. A layer's output is weighted by
    a random `dout` and summed, so that f is a number; a loss is one already.

    Attributes
    ----------
    exact : float64 copy of the object
    blocks : dict of str to (slice of v, shape)
    point : v as given, with parameters that are all zero moved off it
    """

    def __init__(self, obj, x, target, training, seed, given):
        if not isinstance(obj, Parameterized):
            raise TypeError(f"obj must be a layer, loss or model, such as Dense(3, 2), got {obj!r}")
        rng = np.random.default_rng(seed)
        self.x, self.target = np.array(x, dtype=np.float64), target
        self.training, self.seed, self.given = training, seed, given
        self.exact = obj.astype(np.float64)
        self.twin = self.exact.astype(np.complex128)
        self.is_layer, self.is_loss = isinstance(obj, Layer), isinstance(obj, Loss)
        for _, value, _ in self.exact.named_params():
            if not value.any():
                value[...] = 0.1 * rng.standard_normal(value.shape)
        self.dout = None
        if self.is_layer:
            # Another input first: a cache that is appended to, or not renewed, then shows.
            self.decoy = self.x + rng.standard_normal(self.x.shape)
            self.exact.set_rng(np.random.default_rng(seed))
            out = self.exact.forward(self.decoy, training)
            self.dout = rng.standard_normal(out.shape)
        self.blocks, start = {}, 0
        shapes = {name: value.shape for name, value, _ in self.exact.named_params()}
        for name, shape in {**shapes, **({"x": self.x.shape} if self.has_dx else {})}.items():
            self.blocks[name] = slice(start, start + int(np.prod(shape))), shape
            start = self.blocks[name][0].stop
        self.point = np.concatenate([self.exact.theta, self.x.ravel()[: self.x.size * self.has_dx]])

    @property
    def has_dx(self):
        """Whether backward returns the gradient for the input: a model's does not."""
        return self.is_layer or self.is_loss

    def __call__(self, v):
        """Return f(v), complex if v is."""
        obj = self.twin if np.iscomplexobj(v) else self.exact
        obj.theta = v[: obj.theta.size]
        return self.run(obj, v[obj.theta.size :].reshape(self.x.shape) if self.has_dx else self.x)

    def run(self, obj, x):
        """Return the number that is differentiated, with the same noise every time."""
        noise = np.random.default_rng(self.seed)
        if self.is_loss:
            return obj.forward(x, self.target)
        if self.is_layer:
            obj.set_rng(noise)
            return np.sum(obj.forward(x, self.training) * self.dout)
        return obj.loss(x, self.target, rng=noise, training=self.training, **self.given)

    def backward(self):
        """Return (dtheta, dx) by the object's own backward; dx is None for a model."""
        dx = self.exact.backward(self.dout) if self.is_layer else self.exact.backward()
        return self.exact.dtheta.copy(), None if dx is None else np.array(dx)

    def signs(self):
        """Return, by layer, which ReLU units were on in the last evaluation of f at a real v."""
        parts = self.exact.walk()
        return {name or "x": part.cache > 0 for name, part in parts if isinstance(part, ReLU)}
