"""Recurrent layers: sequences (n, T, d), one step after the other, with one set of weights.

`LSTM` and `GRU` read a sequence and keep a state. `Bidirectional` reads in both directions.

Backpropagation through time is the chain rule, applied to the loop over the steps: backward goes
through the same steps from the last to the first, and carries the gradient with respect to the
state. Only what depends on the state is inside the loop. The products with the input, and the
gradients of all weights, are one product for each gate over all steps.
"""

import copy

import numpy as np

from miniae.layers import Layer, weight_limit
from miniae.plumbing.first_draw import draw_first, fingerprint
from miniae.plumbing.layer_checks import check_flag, check_mask, check_sizes, check_weights


class Recurrent(Layer):
    """Base of `LSTM` and `GRU`: the weights, the input and the state.

    Parameters
    ----------
    n_in, n_out : int, features of a step and of the state
    return_sequences : bool
        Whether out has the state after each step, (n, T, n_out), or only the last, (n, n_out).
    rng, dtype : as in Dense
        W is drawn as by Glorot and Bengio (2010). U is orthogonal, gate by gate, so that a
        product with it keeps the length of a vector. Saxe et al. (2014)

    Attributes
    ----------
    params, grads : W (n_in, k n_out), U (n_out, k n_out), b (k n_out,) for the k gates side by side
    state : the state after the last step of the last forward, for generating step by step
    dstate : after `backward`, the gradient with respect to the state that forward started from
    """

    config = ("n_in", "n_out", "return_sequences")
    n_gates = 0

    def __init__(self, n_in, n_out=None, *, return_sequences=False, rng=None, dtype="float32"):
        self.n_in, self.n_out = check_sizes(self, n_in=n_in, n_out=n_out)
        self.return_sequences = check_flag(self, "return_sequences", return_sequences)
        check_weights(self, "glorot", dtype)
        shapes = {name: np.zeros(shape, dtype) for name, shape in self.shapes().items()}
        super().__init__(**shapes)
        self.state = self.dstate = None
        draw_first(self, rng, n_in, n_out)

    def shapes(self):
        """Return the shape of each parameter, by name."""
        width = self.n_gates * self.n_out
        return {"W": (self.n_in, width), "U": (self.n_out, width), "b": (width,)}

    def draw(self, rng):
        """Draw W and U from a Generator."""
        limit = weight_limit("glorot", self.n_in, self.n_out)
        self.params["W"] = rng.uniform(-limit, limit, self.params["W"].shape)
        squares = rng.standard_normal((self.n_gates, self.n_out, self.n_out))
        self.params["U"] = np.concatenate([np.linalg.qr(square)[0] for square in squares], axis=1)

    def read(self, x, training, mask):
        """Return the steps of x first, (T, n, n_in), x W + b gate by gate, and the mask.

        x W + b is (k, T, n, n_out): the numbers of one gate lie together in memory, which makes
        elementwise work several times faster. The mask is (T, n, 1), or None if all are real.
        """
        check_flag(self, "training", training, "; write forward(x, state=...)")
        x = np.asarray(x)
        if x.ndim != 3 or x.shape[2] != self.n_in or not x.size:
            raise ValueError(
                f"{self} takes x of shape (n, T, {self.n_in}), n and T 1 or more, got {x.shape}; "
                "rows are samples: use x[None] for one sequence, x[..., None] for one feature"
            )
        steps = np.ascontiguousarray(x.swapaxes(0, 1))
        if mask is not None:
            mask = check_mask(self, mask, x.shape[:2]).T[..., None]
            steps = np.where(mask, steps, 0)  # whatever stands in a padded step, NaN too
            mask = None if mask.all() else mask
        gates = steps.reshape(-1, self.n_in) @ self.by_gate("W")
        gates += self.by_gate("b")
        return steps, gates.reshape(self.n_gates, *steps.shape[:2], self.n_out), mask

    def by_gate(self, name):
        """Return a parameter (..., k n_out) as one for each gate, (k, ..., n_out)."""
        parts = self.params[name].reshape(-1, self.n_gates, self.n_out)
        return np.ascontiguousarray(parts.swapaxes(0, 1))

    def start(self, state, n, dtype):
        """Return the state to start from, (n, n_out); zeros by default."""
        if state is None:
            return np.zeros((n, self.n_out), dtype)
        if np.shape(state) != (n, self.n_out):
            raise ValueError(
                f"{self}: state has shape {np.shape(state)}, but must have {(n, self.n_out)}"
            )
        return np.asarray(state)

    def give(self, cache, hs):
        """Return out, from the states hs (T + 1, n, n_out) after each step and before the first."""
        out = hs[1:].swapaxes(0, 1) if self.return_sequences else hs[-1]
        return self.remember(cache, out.copy())

    def learn(self, steps, hs, dgates, dproducts):
        """Fill the gradients of W, U and b, and return dx, (n, T, n_in).

        dgates_t is the gradient with respect to x_t W + b, and dproducts_t with respect to
        h_(t-1) U, at every step t, with the same W, U and b. So dW, dU and db are sums over the
        steps: of x_t^T dgates_t, of h_(t-1)^T dproducts_t and of dgates_t. With the steps below
        each other, each sum is one product for each gate. dx_t = dgates_t W^T, summed over gates.
        """
        flat = dgates.reshape(self.n_gates, -1, self.n_out)
        dW = steps.reshape(-1, self.n_in).T @ flat
        dU = hs[:-1].reshape(-1, self.n_out).T @ dproducts.reshape(flat.shape)
        db = np.ones(flat.shape[1], flat.dtype) @ flat  # a sum, in half the time
        self.grads["W"], self.grads["U"] = np.concatenate(dW, axis=1), np.concatenate(dU, axis=1)
        self.grads["b"] = db.ravel()
        dx = sum(flat @ self.by_gate("W").swapaxes(1, 2))
        return dx.reshape(steps.shape).swapaxes(0, 1)


