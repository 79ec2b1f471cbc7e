"""A set of answers that is kept back: wrong ones and unusual right ones, as students write them.

Each entry has the id of the exercise, the part, the meaning and the code. In WRONG the meaning says
what is wrong, as a teacher says it; each answer has one mistake. In RIGHT it says what is unusual.
The code has the functions or the class of the part, and helper functions. `whole` returns a file:
the code, and the solution of the other parts. Those who write the diagnoses do not read this set.
"""

import ast

from solutions import solved


def whole(id, code):
    """Return the text of a solved file in which the definitions of `code` replace the solution."""
    text, kinds = solved(id), (ast.FunctionDef, ast.ClassDef)
    names = {node.name for node in ast.parse(code).body if isinstance(node, kinds)}
    lines = text.splitlines(keepends=True)
    for node in reversed(ast.parse(text).body):
        if isinstance(node, kinds) and node.name in names:
            lines[node.lineno - 1 : node.end_lineno] = []
    return "".join(lines).rstrip() + "\n\n\n" + code.strip() + "\n"


WRONG = [
    # sigmoid_softplus
    (
        "sigmoid_softplus",
        "sigmoid",
        "the branches for positive and negative x are swapped: the result is sigmoid(-x)",
        r"""
def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x < 0, 1 / (1 + e), e / (1 + e))
""",
    ),
    (
        "sigmoid_softplus",
        "sigmoid",
        "x is clipped to [-10, 10], so sigmoid is wrong for larger logits",
        r"""
def sigmoid(x):
    x = np.clip(x, -10, 10)   # avoid overflow
    return 1.0 / (1.0 + np.exp(-x))
""",
    ),
    (
        "sigmoid_softplus",
        "softplus",
        "np.where computes both branches, so exp(x) still overflows and gives a warning",
        r"""
def softplus(x):
    threshold = 30
    return np.where(x > threshold, x, np.log1p(np.exp(x)))
""",
    ),
    (
        "sigmoid_softplus",
        "softplus",
        "log(1 + small) rounds to 0: log1p is needed for very negative x",
        r"""
def softplus(x):
    biggest = np.where(x > 0, x, 0.0)
    # log-sum-exp of 0 and x
    return biggest + np.log(np.exp(0 - biggest) + np.exp(x - biggest))
""",
    ),
    (
        "sigmoid_softplus",
        "softplus",
        "|x| instead of max(x, 0): the result is softplus(|x|)",
        r"""
def softplus(x):
    a = abs(x)
    return a + np.log1p(np.exp(-a))
""",
    ),
    # activations_backward
    (
        "activations_backward",
        "relu_backward",
        "dout is changed in place, because dx is the same array and not a copy",
        r"""
def relu_backward(dout, x):
    dx = dout
    dx[x <= 0] = 0
    return dx
""",
    ),
    (
        "activations_backward",
        "relu_backward",
        "the gate looks at the sign of dout instead of the sign of x",
        r"""
def relu_backward(dout, x):
    return np.maximum(0, dout)
""",
    ),
    (
        "activations_backward",
        "sigmoid_backward",
        "sigmoid is applied a second time: the argument is already the output",
        r"""
def sigmoid_backward(dout, out):
    sig = 1 / (1 + np.exp(-out))
    grad = sig * (1 - sig)
    return grad * dout
""",
    ),
    (
        "activations_backward",
        "sigmoid_backward",
        "only the slope is returned: the factor dout of the chain rule is missing",
        r"""
def sigmoid_backward(dout, out):
    one = np.ones_like(out)
    return np.multiply(out, one - out)
""",
    ),
    (
        "activations_backward",
        "tanh_backward",
        "(1 - out)^2 instead of 1 - out^2",
        r"""
def tanh_backward(dout, out):
    derivative = np.power(1 - out, 2)
    return dout * derivative
""",
    ),
    # dense_forward
    (
        "dense_forward",
        "dense_forward",
        "the bias is added once for each input feature, because it is inside the sum over k",
        r"""
def dense_forward(x, W, b):
    n, n_in = x.shape
    n_out = W.shape[1]
    out = np.zeros((n, n_out))
    for i in range(n):
        for j in range(n_out):
            for k in range(n_in):
                out[i, j] += x[i, k] * W[k, j] + b[j]
    return out
""",
    ),
    (
        "dense_forward",
        "dense_forward",
        "the mean over the input features instead of the sum",
        r"""
def dense_forward(x, W, b):
    products = x[:, :, np.newaxis] * W[np.newaxis, :, :]
    return np.mean(products, axis=1) + b
""",
    ),
    (
        "dense_forward",
        "dense_forward",
        "the column of ones is last but the bias is the first row, so rows do not fit together",
        r"""
def dense_forward(x, W, b):
    # bias trick
    ones = np.ones((x.shape[0], 1))
    X1 = np.hstack([x, ones])
    W1 = np.vstack([b, W])
    return X1.dot(W1)
""",
    ),
    (
        "dense_forward",
        "dense_forward",
        "off by one: the last unit is never computed and stays 0",
        r"""
def dense_forward(x, W, b):
    y = np.zeros((len(x), len(b)))
    for j in range(len(b) - 1):
        y[:, j] = x.dot(W[:, j]) + b[j]
    return y
""",
    ),
    (
        "dense_forward",
        "dense_forward",
        "the bias is a column, one for each sample, instead of a row, one for each unit",
        r"""
def dense_forward(x, W, b):
    z = np.matmul(x, W)
    return z + b.reshape(-1, 1)
""",
    ),
    # dense_backward
    (
        "dense_backward",
        "dense_backward",
        "dW is overwritten for each sample instead of added up: only the last sample counts",
        r"""
def dense_backward(dout, x, W):
    dx = np.dot(dout, W.T)
    dW = np.zeros_like(W)
    db = np.zeros(W.shape[1])
    for i in range(x.shape[0]):
        dW = np.outer(x[i], dout[i])
        db += dout[i]
    return dx, dW, db
""",
    ),
    (
        "dense_backward",
        "dense_backward",
        "dW is divided by n again, although dout already contains 1/n",
        r"""
def dense_backward(dout, x, W):
    m = x.shape[0]
    dW = 1 / m * np.dot(x.T, dout)
    db = np.sum(dout, axis=0)
    dA_prev = np.dot(dout, W.T)
    return dA_prev, dW, db
""",
    ),
    (
        "dense_backward",
        "dense_backward",
        "the gradients are returned in the order dW, db, dx",
        r"""
def dense_backward(dout, x, W):
    grads = {}
    grads["W"] = np.einsum("ni,no->io", x, dout)
    grads["b"] = np.einsum("no->o", dout)
    grads["x"] = np.einsum("no,io->ni", dout, W)
    return tuple(grads.values())
""",
    ),
    (
        "dense_backward",
        "dense_backward",
        "db has the shape (1, n_out) because of keepdims",
        r"""
def dense_backward(dout, x, W):
    db = dout.sum(axis=0, keepdims=True)
    return dout @ W.transpose(), x.transpose() @ dout, db
""",
    ),
    (
        "dense_backward",
        "dense_backward",
        "dx is a product of two sums instead of the sum of the products over the units",
        r"""
def dense_backward(dout, x, W):
    # every x_ik changes all the outputs of sample i
    dx = dout.sum(axis=1)[:, None] * W.sum(axis=1)[None, :]
    dW = x.T @ dout
    db = dout.sum(0)
    return dx, dW, db
""",
    ),
    # gradient_check
    (
        "gradient_check",
        "central_difference",
        "a forward difference: the error is of order h instead of h^2",
        r"""
def central_difference(f, v, h):
    f0 = f(v)
    g = []
    for k in range(len(v)):
        e = np.zeros(len(v))
        e[k] = h
        g.append((f(v + e) - f0) / h)
    return np.array(g)
""",
    ),
    (
        "gradient_check",
        "central_difference",
        "v[k] is not put back after its two evaluations, so v stays changed",
        r"""
def central_difference(f, v, h):
    grad = np.zeros_like(v)
    for k in range(v.size):
        v[k] += h
        plus = f(v)
        v[k] -= 2 * h
        minus = f(v)
        grad[k] = (plus - minus) / (2 * h)
    return grad
""",
    ),
    (
        "gradient_check",
        "complex_step",
        "the imaginary step of an entry stays when the next entry is moved: gradients add up",
        r"""
def complex_step(f, v):
    h = 1e-30
    z = v.astype(np.complex128)
    grad = np.zeros(v.size)
    for k in range(v.size):
        z[k] += 1j * h
        grad[k] = np.imag(f(z)) / h
    return grad
""",
    ),
    (
        "gradient_check",
        "complex_step",
        "the step is far too large, so the error of order h^2 is not below rounding",
        r"""
def complex_step(f, v):
    h = 1e-2
    I = np.eye(v.size)
    return np.array([f(v + 1j * h * I[k]).imag / h for k in range(v.size)])
""",
    ),
    (
        "gradient_check",
        "layer_is_right",
        "the difference has no absolute value, so gradients that are too small pass",
        r"""
def layer_is_right(layer, x):
    out = layer.forward(x)
    w = np.random.default_rng(7).normal(size=out.shape)
    dx = layer.backward(w)
    n = layer.theta.size
    c = layer.astype(complex)

    def loss(u):
        c.theta = u[:n]
        return np.sum(w * c.forward(u[n:].reshape(x.shape)))

    numeric = complex_step(loss, np.concatenate((layer.theta, x.flatten())))
    analytic = np.concatenate((layer.dtheta, dx.flatten()))
    return bool((analytic - numeric).max() < 1e-8)
""",
    ),
    (
        "gradient_check",
        "layer_is_right",
        "only dx is checked: a wrong gradient of the parameters passes",
        r"""
def layer_is_right(layer, x):
    rng = np.random.default_rng(1)
    out = layer.forward(x)
    dout = rng.standard_normal(out.shape)
    dx = layer.backward(dout)
    twin = layer.astype(complex)

    def g(flat):
        return (dout * twin.forward(flat.reshape(x.shape))).sum()

    num = complex_step(g, x.ravel())
    return bool(np.allclose(dx.ravel(), num, rtol=1e-8, atol=1e-10))
""",
    ),
    (
        "gradient_check",
        "layer_is_right",
        "dout is not used in the function that is differentiated: backward gets another gradient",
        r"""
def layer_is_right(layer, x):
    rng = np.random.default_rng(3)
    dout = rng.standard_normal(layer.forward(x).shape)
    dx = layer.backward(dout)
    cl, p = layer.astype(complex), layer.theta.size

    def f(v):
        cl.theta = v[:p]
        return cl.forward(v[p:].reshape(x.shape)).sum()

    right = complex_step(f, np.r_[layer.theta, x.ravel()])
    mine = np.r_[layer.dtheta, dx.ravel()]
    err = np.linalg.norm(mine - right) / (np.linalg.norm(mine) + np.linalg.norm(right))
    return bool(err < 1e-9)
""",
    ),
    # squared_error
    (
        "squared_error",
        "squared_error",
        "the root is taken: the mean distance instead of the mean squared distance",
        r"""
def squared_error(out, target):
    return np.mean(np.linalg.norm(out - target, axis=1))
""",
    ),
    (
        "squared_error",
        "squared_error",
        "the differences are summed before they are squared",
        r"""
def squared_error(out, target):
    n = out.shape[0]
    L = 0
    for i in range(n):
        L += sum(out[i] - target[i]) ** 2
    return L / n
""",
    ),
    (
        "squared_error",
        "squared_error",
        "the mean is also taken over features, where the loss has a sum",
        r"""
def squared_error(out, target):
    err = out - target
    return np.einsum("ij,ij->", err, err) / err.size
""",
    ),
    (
        "squared_error",
        "squared_error_backward",
        "the sign is wrong: target - out",
        r"""
def squared_error_backward(out, target):
    n = out.shape[0]
    residual = target - out
    return (2 / n) * residual
""",
    ),
    (
        "squared_error",
        "squared_error_backward",
        "the factor 2 of the square is missing",
        r"""
def squared_error_backward(out, target):
    dout = np.empty(out.shape)
    for i in range(len(out)):
        dout[i] = (out[i] - target[i]) / len(out)
    return dout
""",
    ),
    # bernoulli_nll
    (
        "bernoulli_nll",
        "bernoulli_nll",
        "p is clipped before the log, so the loss of large logits is bounded and wrong",
        r"""
def bernoulli_nll(logits, target):
    p = 0.5 * (1 + np.tanh(logits / 2))
    p = np.clip(p, 1e-7, 1 - 1e-7)
    bce = -(target * np.log(p) + (1 - target) * np.log(1 - p))
    return bce.sum(axis=1).mean()
""",
    ),
    (
        "bernoulli_nll",
        "bernoulli_nll",
        "target and 1 - target are swapped",
        r"""
def bernoulli_nll(logits, target):
    # -log p = log(1 + e^-x), -log(1-p) = log(1 + e^x)
    neg_log_p = np.logaddexp(0, -logits)
    neg_log_q = np.logaddexp(0, logits)
    per_pixel = (1 - target) * neg_log_p + target * neg_log_q
    return per_pixel.sum() / per_pixel.shape[0]
""",
    ),
    (
        "bernoulli_nll",
        "bernoulli_nll",
        "the targets are rounded to 0 or 1, although any number in [0, 1] is allowed",
        r"""
def bernoulli_nll(logits, target):
    y = target > 0.5
    loss = np.where(y, np.logaddexp(0, -logits), np.logaddexp(0, logits))
    return np.sum(loss) / len(loss)
""",
    ),
    (
        "bernoulli_nll",
        "bernoulli_nll_backward",
        "the slope of the sigmoid is multiplied in, although it cancels for logits",
        r"""
def bernoulli_nll_backward(logits, target):
    p = np.exp(-np.logaddexp(0, -logits))
    dp = (p - target) / logits.shape[0]
    return dp * p * (1 - p)
""",
    ),
    (
        "bernoulli_nll",
        "bernoulli_nll_backward",
        "divided by the number of all entries: the loss is a sum over features",
        r"""
def bernoulli_nll_backward(logits, target):
    n, d = logits.shape
    e = np.exp(-np.abs(logits))
    p = np.where(logits >= 0, 1, e) / (1 + e)
    return (p - target) / (n * d)
""",
    ),
    # sgd_momentum
    (
        "sgd_momentum",
        "SGD",
        "the velocity already has the minus sign, and subtracting it climbs the loss",
        r"""
class SGD:
    def __init__(self, lr, momentum):
        self.lr = lr
        self.mu = momentum
        self.v = 0

    def step(self, theta, dtheta):
        self.v = self.mu * self.v - self.lr * dtheta
        theta -= self.v
""",
    ),
    (
        "sgd_momentum",
        "SGD",
        "the velocity is the same array as the first dtheta, so later steps change that gradient",
        r"""
class SGD:
    def __init__(self, lr, momentum):
        self.lr, self.momentum = lr, momentum
        self.buf = None

    def step(self, theta, dtheta):
        if self.buf is None:
            self.buf = dtheta
        else:
            self.buf *= self.momentum
            self.buf += dtheta
        theta -= self.lr * self.buf
""",
    ),
    (
        "sgd_momentum",
        "SGD",
        "Nesterov momentum: the step uses dtheta + momentum velocity",
        r"""
class SGD:
    def __init__(self, lr, momentum):
        self.eta = lr
        self.gamma = momentum
        self.velocity = 0.0

    def step(self, theta, dtheta):
        self.velocity = self.gamma * self.velocity + dtheta
        look_ahead = dtheta + self.gamma * self.velocity
        theta[:] = theta - self.eta * look_ahead
""",
    ),
    (
        "sgd_momentum",
        "SGD",
        "the velocity is used before it is updated: each step is one gradient late",
        r"""
class SGD:
    def __init__(self, lr, momentum):
        self.lr = lr
        self.momentum = momentum
        self.velocity = None

    def step(self, theta, dtheta):
        if self.velocity is None:
            self.velocity = np.zeros_like(theta)
        theta -= self.lr * self.velocity
        self.velocity = self.momentum * self.velocity + dtheta
""",
    ),
    (
        "sgd_momentum",
        "SGD",
        "the velocity is a local variable that starts at zero in each step: no momentum",
        r"""
class SGD:
    def __init__(self, lr, momentum):
        self.lr = lr
        self.momentum = momentum

    def step(self, theta, dtheta):
        velocity = np.zeros(theta.shape)
        velocity = self.momentum * velocity + dtheta
        for i in range(len(theta)):
            theta[i] -= self.lr * velocity[i]
""",
    ),
    # adam
    (
        "adam",
        "Adam",
        "t is 2 at the first step: it starts at 1 and is increased before it is used",
        r"""
class Adam:
    def __init__(self, lr, beta1, beta2, eps):
        self.alpha, self.b1, self.b2, self.eps = lr, beta1, beta2, eps
        self.m, self.v, self.t = 0, 0, 1

    def step(self, theta, dtheta):
        self.t += 1
        self.m = self.b1 * self.m + (1 - self.b1) * dtheta
        self.v = self.b2 * self.v + (1 - self.b2) * dtheta * dtheta
        mhat = self.m / (1 - self.b1 ** self.t)
        vhat = self.v / (1 - self.b2 ** self.t)
        theta -= self.alpha * mhat / (np.sqrt(vhat) + self.eps)
""",
    ),
    (
        "adam",
        "Adam",
        "beta t instead of beta^t in the bias corrections",
        r"""
class Adam:
    def __init__(self, lr, beta1, beta2, eps):
        self.lr = lr
        self.beta = (beta1, beta2)
        self.eps = eps
        self.moments = [0.0, 0.0]
        self.count = 0

    def step(self, theta, dtheta):
        self.count += 1
        hats = []
        for i in range(2):
            b = self.beta[i]
            self.moments[i] = b * self.moments[i] + (1 - b) * dtheta ** (i + 1)
            hats.append(self.moments[i] / (1 - b * self.count))
        theta -= self.lr * hats[0] / (np.sqrt(np.abs(hats[1])) + self.eps)
""",
    ),
    (
        "adam",
        "Adam",
        "eps is inside the root",
        r"""
class Adam:
    def __init__(self, lr, beta1, beta2, eps):
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.t = 0
        self.m = None
        self.v = None

    def step(self, theta, dtheta):
        if self.m is None:
            self.m, self.v = np.zeros_like(theta), np.zeros_like(theta)
        self.t += 1
        self.m += (1 - self.beta1) * (dtheta - self.m)
        self.v += (1 - self.beta2) * (dtheta**2 - self.v)
        m = self.m / (1 - self.beta1**self.t)
        v = self.v / (1 - self.beta2**self.t)
        theta -= self.lr * m * (v + self.eps) ** -0.5
""",
    ),
    (
        "adam",
        "Adam",
        "v averages the square of m instead of the square of dtheta",
        r"""
class Adam:
    def __init__(self, lr, beta1, beta2, eps):
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.m = 0.0
        self.v = 0.0
        self.t = 0

    def step(self, theta, dtheta):
        self.t = self.t + 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * dtheta
        self.v = self.beta2 * self.v + (1 - self.beta2) * self.m**2
        first = self.m / (1 - self.beta1**self.t)
        second = self.v / (1 - self.beta2**self.t)
        theta -= self.lr * first / (np.sqrt(second) + self.eps)
""",
    ),
    (
        "adam",
        "Adam",
        "the state is a dict of the class, so two optimisers share m, v and t",
        r"""
class Adam:
    state = {"m": 0, "v": 0, "t": 0}

    def __init__(self, lr, beta1, beta2, eps):
        self.hyper = (lr, beta1, beta2, eps)

    def step(self, theta, dtheta):
        lr, b1, b2, eps = self.hyper
        s = self.state
        s["t"] += 1
        s["m"] = b1 * s["m"] + (1 - b1) * dtheta
        s["v"] = b2 * s["v"] + (1 - b2) * dtheta**2
        mh = s["m"] / (1 - b1 ** s["t"])
        vh = s["v"] / (1 - b2 ** s["t"])
        theta -= lr * mh / (np.sqrt(vh) + eps)
""",
    ),
    (
        "adam",
        "Adam",
        "the corrections are in the learning rate, so eps is added to sqrt(v), not sqrt(v_hat)",
        r"""
class Adam:
    def __init__(self, lr, beta1, beta2, eps):
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.m, self.v, self.iter = 0, 0, 0

    def step(self, theta, dtheta):
        self.iter += 1
        fix1 = 1 - self.beta1**self.iter
        fix2 = 1 - self.beta2**self.iter
        lr_t = self.lr * np.sqrt(fix2) / fix1
        self.m = self.m * self.beta1 + dtheta * (1 - self.beta1)
        self.v = self.v * self.beta2 + dtheta**2 * (1 - self.beta2)
        theta -= lr_t * self.m / (np.sqrt(self.v) + self.eps)
""",
    ),
    (
        "adam",
        "Adam",
        "t is never increased, so every step has the bias correction of the first step",
        r"""
class Adam:
    def __init__(self, lr, beta1, beta2, eps):
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.m, self.v = 0.0, 0.0
        self.t = 0

    def _unbias(self, a, beta, t):
        return a / (1 - beta**t)

    def step(self, theta, dtheta):
        t = self.t + 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * dtheta
        self.v = self.beta2 * self.v + (1 - self.beta2) * np.square(dtheta)
        m_hat = self._unbias(self.m, self.beta1, t)
        v_hat = self._unbias(self.v, self.beta2, t)
        theta -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)
""",
    ),
    # hunt_adam
    (
        "hunt_adam",
        "Adam",
        "v is still overwritten with its corrected value; only m is repaired",
        r"""
class Adam:
    def __init__(self, lr, beta1, beta2, eps):
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.m = self.v = 0.0
        self.t = 0

    def step(self, theta, dtheta):
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * dtheta
        self.v = self.beta2 * self.v + (1 - self.beta2) * dtheta**2
        m_hat = self.m / (1 - self.beta1**self.t)
        self.v = self.v / (1 - self.beta2**self.t)
        theta -= self.lr * m_hat / (np.sqrt(self.v) + self.eps)
""",
    ),
    (
        "hunt_adam",
        "Adam",
        "the corrections are computed but only m_hat is used; v has no correction in the step",
        r"""
class Adam:
    def __init__(self, lr, beta1, beta2, eps):
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.m = self.v = 0.0
        self.t = 0

    def step(self, theta, dtheta):
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * dtheta
        self.v = self.beta2 * self.v + (1 - self.beta2) * dtheta**2
        m_corrected = self.m / (1 - self.beta1**self.t)
        v_corrected = self.v / (1 - self.beta2**self.t)
        theta -= self.lr * m_corrected / (np.sqrt(self.v) + self.eps)
""",
    ),
    (
        "hunt_adam",
        "Adam",
        "m and v are multiplied back by 1 - beta instead of 1 - beta^t after the step",
        r"""
class Adam:
    def __init__(self, lr, beta1, beta2, eps):
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.m = self.v = 0.0
        self.t = 0

    def step(self, theta, dtheta):
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * dtheta
        self.v = self.beta2 * self.v + (1 - self.beta2) * dtheta**2
        self.m = self.m / (1 - self.beta1**self.t)
        self.v = self.v / (1 - self.beta2**self.t)
        theta -= self.lr * self.m / (np.sqrt(self.v) + self.eps)
        # undo the correction for the next step
        self.m = self.m * (1 - self.beta1)
        self.v = self.v * (1 - self.beta2)
""",
    ),
    # autoencoder_backward
    (
        "autoencoder_backward",
        "forward",
        "every layer gets the original x instead of the output of the layer before",
        r"""
def forward(layers, x):
    out = x
    for l in layers:
        out = l.forward(x)
    return out
""",
    ),
    (
        "autoencoder_backward",
        "backward",
        "layers.reverse() turns the caller's list around",
        r"""
def backward(layers, dout):
    layers.reverse()
    g = dout
    for l in layers:
        g = l.backward(g)
    return g
""",
    ),
    (
        "autoencoder_backward",
        "backward",
        "off by one: the first layer gets no backward pass",
        r"""
def backward(layers, dout):
    delta = dout
    for i in range(len(layers) - 1, 0, -1):
        delta = layers[i].backward(delta)
    return delta
""",
    ),
    (
        "autoencoder_backward",
        "train_step",
        "the loss after the step is returned instead of the loss before it",
        r"""
def train_step(layers, x, lr):
    recon = forward(layers, x)
    backward(layers, 2.0 / len(x) * (recon - x))
    for l in layers:
        l.theta[:] = l.theta - lr * l.dtheta
    recon = forward(layers, x)
    return np.sum((recon - x) ** 2) / len(x)
""",
    ),
    (
        "autoencoder_backward",
        "train_step",
        "only the second half, the decoder, is trained; the encoder stays as it is",
        r"""
def train_step(layers, x, lr):
    half = len(layers) // 2
    encoder, decoder = layers[:half], layers[half:]
    code = forward(encoder, x)
    diff = forward(decoder, code) - x
    loss = (diff**2).sum(axis=1).mean()
    dcode = backward(decoder, 2 * diff / x.shape[0])
    backward(encoder, dcode)
    for layer in decoder:
        layer.theta -= lr * layer.dtheta
    return loss
""",
    ),
    # minibatch_loop
    (
        "minibatch_loop",
        "batches",
        "the last, smaller batch is dropped",
        r"""
def batches(X, size, rng):
    idx = rng.permutation(X.shape[0])
    n_batches = X.shape[0] // size
    return [X[idx[b * size:(b + 1) * size]] for b in range(n_batches)]
""",
    ),
    (
        "minibatch_loop",
        "batches",
        "rng.permuted shuffles each column on its own, so the rows are torn apart",
        r"""
def batches(X, size, rng):
    mixed = rng.permuted(X, axis=0)
    result = []
    start = 0
    while start < len(mixed):
        result.append(mixed[start:start + size])
        start += size
    return result
""",
    ),
    (
        "minibatch_loop",
        "batches",
        "rows are drawn with replacement: some come twice and others never",
        r"""
def batches(X, size, rng):
    n = len(X)
    order = rng.integers(0, n, size=n)
    out = []
    for s in range(0, n, size):
        out.append(X[order[s:s + size]])
    return out
""",
    ),
    (
        "minibatch_loop",
        "batches",
        "array_split makes batches of about equal size, not batches of `size` rows",
        r"""
def batches(X, size, rng):
    perm = rng.permutation(len(X))
    k = int(np.ceil(len(X) / size))
    return np.array_split(X[perm], k)
""",
    ),
    (
        "minibatch_loop",
        "batches",
        "a new generator with a fixed seed: the order is the same in every epoch",
        r"""
def batches(X, size, rng):
    rng = np.random.default_rng(42)
    indices = np.arange(len(X))
    rng.shuffle(indices)
    return [X[indices[i : i + size]] for i in range(0, len(X), size)]
""",
    ),
    (
        "minibatch_loop",
        "fit",
        "the batches are drawn once before the epochs, so all epochs have the same order",
        r"""
def fit(step, X, epochs, size, rng):
    data = batches(X, size, rng)
    history = []
    for epoch in range(epochs):
        s = sum(step(b) * len(b) for b in data)
        history.append(s / len(X))
    return history
""",
    ),
    (
        "minibatch_loop",
        "fit",
        "the total is not set to 0 at the start of each epoch",
        r"""
def fit(step, X, epochs, size, rng):
    losses = []
    running = 0.0
    for e in range(epochs):
        for xb in batches(X, size, rng):
            running += step(xb) * xb.shape[0]
        losses.append(running / X.shape[0])
    return losses
""",
    ),
    (
        "minibatch_loop",
        "fit",
        "each batch loss counts as `size` samples, also the last, smaller batch",
        r"""
def fit(step, X, epochs, size, rng):
    curve = np.zeros(epochs)
    for e in range(epochs):
        for batch in batches(X, size, rng):
            curve[e] += step(batch) * size
    return list(curve / len(X))
""",
    ),
    # dropout
    (
        "dropout",
        "dropout",
        "p is used as the probability to keep an entry",
        r"""
def dropout(x, p, rng, training):
    if training:
        mask = rng.binomial(1, p, size=x.shape) / (1 - p)
    else:
        mask = np.ones_like(x)
    return x * mask, mask
""",
    ),
    (
        "dropout",
        "dropout",
        "one mask for all samples: the entries are not independent",
        r"""
def dropout(x, p, rng, training):
    if not training:
        return x.copy(), np.ones_like(x)
    keep = rng.random(x.shape[-1]) >= p
    mask = np.broadcast_to(keep / (1.0 - p), x.shape).copy()
    return x * mask, mask
""",
    ),
    (
        "dropout",
        "dropout",
        "divided by the fraction that was kept in this draw instead of by 1 - p",
        r"""
def dropout(x, p, rng, training):
    mask = np.ones(x.shape)
    if training:
        mask = (rng.uniform(size=x.shape) > p).astype(float)
        mask /= mask.mean()
    return mask * x, mask
""",
    ),
    (
        "dropout",
        "dropout",
        "the kept entries are divided by 1 - p twice, so out is not mask * x",
        r"""
def dropout(x, p, rng, training):
    q = 1 - p
    if training:
        mask = np.where(rng.random(x.shape) < q, 1 / q, 0.0)
        out = x * mask / q
    else:
        mask = np.ones(x.shape)
        out = x * mask
    return out, mask
""",
    ),
    (
        "dropout",
        "dropout",
        "at test time x is multiplied by 1 - p, although training already divides by it",
        r"""
def dropout(x, p, rng, training):
    keep_prob = 1 - p
    if training:
        mask = (rng.random(x.shape) < keep_prob) / keep_prob
        return x * mask, mask
    mask = np.ones(x.shape)
    return x * keep_prob, mask
""",
    ),
    (
        "dropout",
        "dropout_backward",
        "the gate has lost its factor 1 / (1 - p)",
        r"""
def dropout_backward(dout, mask):
    dx = dout.copy()
    dx[mask == 0] = 0
    return dx
""",
    ),
    # convolution
    (
        "convolution",
        "conv2d",
        "the bias is added for each kernel position: k^2 times",
        r"""
def conv2d(x, W, b):
    n, h, w, c = x.shape
    k = W.shape[0]
    oh, ow = h - k + 1, w - k + 1
    out = np.zeros((n, oh, ow, W.shape[-1]))
    for a in range(k):
        for d in range(k):
            patch = x[:, a:a + oh, d:d + ow, :]
            out += np.tensordot(patch, W[a, d], axes=([3], [0])) + b
    return out
""",
    ),
    (
        "convolution",
        "conv2d",
        "the two axes of the kernel are exchanged",
        r"""
def conv2d(x, W, b):
    k = W.shape[0]
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(1, 2))
    # windows: n, h', w', c_in, k, k
    return np.einsum("nhwcij,jico->nhwo", windows, W) + b
""",
    ),
    (
        "convolution",
        "conv2d",
        "the kernel is flipped: this is a true convolution, not a cross-correlation",
        r"""
def conv2d(x, W, b):
    k = len(W)
    H, V = x.shape[1] - k + 1, x.shape[2] - k + 1
    result = np.zeros((len(x), H, V, len(b))) + b
    for r in range(k):
        for s in range(k):
            result += x[:, k - 1 - r:k - 1 - r + H, k - 1 - s:k - 1 - s + V] @ W[r, s]
    return result
""",
    ),
    (
        "convolution",
        "conv2d_backward",
        "dx is assigned instead of added: the contributions of overlapping windows are lost",
        r"""
def conv2d_backward(dout, x, W):
    k = W.shape[0]
    _, hh, ww, _ = dout.shape
    dx = np.zeros_like(x)
    dW = np.zeros_like(W)
    for a in range(k):
        for d in range(k):
            dx[:, a:a + hh, d:d + ww, :] = dout @ W[a, d].T
            dW[a, d] = np.tensordot(x[:, a:a + hh, d:d + ww, :], dout, ([0, 1, 2], [0, 1, 2]))
    db = np.sum(dout, axis=(0, 1, 2))
    return dx, dW, db
""",
    ),
    (
        "convolution",
        "conv2d_backward",
        "in dx the kernel is not flipped in the convolution with the padded dout",
        r"""
def conv2d_backward(dout, x, W):
    k = W.shape[0]
    n, h, w, ci = x.shape
    view = np.lib.stride_tricks.sliding_window_view
    dW = np.einsum("nhwcij,nhwo->ijco", view(x, (k, k), axis=(1, 2)), dout)
    pad = np.pad(dout, ((0, 0), (k - 1, k - 1), (k - 1, k - 1), (0, 0)))
    dx = np.einsum("nhwoij,ijco->nhwc", view(pad, (k, k), axis=(1, 2)), W)
    return dx, dW, np.einsum("nhwo->o", dout)
""",
    ),
    (
        "convolution",
        "conv2d_backward",
        "dW is divided by the number of samples, which dout already contains",
        r"""
def conv2d_backward(dout, x, W):
    m = x.shape[0]
    f = W.shape[0]
    H, V = dout.shape[1], dout.shape[2]
    dx = np.zeros(x.shape)
    dW = np.zeros(W.shape)
    for i in range(H):
        for j in range(V):
            g = dout[:, i, j, :]
            dW += np.einsum("nabc,no->abco", x[:, i:i + f, j:j + f, :], g) / m
            dx[:, i:i + f, j:j + f, :] += np.einsum("no,abco->nabc", g, W)
    return dx, dW, dout.sum((0, 1, 2))
""",
    ),
    (
        "convolution",
        "conv2d_backward",
        "db is a mean over the pixels of the output instead of a sum",
        r"""
def conv2d_backward(dout, x, W):
    k = len(W)
    oh, ow = dout.shape[1], dout.shape[2]
    dx, dW = np.zeros_like(x), np.empty_like(W)
    flat = dout.reshape(-1, dout.shape[3])
    for a, d in np.ndindex(k, k):
        rows = x[:, a:a + oh, d:d + ow].reshape(-1, x.shape[3])
        dW[a, d] = rows.T @ flat
        dx[:, a:a + oh, d:d + ow] += dout @ W[a, d].T
    db = dout.mean(axis=(1, 2)).sum(axis=0)
    return dx, dW, db
""",
    ),
    # reparameterise_forward
    (
        "reparameterise_forward",
        "reparameterise",
        "log_var is used as log std: exp(log_var) is the variance",
        r"""
def reparameterise(h, eps):
    d = eps.shape[1]
    mean, logvar = h[:, :d], h[:, d:]
    sigma = np.exp(logvar)
    return mean + sigma * eps
""",
    ),
    (
        "reparameterise_forward",
        "reparameterise",
        "mu and log_var are read from alternating columns instead of the two halves",
        r"""
def reparameterise(h, eps):
    mu = h[:, 0::2]
    log_var = h[:, 1::2]
    return mu + eps * np.exp(0.5 * log_var)
""",
    ),
    (
        "reparameterise_forward",
        "reparameterise",
        "log_var is used as std, without exp",
        r"""
def reparameterise(h, eps):
    half = h.shape[1] // 2
    mu, std = h[:, :half], h[:, half:]
    return np.add(mu, np.multiply(std, eps))
""",
    ),
    (
        "reparameterise_forward",
        "reparameterise",
        "new noise is drawn and the given eps is not used",
        r"""
def reparameterise(h, eps):
    mu, log_var = np.split(h, 2, axis=-1)
    std = np.sqrt(np.exp(log_var))
    noise = np.random.randn(*mu.shape)
    return mu + std * noise
""",
    ),
    (
        "reparameterise_forward",
        "reparameterise",
        "all latents of a sample get the noise of the first latent",
        r"""
def reparameterise(h, eps):
    n, d = eps.shape
    z = np.zeros((n, d))
    for i in range(n):
        for j in range(d):
            z[i, j] = h[i, j] + np.exp(h[i, d + j] / 2) * eps[i, 0]
    return z
""",
    ),
    # kl_value
    (
        "kl_value",
        "gaussian_kl",
        "the sign of mu^2 is wrong",
        r"""
def gaussian_kl(mu, log_var):
    kld = -0.5 * np.sum(1 + log_var + mu**2 - np.exp(log_var), axis=1)
    return kld.mean()
""",
    ),
    (
        "kl_value",
        "gaussian_kl",
        "the other direction: the KL of the prior from the posterior",
        r"""
def gaussian_kl(mu, log_var):
    var = np.exp(log_var)
    kl = (1 + mu**2) / (2 * var) - 0.5 + 0.5 * log_var
    return kl.sum() / mu.shape[0]
""",
    ),
    (
        "kl_value",
        "gaussian_kl",
        "an estimate from random samples instead of the formula",
        r"""
def gaussian_kl(mu, log_var):
    rng = np.random.default_rng(0)
    std = np.exp(log_var / 2)
    total = 0.0
    draws = 1000
    for _ in range(draws):
        e = rng.standard_normal(mu.shape)
        z = mu + std * e
        total += np.sum(-0.5 * e**2 - log_var / 2 + 0.5 * z**2)
    return total / draws / len(mu)
""",
    ),
    (
        "kl_value",
        "gaussian_kl",
        "the result is in bits: divided by log 2",
        r"""
def gaussian_kl(mu, log_var):
    sigma = np.exp(log_var / 2)
    kl = 0.5 * (np.square(mu) + np.square(sigma) - 1) - np.log(sigma)
    return np.sum(kl, axis=1).mean() / np.log(2)
""",
    ),
    (
        "kl_value",
        "gaussian_kl",
        "the mean over latents instead of the sum",
        r"""
def gaussian_kl(mu, log_var):
    return np.mean(-0.5 * (1 + log_var - mu * mu - np.exp(log_var)))
""",
    ),
    # reparameterise_backward
    (
        "reparameterise_backward",
        "reparameterise_backward",
        "eps is missing in dlog_var",
        r"""
def reparameterise_backward(dz, log_var, eps):
    sigma = np.exp(0.5 * log_var)
    return dz.copy(), 0.5 * sigma * dz
""",
    ),
    (
        "reparameterise_backward",
        "reparameterise_backward",
        "exp(log_var), the variance, instead of the standard deviation",
        r"""
def reparameterise_backward(dz, log_var, eps):
    dmu = dz
    dsigma = dz * eps
    dlog_var = dsigma * 0.5 * np.exp(log_var)
    return dmu, dlog_var
""",
    ),
    (
        "reparameterise_backward",
        "reparameterise_backward",
        "dlog_var is divided by std instead of multiplied",
        r"""
def reparameterise_backward(dz, log_var, eps):
    std = np.sqrt(np.exp(log_var))
    dstd = dz * eps
    # std = sqrt(var)  ->  dvar = dstd / (2 std)
    dlog_var = dstd / (2 * std)
    return dz, dlog_var
""",
    ),
    (
        "reparameterise_backward",
        "reparameterise_backward",
        "dmu is 1: the factor dz of the chain rule is missing",
        r"""
def reparameterise_backward(dz, log_var, eps):
    dmu = np.ones_like(dz)
    dlog_var = np.einsum("nd,nd,nd->nd", dz, eps, np.exp(log_var / 2)) / 2
    return dmu, dlog_var
""",
    ),
    # kl_gradient
    (
        "kl_gradient",
        "gaussian_kl_backward",
        "divided by n d: the KL is a sum over latents",
        r"""
def gaussian_kl_backward(mu, log_var):
    n, d = mu.shape
    dmu = mu / (n * d)
    dlog_var = 0.5 * (np.exp(log_var) - 1) / (n * d)
    return dmu, dlog_var
""",
    ),
    (
        "kl_gradient",
        "gaussian_kl_backward",
        "the gradient with respect to the variance instead of log_var",
        r"""
def gaussian_kl_backward(mu, log_var):
    N = len(mu)
    var = np.exp(log_var)
    return mu / N, 0.5 * (1 - 1 / var) / N
""",
    ),
    (
        "kl_gradient",
        "gaussian_kl_backward",
        "dmu has a factor 2: the 1/2 of the formula is missing there",
        r"""
def gaussian_kl_backward(mu, log_var):
    batch = mu.shape[0]
    dmu = 2 * mu / batch
    dlog_var = -0.5 * (1 - np.exp(log_var)) / batch
    return dmu, dlog_var
""",
    ),
    (
        "kl_gradient",
        "gaussian_kl_backward",
        "the sign of dlog_var is wrong",
        r"""
def gaussian_kl_backward(mu, log_var):
    dmu, dlv = np.zeros_like(mu), np.zeros_like(mu)
    n = len(mu)
    for i in range(n):
        dmu[i] = mu[i] / n
        dlv[i] = (1 - np.exp(log_var[i])) / (2 * n)
    return dmu, dlv
""",
    ),
    (
        "kl_gradient",
        "gaussian_kl_backward",
        "the -1 in dlog_var, from the term -log_var, is missing",
        r"""
def gaussian_kl_backward(mu, log_var):
    scale = 1.0 / mu.shape[0]
    return scale * mu, scale * 0.5 * np.exp(log_var)
""",
    ),
    # elbo
    (
        "elbo",
        "elbo_loss",
        "the loss is the reconstruction minus the KL",
        r"""
def elbo_loss(encoder, decoder, x, eps):
    h = encoder.forward(x)
    d = eps.shape[1]
    mu, log_var = h[:, :d], h[:, d:]
    z = mu + eps * np.exp(0.5 * log_var)
    rec = BernoulliNLL().forward(decoder.forward(z), x)
    kl = -0.5 * np.sum(1 + log_var - mu**2 - np.exp(log_var)) / x.shape[0]
    return rec - kl, rec, kl
""",
    ),
    (
        "elbo",
        "elbo_loss",
        "returned in the order loss, kl, reconstruction",
        r"""
def _kl(mu, log_var):
    return 0.5 * np.sum(np.exp(log_var) + mu**2 - 1 - log_var, axis=1).mean()


def elbo_loss(encoder, decoder, x, eps):
    mu, log_var = np.hsplit(encoder.forward(x), 2)
    kl = _kl(mu, log_var)
    logits = decoder.forward(mu + np.exp(log_var / 2) * eps)
    nll = BernoulliNLL().forward(logits, x)
    return kl + nll, kl, nll
""",
    ),
    (
        "elbo",
        "elbo_backward",
        "the gradient of the KL with respect to log_var is forgotten",
        r"""
def elbo_backward(encoder, decoder, x, eps):
    n, d = eps.shape
    h = encoder.forward(x)
    mu, logvar = h[:, :d], h[:, d:]
    std = np.exp(0.5 * logvar)
    z = mu + std * eps
    nll = BernoulliNLL()
    nll.forward(decoder.forward(z), x)
    dz = decoder.backward(nll.backward())
    dh = np.zeros_like(h)
    dh[:, :d] = dz + mu / n
    dh[:, d:] = dz * eps * std * 0.5
    encoder.backward(dh)
""",
    ),
    (
        "elbo",
        "elbo_backward",
        "the gradient of the KL is not divided by n",
        r"""
def kl_grads(mu, lv):
    return mu, 0.5 * (np.exp(lv) - 1)


def elbo_backward(encoder, decoder, x, eps):
    mu, lv = np.split(encoder.forward(x), 2, axis=1)
    s = np.exp(lv / 2)
    criterion = BernoulliNLL()
    criterion.forward(decoder.forward(mu + s * eps), x)
    dz = decoder.backward(criterion.backward())
    kmu, klv = kl_grads(mu, lv)
    encoder.backward(np.hstack([dz + kmu, dz * eps * s / 2 + klv]))
""",
    ),
    (
        "elbo",
        "elbo_backward",
        "the decoder runs on mu instead of z: no noise in the forward pass",
        r"""
def elbo_backward(encoder, decoder, x, eps):
    n = x.shape[0]
    mu, log_var = np.split(encoder.forward(x), 2, axis=1)
    std = np.exp(log_var / 2)
    bce = BernoulliNLL()
    logits = decoder.forward(mu)
    bce.forward(logits, x)
    dz = decoder.backward(bce.backward())
    dmu = dz + mu / n
    dlog_var = dz * eps * std / 2 + (np.exp(log_var) - 1) / (2 * n)
    encoder.backward(np.c_[dmu, dlog_var])
""",
    ),
    (
        "elbo",
        "elbo_backward",
        "the halves of dh are exchanged: dlog_var first",
        r"""
def elbo_backward(encoder, decoder, x, eps):
    batch, k = eps.shape
    enc = encoder.forward(x)
    m, lv = enc[:, :k], enc[:, k:]
    sd = np.exp(0.5 * lv)
    crit = BernoulliNLL()
    crit.forward(decoder.forward(m + sd * eps), x)
    dz = decoder.backward(crit.backward())
    g_m = dz + m / batch
    g_lv = 0.5 * dz * sd * eps + 0.5 * (np.exp(lv) - 1) / batch
    encoder.backward(np.concatenate((g_lv, g_m), axis=1))
""",
    ),
    (
        "elbo",
        "train",
        "theta is copied before training, so Adam never changes the weights of the networks",
        r"""
def train(encoder, decoder, X, rng):
    we, wd = encoder.theta.copy(), decoder.theta.copy()
    opt_e, opt_d = Adam(0.01), Adam(0.01)
    hist = []
    for epoch in range(20):
        order = rng.permutation(len(X))
        for s in range(0, len(X), 50):
            xb = X[order[s:s + 50]]
            elbo_backward(encoder, decoder, xb, rng.normal(size=(len(xb), 2)))
            opt_e.step(we, encoder.dtheta)
            opt_d.step(wd, decoder.dtheta)
        hist.append(elbo_loss(encoder, decoder, X, rng.normal(size=(len(X), 2)))[0])
    return hist
""",
    ),
    (
        "elbo",
        "train",
        "the list has a loss for each batch instead of one for each epoch",
        r"""
def train(encoder, decoder, X, rng):
    optE = Adam(1e-2)
    optD = Adam(1e-2)
    losses = []
    for epoch in range(60):
        idx = rng.permutation(len(X))
        for start in range(0, len(X), 50):
            batch = X[idx[start:start + 50]]
            eps = rng.standard_normal((len(batch), 2))
            losses.append(elbo_loss(encoder, decoder, batch, eps)[0])
            elbo_backward(encoder, decoder, batch, eps)
            optE.step(encoder.theta, encoder.dtheta)
            optD.step(decoder.theta, decoder.dtheta)
    return losses
""",
    ),
    # concepts
    (
        "concepts",
        "stop_epoch",
        "the epoch with the lowest training loss instead of the lowest validation loss",
        r"""
def stop_epoch():
    return 9
""",
    ),
    (
        "concepts",
        "reported_loss",
        "multiplied by the 28 rows instead of by all 28 x 28 pixels",
        r"""
def reported_loss():
    return 0.241 * 28
""",
    ),
    (
        "concepts",
        "bits_per_pixel",
        "nats are multiplied by log 2 instead of divided",
        r"""
import math


def bits_per_pixel():
    return 112.5 * math.log(2) / (32 * 32)
""",
    ),
    (
        "concepts",
        "gap",
        "the KL from the prior is added to the gap between the ELBO and the log-likelihood",
        r"""
def gap():
    elbo, kl, log_likelihood = -103.4, 22.7, -101.0
    return log_likelihood - elbo + kl
""",
    ),
    # free_bits
    (
        "free_bits",
        "free_bits_kl",
        "the floor is under each sample's KL, before the mean over the batch",
        r"""
def free_bits_kl(mu, log_var, floor):
    kl = -0.5 * (1 + log_var - mu**2 - np.exp(log_var))
    kl = np.clip(kl, floor, None)
    return kl.sum(axis=1).mean()
""",
    ),
    (
        "free_bits",
        "free_bits_kl",
        "the floor is under the total KL instead of under each latent's KL",
        r"""
def free_bits_kl(mu, log_var, floor):
    n, d = mu.shape
    total = 0
    for j in range(d):
        total += 0.5 * np.mean(mu[:, j] ** 2 + np.exp(log_var[:, j]) - log_var[:, j] - 1)
    return max(total, floor)
""",
    ),
    (
        "free_bits",
        "free_bits_kl",
        "the floor is subtracted: latents below it count 0 instead of `floor`",
        r"""
def free_bits_kl(mu, log_var, floor):
    per_latent = (np.exp(log_var) + mu**2 - 1 - log_var).sum(axis=0) / (2 * len(mu))
    return np.where(per_latent > floor, per_latent - floor, 0).sum()
""",
    ),
    (
        "free_bits",
        "free_bits_kl_backward",
        "the comparison is the wrong way round: gradients flow below the floor",
        r"""
def free_bits_kl_backward(mu, log_var, floor):
    n = mu.shape[0]
    var = np.exp(log_var)
    kl = 0.5 * (mu**2 + var - log_var - 1)
    active = (kl.mean(axis=0) < floor).astype(float)
    return active * mu / n, active * 0.5 * (var - 1) / n
""",
    ),
    (
        "free_bits",
        "free_bits_kl_backward",
        "the gate is for each sample instead of for the mean over the batch",
        r"""
def free_bits_kl_backward(mu, log_var, floor):
    N = len(mu)
    dmu = mu / N
    dlv = (np.exp(log_var) - 1) / 2 / N
    kl = 0.5 * (mu**2 + np.exp(log_var) - log_var - 1)
    dmu[kl <= floor] = 0
    dlv[kl <= floor] = 0
    return dmu, dlv
""",
    ),
    (
        "free_bits",
        "free_bits_kl_backward",
        "dlog_var has no gate: it is not 0 below the floor",
        r"""
def free_bits_kl_backward(mu, log_var, floor):
    n, d = mu.shape
    kl_j = 0.5 * (mu**2 + np.exp(log_var) - log_var - 1).mean(axis=0)
    dmu = np.zeros((n, d))
    dlog_var = np.zeros((n, d))
    for j in range(d):
        if kl_j[j] > floor:
            dmu[:, j] = mu[:, j] / n
        dlog_var[:, j] = 0.5 * (np.exp(log_var[:, j]) - 1) / n
    return dmu, dlog_var
""",
    ),
    # importance_weighted
    (
        "importance_weighted",
        "iwae_loss",
        "log k is missing: the log of the sum of the weights instead of their mean",
        r"""
def iwae_loss(log_w):
    lse = np.logaddexp.reduce(log_w, axis=0)
    return -lse.mean()
""",
    ),
    (
        "importance_weighted",
        "iwae_loss",
        "the largest log w of all samples is subtracted, so the weights of others underflow to 0",
        r"""
def iwae_loss(log_w):
    c = np.max(log_w)
    w = np.exp(log_w - c)
    return -np.mean(c + np.log(w.mean(axis=0)))
""",
    ),
    (
        "importance_weighted",
        "iwae_loss",
        "the sum over the samples instead of the mean",
        r"""
def iwae_loss(log_w):
    k, n = log_w.shape
    loss = 0.0
    for i in range(n):
        a = log_w[:, i].max()
        loss -= a + np.log(np.sum(np.exp(log_w[:, i] - a)) / k)
    return loss
""",
    ),
    (
        "importance_weighted",
        "iwae_loss_backward",
        "the softmax is over the samples instead of over the draws",
        r"""
def iwae_loss_backward(log_w):
    shifted = log_w - log_w.max(axis=1, keepdims=True)
    e = np.exp(shifted)
    softmax = e / e.sum(axis=1, keepdims=True)
    return -softmax / log_w.shape[1]
""",
    ),
    (
        "importance_weighted",
        "iwae_loss_backward",
        "divided by the mean of the weights instead of their sum: k times too large",
        r"""
def iwae_loss_backward(log_w):
    top = np.amax(log_w, axis=0)
    w = np.exp(log_w - top[None, :])
    mean_w = np.mean(w, axis=0)
    n = log_w.shape[1]
    return -(w / mean_w) / n
""",
    ),
    (
        "importance_weighted",
        "iwae_loss_backward",
        "the sign is wrong: this is the gradient of the bound, not of the loss",
        r"""
def iwae_loss_backward(log_w):
    log_norm = np.logaddexp.reduce(log_w, axis=0)
    return np.exp(log_w - log_norm) / log_w.shape[1]
""",
    ),
    # hunt_dense
    (
        "hunt_dense",
        "Network",
        "the gate looks at the gradient instead of the hidden unit",
        r"""
class Network:
    def __init__(self, W1, b1, W2, b2):
        self.W1, self.b1, self.W2, self.b2 = W1, b1, W2, b2

    def forward(self, x):
        self.x = x
        self.hidden = np.maximum(x @ self.W1 + self.b1, 0)
        return self.hidden @ self.W2 + self.b2

    def backward(self, dout):
        dW2, db2 = self.hidden.T @ dout, dout.sum(axis=0)
        dhidden = dout @ self.W2.T
        dhidden = dhidden * (dhidden > 0)
        dW1, db1 = self.x.T @ dhidden, dhidden.sum(axis=0)
        return dhidden @ self.W1.T, dW1, db1, dW2, db2
""",
    ),
    (
        "hunt_dense",
        "Network",
        "multiplied by the value of the hidden unit instead of by 1 where it is on",
        r"""
class Network:
    def __init__(self, W1, b1, W2, b2):
        self.W1, self.b1, self.W2, self.b2 = W1, b1, W2, b2

    def forward(self, x):
        self.x = x
        self.hidden = np.maximum(x @ self.W1 + self.b1, 0)
        return self.hidden @ self.W2 + self.b2

    def backward(self, dout):
        dW2, db2 = self.hidden.T @ dout, dout.sum(axis=0)
        dhidden = dout @ self.W2.T
        dhidden = dhidden * np.maximum(self.hidden, 0)
        dW1, db1 = self.x.T @ dhidden, dhidden.sum(axis=0)
        return dhidden @ self.W1.T, dW1, db1, dW2, db2
""",
    ),
    (
        "hunt_dense",
        "Network",
        "dx is computed before the gate of ReLU is applied",
        r"""
class Network:
    def __init__(self, W1, b1, W2, b2):
        self.W1, self.b1, self.W2, self.b2 = W1, b1, W2, b2

    def forward(self, x):
        self.x = x
        self.hidden = np.maximum(x @ self.W1 + self.b1, 0)
        return self.hidden @ self.W2 + self.b2

    def backward(self, dout):
        dW2, db2 = self.hidden.T @ dout, dout.sum(axis=0)
        dhidden = dout @ self.W2.T
        dx = dhidden @ self.W1.T
        dhidden = dhidden * (self.hidden > 0)
        dW1, db1 = self.x.T @ dhidden, dhidden.sum(axis=0)
        return dx, dW1, db1, dW2, db2
""",
    ),
    (
        "hunt_dense",
        "Network",
        "the gate is inverted: gradients pass where the unit is off",
        r"""
class Network:
    def __init__(self, W1, b1, W2, b2):
        self.W1, self.b1, self.W2, self.b2 = W1, b1, W2, b2

    def forward(self, x):
        self.x = x
        self.hidden = np.maximum(x @ self.W1 + self.b1, 0)
        return self.hidden @ self.W2 + self.b2

    def backward(self, dout):
        dW2, db2 = self.hidden.T @ dout, dout.sum(axis=0)
        dhidden = dout @ self.W2.T
        dhidden[self.hidden > 0] = 0
        dW1, db1 = self.x.T @ dhidden, dhidden.sum(axis=0)
        return dhidden @ self.W1.T, dW1, db1, dW2, db2
""",
    ),
    # hunt_vae
    (
        "hunt_vae",
        "VAE",
        "sample is repaired, but sample_backward still has std = exp(log_var)",
        r"""
def sample(mu, log_var, eps):
    std = np.exp(0.5 * log_var)
    return mu + std * eps


def sample_backward(dz, log_var, eps):
    std = np.exp(log_var)
    return dz, dz * eps * std
""",
    ),
    (
        "hunt_vae",
        "VAE",
        "the factor 1/2 of the exponent is missing in sample_backward",
        r"""
def sample(mu, log_var, eps):
    std = np.sqrt(np.exp(log_var))
    return mu + std * eps


def sample_backward(dz, log_var, eps):
    std = np.sqrt(np.exp(log_var))
    return dz, dz * eps * std
""",
    ),
    (
        "hunt_vae",
        "VAE",
        "the 1/2 is outside the exponential: std = exp(log_var) / 2",
        r"""
def sample(mu, log_var, eps):
    std = np.exp(log_var) / 2
    return mu + std * eps


def sample_backward(dz, log_var, eps):
    std = np.exp(log_var) / 2
    return dz, dz * eps * std
""",
    ),
    (
        "hunt_vae",
        "VAE",
        "the KL is changed to fit the wrong sample; log_var is now log std everywhere",
        r"""
def sample(mu, log_var, eps):
    std = np.exp(log_var)
    return mu + std * eps


def sample_backward(dz, log_var, eps):
    std = np.exp(log_var)
    return dz, dz * eps * std


def gaussian_kl(mu, log_var):
    return 0.5 * (mu**2 + np.exp(2 * log_var) - 2 * log_var - 1).sum() / len(mu)
""",
    ),
    # batchnorm
    (
        "batchnorm",
        "batchnorm",
        "the variance has n - 1 in the denominator (ddof=1)",
        r"""
def batchnorm(x, gamma, beta, eps):
    mean = np.mean(x, axis=0)
    var = np.var(x, axis=0, ddof=1)
    x_norm = (x - mean) / np.sqrt(var + eps)
    return gamma * x_norm + beta
""",
    ),
    (
        "batchnorm",
        "batchnorm",
        "eps is added to the standard deviation, outside the root",
        r"""
def batchnorm(x, gamma, beta, eps):
    mu = x.mean(0)
    sigma = x.std(0)
    return (x - mu) / (sigma + eps) * gamma + beta
""",
    ),
    (
        "batchnorm",
        "batchnorm",
        "normalised over the features of a sample instead of over the batch",
        r"""
def batchnorm(x, gamma, beta, eps):
    m = x.mean(axis=-1, keepdims=True)
    centred = x - m
    v = np.mean(centred**2, axis=-1, keepdims=True)
    return centred / np.sqrt(v + eps) * gamma[None, :] + beta[None, :]
""",
    ),
    (
        "batchnorm",
        "batchnorm_backward",
        "the path through the variance is missing in dx",
        r"""
def batchnorm_backward(dout, x, gamma, eps):
    n = len(x)
    mu, inv = x.mean(0), 1 / np.sqrt(x.var(0) + eps)
    xhat = (x - mu) * inv
    dgamma = np.einsum("nd,nd->d", dout, xhat)
    dbeta = np.einsum("nd->d", dout)
    dxhat = dout * gamma
    dmu = -inv * dxhat.sum(0)
    dx = dxhat * inv + dmu / n
    return dx, dgamma, dbeta
""",
    ),
    (
        "batchnorm",
        "batchnorm_backward",
        "the power in dvar is -1/2 instead of -3/2",
        r"""
def batchnorm_backward(dout, x, gamma, eps):
    N, D = x.shape
    mean = x.mean(axis=0)
    var = x.var(axis=0)
    xmu = x - mean
    ivar = 1 / np.sqrt(var + eps)
    dgamma = np.sum(dout * xmu * ivar, axis=0)
    dbeta = np.sum(dout, axis=0)
    dxhat = dout * gamma
    dvar = np.sum(dxhat * xmu, axis=0) * -0.5 * (var + eps) ** -0.5
    dmean = np.sum(-dxhat * ivar, axis=0) + dvar * np.mean(-2 * xmu, axis=0)
    dx = dxhat * ivar + dvar * 2 * xmu / N + dmean / N
    return dx, dgamma, dbeta
""",
    ),
    (
        "batchnorm",
        "batchnorm_backward",
        "dgamma is multiplied with x instead of xhat",
        r"""
def batchnorm_backward(dout, x, gamma, eps):
    N = x.shape[0]
    xc = x - x.mean(axis=0)
    std = np.sqrt((xc * xc).mean(axis=0) + eps)
    xhat = xc / std
    g = dout * gamma
    dx = (N * g - g.sum(axis=0) - xhat * (g * xhat).sum(axis=0)) / (N * std)
    dgamma = (dout * x).sum(axis=0)
    return dx, dgamma, dout.sum(axis=0)
""",
    ),
    (
        "batchnorm",
        "batchnorm_backward",
        "gamma is missing in dx",
        r"""
def batchnorm_backward(dout, x, gamma, eps):
    m = x.shape[0]
    mu = np.sum(x, axis=0) / m
    v = np.sum((x - mu) ** 2, axis=0) / m
    s = (v + eps) ** 0.5
    xh = (x - mu) / s
    dbeta = dout.sum(0)
    dgamma = (xh * dout).sum(0)
    dx = (dout - dbeta / m - xh * dgamma / m) / s
    return dx, dgamma, dbeta
""",
    ),
    # attention_backward
    (
        "attention_backward",
        "attention_backward",
        "the softmax backward uses p (1 - p) only: the other keys of the row are ignored",
        r"""
def attention_backward(dout, q, k, v, mask=None):
    scale = 1 / np.sqrt(q.shape[-1])
    s = np.einsum("ntd,nsd->nts", q, k) * scale
    if mask is not None:
        s = np.where(mask, s, -np.inf)
    p = softmax(s)
    dv = np.einsum("nts,nte->nse", p, dout)
    dp = np.einsum("nte,nse->nts", dout, v)
    ds = dp * p * (1 - p) * scale
    return np.einsum("nts,nsd->ntd", ds, k), np.einsum("nts,ntd->nsd", ds, q), dv
""",
    ),
    (
        "attention_backward",
        "attention_backward",
        "the sum in the softmax backward runs over the queries instead of the keys",
        r"""
def attention_backward(dout, q, k, v, mask=None):
    d = q.shape[-1]
    kt = np.transpose(k, (0, 2, 1))
    scores = np.matmul(q, kt) / d**0.5
    if mask is not None:
        scores[~mask] = -np.inf
    a = softmax(scores)
    da = np.matmul(dout, np.transpose(v, (0, 2, 1)))
    ds = a * (da - np.sum(a * da, axis=1, keepdims=True))
    ds = ds / d**0.5
    dq = np.matmul(ds, k)
    dk = np.matmul(np.transpose(ds, (0, 2, 1)), q)
    dv = np.matmul(np.transpose(a, (0, 2, 1)), dout)
    return dq, dk, dv
""",
    ),
    (
        "attention_backward",
        "attention_backward",
        "the scale has the number of features of v instead of those of q and k",
        r"""
def attention_backward(dout, q, k, v, mask=None):
    root = np.sqrt(v.shape[2])
    s = q @ k.swapaxes(1, 2) / root
    if mask is not None:
        s = s + np.where(mask, 0.0, -np.inf)
    p = softmax(s)
    dp = dout @ v.swapaxes(1, 2)
    ds = p * dp
    ds -= p * ds.sum(-1, keepdims=True)
    return ds @ k / root, ds.swapaxes(1, 2) @ q / root, p.swapaxes(1, 2) @ dout
""",
    ),
    (
        "attention_backward",
        "attention_backward",
        "the mask is applied after the softmax, so the rows of p do not sum to 1",
        r"""
def attention_backward(dout, q, k, v, mask=None):
    c = q.shape[2] ** -0.5
    P = softmax(c * q @ k.transpose(0, 2, 1))
    if mask is not None:
        P = P * mask
    dP = dout @ v.transpose(0, 2, 1)
    dS = P * (dP - (P * dP).sum(axis=2)[:, :, None])
    dq = c * dS @ k
    dk = c * dS.transpose(0, 2, 1) @ q
    dv = P.transpose(0, 2, 1) @ dout
    return dq, dk, dv
""",
    ),
    (
        "attention_backward",
        "attention_backward",
        "dk is not divided by sqrt(d)",
        r"""
def attention_backward(dout, q, k, v, mask=None):
    dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
    r = np.sqrt(q.shape[2])
    for i in range(len(q)):
        s = q[i] @ k[i].T / r
        if mask is not None:
            s = np.where(mask[i], s, -np.inf)
        p = softmax(s)
        dp = dout[i] @ v[i].T
        ds = p * (dp - (p * dp).sum(axis=1, keepdims=True))
        dq[i] = ds @ k[i] / r
        dk[i] = ds.T @ q[i]
        dv[i] = p.T @ dout[i]
    return dq, dk, dv
""",
    ),
    (
        "attention_backward",
        "attention_backward",
        "dq and dk are divided by sqrt(d) twice",
        r"""
def attention_backward(dout, q, k, v, mask=None):
    rd = np.sqrt(q.shape[-1])
    z = q @ k.swapaxes(-1, -2) / rd
    if mask is not None:
        z = np.where(mask, z, -np.inf)
    att = softmax(z)
    datt = dout @ v.swapaxes(-1, -2)
    dz = att * (datt - np.einsum("nts,nts->nt", att, datt)[..., None])
    dz /= rd
    dq = dz @ k / rd
    dk = dz.swapaxes(-1, -2) @ q / rd
    return dq, dk, att.swapaxes(-1, -2) @ dout
""",
    ),
    (
        "attention_backward",
        "attention_backward",
        "the mask is inverted: True keys are hidden",
        r"""
def attention_backward(dout, q, k, v, mask=None):
    t = lambda A: A.transpose(0, 2, 1)
    d = q.shape[2]
    logits = q @ t(k) / np.sqrt(d)
    if mask is not None:
        logits[mask] = -1e9
    w = softmax(logits)
    dw = dout @ t(v)
    dlogits = w * (dw - np.sum(w * dw, axis=-1, keepdims=True)) / np.sqrt(d)
    return dlogits @ k, t(dlogits) @ q, t(w) @ dout
""",
    ),
    # lstm_step_backward
    (
        "lstm_step_backward",
        "lstm_step_backward",
        "the slope of tanh is taken as 1 - c_new^2: tanh(c_new) belongs there",
        r"""
def lstm_step_backward(dh_new, dc_new, x, h, c, W, U, i, f, o, g, c_new):
    th = np.tanh(c_new)
    dct = dc_new + dh_new * o * (1 - c_new**2)
    dai = dct * g * i * (1 - i)
    daf = dct * c * f * (1 - f)
    dao = dh_new * th * o * (1 - o)
    dag = dct * i * (1 - g**2)
    da = np.concatenate([dai, daf, dao, dag], axis=1)
    return da @ W.T, da @ U.T, dct * f, x.T @ da, h.T @ da, da.sum(axis=0)
""",
    ),
    (
        "lstm_step_backward",
        "lstm_step_backward",
        "the gates are put side by side in the order i, f, g, o",
        r"""
def lstm_step_backward(dh_new, dc_new, x, h, c, W, U, i, f, o, g, c_new):
    tc = np.tanh(c_new)
    ds = o * dh_new * (1 - tc * tc) + dc_new
    dsig = lambda s: s * (1 - s)
    d_i = g * ds * dsig(i)
    d_f = c * ds * dsig(f)
    d_o = tc * dh_new * dsig(o)
    d_g = i * ds * (1 - g * g)
    da = np.hstack((d_i, d_f, d_g, d_o))
    return da.dot(W.T), da.dot(U.T), ds * f, x.T.dot(da), h.T.dot(da), da.sum(0)
""",
    ),
    (
        "lstm_step_backward",
        "lstm_step_backward",
        "the slope of g is that of a sigmoid, g (1 - g), but g is a tanh",
        r"""
def lstm_step_backward(dh_new, dc_new, x, h, c, W, U, i, f, o, g, c_new):
    t = np.tanh(c_new)
    dc_total = dc_new + dh_new * o * (1 - t**2)
    gates = np.stack([i, f, o, g])
    dgates = np.stack([dc_total * g, dc_total * c, dh_new * t, dc_total * i])
    dgates = dgates * gates * (1 - gates)
    da = np.hstack(list(dgates))
    dx, dh = da @ W.T, da @ U.T
    dW, dU = x.T @ da, h.T @ da
    return dx, dh, dc_total * f, dW, dU, np.sum(da, axis=0)
""",
    ),
    (
        "lstm_step_backward",
        "lstm_step_backward",
        "dc is taken from dc_new alone: the path through h_new is missing there",
        r"""
def lstm_step_backward(dh_new, dc_new, x, h, c, W, U, i, f, o, g, c_new):
    tanh_c = np.tanh(c_new)
    do = dh_new * tanh_c
    dtanh = dh_new * o
    total = dtanh * (1 - tanh_c**2) + dc_new
    di, df, dg = total * g, total * c, total * i
    dc = dc_new * f
    pre = [di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)]
    da = np.concatenate(pre, axis=-1)
    dW = np.einsum("nd,nk->dk", x, da)
    dU = np.einsum("nd,nk->dk", h, da)
    return da @ W.T, da @ U.T, dc, dW, dU, da.sum(axis=0)
""",
    ),
    (
        "lstm_step_backward",
        "lstm_step_backward",
        "the forget gate gets the new cell instead of the old cell c",
        r"""
def lstm_step_backward(dh_new, dc_new, x, h, c, W, U, i, f, o, g, c_new):
    n, k = h.shape
    T = np.tanh(c_new)
    D = dc_new + dh_new * o * (1 - T**2)
    da = np.empty((n, 4 * k))
    da[:, :k] = D * g * i * (1 - i)
    da[:, k:2 * k] = D * c_new * f * (1 - f)
    da[:, 2 * k:3 * k] = dh_new * T * o * (1 - o)
    da[:, 3 * k:] = D * i * (1 - g**2)
    return np.dot(da, W.T), np.dot(da, U.T), D * f, np.dot(x.T, da), np.dot(h.T, da), da.sum(0)
""",
    ),
    (
        "lstm_step_backward",
        "lstm_step_backward",
        "dU has the new state h_new instead of the old state h",
        r"""
def lstm_step_backward(dh_new, dc_new, x, h, c, W, U, i, f, o, g, c_new):
    tanh_c = np.tanh(c_new)
    h_new = o * tanh_c
    dcell = dc_new + (1 - tanh_c**2) * o * dh_new
    da = np.hstack([
        dcell * g * (i - i**2),
        dcell * c * (f - f**2),
        dh_new * tanh_c * (o - o**2),
        dcell * i * (1 - g**2),
    ])
    dW = x.T @ da
    dU = h_new.T @ da
    db = da.sum(axis=0)
    return da @ W.T, da @ U.T, f * dcell, dW, dU, db
""",
    ),
    (
        "lstm_step_backward",
        "lstm_step_backward",
        "the output gate o is missing in the gradient that reaches the cell through h_new",
        r"""
def lstm_step_backward(dh_new, dc_new, x, h, c, W, U, i, f, o, g, c_new):
    tc = np.tanh(c_new)
    # h_new = o * tanh(c_new)
    do = dh_new * tc
    dc_all = dc_new + dh_new / np.cosh(c_new) ** 2
    di = dc_all * g
    dg = dc_all * i
    df = dc_all * c
    zi, zf, zo, zg = di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)
    da = np.c_[zi, zf, zo, zg]
    return da @ W.T, da @ U.T, dc_all * f, x.T @ da, h.T @ da, np.add.reduce(da)
""",
    ),
    # product_of_experts
    (
        "product_of_experts",
        "product_of_experts",
        "an absent expert counts as a standard normal, so its precision 1 is added",
        r"""
def product_of_experts(mus, log_vars, present):
    on = present[..., None]
    m = np.where(on, mus, 0.0)
    lv = np.where(on, log_vars, 0.0)
    logT = np.logaddexp(0, np.logaddexp.reduce(-lv, axis=0))
    mu = np.sum(np.exp(-lv - logT) * m, axis=0)
    return mu, -logT
""",
    ),
    (
        "product_of_experts",
        "product_of_experts",
        "the prior is missing in the mean: the weights are divided by sum T_i without the 1",
        r"""
def product_of_experts(mus, log_vars, present):
    ok = np.broadcast_to(present[:, :, None], mus.shape)
    logp = np.where(ok, -log_vars, -np.inf)
    total = np.logaddexp.reduce(logp, axis=0, initial=0.0)
    experts = np.logaddexp.reduce(logp, axis=0)
    experts = np.where(np.isneginf(experts), 0, experts)  # samples without experts
    mean = (np.exp(logp - experts) * np.where(ok, mus, 0)).sum(axis=0)
    return mean, -total
""",
    ),
    (
        "product_of_experts",
        "product_of_experts",
        "the precision is computed without logs: exp(-log_var) overflows at -1000",
        r"""
def product_of_experts(mus, log_vars, present):
    here = present[:, :, np.newaxis]
    T_i = np.where(here, np.exp(-np.where(here, log_vars, 0)), 0)
    T = 1 + T_i.sum(axis=0)
    mu = (T_i * np.where(here, mus, 0)).sum(axis=0) / T
    return mu, -np.log(T)
""",
    ),
    (
        "product_of_experts",
        "product_of_experts",
        "exp(-log_var / 2), one over the standard deviation, is used as the precision",
        r"""
def product_of_experts(mus, log_vars, present):
    m, n, d = mus.shape
    logT = np.zeros((n, d))
    for e in range(m):
        row = present[e][:, None]
        logT = np.logaddexp(logT, np.where(row, -log_vars[e] / 2, -np.inf))
    mu = np.zeros((n, d))
    for e in range(m):
        row = present[e][:, None]
        mu += np.where(row, np.exp(-log_vars[e] / 2 - logT) * mus[e], 0)
    return mu, -logT
""",
    ),
    (
        "product_of_experts",
        "product_of_experts_backward",
        "in dlog_vars the path through log_var of the product is missing",
        r"""
def product_of_experts_backward(dmu, dlog_var, mus, log_vars, present, mu, log_var):
    p = present[:, :, None]
    weight = np.exp(np.where(p, log_var - log_vars, -np.inf))
    dmus = weight * dmu
    diff = np.where(p, mus - mu, 0)
    dlog_vars = -dmus * diff
    return dmus, dlog_vars
""",
    ),
    (
        "product_of_experts",
        "product_of_experts_backward",
        "the difference mu - mus has the wrong sign in dlog_vars",
        r"""
def product_of_experts_backward(dmu, dlog_var, mus, log_vars, present, mu, log_var):
    dmus = np.zeros_like(mus)
    dlog_vars = np.zeros_like(log_vars)
    for i in range(len(mus)):
        r = present[i]
        w = np.exp(log_var[r] - log_vars[i][r])
        dmus[i][r] = w * dmu[r]
        dlog_vars[i][r] = w * (dmu[r] * (mus[i][r] - mu[r]) + dlog_var[r])
    return dmus, dlog_vars
""",
    ),
    (
        "product_of_experts",
        "product_of_experts_backward",
        "absent experts are not set to 0: 0 * NaN is NaN",
        r"""
def product_of_experts_backward(dmu, dlog_var, mus, log_vars, present, mu, log_var):
    mask = present[:, :, None].astype(float)
    w = np.exp(log_var[None] - log_vars) * mask
    dmus = w * dmu[None]
    dlog_vars = w * (dmu[None] * (mu[None] - mus) + dlog_var[None])
    return dmus, dlog_vars
""",
    ),
]

