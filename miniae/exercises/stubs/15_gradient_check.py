"""gradient_check: write the gradient check itself.

Is a backward pass the derivative of the forward pass? Find out in two ways, then judge layers.
A central difference, (f(v + h e_k) - f(v - h e_k)) / 2h for each entry k, has an error of order
h^2. The complex step, Im f(v + ih e_k) / h, subtracts nothing and is exact to rounding with
h = 1e-30 (Squire and Trapp 1998); f must accept complex numbers.
Leave v as it is, or put it back; so too the layer's theta.

    python -m miniae.exercises check . gradient_check
    python -m miniae.exercises hint gradient_check
"""

import numpy as np


def central_difference(f, v, h):
    """f of a vector -> a number; v (size,); h -> the gradient of f at v, (size,)."""
    raise NotImplementedError("gradient_check: not started yet")


def complex_step(f, v):
    """f of a complex vector -> a complex number; v (size,) -> the gradient of f at v, (size,)."""
    raise NotImplementedError("gradient_check: not started yet")


def layer_is_right(layer, x):
    """Tell whether a layer's backward is the derivative of its forward, at x (n, features).

    layer.forward(x) returns out; layer.backward(dout), after that, returns dx and fills
    layer.dtheta; layer.theta is the vector of its parameters and can be assigned to. Both are empty
    where a layer has none (and max() of an empty array is an error). All of it is float64;
    layer.astype(complex) is a copy whose theta and x may be complex.
    """
    raise NotImplementedError("gradient_check: not started yet")