class LSTM(Recurrent):
    """Long short-term memory. Hochreiter and Schmidhuber (1997); gates as in Gers et al. (2000).

    The state is a pair: h, which is also the output, and the cell c. With sigma the sigmoid,

        i, f, o = sigma(x W + h U + b), the input, forget and output gate
        g = tanh(x W + h U + b), what may be added to the cell
        c' = f c + i g
        h' = o tanh(c'),

    each gate with its own columns of W, U and b, in the order i, f, o, g. While f is near 1, c and
    its gradient pass from step to step unchanged: this is what the cell is for. So b of f starts at
    1 (Jozefowicz et al. 2015).

    Parameters and attributes: see `Recurrent`. `state` and `dstate` are pairs (h, c).
    """

    n_gates = 4

    def draw(self, rng):
        """Draw W and U from a Generator; b of the forget gate is 1."""
        super().draw(rng)
        self.params["b"][self.n_out : 2 * self.n_out] = 1

    def forward(self, x, training=False, mask=None, state=None):
        """x (n, T, n_in) -> out (n, n_out), or (n, T, n_out) with return_sequences.

        mask : (n, T) of bool, False where a step is padding
            Such a step leaves the state as it is; what x contains there is ignored.
        state : pair (h, c) to start from, each (n, n_out); by default zeros
        """
        steps, gates, mask = self.read(x, training, mask)
        T, n = steps.shape[:2]
        if state is None:
            state = None, None
        elif not isinstance(state, (tuple, list)) or len(state) != 2:
            raise ValueError(
                f"{self}: state must be a pair (h, c), got {type(state).__name__} of "
                f"{len(state) if hasattr(state, '__len__') else 1}"
            )
        h, c = (self.start(part, n, gates.dtype) for part in state)
        dtype = np.result_type(gates, h, c)
        gates = gates.astype(dtype, copy=False)
        hs, cs = np.empty((2, T + 1, n, self.n_out), dtype)
        tanh_cs = np.empty((T, n, self.n_out), dtype)
        hs[0], cs[0] = h, c
        U, product = self.by_gate("U"), np.empty_like(gates[:, 0])
        for t in range(T):
            gate = gates[:, t]
            gate += np.matmul(hs[t], U, out=product)
            sigmoid_or_tanh(gate, 3)
            i, f, o, g = gate
            c = np.multiply(f, cs[t], out=cs[t + 1])
            c += np.multiply(i, g, out=product[0])
            np.tanh(c, out=tanh_cs[t])
            np.multiply(o, tanh_cs[t], out=hs[t + 1])
            if mask is not None:
                hold(mask[t], hs, cs, t)
        self.state = hs[-1].copy(), cs[-1].copy()
        return self.give((steps, gates, hs, cs, tanh_cs, mask), hs)

    def backward(self, dout):
        """dout, of the shape of out -> dx (n, T, n_in), grads, and dstate.

        At each step, from the last to the first, dh and dc are the gradients with respect to h'
        and c'. If out has every state, dh first gains this step's part of dout.

        h' = o tanh(c'): do = dh tanh(c'), and c' gains dc += dh o (1 - tanh(c')^2).
        c' = f c + i g: di = dc g, dg = dc i, df = dc c, and the c before gets dc f.
        Through the sigmoids, di becomes di i (1 - i), df and do likewise; through the tanh, dg
        becomes dg (1 - g^2). These four are dgates.
        gates = x W + h U + b: the h before gets dgates U^T; for the others see `learn`.
        A padded step copies the state, so dh and dc pass through it unchanged.
        """
        steps, gates, hs, cs, tanh_cs, mask = self.recall(dout)
        dgates = np.empty_like(gates, dtype=np.result_type(gates, dout))
        dh = np.zeros(hs[0].shape, dgates.dtype) if self.return_sequences else dout
        dc, grown = np.zeros((2, *hs[0].shape), dgates.dtype)
        slopes, product = np.empty((2, *dgates[:, 0].shape), dgates.dtype)
        UT = np.ascontiguousarray(self.by_gate("U").swapaxes(1, 2))
        for t in reversed(range(len(steps))):
            if self.return_sequences:
                dh = dh + dout[:, t]
            gate, dgate = gates[:, t], dgates[:, t]
            i, f, o, g = gate
            di, df, do, dg = dgate
            later = dh, dc.copy() if mask is not None else None
            np.multiply(dh, tanh_cs[t], out=do)
            # dh o (1 - tanh(c')^2) is dh (o - h' tanh(c')): one operation less
            np.multiply(hs[t + 1], tanh_cs[t], out=grown)
            np.subtract(o, grown, out=grown)
            grown *= dh
            dc += grown
            np.multiply(dc, g, out=di)
            np.multiply(dc, cs[t], out=df)
            np.multiply(dc, i, out=dg)
            np.multiply(gate, gate, out=slopes)
            np.subtract(gate[:3], slopes[:3], out=slopes[:3])  # s (1 - s) of a sigmoid
            np.subtract(1, slopes[3], out=slopes[3])  # 1 - g^2 of tanh
            dgate *= slopes
            dc *= f
            if mask is not None:
                dgate *= mask[t]
                np.copyto(dc, later[1], where=~mask[t])
            dh = np.matmul(dgate, UT, out=product).sum(axis=0)
            if mask is not None:
                dh = np.where(mask[t], dh, later[0])
        self.dstate = dh, dc
        return self.learn(steps, hs, dgates, dgates)


