"""gradient_check: write the gradient check itself.

Is a backward pass the derivative of the forward pass? Compute the derivative in two ways, then
check layers with it. The central difference, (f(v + h e_k) - f(v - h e_k)) / 2h for each entry k,
has an error of order h^2. The complex step, Im f(v + ih e_k) / h, subtracts nothing: with h = 1e-30
it is exact to rounding (Squire and Trapp 1998). For it f must accept complex numbers.
Leave v and the layer's theta unchanged, or put them back.

    python -m miniae.exercises check . gradient_check
    python -m miniae.exercises hint gradient_check
"""

import numpy as np


def central_difference(f, v, h):
    """f, from a vector to a number; v (size,); h -> the gradient (size,) of f at v."""
    raise NotImplementedError("gradient_check: not started yet")


def complex_step(f, v):
    """f, from a complex vector to a complex number; v (size,), real -> the gradient (size,)."""
    raise NotImplementedError("gradient_check: not started yet")


def layer_is_right(layer, x):
    """Return True if a layer's backward is the derivative of its forward at x (n, features).

    layer.forward(x) returns out. After that, layer.backward(dout) returns dx and fills
    layer.dtheta. layer.theta is the vector of the parameters, and you can assign to it. theta and
    dtheta are empty if a layer has no parameters (max() of an empty array is an error). All numbers
    are float64. layer.astype(complex) is a copy whose theta and x may be complex.
    """
    raise NotImplementedError("gradient_check: not started yet")