RIGHT = [
    (
        "sigmoid_softplus",
        "sigmoid",
        "as exp of minus a softplus",
        r"""
def sigmoid(x):
    # log sigmoid(x) = -log(1 + exp(-x))
    return np.exp(-np.logaddexp(0, -x))
""",
    ),
    (
        "sigmoid_softplus",
        "softplus",
        "with masks: one formula for each sign",
        r"""
def softplus(x):
    x = np.asarray(x, dtype=float)
    out = np.empty(x.shape)
    pos = x > 0
    out[pos] = x[pos] + np.log1p(np.exp(-x[pos]))
    out[~pos] = np.log1p(np.exp(x[~pos]))
    return out
""",
    ),
    (
        "activations_backward",
        "relu_backward",
        "a copy, with zeros where x <= 0",
        r"""
def relu_backward(dout, x):
    dx = np.array(dout, copy=True)
    dx[x <= 0] = 0
    return dx
""",
    ),
    (
        "activations_backward",
        "tanh_backward",
        "factorised: (1 - out)(1 + out)",
        r"""
def tanh_backward(dout, out):
    return dout * (1 - out) * (1 + out)
""",
    ),
    (
        "dense_forward",
        "dense_forward",
        "the bias as a row of the weights, with a column of ones",
        r"""
def dense_forward(x, W, b):
    ones = np.ones((len(x), 1))
    return np.hstack([ones, x]) @ np.vstack([b, W])
""",
    ),
    (
        "dense_forward",
        "dense_forward",
        "three loops",
        r"""
def dense_forward(x, W, b):
    n, n_in = x.shape
    out = np.tile(b, (n, 1)).astype(float)
    for i in range(n):
        for j in range(W.shape[1]):
            for k in range(n_in):
                out[i, j] += x[i, k] * W[k, j]
    return out
""",
    ),
    (
        "dense_backward",
        "dense_backward",
        "a loop over samples that adds outer products",
        r"""
def dense_backward(dout, x, W):
    dx = np.zeros(x.shape)
    dW = np.zeros(W.shape)
    db = np.zeros(W.shape[1])
    for xi, gi, i in zip(x, dout, range(len(x))):
        dx[i] = W @ gi
        dW += np.outer(xi, gi)
        db += gi
    return dx, dW, db
""",
    ),
    (
        "dense_backward",
        "dense_backward",
        "einsum, and db as a product with ones",
        r"""
def dense_backward(dout, x, W):
    dW = np.einsum("ni,no->io", x, dout)
    dx = np.einsum("no,io->ni", dout, W)
    db = np.ones(len(x)) @ dout
    return dx, dW, db
""",
    ),
    (
        "gradient_check",
        "central_difference",
        "rows of a scaled identity matrix",
        r"""
def central_difference(f, v, h):
    steps = h * np.eye(len(v))
    return np.array([f(v + s) / (2 * h) - f(v - s) / (2 * h) for s in steps])
""",
    ),
    (
        "gradient_check",
        "complex_step",
        "h = 1e-40, and the entry is put back after each step",
        r"""
def complex_step(f, v):
    h = 1e-40
    z = v.astype(np.complex128)
    g = np.zeros(v.size)
    for k in range(v.size):
        z[k] = v[k] + 1j * h
        g[k] = np.imag(f(z)) / h
        z[k] = v[k]
    return g
""",
    ),
    (
        "gradient_check",
        "layer_is_right",
        "relative error of norms, and all derivatives in one vector",
        r"""
def layer_is_right(layer, x):
    rng = np.random.default_rng(11)
    G = rng.standard_normal(layer.forward(x).shape)
    dx = layer.backward(G).copy()
    dtheta = layer.dtheta.copy()
    start = layer.theta.copy()
    other = layer.astype(complex)
    size = start.size

    def L(u):
        other.theta = u[:size]
        return np.vdot(G, other.forward(u[size:].reshape(x.shape)))

    num = complex_step(L, np.append(start, x))
    ana = np.append(dtheta, dx)
    err = np.linalg.norm(num - ana)
    return bool(err <= 1e-9 * (np.linalg.norm(num) + np.linalg.norm(ana)))
""",
    ),
    (
        "squared_error",
        "squared_error",
        "einsum of the difference with itself",
        r"""
def squared_error(out, target):
    r = out - target
    return np.einsum("ij,ij->", r, r) / r.shape[0]
""",
    ),
    (
        "squared_error",
        "squared_error_backward",
        "minus the residual, doubled by a sum",
        r"""
def squared_error_backward(out, target):
    r = target - out
    return -(r + r) / len(r)
""",
    ),
    (
        "bernoulli_nll",
        "bernoulli_nll",
        "from log p and log (1 - p), both as softplus",
        r"""
def bernoulli_nll(logits, target):
    log_p = -np.logaddexp(0, -logits)
    log_1_p = -np.logaddexp(0, logits)
    ll = target * log_p + (1 - target) * log_1_p
    return -ll.sum(axis=1).mean()
""",
    ),
    (
        "bernoulli_nll",
        "bernoulli_nll_backward",
        "weights of both classes: (1 - t) p - t (1 - p)",
        r"""
def bernoulli_nll_backward(logits, target):
    n = len(logits)
    p = np.exp(-np.logaddexp(0, -logits))
    q = np.exp(-np.logaddexp(0, logits))
    return ((1 - target) * p - target * q) / n
""",
    ),
    (
        "sgd_momentum",
        "SGD",
        "the velocity has the learning rate and the sign in it",
        r"""
class SGD:
    def __init__(self, lr, momentum):
        self.lr = lr
        self.momentum = momentum
        self.delta = 0.0

    def step(self, theta, dtheta):
        self.delta = self.momentum * self.delta - self.lr * dtheta
        theta += self.delta
""",
    ),
    (
        "sgd_momentum",
        "SGD",
        "the velocity from the list of all gradients",
        r"""
class SGD:
    def __init__(self, lr, momentum):
        self.lr, self.momentum, self.history = lr, momentum, []

    def step(self, theta, dtheta):
        self.history.append(dtheta.copy())
        age = len(self.history)
        velocity = sum(self.momentum ** (age - 1 - s) * g for s, g in enumerate(self.history))
        theta[:] = theta - self.lr * velocity
""",
    ),
    (
        "adam",
        "Adam",
        "the corrections are in the learning rate, and eps is scaled with them",
        r"""
class Adam:
    def __init__(self, lr, beta1, beta2, eps):
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.m, self.v, self.t = 0, 0, 0

    def step(self, theta, dtheta):
        self.t += 1
        c1 = 1 - self.beta1**self.t
        root = np.sqrt(1 - self.beta2**self.t)
        self.m = self.m * self.beta1 + dtheta * (1 - self.beta1)
        self.v = self.v * self.beta2 + dtheta**2 * (1 - self.beta2)
        theta -= self.lr * root / c1 * self.m / (np.sqrt(self.v) + self.eps * root)
""",
    ),
    (
        "adam",
        "Adam",
        "running powers of beta instead of a step counter",
        r"""
class Adam:
    def __init__(self, lr, beta1, beta2, eps):
        self.lr, self.eps = lr, eps
        self.b = np.array([beta1, beta2])
        self.powers = np.ones(2)
        self.moments = None

    def step(self, theta, dtheta):
        if self.moments is None:
            self.moments = np.zeros((2, theta.size))
        self.powers *= self.b
        b = self.b[:, None]
        self.moments = b * self.moments + (1 - b) * np.stack([dtheta, dtheta * dtheta])
        m, v = self.moments / (1 - self.powers)[:, None]
        theta[...] = theta - self.lr * m / (v**0.5 + self.eps)
""",
    ),
    (
        "hunt_adam",
        "Adam",
        "the corrections are inside the last line",
        r"""
class Adam:
    def __init__(self, lr, beta1, beta2, eps):
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.m = self.v = 0.0
        self.t = 0

    def step(self, theta, dtheta):
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * dtheta
        self.v = self.beta2 * self.v + (1 - self.beta2) * dtheta**2
        fix1, fix2 = 1 - self.beta1**self.t, 1 - self.beta2**self.t
        theta -= self.lr * (self.m / fix1) / (np.sqrt(self.v / fix2) + self.eps)
""",
    ),
    (
        "autoencoder_backward",
        "backward",
        "recursion",
        r"""
def backward(layers, dout):
    if len(layers) == 0:
        return dout
    *first, last = layers
    return backward(first, last.backward(dout))
""",
    ),
    (
        "autoencoder_backward",
        "train_step",
        "own loops, and each layer is updated right after its backward pass",
        r"""
def train_step(layers, x, lr):
    a = x
    for layer in layers:
        a = layer.forward(a)
    n = x.shape[0]
    diff = a - x
    grad = diff * (2.0 / n)
    for layer in layers[::-1]:
        grad = layer.backward(grad)
        layer.theta[:] = layer.theta - lr * layer.dtheta
    return np.square(diff).sum(axis=1).mean()
""",
    ),
    (
        "minibatch_loop",
        "batches",
        "the order from sorting random numbers",
        r"""
def batches(X, size, rng):
    order = np.argsort(rng.random(len(X)))
    result = []
    while len(order) > 0:
        result.append(X[order[:size]])
        order = order[size:]
    return result
""",
    ),
    (
        "minibatch_loop",
        "fit",
        "np.average with the sizes of the batches as weights",
        r"""
def fit(step, X, epochs, size, rng):
    history = []
    for _ in range(epochs):
        parts = batches(X, size, rng)
        values = [step(b) for b in parts]
        history.append(float(np.average(values, weights=[len(b) for b in parts])))
    return history
""",
    ),
    (
        "dropout",
        "dropout",
        "binomial draws with the probability to keep",
        r"""
def dropout(x, p, rng, training):
    mask = np.ones(x.shape)
    if training:
        keep = 1 - p
        mask = rng.binomial(1, keep, size=x.shape) / keep
    return mask * x, mask
""",
    ),
    (
        "convolution",
        "conv2d",
        "windows and tensordot",
        r"""
def conv2d(x, W, b):
    k = W.shape[0]
    win = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(1, 2))
    # n, h', w', c_in, a, d
    return np.tensordot(win, W, axes=([4, 5, 3], [0, 1, 2])) + b
""",
    ),
    (
        "convolution",
        "conv2d_backward",
        "dx as a convolution of the padded dout with the flipped kernel",
        r"""
def conv2d_backward(dout, x, W):
    k = W.shape[0]
    view = np.lib.stride_tricks.sliding_window_view
    dW = np.einsum("nhwcij,nhwo->ijco", view(x, (k, k), axis=(1, 2)), dout)
    pad = np.pad(dout, ((0, 0), (k - 1, k - 1), (k - 1, k - 1), (0, 0)))
    flipped = W[::-1, ::-1]
    dx = np.einsum("nhwoij,ijco->nhwc", view(pad, (k, k), axis=(1, 2)), flipped)
    return dx, dW, np.einsum("nhwo->o", dout)
""",
    ),
    (
        "reparameterise_forward",
        "reparameterise",
        "one multiply, with the power 1/2 of the variance",
        r"""
def reparameterise(h, eps):
    d = h.shape[1] // 2
    variance = np.exp(h[:, d:])
    return eps * variance**0.5 + h[:, :d]
""",
    ),
    (
        "kl_value",
        "gaussian_kl",
        "expm1, and one sum at a time",
        r"""
def gaussian_kl(mu, log_var):
    n = len(mu)
    return (np.sum(mu * mu) + np.sum(np.expm1(log_var)) - np.sum(log_var)) / n / 2
""",
    ),
    (
        "reparameterise_backward",
        "reparameterise_backward",
        "the square root of the variance over 4",
        r"""
def reparameterise_backward(dz, log_var, eps):
    half_std = np.sqrt(np.exp(log_var) / 4)
    return 1.0 * dz, np.einsum("ij,ij,ij->ij", half_std, eps, dz)
""",
    ),
    (
        "kl_gradient",
        "gaussian_kl_backward",
        "through the standard deviation: dstd = std - 1/std, times std/2",
        r"""
def gaussian_kl_backward(mu, log_var):
    n = mu.shape[0]
    std = np.exp(0.5 * log_var)
    dstd = std - 1 / std
    return mu / n, dstd * std / 2 / n
""",
    ),
    (
        "elbo",
        "elbo_backward",
        "dh is filled half by half, with a helper for both gradients",
        r"""
def _dh(mu, log_var, eps, dz):
    n, d = mu.shape
    sigma = np.exp(0.5 * log_var)
    dh = np.empty((n, 2 * d))
    dh[:, :d] = mu / n
    dh[:, d:] = np.expm1(log_var) / n * 0.5
    dh[:, :d] += dz
    dh[:, d:] += 0.5 * dz * sigma * eps
    return dh


def elbo_backward(encoder, decoder, x, eps):
    h = encoder.forward(x)
    d = h.shape[1] // 2
    mu, log_var = h[:, :d].copy(), h[:, d:].copy()
    nll = BernoulliNLL()
    nll.forward(decoder.forward(mu + np.exp(0.5 * log_var) * eps), x)
    encoder.backward(_dh(mu, log_var, eps, decoder.backward(nll.backward())))
""",
    ),
    (
        "concepts",
        "bits_per_pixel",
        "with log2 of e",
        r"""
def bits_per_pixel():
    import math

    return 112.5 * math.log2(math.e) / 32**2
""",
    ),
    (
        "free_bits",
        "free_bits_kl_backward",
        "a loop over the latents",
        r"""
def free_bits_kl_backward(mu, log_var, floor):
    n, d = mu.shape
    dmu, dlv = np.zeros((n, d)), np.zeros((n, d))
    for j in range(d):
        m, lv = mu[:, j], log_var[:, j]
        if np.mean(m**2 / 2 + np.expm1(lv) / 2 - lv / 2) > floor:
            dmu[:, j] = m / n
            dlv[:, j] = np.expm1(lv) / (2 * n)
    return dmu, dlv
""",
    ),
    (
        "importance_weighted",
        "iwae_loss_backward",
        "the softmax in logs, with logaddexp",
        r"""
def iwae_loss_backward(log_w):
    k, n = log_w.shape
    log_norm = np.logaddexp.reduce(log_w, axis=0)
    return -np.exp(log_w - log_norm - np.log(n))
""",
    ),
    (
        "hunt_dense",
        "Network",
        "np.where in the backward pass",
        r"""
class Network:
    def __init__(self, W1, b1, W2, b2):
        self.W1, self.b1, self.W2, self.b2 = W1, b1, W2, b2

    def forward(self, x):
        self.x = x
        self.hidden = np.maximum(x @ self.W1 + self.b1, 0)
        return self.hidden @ self.W2 + self.b2

    def backward(self, dout):
        dW2, db2 = self.hidden.T @ dout, dout.sum(axis=0)
        dhidden = np.where(self.hidden == 0, 0, dout @ self.W2.T)
        dW1, db1 = self.x.T @ dhidden, dhidden.sum(axis=0)
        return dhidden @ self.W1.T, dW1, db1, dW2, db2
""",
    ),
    (
        "hunt_vae",
        "VAE",
        "std as the root of the variance in both functions",
        r"""
def sample(mu, log_var, eps):
    variance = np.exp(log_var)
    return mu + np.sqrt(variance) * eps


def sample_backward(dz, log_var, eps):
    std = np.sqrt(np.exp(log_var))
    return dz, 0.5 * eps * std * dz
""",
    ),
    (
        "batchnorm",
        "batchnorm_backward",
        "the Jacobian of each feature as a matrix",
        r"""
def batchnorm_backward(dout, x, gamma, eps):
    n, d = x.shape
    dx = np.zeros((n, d))
    s = np.sqrt(np.var(x, axis=0) + eps)
    xhat = (x - np.mean(x, axis=0)) / s
    for j in range(d):
        J = np.eye(n) - 1 / n - np.outer(xhat[:, j], xhat[:, j]) / n
        dx[:, j] = gamma[j] / s[j] * (J @ dout[:, j])
    return dx, np.einsum("ij,ij->j", dout, xhat), np.einsum("ij->j", dout)
""",
    ),
    (
        "attention_backward",
        "attention_backward",
        "a loop over samples and queries, with the Jacobian diag(p) - p p^T",
        r"""
def attention_backward(dout, q, k, v, mask=None):
    dq, dk, dv = np.zeros(q.shape), np.zeros(k.shape), np.zeros(v.shape)
    root = q.shape[2] ** 0.5
    for b in range(q.shape[0]):
        for t in range(q.shape[1]):
            s = k[b] @ q[b, t] / root
            if mask is not None:
                s[~mask[b, t]] = -np.inf
            p = softmax(s)
            ds = (np.diag(p) - np.outer(p, p)) @ (v[b] @ dout[b, t])
            dq[b, t] = k[b].T @ ds / root
            dk[b] += np.outer(ds, q[b, t]) / root
            dv[b] += np.outer(p, dout[b, t])
    return dq, dk, dv
""",
    ),
    (
        "lstm_step_backward",
        "lstm_step_backward",
        "stacked slopes, and 1 / cosh^2 for the slope of tanh",
        r"""
def lstm_step_backward(dh_new, dc_new, x, h, c, W, U, i, f, o, g, c_new):
    n, k = h.shape
    s = dc_new + dh_new * o / np.cosh(c_new) ** 2
    up = np.stack([s * g, s * c, dh_new * np.tanh(c_new), s * i], axis=1)
    slope = np.stack([i - i * i, f - f * f, o - o * o, (1 - g) * (1 + g)], axis=1)
    da = (up * slope).reshape(n, 4 * k)
    both = np.concatenate([x, h], axis=1).T @ da
    d = x.shape[1]
    return da @ W.T, da @ U.T, s * f, both[:d], both[d:], np.ones(n) @ da
""",
    ),
    (
        "product_of_experts",
        "product_of_experts",
        "the prior is one more expert, and the largest log precision is subtracted",
        r"""
def product_of_experts(mus, log_vars, present):
    on = np.concatenate([np.ones_like(present[:1]), present])[:, :, None]
    means = np.where(on, np.concatenate([np.zeros_like(mus[:1]), mus]), 0)
    logT = np.where(on, -np.concatenate([np.zeros_like(mus[:1]), log_vars]), -np.inf)
    top = logT.max(axis=0)
    w = np.exp(logT - top)
    total = w.sum(axis=0)
    return (w * means).sum(axis=0) / total, -(top + np.log(total))
""",
    ),
    (
        "product_of_experts",
        "product_of_experts_backward",
        "a loop over the experts, only on the rows that are present",
        r"""
def product_of_experts_backward(dmu, dlog_var, mus, log_vars, present, mu, log_var):
    dmus = np.zeros(mus.shape)
    dlog_vars = np.zeros(mus.shape)
    for i, rows in enumerate(present):
        share = np.exp(log_var[rows] - log_vars[i, rows])
        dmus[i, rows] = share * dmu[rows]
        pull = (mu[rows] - mus[i, rows]) * dmu[rows]
        dlog_vars[i, rows] = share * (pull + dlog_var[rows])
    return dmus, dlog_vars
""",
    ),
]