class GRU(Recurrent):
    """Gated recurrent unit. Cho et al. (2014), in the variant of cuDNN, PyTorch and Keras.

    The state is h, which is also the output. With sigma the sigmoid,

        z, r = sigma(x W + h U + b), the update and the reset gate
        g = tanh(x W + b + r (h U + b_h)), the candidate
        h' = z h + (1 - z) g,

    each with its own columns of W, U and b, in the order z, r, g. Cho et al. reset h before the
    product with U; here r acts after it, so that one product serves all three.

    Parameters and attributes: see `Recurrent`; params has b_h (n_out,) too.
    """

    n_gates = 3

    def shapes(self):
        """Return the shape of each parameter, by name."""
        return {**super().shapes(), "b_h": (self.n_out,)}

    def forward(self, x, training=False, mask=None, state=None):
        """x (n, T, n_in) -> out (n, n_out), or (n, T, n_out) with return_sequences.

        mask : (n, T) of bool, False where a step is padding
            Such a step leaves the state as it is; what x contains there is ignored.
        state : h to start from, (n, n_out); by default zeros
        """
        steps, gates, mask = self.read(x, training, mask)
        T, n = steps.shape[:2]
        h = self.start(state, n, gates.dtype)
        dtype = np.result_type(gates, h)
        gates = gates.astype(dtype, copy=False)
        hs, recurrent = np.empty((T + 1, n, self.n_out), dtype), np.empty_like(gates[2])
        hs[0] = h
        U, b_h, product = self.by_gate("U"), self.params["b_h"], np.empty_like(gates[:, 0])
        for t in range(T):
            z, r, g = gates[:, t]
            np.matmul(hs[t], U, out=product)
            np.add(product[2], b_h, out=recurrent[t])
            sigmas = gates[:2, t]
            sigmas += product[:2]
            sigmoid_or_tanh(sigmas, 2)
            g += np.multiply(r, recurrent[t], out=product[2])
            np.tanh(g, out=g)
            np.subtract(hs[t], g, out=hs[t + 1])
            hs[t + 1] *= z
            hs[t + 1] += g  # z h + (1 - z) g
            if mask is not None:
                hold(mask[t], hs, hs, t)
        self.state = hs[-1].copy()
        return self.give((steps, gates, hs, recurrent, mask), hs)

    def backward(self, dout):
        """dout, of the shape of out -> dx (n, T, n_in), grads, and dstate.

        At each step, from the last to the first, dh is the gradient with respect to h'. If out has
        every state, dh first gains this step's part of dout.

        h' = z h + (1 - z) g: dz = dh (h - g), dg = dh (1 - z), and the h before gets dh z.
        Through the tanh, dg becomes dg (1 - g^2). Inside it is r u with u = h U + b_h: dr = dg u,
        and du = dg r. Through the sigmoids, dz becomes dz z (1 - z), and dr likewise.
        x W + b gets (dz, dr, dg), and h U gets (dz, dr, du): only the last third differs. So the h
        before gets (dz, dr, du) U^T besides, dU is the sum of h^T (dz, dr, du), and db_h of du.
        A padded step copies the state, so dh passes through it unchanged.
        """
        steps, gates, hs, recurrent, mask = self.recall(dout)
        dgates = np.empty_like(gates, dtype=np.result_type(gates, dout))
        dproducts = np.empty_like(dgates)
        dh = np.zeros(hs[0].shape, dgates.dtype) if self.return_sequences else dout
        UT = np.ascontiguousarray(self.by_gate("U").swapaxes(1, 2))
        product = np.empty_like(dgates[:, 0])
        for t in reversed(range(len(steps))):
            if self.return_sequences:
                dh = dh + dout[:, t]
            z, r, g = gates[:, t]
            dz, dr, dg = dgates[:, t]
            later = dh
            np.multiply(dh * (hs[t] - g), z * (1 - z), out=dz)
            np.multiply(dh * (1 - z), 1 - g * g, out=dg)
            np.multiply(dg * recurrent[t], r * (1 - r), out=dr)
            if mask is not None:
                dgates[:, t] *= mask[t]
            dproducts[:, t] = dgates[:, t]
            dproducts[2, t] *= r
            dh = dh * z + np.matmul(dproducts[:, t], UT, out=product).sum(axis=0)
            if mask is not None:
                dh = np.where(mask[t], dh, later)
        self.dstate = dh
        self.grads["b_h"] = dproducts[2].sum(axis=(0, 1))
        return self.learn(steps, hs, dgates, dproducts)


