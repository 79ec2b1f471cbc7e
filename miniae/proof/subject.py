"""The object of a gradient check, with its inputs and noise, as one function f(v)."""

import numpy as np

from miniae.activations import LeakyReLU
from miniae.layers import Layer, ReLU
from miniae.losses import Loss
from miniae.parameters import Parameterized


class Noise(np.random.Generator):
    """A generator that draws the same numbers for float32 as for float64, rounded to float32."""

    def __init__(self, seed):
        super().__init__(np.random.PCG64(seed))

    def random(self, size=None, dtype=np.float64, out=None):
        return np.asarray(super().random(size), np.float32).astype(dtype)[()]

    def standard_normal(self, size=None, dtype=np.float64, out=None):
        return np.asarray(super().standard_normal(size), np.float32).astype(dtype)[()]


class Subject:
    """A layer, loss or model, its inputs and its noise, as a function f(v) of one flat vector.

    v holds theta and, for a layer or a loss, then the input. A layer's output is multiplied by a
    random `dout` and summed, so that f returns one number. A loss already returns one.

    Parameters
    ----------
    obj, x, target, training, seed, given : as in `gradient_check`
    dtype : of the copy that is checked; float64, except to see the effect of float32
    weight : (n,) or None, for a loss: f is then sum_i weight_i per_sample_i, not their mean
    dout : array like the layer's output; random by default
    start : as below; computed by default

    Attributes
    ----------
    start : copy of the object, before any forward pass
    exact : another copy, which runs forward and backward
    blocks : dict of str to (slice of v, shape)
    point : v as given; parameters that are all zero or all one are moved, as these hide mistakes
    """

    def __init__(
        self, obj, x, target, training, seed, given, *,
        dtype=np.float64, weight=None, dout=None, start=None,
    ):  # fmt: skip
        if not isinstance(obj, Parameterized):
            raise TypeError(f"obj must be a layer, loss or model, such as Dense(3, 2), got {obj!r}")
        # Not the plain seed: the caller may have drawn x with it, and dout must not equal x.
        rng, moves = (np.random.default_rng([seed, stream]) for stream in (1, 2))
        if hasattr(type(obj), "pack") and not isinstance(x, np.ndarray):
            x = obj.pack(x, "x")  # a dict of modalities
        self.x = np.array(x, dtype=dtype)
        self.target = None if target is None else np.array(target, dtype=dtype)
        self.training, self.seed, self.given = training, seed, copied(given)
        self.weight, self.dtype = weight, dtype
        self.is_layer, self.is_loss = isinstance(obj, Layer), isinstance(obj, Loss)
        self.start = start
        if start is None:
            self.start = obj.astype(dtype)
            for _, value, _ in self.start.named_params():
                first = value.flat[0] if value.size else 0.5
                if (value == first).all() and (value.size > 1 or first in (-1, 0, 1)):
                    value += 0.1 * (abs(first) or 1) * moves.standard_normal(value.shape)
        self.exact, self._complex = self.start.astype(dtype), None
        self.dout = None if dout is None else np.array(dout, dtype=dtype)
        if self.is_layer and dout is None:
            # Another input first: this shows a cache that forward appends to or does not renew.
            # It stays within the range of x, because the layer may not be defined outside.
            other = np.roll(self.x, 1, axis=0) if len(self.x) > 1 else 0 * self.x
            self.decoy = other if self.takes_tokens else blend(self.x, other)
            self.exact.set_rng(Noise(seed))
            out = self.exact.forward(self.decoy.copy(), training, **copied(given))
            self.dout = rng.standard_normal(out.shape).astype(dtype)
        self.blocks, start = {}, 0
        shapes = {name: value.shape for name, value, _ in self.exact.named_params()}
        for name, shape in {**shapes, **({"x": self.x.shape} if self.has_dx else {})}.items():
            self.blocks[name] = slice(start, start + int(np.prod(shape))), shape
            start = self.blocks[name][0].stop
        self.point = np.concatenate([self.exact.theta, self.x.ravel()[: self.x.size * self.has_dx]])

    @property
    def has_dx(self):
        """Whether dx is checked: a model's backward returns none, and tokens have no slope."""
        return (self.is_layer or self.is_loss) and not self.takes_tokens

    @property
    def takes_tokens(self):
        """Whether x holds token numbers, for an Embedding."""
        first = self.start
        while getattr(first, "layers", None):
            first = first.layers[0]
        return getattr(first, "takes_tokens", False)

    def __call__(self, v):
        """Return f(v), complex if v is."""
        obj = self.exact
        if np.iscomplexobj(v):
            if self._complex is None:
                self._complex = self.start.astype(np.complex128)
            obj = self._complex
        obj.theta[...] = v[: obj.theta.size]
        return self.run(obj, v[obj.theta.size :].reshape(self.x.shape) if self.has_dx else self.x)

    def run(self, obj, x, given=None):
        """Return the value of f for an object and its input, with the same noise every time."""
        noise, given = Noise(self.seed), copied(self.given) if given is None else given
        if self.is_loss:
            if self.weight is not None:
                return np.sum(self.weight * obj.per_sample(x, self.target))
            return obj.forward(x, self.target)
        if self.is_layer:
            obj.set_rng(noise)
            return np.sum(obj.forward(x, self.training, **given) * self.dout)
        return obj.loss(x, self.target, rng=noise, training=self.training, **given)

    def backward(self, obj=None):
        """Return (dtheta, dx) by the object's own backward; dx is None for a model."""
        obj = self.exact if obj is None else obj
        arguments = [self.dout] if self.is_layer else []
        if self.weight is not None:
            arguments = [self.weight]
        dx = obj.backward(*arguments)
        return obj.dtheta.copy(), np.array(dx) if self.has_dx else None

    def gradient(self, obj=None, point=None):
        """Run forward and backward; return f and the gradient, one vector like v."""
        obj = self.exact if obj is None else obj
        point = self.point if point is None else point
        obj.theta[...] = point[: obj.theta.size]
        x = self.x
        if self.has_dx and point is not self.point:
            x = point[obj.theta.size :].reshape(x.shape)
        value = self.run(obj, x)
        dtheta, dx = self.backward(obj)
        if dx is not None and dx.shape != self.x.shape:
            raise ValueError(f"backward returned shape {dx.shape} for x {self.x.shape}")
        return value, dtheta if dx is None else np.concatenate([dtheta, dx.ravel()])

    def signs(self):
        """Return, by layer, which units were on the upper side of their kink at the last real v."""
        kinks = [(name, p) for name, p in self.exact.walk() if isinstance(p, (ReLU, LeakyReLU))]
        return {name or "x": part.cache > 0 for name, part in kinks}

    def like(self, *, obj=None, rows=None, **changes):
        """Return a Subject like this one, with `changes` to its arguments.

        rows : indices of the samples to keep; a repeated sample is mixed with its neighbour
        """
        x, target, given = (
            changes.pop(name, getattr(self, name)) for name in ("x", "target", "given")
        )
        if rows is not None:
            n = len(x)
            x = take(x, rows)
            target = None if target is None else take(target, rows, mixed=False)
            given = {name: take_given(name, value, n, rows) for name, value in given.items()}
        options = {"training": self.training, "dtype": self.dtype, **changes}
        if obj is None and options["dtype"] == self.dtype:
            options["start"] = self.start
        return Subject(obj or self.start, x, target, seed=self.seed, given=given, **options)


def copied(given):
    """Return a dict whose arrays are copies."""
    return {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in given.items()}


def blend(a, b):
    """Return a weighted mean of two arrays, or b if the array holds labels or counts."""
    return b.copy() if (a == np.round(a)).all() else (0.6 * a + 0.4 * b).astype(a.dtype)


def take(array, rows, mixed=True):
    """Return the rows of an array; a row that is taken twice is blended the second time.

    So the additional row is within the range of the data, and is not a copy.
    """
    out = np.array(array[rows])
    if mixed and out.dtype.kind == "f" and len(rows) > len(array) > 1:
        out[-1] = blend(array[rows[-1]], array[rows[-1] + 1])
    return out


def take_given(name, value, n, rows):
    """Return the part of an argument, such as labels (n,) or eps (..., n, d), for some rows."""
    shape = np.shape(value)
    if name == "eps" and len(shape) > 1:
        return np.take(value, rows, axis=-2)
    return take(np.asarray(value), rows, mixed=False) if shape[:1] == (n,) else value
