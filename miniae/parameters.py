"""One vector holds every parameter: the base of layers, losses and models.

A layer needs its weights as matrices with names. An optimiser, a file and a gradient check need one
long vector. NumPy's views give both at once: each matrix *is* a part of the vector, in another
shape, and writing to either writes to both.
"""

import copy
from operator import attrgetter

import numpy as np

from miniae.plumbing.first_draw import draw_part, settle
from miniae.plumbing.foreign import Foreign, refused
from miniae.plumbing.names import keep_earlier_names


def assign(array, value, name):
    """Copy a value into an array of the same shape."""
    if array.shape != np.shape(value):
        raise ValueError(f"{name} has shape {array.shape}, cannot take {np.shape(value)}")
    array[...] = value


class Views(dict):
    """Arrays by name, each a view into one vector: assigning to a name copies into its view."""

    def __setitem__(self, name, value):
        if name not in self:
            raise KeyError(f"no array {name!r} here; there are {sorted(self)}")
        assign(self[name], value, name)

    def update(self, *arrays, **more):
        """Copy several arrays into their views."""
        for name, value in dict(*arrays, **more).items():
            self[name] = value

    def __ior__(self, arrays):
        self.update(arrays)
        return self


class Parameterized(Foreign):
    """Whatever has parameters: a layer, a loss, a network, a model.

    All parameters are in one flat vector `theta`, and all gradients in `dtheta`. `params` and
    `grads` hold reshaped views of them by name, and the vectors of `parts` are slices of them. So
    an optimiser sees two vectors, a layer sees its matrices, and nothing is copied in between.

    An attribute that has parameters itself becomes a part, under the attribute's name: after
    ``self.inner = Dense(3, 2)`` that layer is trained, saved and checked too. Layers in a list or
    a dict must be passed as `parts`.

    Parameters
    ----------
    params : dict of str to ndarray, its own parameters
    parts : dict of str to Parameterized, the objects it consists of, besides its attributes
    buffers : dict of str to ndarray
        Other arrays that it keeps, such as running means: saved, copied and restored with theta,
        but not trained. Floating-point numbers take the dtype of theta, others keep theirs.
    """

    config = ()  # attributes that, as constructor arguments, build the object again
    first_pass = "forward"  # what must come before backward
    set_by_init = "_theta"
    trainable, requires_grad = refused("trainable"), refused("requires_grad")
    first_draw = None  # checksum of weights that may be drawn again: see plumbing/first_draw.py

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        keep_earlier_names(cls)

    def __init__(self, params=None, parts=None, buffers=None):
        self.params, self.grads, self.parts = params or {}, {}, {}
        self.buffers = {name: np.asarray(value) for name, value in (buffers or {}).items()}
        self.cache = None  # what backward needs from the last forward
        for name, part in {**(parts or {}), **vars(self)}.items():
            self._take_up(name, part)
        self.lay_out()

    def __setattr__(self, name, value):
        """Set an attribute. One with parameters becomes a part and replaces an earlier part."""
        if isinstance(value, Parameterized) and "_theta" in vars(self):
            is_property = isinstance(getattr(type(self), name, None), property)
            if not is_property and self._take_up(name, value):
                self.lay_out()
        elif value is None and name in vars(self).get("parts", ()):
            self._refuse_if_bound(name)
            self.parts.pop(name).lay_out()  # into vectors of its own
            self.lay_out()
        object.__setattr__(self, name, value)

    def _take_up(self, name, part):
        """Make an object with parameters a part, and tell whether it is a new one."""
        if not isinstance(part, Parameterized) or any(part is p for _, p in self.walk()):
            return False
        if part.theta.base is not None:  # its vector is a slice of another network's
            hint = f"; if you only read from it, keep it in a tuple, self.{name} = (layer,)"
            raise ValueError(
                f"{name}, {part}, is part of another network: use copy.deepcopy of it"
                + (hint if name.isidentifier() else "")
            )
        self._refuse_if_bound(name)
        draw_part(self, part)
        self.parts[name] = part
        return True

    def _refuse_if_bound(self, name):
        bound = vars(self).get("_theta")
        if bound is not None and bound.base is not None:
            raise ValueError(
                f"{name}: {self} already belongs to a network: assign its parts before you build "
                "the network"
            )

    def lay_out(self, dtype=None):
        """Move all parameters, those of the parts too, into two new vectors theta and dtheta."""
        if dtype is not None and np.dtype(dtype).kind not in "fc":
            raise ValueError(f"{self}: dtype={np.dtype(dtype)} must be a floating-point type")
        values = [value for _, value, _ in self.named_params()]
        size, dtype = sum(v.size for v in values), dtype or np.result_type(np.float32, *values)
        self.bind(np.zeros(size, dtype), np.zeros(size, dtype))

    def bind(self, theta, dtheta):
        """Copy all parameters and gradients into these vectors, and keep views of them."""
        params, grads, start = {}, {}, 0
        for name, value in self.params.items():
            here = slice(start, start + value.size)
            params[name] = theta[here].reshape(value.shape)
            grads[name] = dtheta[here].reshape(value.shape)
            params[name][...] = value
            grads[name][...] = self.grads.get(name, 0)
            start = here.stop
        for part in self.parts.values():
            here = slice(start, start + part.theta.size)
            part.bind(theta[here], dtheta[here])
            start = here.stop
        self.params, self.grads = Views(params), Views(grads)
        self.buffers = Views(
            (name, value.astype(theta.dtype if value.dtype.kind in "fc" else value.dtype))
            for name, value in self.buffers.items()
        )
        self._theta, self._dtheta = theta, dtheta

    def _set_theta(self, value):
        assign(self._theta, value, "theta")
        settle(self)

    theta = property(
        attrgetter("_theta"),
        _set_theta,
        doc="Every parameter, one vector. Assigning copies into it, so the views stay views.",
    )
    dtheta = property(
        attrgetter("_dtheta"),
        doc="The gradient of the loss from the last backward pass: one vector like theta.",
    )

    def cached(self):
        """Return what the last forward pass kept for backward."""
        if self.cache is None:
            raise RuntimeError(f"{self}: backward was called before {self.first_pass}")
        return self.cache

    def walk(self, name=""):
        """Yield (name, part) for this object and all parts within it, such as "encoder.0"."""
        yield name, self
        for key, part in self.parts.items():
            yield from part.walk(f"{name}.{key}".lstrip("."))

    def set_rng(self, rng):
        """Let every part that draws random numbers in forward (Dropout) draw from this rng."""
        for _, part in self.walk():
            if hasattr(part, "rng"):
                part.rng = rng

    def named_params(self):
        """Yield (name, parameter, gradient) in the order of theta; names as "encoder.0.W"."""
        for name, part in self.walk():
            for key, value in part.params.items():
                yield f"{name}.{key}".lstrip("."), value, part.grads.get(key)

    def named_buffers(self):
        """Yield (name, buffer), with names as "encoder.1.running_mean"."""
        for name, part in self.walk():
            for key, value in part.buffers.items():
                yield f"{name}.{key}".lstrip("."), value

    def astype(self, dtype):
        """Return a deep copy whose parameters have another dtype (complex128 for a check)."""
        copied = copy.deepcopy(self)
        copied.lay_out(dtype)
        settle(copied)
        return copied

    def __copy__(self):
        return copy.deepcopy(self)  # two objects must not share one vector

    def __getstate__(self):
        # Copies and pickles hold values only: a copied view does not share the copied vector.
        plain = {name: dict(getattr(self, name)) for name in ("params", "grads", "buffers")}
        return {**vars(self), **plain, "cache": None}

    def __setstate__(self, state):
        vars(self).update(state)
        self.lay_out(self._theta.dtype)

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(repr(getattr(self, k)) for k in self.config)})"