class Bidirectional(Layer):
    """A recurrent layer that reads forwards and its copy that reads backwards, side by side.

    out is (n, 2 n_out), or (n, T, 2 n_out) if the layer returns sequences. Padding is at the end of
    a sequence or anywhere; the copy meets it first, and it leaves the state at its start.

    Parameters
    ----------
    layer : LSTM or GRU; the copy gets weights of its own
    """

    config = ("layer",)

    def __init__(self, layer):
        if not isinstance(layer, Recurrent):
            raise TypeError(f"Bidirectional takes a layer, LSTM or GRU, got {layer!r}")
        self.layer, self.reverse = layer, copy.deepcopy(layer)
        if layer.first_draw is None:  # it was given an rng: no network draws the copy again
            self.reverse.draw(np.random.default_rng(fingerprint(layer)))
        super().__init__()

    def forward(self, x, training=False, mask=None):
        """x (n, T, n_in) -> out (n, 2 n_out), or (n, T, 2 n_out)."""
        ahead = self.layer.forward(x, training, mask)  # checks x and mask
        x = np.asarray(x)[:, ::-1]
        mask = None if mask is None else np.asarray(mask)[:, ::-1]
        back = self.reverse.forward(x, training, mask)
        if self.reverse.return_sequences:
            back = back[:, ::-1]
        return self.remember((), np.concatenate([ahead, back], axis=-1))

    def backward(self, dout):
        """x acts on both halves of out: dx is the sum of what comes back from each."""
        self.recall(dout)
        dahead, dback = np.split(dout, 2, axis=-1)
        if self.reverse.return_sequences:
            dback = dback[:, ::-1]
        return self.layer.backward(dahead) + self.reverse.backward(dback)[:, ::-1]


def sigmoid_or_tanh(gate, k):
    """Apply the sigmoid to the first k gates, and tanh to the others, in place.

    sigma(a) = (tanh(a / 2) + 1) / 2, so one tanh serves all.
    """
    sigmas = gate[:k]
    sigmas *= 0.5
    np.tanh(gate, out=gate)
    sigmas += 1
    sigmas *= 0.5


def hold(mask, hs, cs, t):
    """Where a step is padding, copy the state before it: mask (n, 1)."""
    np.copyto(hs[t + 1], hs[t], where=~mask)
    np.copyto(cs[t + 1], cs[t], where=~mask)
