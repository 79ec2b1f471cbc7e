"""Typical wrong answers: the old code of a solution, the new code, and words of the diagnosis."""

from itertools import permutations

from wrong_course import WRONG as COURSE

DENSE = "return dout @ W.T, x.T @ dout, dout.sum(axis=0)"
DOCUMENTED = (
    '"""dout (n, n_out), x (n, n_in), W (n_in, n_out) -> dx, dW, db, with the shapes of x, W, b."""'
)
KL = "(mu**2 + np.exp(log_var) - log_var - 1)"
Z = "return mu + np.exp(log_var / 2) * eps"
DZ = "return dz, dz * eps * np.exp(log_var / 2) / 2"
DKL = "return mu / len(mu), (np.exp(log_var) - 1) / (2 * len(mu))"
EXPERTS = """\
    log_T = np.where(here, -log_vars, -np.inf)
    log_total = np.logaddexp.reduce(log_T, axis=0, initial=0)
    w = np.exp(log_T - log_total)
    mu = (w * np.where(here, mus, 0)).sum(axis=0)
    return mu, -log_total"""
EXPERTS_WEIGHT = "w = np.where(here, np.exp(log_var - log_vars), 0)"
GATES = {
    "i": "di * i * (1 - i)",
    "f": "df * f * (1 - f)",
    "o": "do * o * (1 - o)",
    "g": "dg * (1 - g**2)",
}
WRONG = {
    "sigmoid_softplus": [
        ("0.5 * (np.tanh(0.5 * x) + 1)", "1 / (1 + np.exp(-x))", "overflow encountered in exp"),
        (
            "0.5 * (np.tanh(0.5 * x) + 1)",
            "np.where(x > 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x)))",
            "np.where runs both branches",
        ),
        (
            "0.5 * (np.tanh(0.5 * x) + 1)",
            "0.5 * (np.tanh(-0.5 * x) + 1)",
            "use exp(-x), not exp(x)",
        ),
        ("0.5 * (np.tanh(0.5 * x) + 1)", "0.5 * (np.tanh(x) + 1)", "must be tanh(x / 2)"),
        ("0.5 * (np.tanh(0.5 * x) + 1)", "np.tanh(x)", "this is tanh"),
        ("0.5 * (np.tanh(0.5 * x) + 1)", "np.exp(x) / np.exp(x).sum()", "softmax"),
        (
            "return 0.5 * (np.tanh(0.5 * x) + 1)",
            "0.5 * (np.tanh(0.5 * x) + 1)",
            "is the return missing",
        ),
        ("np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))", "np.log(1 + np.exp(x))", "overflow"),
        ("np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))", "np.maximum(x, 0)", "this is ReLU"),
        ("np.maximum(x, 0) + np.log1p", "np.log1p", "the term max(x, 0) is missing"),
        (
            "np.log1p(np.exp(-np.abs(x)))",
            "np.log(1 + np.exp(-np.abs(x)))",
            "so exp(x) is lost",
        ),
        ("np.maximum(x, 0) +", "np.abs(x) +", "it has |x|"),
        (
            "return 0.5 * (np.tanh(0.5 * x) + 1)",
            "return 0.5 * (np.tanh(0.5 * x.astype('f4')) + 1)",
            "is something rounded to float32",
        ),
        ("return 0.5 * (np.tanh(0.5 * x) + 1)", "return 'a half'", "must be numbers, got str"),
        (
            "0.5 * (np.tanh(0.5 * x) + 1)",
            "1 / (1 + np.exp(-x)) ",
            "(this must not happen for any input)",
        ),
    ],
    "activations_backward": [
        ("dout * (x > 0)", "x > 0", "dout is missing"),
        ("dout * (x > 0)", "dout * (dout > 0)", "the mask must come from x"),
        ("dout * (x > 0)", "dout * np.maximum(x, 0)", "dout is multiplied by x"),
        ("dout * (x > 0)", "dout * (np.maximum(x, 0) >= 0)", "everything passes"),
        ("dout * (x > 0)", "dout[x > 0]", "has shape"),
        ("return dout * (x > 0)", "dout[x <= 0] = 0\n    return dout", "changed its argument dout"),
        ("dout * out * (1 - out)", "out * (1 - out)", "dout is missing"),
        ("dout * out * (1 - out)", "dout * (1 - out)", "the factor out is missing"),
        (
            "dout * out * (1 - out)",
            "dout / (1 + np.exp(-out)) * (1 - 1 / (1 + np.exp(-out)))",
            "do not apply sigmoid again",
        ),
        ("dout * (1 - out**2)", "dout * (1 - np.tanh(out) ** 2)", "do not apply tanh again"),
        ("dout * (1 - out**2)", "dout * (1 - out)", "out must be squared"),
        ("dout * (1 - out**2)", "dout * out * (1 - out) ", "this is the slope of a sigmoid"),
        ("dout * (x > 0)", "dout * (np.maximum(x, 0) >= 0)", "always true? dx["),
        ("dout * (x > 0)", "dout * np.where(x > 0, 1, 0.01)", "should be 0 ("),
    ],
    "dense_forward": [
        ("x @ W + b", "x @ W", "b is missing"),
        ("x @ W + b", "W @ x + b", "dense_forward was called with x ("),
        ("x @ W + b", "np.maximum(x @ W + b, 0)", "ReLU is a separate layer"),
        ("x @ W + b", "x @ W + b.sum()", "each unit has its own b"),
        ("x @ W + b", "(x @ W + b).mean(axis=0)", "each row must stay a separate sample"),
        ("x @ W + b", "(x @ W + b).T", "the transpose"),
        ("x @ W + b", "(x @ W + b).astype('f4')", "is something rounded to float32"),
    ],
    "dense_backward": [
        (DENSE, "return dout @ W.T, x.T @ dout / len(x), dout.sum(axis=0)", "dW is divided by n"),
        (DENSE, "return dout @ W.T, dout.T @ x, dout.sum(axis=0)", "the transpose"),
        (DENSE, "return dout @ W.T, x.T @ dout, dout", "db is not summed"),
        (DENSE, "return dout @ W.T, x.T @ dout, dout.mean(axis=0)", "db is divided by n"),
        (DENSE, "return dout @ W.T, x.T @ dout, dout.sum(axis=1)", "axis 1"),
        (
            DENSE,
            "return dout @ W.T, x.T @ dout, dout.sum(axis=0, keepdims=True)",
            "one axis too many",
        ),
        (DENSE, "return dout @ W.T, x.T @ dout, dout.sum()", "db is one number"),
        (DENSE, "return dout @ W, x.T @ dout, dout.sum(axis=0)", "dense_backward was called with"),
        (DENSE, "return x.T @ dout, dout @ W.T, dout.sum(axis=0)", "dx and dW are exchanged"),
        (DENSE, "return dout @ W.T, x.T @ dout", "dx, dW, db; got 2 values"),
        (DENSE, "return dout @ W.T, x.T @ dout, None", "the returned db is None"),
        (DENSE, "dout @ W.T", "got None: is the return missing"),
        (DENSE, "return dout @ W.T", "dx, dW, db; got an array ("),
        (
            f"(dout, x, W):\n    {DOCUMENTED}\n    {DENSE}",
            "(*given):\n    given[2][:] = 0\n    return 1, 2, 3",
            "changed its argument number 3",
        ),
    ],
    "squared_error": [
        (
            "((out - target) ** 2).sum() / len(out)",
            "((out - target) ** 2).mean()",
            "also a mean over features",
        ),
        (
            "((out - target) ** 2).sum() / len(out)",
            "((out - target) ** 2).sum()",
            "also a sum over samples",
        ),
        (
            "((out - target) ** 2).sum() / len(out)",
            "0.5 * ((out - target) ** 2).sum() / len(out)",
            "remove the factor 1/2",
        ),
        (
            "((out - target) ** 2).sum() / len(out)",
            "((out - target) ** 2).sum(axis=1)",
            "one number per sample",
        ),
        ("2 * (out - target) / len(out)", "2 * (out - target)", "1/n is missing"),
        (
            "2 * (out - target) / len(out)",
            "(out - target) / len(out)",
            "the factor 2 of the square",
        ),
        ("2 * (out - target) / len(out)", "2 * (target - out) / len(out)", "the sign is wrong"),
        ("2 * (out - target) / len(out)", "2 * (out - target) / out.size", "divide by n only"),
        (
            "return ((out - target) ** 2).sum() / len(out)",
            "return np.float32(((out - target) ** 2).sum() / len(out))",
            "is something rounded to float32",
        ),
    ],
    "bernoulli_nll": [
        (
            "(softplus - target * logits).sum() / len(logits)",
            "(softplus - target * logits).mean()",
            "also a mean over features",
        ),
        (
            "(softplus - target * logits).sum() / len(logits)",
            "-(softplus - target * logits).sum() / len(logits)",
            "it is log p, not -log p",
        ),
        (
            "(softplus - target * logits).sum() / len(logits)",
            "(softplus - (1 - target) * logits).sum() / len(logits)",
            "target and 1 - target are exchanged",
        ),
        (
            "return (softplus - target * logits).sum() / len(logits)",
            "p = np.clip(0.5 * (np.tanh(0.5 * logits) + 1), 1e-12, 1 - 1e-12)\n"
            "    return -(target * np.log(p) + (1 - target) * np.log(1 - p)).sum() / len(logits)",
            "clipped) probability",
        ),
        (
            "return (softplus - target * logits).sum() / len(logits)",
            "p = 0.5 * (np.tanh(0.5 * logits) + 1)\n"
            "    return -(target * np.log(p)).sum() / len(p)",
            "log(1 - p) is missing",
        ),
        ("(p - target) / len(logits)", "p - target", "1/n is missing"),
        (
            "(p - target) / len(logits)",
            "(p - target) / (p * (1 - p)) / len(logits)",
            "the gradient with respect to p",
        ),
        (
            "(p - target) / len(logits)",
            "(logits - target) / len(logits)",
            "apply the sigmoid to the logits first",
        ),
        ("(p - target) / len(logits)", "(target - p) / len(logits)", "the sign is wrong"),
        (
            "return (softplus - target * logits).sum() / len(logits)",
            "near = np.clip(logits, -500, 500)\n"
            "    return (np.logaddexp(0, near) - target * near).sum() / len(near)",
            "nll: the loss for logits of about -1000 to 1000 is ",
        ),
        (
            "return (softplus - target * logits).sum() / len(logits)",
            "p = 0.5 * (np.tanh(0.5 * logits) + 1)\n"
            "    loss = -(target * np.log(p + 1e-8) + (1 - target) * np.log(1 - p + 1e-8))\n"
            "    return loss.sum() / len(p)",
            "clipped) probability",
        ),
        (
            "bernoulli_nll(logits, target)",
            "bernoulli_nll(target, logits)",
            "logits and target are exchanged",
        ),
        (
            "bernoulli_nll_backward(logits, target)",
            "bernoulli_nll_backward(target, logits)",
            "logits and target are exchanged",
        ),
        (
            "return (p - target) / len(logits)",
            "return (np.clip(p, 1e-7, 1 - 1e-7) - target) / len(p)",
            "or clipped?",
        ),
    ],
    "sgd_momentum": [
        (
            "theta -= self.lr * self.velocity",
            "theta = theta - self.lr * self.velocity",
            "did not change theta",
        ),
        ("theta -=", "theta +=", "so the loss grows: subtract it"),
        (
            "self.velocity = self.momentum * self.velocity + dtheta",
            "self.velocity = dtheta",
            "there is no momentum",
        ),
        (
            "self.velocity + dtheta",
            "self.velocity + (1 - self.momentum) * dtheta",
            "which makes an average",
        ),
        ("self.lr * self.velocity", "self.velocity", "lr is missing"),
        (
            "self.lr * self.velocity",
            "self.lr * (dtheta + self.momentum * self.velocity)",
            "Nesterov",
        ),
        (
            "self.velocity = self.momentum * self.velocity + dtheta\n"
            "        theta -= self.lr * self.velocity",
            "theta -= self.lr * self.velocity\n"
            "        self.velocity = self.momentum * self.velocity + dtheta",
            "update the velocity first",
        ),
        ("self, lr, momentum", "self, momentum, lr", "lr and momentum are exchanged"),
        (
            "class SGD:",
            "def SGD(theta, dtheta, lr, momentum):",
            "must be a class with a method step",
        ),
        ("def step(", "def update(", "must be a class with a method step"),
    ],
    "adam": [
        (
            "theta -= self.lr * m_hat / (np.sqrt(v_hat)",
            "theta -= self.lr * self.m / (np.sqrt(self.v)",
            "the bias corrections are missing",
        ),
        (
            "(1 - self.beta2) * dtheta**2",
            "(1 - self.beta2) * np.abs(dtheta)",
            "entry [0] of theta after step 1 is",
        ),
        ("(np.sqrt(v_hat) + self.eps)", "np.sqrt(v_hat + self.eps)", "outside the square root"),
        ("(np.sqrt(v_hat) + self.eps)", "(v_hat + self.eps)", "the square root is missing"),
        ("self.t += 1", "self.t = 1", "t does not count the steps"),
        ("self.lr * m_hat", "self.lr * dtheta", "theta moves along dtheta"),
        ("v_hat = self.v / (1 - self.beta2**self.t)", "v_hat = self.v", "v is not corrected"),
        ("self.t = 0", "self.t = 1", "t is too large by 1"),
        (
            "self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps",
            "self.beta2, self.beta1, self.eps = lr, beta1, beta2, eps",
            "beta1 and beta2 are exchanged",
        ),
        ("+ self.eps)", "+ 1e-8)", "eps is 1e-08, not the given eps"),
        ("+ self.eps)", "+ 0)", "eps is missing"),
        (
            "self.lr * m_hat / (np.sqrt(v_hat) + self.eps)",
            "self.lr * np.sqrt(1 - self.beta2**self.t) / (1 - self.beta1**self.t) * self.m / (\n"
            "            np.sqrt(self.v) + self.eps\n        )",
            "eps must be scaled too",
        ),
    ],
    "autoencoder_backward": [
        (
            "x = layer.forward(x)\n    return x",
            "out = layer.forward(x)\n    return out",
            "every layer gets x: give",
        ),
        ("in reversed(layers)", "in layers", "from the first to the last"),
        (
            "dout = layer.backward(dout)\n    return dout",
            "dx = layer.backward(dout)\n    return dx",
            "every layer gets the dout of the loss",
        ),
        (
            "dout = layer.backward(dout)\n    return dout",
            "dout = layer.backward(dout)",
            "is the return missing",
        ),
        ("layer.theta -=", "layer.theta +=", "is added, so the loss grows"),
        ("2 * (out - x) / len(x)", "2 * (out - x)", "the 1/n of the loss is missing"),
        ("2 * (out - x) / len(x)", "(out - x) / len(x)", "the factor 2 of the square"),
        (
            "layer.theta -= lr * layer.dtheta",
            "theta = layer.theta - lr * layer.dtheta",
            "the weights have not changed",
        ),
        ("return loss", "return ((forward(layers, x) - x) ** 2).sum() / len(x)", "after the step"),
        ("** 2).sum() / len(x)", "** 2).mean()", "also a mean over features"),
        (
            "    for layer in reversed(layers):\n",
            "    layers.reverse()\n    for layer in layers:\n",
            "backward changed its argument layers",
        ),
        (
            "    for layer in layers:\n        x =",
            "    while layers:\n        layer = layers.pop(0)\n        x =",
            "forward changed its argument layers",
        ),
    ],
    "reparameterise_forward": [
        (Z, "return mu + np.exp(log_var) * eps", "exp(log_var) is the variance"),
        (Z, "return mu + log_var * eps", "log_var is not the standard deviation"),
        (Z, "return mu + np.exp(log_var / 2)", "eps is missing"),
        (
            Z,
            "return mu + np.exp(log_var / 2) * np.random.standard_normal(mu.shape)",
            "use the given eps",
        ),
        ("mu, log_var = np", "log_var, mu = np", "mu and log_var are exchanged"),
        ("np.split(h, 2, axis=1)", "h[:, ::2], h[:, 1::2]", "even and odd columns"),
        ("np.split(h, 2, axis=1)", "np.split(h, 2, axis=0)", "ValueError"),
        (Z, "mu + np.exp(log_var / 2) * eps", "z is None: is the return missing"),
        (Z, "return {'z': mu}", "z must be numbers, got dict"),
        (Z, "return [mu[0], 3]", "z must be numbers, got list"),
        (Z, "return (mu + np.exp(log_var / 2)) * eps", "eps must multiply std only"),
        ("np.split(h, 2", "np.split(h.astype('f4'), 2", "is something rounded to float32"),
    ],
    "reparameterise_backward": [
        (DZ, "return dz, dz * eps * np.exp(log_var / 2)", "the 1/2 of exp(log_var / 2)"),
        (DZ, "return dz, dz * np.exp(log_var / 2) / 2", "eps is missing"),
        (DZ, "return dz, dz * eps", "this is the gradient with respect to std"),
        (DZ, "return dz * eps, dz * eps * np.exp(log_var / 2) / 2", "dmu must be dz, without eps"),
        (DZ, "return dz, 0 * dz", "z depends on log_var"),
        (
            DZ,
            "return dz, dz * eps * np.exp(log_var) / 2",
            "it has the variance, but it must have std",
        ),
    ],
    "kl_value": [
        (f"0.5 * {KL}.sum() / len(mu)", f"0.5 * {KL}.mean()", "also a mean over latents"),
        (f"0.5 * {KL}.sum() / len(mu)", f"0.5 * {KL}.sum()", "also a sum over samples"),
        (f"0.5 * {KL}", f"-0.5 * {KL}", "minus the KL"),
        (f"0.5 * {KL}", KL, "the 1/2 is missing"),
        (KL, "(mu**2 + np.exp(log_var) - log_var)", "the -1 is missing"),
        (
            KL,
            "(mu**2 + np.exp(2 * log_var) - 2 * log_var - 1)",
            "used as the log of the standard deviation",
        ),
        (KL, "(mu**2 + np.exp(log_var) + log_var - 1)", "the sign of log_var"),
        (KL, "(mu + np.exp(log_var) - log_var - 1)", "mu must be squared"),
        (
            f"0.5 * {KL}.sum() / len(mu)",
            f"-0.5 * {KL}.mean()",
            "also a mean over latents",
        ),
        (
            KL,
            "(mu**2 + np.exp(log_var) - log_var - 1).astype('f4')",
            "is something rounded to float32",
        ),
    ],
    "kl_gradient": [
        (DKL, "return mu, (np.exp(log_var) - 1) / 2", "1/n is missing"),
        (DKL, "return mu / mu.size, (np.exp(log_var) - 1) / (2 * mu.size)", "a sum over latents"),
        (DKL, "return mu / len(mu), np.exp(log_var) / (2 * len(mu))", "-1"),
        (DKL, "return mu / len(mu), (np.exp(log_var) - 1) / len(mu)", "the 1/2 is missing"),
        (DKL, "return -mu / len(mu), (np.exp(log_var) - 1) / (2 * len(mu))", "the sign is wrong"),
        (
            DKL,
            "return mu / len(mu), (1 - np.exp(-log_var)) / (2 * len(mu))",
            "with respect to the variance",
        ),
    ],
    "elbo": [
        ("return reconstruction + kl,", "return reconstruction - kl,", "it is reconstruction - kl"),
        ("return reconstruction + kl,", "return -reconstruction - kl,", "it is the ELBO"),
        ("log_var - 1).sum() / len(x)", "log_var - 1).mean()", "mean over latents"),
        (
            "logits = decoder.forward(mu + np.exp(log_var / 2) * eps)",
            "logits = decoder.forward(mu)",
            "mu is decoded",
        ),
        ("dmu = dz + mu / n", "dmu = dz", "encoder.dtheta["),
        (
            "dlog_var = dz * eps * std / 2 +",
            "dlog_var =",
            "the gradient of log_var through z is missing",
        ),
        (
            "    dmu = dz + mu / n\n"
            "    dlog_var = dz * eps * std / 2 + (np.exp(log_var) - 1) / (2 * n)\n",
            "    dmu, dlog_var = dz, dz * eps * std / 2\n",
            "the gradient of the KL is missing",
        ),
        ("dz * eps * std / 2", "dz * eps * std", "std = exp(log_var / 2) is missing"),
        ("    encoder.backward(np", "    (np", "call encoder.backward with"),
        ("optimizer.step(network.theta, network.dtheta)", "pass", "the weights have not changed"),
        ("range(60)", "range(2)", "Train for longer"),
        ("return losses", "return losses[-1]", "a list with one number per epoch"),
        (
            "return reconstruction + kl, reconstruction, kl",
            "return kl",
            "loss, reconstruction, kl; got float64",
        ),
        ("kl = 0.5 *", "kl =", "the 1/2 is missing"),
        (
            "return reconstruction + kl, reconstruction, kl",
            "return reconstruction + kl, kl, reconstruction",
            "reconstruction and kl are exchanged",
        ),
        (
            "reconstruction = BernoulliNLL().forward(logits, x)",
            "reconstruction = BernoulliNLL().forward(0.5 * (np.tanh(logits / 2) + 1), x)",
            "give it the logits",
        ),
        ("[dmu, dlog_var], axis=1", "[dlog_var, dmu], axis=1", "dmu and dlog_var are exchanged"),
        (
            "decoder.backward(loss.backward())",
            "loss.backward()[:, :3]",
            "call decoder.backward with",
        ),
    ],
    "gradient_check": [
        ("(f(up) - f(down)) / (2 * h)", "(f(up) - f(v)) / h", "the forward difference"),
        ("(f(up) - f(down)) / (2 * h)", "(f(up) - f(down)) / h", "divide by 2h"),
        ("up, down = v.copy(), v.copy()", "up, down = v + h, v - h", "central_difference"),
        (
            "        up, down = v.copy(), v.copy()\n        up[k] += h\n        down[k] -= h\n",
            "        up, down = v + h, v - h\n",
            "all entries are moved at once",
        ),
        ("up, down = v.copy(), v.copy()", "up, down = v, v.copy()", "changed its argument v"),
        (
            "moved = v.astype(complex)\n        moved[k] += 1j * h",
            "moved = v.copy()\n        moved[k] += (1j * h).real",
            "complex_step: ",
        ),
        ("np.empty(v.size), 1e-30", "np.empty(v.size), 1e-4", "the relative error is"),
        (
            "got = np.concatenate([layer.dtheta, dx.ravel()])\n",
            "got = np.concatenate([right[: layer.theta.size], dx.ravel()])\n",
            "Check the parameters",
        ),
        (
            "got = np.concatenate([layer.dtheta, dx.ravel()])\n",
            "got = np.concatenate([layer.dtheta, right[layer.theta.size :]])\n",
            "Check dx too",
        ),
        ("1e-9 *", "1e-30 *", "is right, but layer_is_right returns False"),
        ("1e-9 *", "0.1 *", "the tolerance is too large"),
        ("(f(up) - f(down)) / (2 * h)", "complex_step(f, v)[k]", "h is not used"),
        (
            "gradient = np.empty(v.size)\n    for",
            "gradient, h = np.empty(v.size), 1e-5\n    for",
            "h is not used",
        ),
        (
            "np.random.default_rng(0).standard_normal(out.shape)",
            "np.ones(out.shape)",
            "dout is the same everywhere",
        ),
        (
            "layer.backward(dout), layer.astype(complex)",
            "layer.backward(dout), layer.astype(complex)\n    layer.theta = layer.theta + 0.1",
            "Is theta put back?",
        ),
    ],
    "dropout": [
        ("/ (1 - p)\n", "* 1.0\n", "divide what is kept by 1 - p"),
        ("/ (1 - p)\n", "* (1 - p)\n", "multiplied by 1 - p"),
        (">= p) / (1 - p)", "< p) / p", "not to keep"),
        (
            "return x, np.ones(x.shape)",
            "return x * (1 - p), np.ones(x.shape)",
            "with training=False return x as it is",
        ),
        ("rng.random(x.shape)", "rng.random(x.shape[1])", "a whole column"),
        ("rng.random(x.shape)", "np.random.random(x.shape)", "use rng, not np.random"),
        ("return dout * mask", "return dout * (mask > 0)", "the factor 1 / (1 - p) is missing"),
        ("return dout * mask", "return dout", "dropped entries get no gradient"),
        ("mask = (rng.random(x.shape) >= p)", "mask = np.ones(x.shape)", "no entry of out is 0"),
        (
            "mask = (rng.random(x.shape) >= p)",
            "mask = np.zeros(x.shape)",
            "every entry of out is 0",
        ),
        ("return x * mask, mask", "return x * mask + 1e-3, mask", "no entry of out is 0"),
        (
            "rng.random(x.shape)",
            "np.random.default_rng(0).random(x.shape)",
            "two different generators give the same draw",
        ),
        ("return x, np.ones(x.shape)", "return x, None", "the returned mask is None"),
        ("return x, np.ones(x.shape)", "return x, 0 * x", "with training=False the mask must be 1"),
        ("return x * mask, mask", "return (x * mask)[:5], mask", "out has shape (5, 30)"),
        ("return x * mask, mask", "return x * mask, mask.ravel()", "mask has shape (6000,)"),
        ("return x * mask, mask", "return 'out', 'mask'", "must be numbers, got str"),
        (
            "return x * mask, mask",
            "return np.where(mask > 0, x * mask, np.nan), mask",
            "out has NaN",
        ),
        ("return x * mask, mask", "return x * mask", "return 2 values: out, mask"),
        ("return x * mask, mask", "return mask, x * mask", "this is the mask"),
        ("/ (1 - p)\n", "/ np.float32(1 - p)\n", "is something rounded to float32"),
    ],
    "convolution": [
        ("return out + b", "return out", "b is missing"),
        (
            "a : a + height, d : d + width] @ W[a, d]",
            "a : a + height, d : d + width] @ W[-1 - a, -1 - d]",
            "the kernel is flipped",
        ),
        ("d : d + width] @ W[a, d]", "d : d + width] @ W[d, a]", "rows and columns of the kernel"),
        (
            "dx[:, a : a + height, d : d + width] += dout @ W[a, d].T",
            "dx[:, a : a + height, d : d + width] += dout @ W[-1 - a, -1 - d].T",
            "the kernel is flipped in dx",
        ),
        (
            '"nhwi,nhwo->io", pixels, dout)',
            '"nhwi,nhwo->io", pixels, dout) / len(x)',
            "dW is divided by n",
        ),
        ("dout.sum(axis=(0, 1, 2))", "dout.mean(axis=(0, 1, 2))", "db is a mean"),
        ("dout.sum(axis=(0, 1, 2))", "dout.sum(axis=0)", "over samples, rows and columns"),
        (
            "k = len(W)\n    height, width = x.shape[1] - k + 1",
            "k = W.shape[3]\n    height, width = x.shape[1] - k + 1",
            "IndexError",
        ),
        (
            "k = len(W)\n    height, width = dout",
            "k = W.shape[3]\n    height, width = dout",
            "conv2d_backward was called with",
        ),
    ],
    "hunt_dense": [
        ("self.hidden > 0", "self.hidden >= 0", "wrong: dx, dW1, db1"),
        ("(self.hidden > 0)", "(self.hidden > 0) * 2", "it is 2 times the right answer"),
        ("return dhidden @", "return None, dhidden @", "return 5 values: dx, dW1, db1, dW2, db2"),
        (
            "return dhidden @ self.W1.T, dW1",
            "return None, dW1",
            "the returned dx is None",
        ),
        (
            "dhidden.sum(axis=0)",
            "dhidden.mean(axis=0)",
            "Right gradients: dx, dW1, dW2, db2; wrong: db1",
        ),
    ],
    "hunt_adam": [
        ("m = self.m / (1", "m = self.m = self.m / (1", "the fault is still there"),
        (
            "m = self.m / (1 - self.beta1**self.t)",
            "m = self.m",
            "The fault in the file",
        ),
    ],
    "hunt_vae": [
        (
            "std = np.exp(log_var / 2)\n    return mu",
            "std = np.exp(log_var)\n    return mu",
            "the fault is still there",
        ),
        ("return dz, dz * eps * std / 2", "return dz, dz * eps * std", "a factor 1/2 is missing"),
        ("- log_var - 1)", "/ 2 - log_var - 1)", "the KL was right"),
        (
            "np.exp(log_var) - log_var - 1",
            "np.exp(2 * log_var) - 2 * log_var - 1",
            "do not change it; and: log_var",
        ),
    ],
    "batchnorm": [
        (
            "x.mean(axis=0)\n    v = ((x - m) ** 2).mean(axis=0)",
            "x.mean(axis=1, keepdims=True)\n    v = ((x - m) ** 2).mean(axis=1, keepdims=True)",
            "as in a LayerNorm",
        ),
        (
            "m = x.mean(axis=0)\n    v = ((x - m) ** 2).mean(axis=0)",
            "m = x.mean()\n    v = x.var()",
            "one number for all features",
        ),
        ("((x - m) ** 2).mean(axis=0)", "x.var(axis=0, ddof=1)", "v divides by n - 1"),
        ("np.sqrt(v + eps) + beta", "(np.sqrt(v) + eps) + beta", "eps is outside"),
        ("np.sqrt(v + eps) + beta", "np.sqrt(v) + beta", "eps is missing"),
        ("np.sqrt(v + eps) + beta", "(v + eps) + beta", "divide by the square root, s"),
        ("((x - m) ** 2).mean(axis=0)", "(x**2).mean(axis=0)", "v is the mean of x^2"),
        ("gamma * (x - m)", "gamma * x", "the mean is not subtracted"),
        ("np.sqrt(v + eps) + beta", "np.sqrt(v + eps)", "beta is missing"),
        ("gamma * (x - m)", "(x - m)", "gamma is missing"),
        (
            "    m = x.mean(axis=0)\n    v = ((x - m) ** 2)",
            "    m = x.mean(axis=0)\n    x -= m\n    v = (x**2)",
            "changed its argument x",
        ),
        ("dxhat - through_mean - through", "dxhat - through", "the path through the mean"),
        ("dxhat - through_mean - through_variance", "dxhat - through_mean", "through the variance"),
        ("(dxhat - through_mean - through_variance) / s", "dxhat / s", "treated as constants"),
        ("gamma * dout", "dout", "gamma is missing: out = gamma xhat + beta, so dxhat"),
        ("= dxhat.mean(axis=0)", "= dxhat.sum(axis=0)", "the term of the mean is a sum"),
        (
            "xhat * (dxhat * xhat).mean(axis=0)",
            "xhat * (dxhat * xhat).sum(axis=0)",
            "the term of the variance is a sum",
        ),
        ("xhat * (dxhat * xhat).mean(axis=0)", "(dxhat * xhat).mean(axis=0)", "the factor xhat"),
        ("xhat * (dxhat * xhat).mean(axis=0)", "xhat * dxhat.mean(axis=0)", "inside it is"),
        ("xhat * (dxhat * xhat).mean(axis=0)", "2 * xhat * (dxhat * xhat).mean(axis=0)", "doubled"),
        ("xhat * (dxhat * xhat).mean(axis=0)", "xhat * (dxhat * xhat).mean(axis=0) / 2", "halved"),
        (
            "xhat * (dxhat * xhat).mean(axis=0)",
            "c * (dxhat * c).mean(axis=0)",
            "x - m stands where xhat",
        ),
        (
            "through_mean - through_variance",
            "through_mean + through_variance",
            "a larger s makes xhat smaller",
        ),
        ("dxhat - through_mean", "dxhat + through_mean", "a larger mean lowers xhat"),
        ("- through_variance) / s", "- through_variance) / s**2", "divide by s"),
        ("- through_variance) / s", "- through_variance)", "it is not divided by s"),
        ("(c**2).mean(axis=0) + eps", "(c**2).mean(axis=0)", "eps is missing in s"),
        ("(c**2).mean(axis=0) + eps", "x.var(axis=0, ddof=1) + eps", "v divides by n - 1"),
        (
            "np.sqrt((c**2).mean(axis=0) + eps)",
            "np.sqrt((c**2).mean(axis=0)) + eps",
            "eps is outside",
        ),
        ("(dout * xhat).sum(axis=0), dout", "dout.sum(axis=0), dout", "xhat is missing"),
        ("(dout * xhat).sum(axis=0), dout", "(dout * x).sum(axis=0), dout", "x instead of xhat"),
        ("(dout * xhat).sum(axis=0), dout", "(dxhat * xhat).sum(axis=0), dout", "factor gamma"),
        ("(dout * xhat).sum(axis=0), dout", "(dout * xhat).mean(axis=0), dout", "dgamma is a mean"),
        ("(dout * xhat).sum(axis=0), dout", "(dout * xhat).sum(axis=1), dout", "(axis 1)"),
        ("dout.sum(axis=0)", "dout.mean(axis=0)", "dbeta is a mean"),
        (", dout.sum(axis=0)", ", dout", "dbeta is not summed"),
        (
            "return dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)",
            "return dx, dout.sum(axis=0), (dout * xhat).sum(axis=0)",
            "dgamma and dbeta are exchanged",
        ),
    ],
    "attention_backward": [
        ("dq = ds @ k / root", "dq = ds @ k", "the factor 1 / sqrt(d) is missing: s ="),
        (
            "dq = ds @ k / root\n    dk = ds.swapaxes(1, 2) @ q / root",
            "dq = ds @ k\n    dk = ds.swapaxes(1, 2) @ q",
            "the factor 1 / sqrt(d) is missing: s =",
        ),
        ("@ q / root", "@ q", "the factor 1 / sqrt(d) is missing: s ="),
        ("ds = p * (dp - mean)", "ds = p * (dp - mean) / root", "applied twice"),
        ("@ q / root", "@ q / root / root", "applied twice"),
        ("ds @ k / root", "ds @ k * root", "multiplied by sqrt(d)"),
        ("p * (dp - mean)", "p * (1 - p) * dp", "treated as elementwise, with slope p (1 - p)"),
        ("p * (dp - mean)", "p * dp", "the mean term is missing"),
        ("dp - mean", "dp + mean", "the mean term has the wrong sign"),
        (
            "(p * dp).sum(axis=2, keepdims=True)",
            "dp.mean(axis=2, keepdims=True)",
            "the plain mean of dp over the keys",
        ),
        (
            "(p * dp).sum(axis=2, keepdims=True)",
            "dp.sum(axis=2, keepdims=True)",
            "the mean term is the sum of dp",
        ),
        (
            "(p * dp).sum(axis=2, keepdims=True)",
            "(p * dp).mean(axis=2, keepdims=True)",
            "the mean of p dp: take the sum",
        ),
        (
            "(p * dp).sum(axis=2, keepdims=True)",
            "(p * dp).sum(axis=1, keepdims=True)",
            "over the queries (axis 1)",
        ),
        (
            "(p * dp).sum(axis=2, keepdims=True)",
            "(p * dp).sum(axis=0)",
            "sums over the samples (axis 0)",
        ),
        ("(p * dp).sum(axis=2, keepdims=True)", "(p * dp).sum()", "one sum for all samples"),
        (
            "(p * dp).sum(axis=2, keepdims=True)",
            "(p * dp).sum(axis=(1, 2), keepdims=True)",
            "sums over queries and keys",
        ),
        ("(p * dp).sum(axis=2, keepdims=True)", "(p * dp).sum(axis=2)", "keepdims=True"),
        ("p * (dp - mean)", "p * dp - mean", "the factor p before the mean term is missing"),
        ("p * (dp - mean)", "dp - mean", "the factor p is missing"),
        ("p * (dp - mean)", "dp", "the softmax needs its own backward pass"),
        ("dv = p.swapaxes(1, 2) @ dout", "dv = p @ dout", "p is not transposed in dv"),
        ("dv = p.swapaxes(1, 2) @ dout", "dv = p.T @ dout", "p.T in dv reverses all three axes"),
        (
            "dv = p.swapaxes(1, 2) @ dout",
            "dv = p.swapaxes(1, 2) @ dout / root",
            "dv has a factor 1 / sqrt(d)",
        ),
        ("dv = p.swapaxes(1, 2) @ dout", "dv = p.swapaxes(1, 2) @ v", "dv has v instead of dout"),
        (
            "return dq, dk, dv",
            "return dq, dk, ds.swapaxes(1, 2) @ dout",
            "ds stands in dv where p must stand",
        ),
        ("dq = ds @ k", "dq = ds @ q", "has q instead of k"),
        ("dq = ds @ k", "dq = ds.swapaxes(1, 2) @ k", "ds is transposed in dq"),
        ("ds.swapaxes(1, 2) @ q", "ds.swapaxes(1, 2) @ k", "has k instead of q"),
        ("ds.swapaxes(1, 2) @ q", "ds @ q", "ds is not transposed in dk"),
        ("ds.swapaxes(1, 2) @ q", "ds.T @ q", "ds.T in dk reverses all three axes"),
        ("ds.swapaxes(1, 2) @ q", "q.swapaxes(1, 2) @ ds", "dk is transposed"),
        ("dout @ v.swapaxes(1, 2)", "dout @ v", "v is not transposed in dp"),
        ("dout @ v.swapaxes(1, 2)", "dout @ v.T", "v.T in dp reverses all three axes"),
        ("dout @ v.swapaxes(1, 2)", "v @ dout.swapaxes(1, 2)", "dp is transposed"),
        ("return dq, dk, dv", "return dq / len(q), dk / len(q), dv / len(q)", "dq is divided by n"),
        ("return dq, dk, dv", "return dq, dk, dv / len(q)", "dv is divided by n"),
        ("return dq, dk, dv", "return dq, dk, dv.sum(axis=0)", "dv is summed over the samples"),
        ("return dq, dk, dv", "return dk, dq, dv", "dq and dk are exchanged"),
        ("swapaxes(1, 2) / root\n    if", "swapaxes(1, 2)\n    if", "p has no factor 1 / sqrt(d)"),
        ("root = np.sqrt(q.shape[2])", "root = 1", "missing in p and in the gradient"),
        (
            "root = np.sqrt(q.shape[2])",
            "root = q.shape[2]",
            "the scores are divided by d, in p and in the gradient",
        ),
        (
            "root = np.sqrt(q.shape[2])",
            "root = np.sqrt(k.shape[1])",
            "p and the gradient are divided by the square root of S",
        ),
        ("q @ k.swapaxes(1, 2)", "q @ k.T", "k.T in p reverses all three axes"),
        (
            "p = softmax(scores)",
            "p = softmax(scores.swapaxes(1, 2)).swapaxes(1, 2)",
            "in p is over the queries",
        ),
        ("scores = np.where(mask, scores, -np.inf)", "pass", "the mask is ignored in p"),
        (
            "np.where(mask, scores, -np.inf)",
            "np.where(mask, -np.inf, scores)",
            "the mask is inverted",
        ),
        ("np.where(mask, scores, -np.inf)", "np.where(mask, scores, 0)", "a masked score is 0"),
        (
            "scores = np.where(mask, scores, -np.inf)\n    p = softmax(scores)",
            "pass\n    p = softmax(scores) if mask is None else softmax(scores) * mask",
            "masked after the softmax",
        ),
        (
            "        scores = np.where(mask, scores, -np.inf)",
            "        scores[~mask] = -np.inf\n        q *= 1.1",
            "changed its argument q",
        ),
    ],
    "lstm_step_backward": [
        ("dc_new + dh_new", "dh_new", "dc_new is dropped"),
        ("dc_new + dh_new * o * (1 - tanh**2)", "dc_new", "what comes back through h_new = o tanh"),
        (" * (1 - tanh**2)", "", "1 - tanh(c_new)^2, is missing"),
        ("(1 - tanh**2)", "(1 - c_new**2)", "taken as 1 - c_new^2"),
        ("dh_new * o * (1", "dh_new * (1", "the factor o is missing"),
        ("do = dh_new * tanh", "do = dh_new * c_new", "do has c_new instead of tanh(c_new)"),
        ("df = dcell * c", "df = dcell * c_new", "df has c_new instead of c"),
        ("dc = dcell * f", "dc = dcell", "dc is passed on without f"),
        ("dc = dcell * f", "dc = dc_new * f", "dc is dc_new f"),
        ("di = dcell * g", "di = dcell * i", "di has i instead of g"),
        ("dg = dcell * i", "dg = dcell * g", "dg has g instead of i"),
        (
            "di = dcell * g\n    df = dcell * c\n    dg = dcell * i",
            "di = dcell * i\n    df = dcell * c\n    dg = dcell * g",
            "di and dg are exchanged",
        ),
        (
            "di * i * (1 - i), df * f * (1 - f), do * o * (1 - o)",
            "di, df, do",
            "the slope is missing for i, f, o:",
        ),
        ("dg * (1 - g**2)", "dg", "the slope is missing for g:"),
        (
            "[di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)]",
            "[di, df, do, dg]",
            "the slope is missing for i, f, o, g:",
        ),
        ("dg * (1 - g**2)", "dg * g * (1 - g)", "the slope of g is that of a sigmoid, g (1 - g)"),
        (
            "di * i * (1 - i), df * f * (1 - f), do * o * (1 - o)",
            "di * (1 - i**2), df * (1 - f**2), do * (1 - o**2)",
            "the slope of i, f, o is that of tanh",
        ),
        *[(part, f"d{gate}", f"the slope is missing for {gate}:") for gate, part in GATES.items()],
        *[(part, f"0 * {gate}", f"the part of {gate} is missing") for gate, part in GATES.items()],
        *[
            (
                ", ".join(GATES.values()),
                ", ".join(GATES[gate] for gate in order),
                f"in the order {', '.join(order)}: the order here",
            )
            for order in permutations(GATES)
            if order != tuple(GATES)
        ],
        (
            "dc_new + dh_new * o * (1 - tanh**2)",
            "dc_new + dh_new",
            "the factor o (1 - tanh(c_new)^2)",
        ),
        ("(1 - tanh**2)", "(1 - tanh)", "the slope of tanh is taken as 1 - tanh(c_new):"),
        ("df = dcell * c", "df = dcell * h", "df has h instead of c"),
        ("dc = dcell * f", "dc = dcell * f + dc_new", "dc_new is added to dc a second time"),
        ("dU = h.T @ da", "dU = c.T @ da", "dU has c instead of h"),
        ("db = da.sum(axis=0)", "db = da.sum(axis=1)", "db is summed over the gates"),
        ("db = da.sum(axis=0)", "db = da.sum()", "db is one number"),
        (
            "[di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)]",
            "[di, df, dg, do]",
            "for i, f, o, g: it is s (1 - s) for a sigmoid with value s, 1 - g^2 for g; and: the "
            "gates are in the order i, f, g, o",
        ),
        (
            "do = dh_new * tanh\n    dcell = dc_new + dh_new * o * (1 - tanh**2)",
            "do = dh_new * c_new\n    dcell = dc_new + dh_new * o",
            "(c_new)^2, is missing; and: do has c_new instead of tanh(c_new)",
        ),
        ("di * i * (1 - i), df * f * (1 - f)", "di, df", "the slope is missing for i, f:"),
        ("df * f * (1 - f)", "df * f", "the slope of f is s alone"),
        ("do * o * (1 - o)", "do * (1 - o)", "the slope of o is 1 - s alone"),
        ("di * i * (1 - i)", "di * (1 - i**2)", "the slope of i is that of tanh"),
        ("do * o * (1 - o)", "do * o * (1 + o)", "the slope of o has the wrong sign"),
        (
            "da = np.hstack",
            "t = 0.5 * (np.tanh(f / 2) + 1)\n    df = df * t * (1 - t) / f / (1 - f)\n"
            "    da = np.hstack",
            "the slope of f is that of a sigmoid taken twice",
        ),
        ("df * f * (1 - f)", "df * i * (1 - i)", "df is multiplied by the slope of i"),
        ("dg * (1 - g**2)", "dg * (1 - g)", "the slope of g is 1 - g"),
        ("dg * (1 - g**2)", "dg * (1 + g**2)", "the slope of g has the wrong sign"),
        ("dg * (1 - g**2)", "dg * (1 - np.tanh(g) ** 2)", "a tanh taken twice"),
        ("dg = dcell * i", "dg = dc_new * i", "what comes back through h_new is missing in dg"),
        ("df = dcell * c", "df = (dcell - dc_new) * c", "dc_new is dropped in df"),
        ("dc = dcell * f", "dc = (dcell - dc_new) * f", "dc_new is dropped in dc"),
        ("do = dh_new * tanh", "do = dh_new * o * tanh", "do has h_new"),
        (
            "do = dh_new * tanh\n    dcell = dc_new + dh_new * o * (1 - tanh**2)",
            "dcell = dc_new + dh_new * o * (1 - tanh**2)\n    do = dcell * tanh",
            "do has the gradient of c_new",
        ),
        ("do = dh_new * tanh", "do = dh_new * (1 - tanh**2)", "do has a factor 1 - tanh(c_new)^2"),
        ("(1 - tanh**2)", "(1 - np.tanh(c) ** 2)", "the slope of tanh has c"),
        ("(1 - tanh**2)", "(1 + tanh**2)", "the slope of tanh has the wrong sign"),
        ("dg = dcell * i", "dg = dcell * f", "dg has f instead of i"),
        ("df = dcell * c", "df = dcell * f", "df has f instead of c"),
        ("dc = dcell * f", "dc = dcell * c", "dc has c instead of f"),
        (
            "di = dcell * g\n    df = dcell * c",
            "di = dcell * c\n    df = dcell * g",
            "di and df are exchanged",
        ),
        ("dU = h.T @ da", "dU = (o * tanh).T @ da", "dU has h_new instead of h"),
        ("dh = da @ U.T", "dh = da @ U.T + dh_new", "dh contains dh_new"),
        ("dW = x.T @ da", "dW = x.T @ da / len(x)", "dW is divided by n"),
        ("dU = h.T @ da", "dU = h.T @ da / len(x)", "dU is divided by n"),
        ("db = da.sum(axis=0)", "db = da.mean(axis=0)", "db is a mean"),
        ("db = da.sum(axis=0)", "db = da", "db is not summed over the samples"),
        ("dx = da @ W.T", "dx = da @ U.T", "dx has U instead of W"),
        ("dh = da @ U.T", "dh = da @ W.T", "dh has W instead of U"),
        ("dU = h.T @ da", "dU = x.T @ da", "dU has x instead of h"),
        ("dW = x.T @ da", "dW = h.T @ da", "dW has h instead of x"),
        (
            "return dx, dh, dc, dW, dU, db",
            "return dh, dx, dc, dW, dU, db",
            "dx and dh are exchanged",
        ),
    ],
    "product_of_experts": [
        ("axis=0, initial=0", "axis=0, initial=-np.inf", "the prior is forgotten"),
        ("return mu, -log_total", "return mu, -np.log(np.exp(log_total) - 1)", "the prior is forg"),
        (
            "here = present[:, :, None]\n    log_T",
            "here = np.ones((*present.shape, 1), bool)\n    log_T",
            "absent experts are counted",
        ),
        (
            "here = present[:, :, None]\n    log_T",
            "here = ~present[:, :, None]\n    log_T",
            "present is inverted",
        ),
        (
            EXPERTS,
            """\
    T = np.exp(-log_vars)
    total = T.sum(axis=0)
    return (T * mus).sum(axis=0) / total, -np.log(total)""",
            "the prior is forgotten: it is an expert with precision 1 and mean 0; and: absent",
        ),
        (
            EXPERTS,
            """\
    T = np.exp(-log_vars)
    total = T.sum(axis=0)
    return (T * here * mus).sum(axis=0) / total, -np.log(total)""",
            "the prior is forgotten: it is an expert with precision 1 and mean 0; and: absent",
        ),
        ("np.where(here, -log_vars, -np.inf)", "np.where(here, -log_vars, 0)", "counts as N(0, I)"),
        (
            "here = present[:, :, None]\n    log_T",
            "here = present.all(axis=1)[:, None, None]\n    log_T",
            "absent for one sample is ignored for all",
        ),
        (
            "here = present[:, :, None]\n    log_T",
            "here = present.any(axis=1)[:, None, None]\n    log_T",
            "there for one sample is counted for all",
        ),
        (
            "here = present[:, :, None]\n    log_T",
            "here = present\n    log_T",
            "present (m, n) lacks an axis",
        ),
        (
            "here = present[:, :, None]\n    log_T",
            "here = present[:, None]\n    log_T",
            "puts the new axis in the middle",
        ),
        (
            "here = present[:, :, None]\n    log_T",
            "here = present.T[:, :, None]\n    log_T",
            "present is transposed",
        ),
        (
            "w = np.exp(log_T - log_total)",
            "log_total = np.log(1 + np.exp(-log_vars).sum(axis=0))\n"
            "    w = np.exp(log_T - log_total)",
            "absent experts are left out of the sum of T_i mu_i, but not of T",
        ),
        (
            "(w * np.where(here, mus, 0))",
            "(np.exp(-log_vars - log_total) * mus)",
            "absent experts are left out of T, but not of the sum of T_i mu_i",
        ),
        (
            "np.logaddexp.reduce(log_T, axis=0, initial=0)",
            "np.log(np.where(here, 1 + np.exp(-log_vars), 0).sum(axis=0))",
            "the prior is counted once for each expert",
        ),
        (
            "np.logaddexp.reduce(log_T, axis=0, initial=0)",
            "np.log((1 + np.exp(log_T)).sum(axis=0))",
            "the prior is counted m times",
        ),
        ("initial=0", "initial=np.log(2)", "the prior is counted twice"),
        (
            "mu = (w * np.where(here, mus, 0)).sum(axis=0)",
            "mu = (w * np.where(here, mus, 0)).sum(axis=0) + np.exp(-log_total)",
            "the prior has mean 1",
        ),
        ("np.where(here, -log_vars, -np.inf)", "np.where(here, -log_vars / 2, -np.inf)", "deviati"),
        (
            "np.where(here, -log_vars, -np.inf)",
            "np.where(here, -2 * log_vars, -np.inf)",
            "log_var is used as the log of the standard deviation",
        ),
        (
            "np.where(here, -log_vars, -np.inf)",
            "np.where(here, log_vars, -np.inf)",
            "the precision has the wrong sign, exp(log_var)",
        ),
        ("return mu, -log_total", "return mu, log_total", "log_var is log T"),
        (
            "return mu, -log_total",
            "return mu, np.exp(-log_total)",
            "log_var is the variance, 1 / T",
        ),
        ("return mu, -log_total", "return mu, np.exp(log_total)", "log_var is the precision T"),
        ("return mu, -log_total", "return mu, -log_total / 2", "remove the factor 1/2"),
        (
            "return mu, -log_total",
            "return mu, np.exp(-log_total / 2)",
            "log_var is the standard dev",
        ),
        ("return mu, -log_total", "return mu, -np.log1p(np.exp(log_total))", "a second time"),
        (
            EXPERTS,
            """\
    count = here.sum(axis=0)
    variance = np.where(here, np.exp(log_vars), 0).sum(axis=0) / count
    T = np.where(here, np.exp(-log_vars), 0)
    mu = (T * mus).sum(axis=0) / (1 + T.sum(axis=0))
    return mu, np.log(variance)""",
            "the variances of the experts are averaged",
        ),
        (
            "return mu, -log_total",
            "variance = (1 + np.where(here, np.exp(log_vars), 0).sum(axis=0))\n"
            "    return mu, np.log(variance / (1 + here.sum(axis=0)))",
            "the variances are averaged",
        ),
        (
            "return mu, -log_total",
            "return mu, np.log(1 + np.where(here, np.exp(log_vars), 0).sum(axis=0))",
            "the variances are added",
        ),
        (
            "return mu, -log_total",
            "return mu, np.log(np.where(here, np.exp(log_vars), 0).sum(axis=0))",
            "the variances of the experts are added",
        ),
        (
            "return mu, -log_total",
            "return mu, np.where(here, log_vars, 0).sum(axis=0)",
            "not a sum of logs",
        ),
        (
            "return mu, -log_total",
            "return mu, -np.log1p(np.exp(log_T)).sum(axis=0)",
            "minus the sum of log(1 + T_i)",
        ),
        (
            "return mu, -log_total",
            "return mu, np.where(here, log_vars, 0).sum(axis=0) / here.sum(axis=0)",
            "log_var is the mean of the log_vars:",
        ),
        (
            "return mu, -log_total",
            "return mu, np.where(here, log_vars, 0).sum(axis=0) / (1 + here.sum(axis=0))",
            "log_var is the mean of the log_vars, with 0 for the prior",
        ),
        (
            "return mu, -log_total",
            "return mu, np.log(1 + here.sum(axis=0)) - log_total",
            "the precisions are averaged over the experts: a product",
        ),
        (
            "np.logaddexp.reduce(log_T, axis=0, initial=0)",
            "np.log(1 + np.exp(log_T).mean(axis=0))",
            "a mean over all m experts, with the prior added",
        ),
        (
            EXPERTS,
            """\
    count = here.sum(axis=0)
    T = np.where(here, np.exp(-log_vars), 0)
    total = 1 + T.sum(axis=0) / count
    return (T * mus).sum(axis=0) / count / total, -np.log(total)""",
            "averaged over the experts without the prior",
        ),
        (
            EXPERTS,
            """\
    T = np.where(here, np.exp(-log_vars), 0)
    return (T * mus).sum(axis=0) / T.mean(axis=0), -np.log(T.mean(axis=0))""",
            "the precisions are a mean over all m experts: add them",
        ),
        (
            EXPERTS,
            """\
    T = np.where(here, -log_vars, 0)
    total = 1 + T.sum(axis=0)
    return (T * mus).sum(axis=0) / total, -np.log(total)""",
            "exp is missing: the precision is exp(-log_var)",
        ),
        (
            EXPERTS,
            """\
    T = np.where(here, 1 / log_vars, 0)
    total = 1 + T.sum(axis=0)
    return (T * mus).sum(axis=0) / total, -np.log(total)""",
            "log_var is the log of the variance, not the variance",
        ),
        (
            "mu = (w * np.where(here, mus, 0)).sum(axis=0)",
            "mu = np.where(here, mus, 0).sum(axis=0) / here.sum(axis=0)",
            "mu is the plain mean of the mus",
        ),
        (
            "mu = (w * np.where(here, mus, 0)).sum(axis=0)",
            "mu = np.where(here, mus, 0).sum(axis=0) / (1 + here.sum(axis=0))",
            "mu is the plain mean, with 0 for the prior",
        ),
        (
            "(w * np.where(here, mus, 0))",
            "np.where(here, mus, 0)",
            "mu is the plain sum of the mus",
        ),
        (
            "(w * np.where(here, mus, 0)).sum(axis=0)",
            "np.where(here, mus, 0).sum(axis=0) / np.exp(log_total)",
            "the weight T_i is missing",
        ),
        (
            "w = np.exp(log_T - log_total)",
            "variance = np.where(here, np.exp(log_vars), 0)\n"
            "    w = variance / variance.sum(axis=0)",
            "mu is weighted with the variances",
        ),
        (
            "w = np.exp(log_T - log_total)",
            "variance = np.where(here, np.exp(log_vars), 0)\n"
            "    w = variance / (1 + variance.sum(axis=0))",
            "mu is weighted with variances, 1 for the prior",
        ),
        (
            "w = np.exp(log_T - log_total)",
            "w = np.exp(log_T / 2)\n    w = w / (1 + w.sum(axis=0))",
            "mu is weighted with 1 / std",
        ),
        ("w = np.exp(log_T - log_total)", "w = np.exp(log_T)", "mu is not divided by T"),
        (
            "w = np.exp(log_T - log_total)",
            "w = np.exp(log_T - np.where(here, -log_vars, 0).sum(axis=0))",
            "mu is divided by the product of the T_i",
        ),
        (
            "return mu, -log_total",
            "return mu, np.log(1 + len(mus)) - log_total",
            "a mean over all m experts and the prior",
        ),
        (
            "w = np.exp(log_T - log_total)",
            "w = np.exp(np.where(here, -log_vars / 2, -np.inf))\n    w = w / w.sum(axis=0)",
            "the prior is forgotten: it is an expert with precision 1 and mean 0; and: exp(log_var",
        ),
        (
            EXPERTS,
            """\
    with np.errstate(all="ignore"):
        T = np.where(here, np.exp(-log_vars), 0)
        total = 1 + T.sum(axis=0)
        return (T * np.where(here, mus, 0)).sum(axis=0) / total, -np.log(total)""",
            "of mu (log_vars near -1000 and 1000) is nan",
        ),
        ("w = np.exp(log_T - log_total)", "w = np.exp(log_T + log_total)", "mu is multiplied by T"),
        (
            "mu = (w * np.where(here, mus, 0)).sum(axis=0)",
            "mu = (w * np.where(here, mus, 0)).mean(axis=0)",
            "mu is a mean over the experts",
        ),
        (
            "mu = (w * np.where(here, mus, 0)).sum(axis=0)",
            "mu = (w * np.where(here, mus, 0)).sum(axis=0) / here.sum(axis=0)",
            "mu is divided by the number of experts that are present",
        ),
        (
            "return mu, -log_total",
            "count = here.sum(axis=0)\n"
            "    square = np.where(here, np.exp(log_vars) + mus**2, 0).sum(axis=0) / count\n"
            "    mean = np.where(here, mus, 0).sum(axis=0) / count\n"
            "    return mu, np.log(square - mean**2)",
            "the variance of a mixture",
        ),
        (
            EXPERTS,
            """\
    for mean, log_var, there in zip(mus, log_vars, here):
        T = np.where(there, np.exp(-log_var), 0)
    return T * mean / (1 + T), -np.log1p(T)""",
            "only the last expert is used",
        ),
        (
            EXPERTS,
            """\
    for mean, log_var, there in zip(mus, log_vars, here):
        T = np.where(there, np.exp(-log_var), 0)
        return T * mean / (1 + T), -np.log1p(T)""",
            "only the first expert is used",
        ),
        (
            EXPERTS,
            """\
    T = np.where(here, 1 / (np.exp(log_vars) + 1e-8), 0)
    total = 1 + T.sum(axis=0)
    return (T * mus).sum(axis=0) / total, -np.log(total)""",
            "a small number is added to each variance",
        ),
        (
            EXPERTS,
            """\
    T = np.where(here, np.exp(-log_vars), 0)
    total = 1 + T.sum(axis=0) + 1e-8
    return (T * mus).sum(axis=0) / total, -np.log(total)""",
            "a small number is added to T",
        ),
        (
            EXPERTS,
            """\
    T = np.where(here, np.exp(-log_vars), 0)
    total = 1 + T.sum(axis=0)
    return (T * np.where(here, mus, 0)).sum(axis=0) / total, -np.log(total)""",
            "`T = np.where(here, np.exp(-log_vars), 0)`: overflow encountered in exp",
        ),
        (
            EXPERTS,
            """\
    T = np.where(here, 1 / np.exp(log_vars), 0)
    total = 1 + T.sum(axis=0)
    return (T * np.where(here, mus, 0)).sum(axis=0) / total, -np.log(total)""",
            "overflow encountered in exp",
        ),
        (
            EXPERTS,
            """\
    T = here * np.exp(-log_vars)
    total = 1 + T.sum(axis=0)
    return (T * mus).sum(axis=0) / total, -np.log(total)""",
            "0 * NaN is NaN",
        ),
        ("np.where(here, mus, 0)", "mus", "0 * NaN is NaN"),
        ("log_T = np", "log_vars = log_vars.clip(-30, 30)\n    log_T = np", "is clipped to 30"),
        ("log_T = np", "mus[~present] = 0\n    log_T = np", "changed its argument mus"),
        ("log_T = np", "log_vars *= -1\n    log_T = np", "changed its argument log_vars"),
        ("log_T = np", "mus = mus.astype('f4')\n    log_T = np", "is something rounded to float32"),
        (
            "mus, 0)).sum(axis=0)\n    return mu, -log_total",
            "mus, 0)).sum(axis=0, keepdims=True)\n    return mu, -log_total[None]",
            "sum without keepdims",
        ),
        (
            "(w * np.where(here, mus, 0)).sum(axis=0)",
            "w * np.where(here, mus, 0)",
            "are not summed",
        ),
        (
            EXPERTS,
            """\
    T = np.where(here, np.exp(-log_vars), 0)
    total = 1 + T.sum()
    return (T * mus).sum() / total, -np.log(total)""",
            "the sum is over everything",
        ),
        (
            EXPERTS,
            """\
    T = np.where(here, np.exp(-log_vars), 0)
    total = 1 + T.sum(axis=1)
    return (T * mus).sum(axis=1) / total, -np.log(total)""",
            "the sum is over the samples (axis 1)",
        ),
        (
            EXPERTS,
            """\
    T = np.where(here, np.exp(-log_vars), 0)
    total = 1 + T.sum(axis=2)
    return (T * mus).sum(axis=2) / total, -np.log(total)""",
            "the sum is over the latents (axis 2)",
        ),
        ("return mu, -log_total", "return -log_total, mu", "mu and log_var are exchanged"),
        ("return mu, -log_total", "return mu", "return 2 values: mu, log_var"),
        (
            "    return mu, -log_total",
            "    mu[~present.any(axis=0)] = np.nan\n    return mu, -log_total",
            "entry [0, 0] of mu (no expert is present) is nan, should be 0",
        ),
        (EXPERTS_WEIGHT, "w = np.exp(log_var - log_vars)", "absent experts get a gradient"),
        (
            EXPERTS_WEIGHT,
            "w = np.where(here, np.exp(-log_vars), 0)\n    w = w / w.sum(axis=0)",
            "the weights leave out the prior",
        ),
        (
            EXPERTS_WEIGHT,
            "w = np.exp(-log_vars)\n    w = here * w / (1 + w.sum(axis=0))",
            "the denominator of the weights has the absent experts too",
        ),
        (
            EXPERTS_WEIGHT,
            "w = np.where(here, np.exp(log_vars - log_var), 0)",
            "the weight is upside down",
        ),
        (
            EXPERTS_WEIGHT,
            "w = np.where(here, np.exp((log_var - log_vars) / 2), 0)",
            "the weight has standard deviations",
        ),
        (
            EXPERTS_WEIGHT,
            "w = np.where(here, np.exp(-log_vars), 0)",
            "the weight is T_i, without the division by T",
        ),
        (
            EXPERTS_WEIGHT,
            "w = np.where(here, np.exp(log_var), 0)",
            "the weight is 1 / T, without T_i",
        ),
        (
            EXPERTS_WEIGHT,
            "w = np.where(here, log_var / log_vars, 0)",
            "exp is missing in the weight",
        ),
        (EXPERTS_WEIGHT, "w = here / len(mus)", "the weight of each expert is 1 / m"),
        (EXPERTS_WEIGHT, "w = here / here.sum(axis=0)", "1 / (number of experts that are present)"),
        (EXPERTS_WEIGHT, "w = 1.0 * here", "the weight is missing"),
        (
            EXPERTS_WEIGHT,
            "w = np.where(here, np.exp(2 * log_var - 2 * log_vars), 0)",
            "the weight is squared",
        ),
        (
            EXPERTS_WEIGHT,
            "w = np.where(~here, np.exp(log_var - log_vars), 0)",
            "present is inverted",
        ),
        (
            EXPERTS_WEIGHT,
            "w = np.where(present, np.exp(log_var - log_vars), 0)",
            "present (m, n) lacks an axis",
        ),
        (EXPERTS_WEIGHT, "w = here * np.exp(log_var - log_vars)", "0 * NaN is NaN"),
        (
            EXPERTS_WEIGHT,
            "w = np.where(here, np.exp(-log_vars) / np.exp(-log_var), 0)",
            "overflow encountered in exp",
        ),
        (
            EXPERTS_WEIGHT,
            "w = np.where(here, np.exp(log_var - log_vars.clip(-20, 20)), 0)",
            "log_vars is clipped to 20",
        ),
        (
            EXPERTS_WEIGHT,
            "mu -= mus.mean(axis=0)\n    w = np.where(here, np.exp(log_var - log_vars), 0)",
            "changed its argument mu",
        ),
        ("dmus = w * dmu", "dmus = w * mus", "dmus is w_i mu_i: dmu is missing"),
        ("dmus = w * dmu", "dmus = w", "dmus is w_i: dmu is missing"),
        ("dmus = w * dmu", "dmus = w * dmu * mus", "dmus has a factor mu_i:"),
        ("dmus = w * dmu", "dmus = w * dmu * (mus - mu)", "dmus has a factor mu_i - mu"),
        ("dmus = w * dmu", "dmus = w * dlog_var", "dmus has dlog_var instead of dmu"),
        ("dmus = w * dmu", "dmus = w * (dmu + dlog_var)", "dmus has dmu + dlog_var"),
        ("dmus = w * dmu", "dmus = -w * dmu", "the sign is wrong"),
        ("dmus = w * dmu", "dmus = (w * dmu).sum(axis=0)", "dmus is summed over the experts"),
        ("dmus = w * dmu", "dmus = (w * dmu).sum(axis=1)", "dmus is summed over the samples"),
        (
            "dmus = w * dmu",
            "dmus = w * dmu / len(dmu)",
            "it is divided by the number of samples, experts or latents",
        ),
        (
            "dmus = w * dmu",
            "dmus = w * dmu / len(mus)",
            "it is divided by the number of samples, experts or latents",
        ),
        (
            "dmus = w * dmu",
            "dmus = w * dmu / dmu.shape[1]",
            "it is divided by the number of samples, experts or latents",
        ),
        (
            "dlog_vars = w * (through_mu + dlog_var)",
            "dlog_vars = w * dlog_var",
            "the gradient through the weights is forgotten",
        ),
        (
            "dlog_vars = w * (through_mu + dlog_var)",
            "dlog_vars = w * through_mu",
            "the gradient through log_var is forgotten",
        ),
        (
            "dlog_vars = w * (through_mu + dlog_var)",
            "dlog_vars = w * (dlog_var - through_mu)",
            "the part through mu has the wrong sign",
        ),
        (
            "dlog_vars = w * (through_mu + dlog_var)",
            "dlog_vars = w * (through_mu - dlog_var)",
            "the part through log_var has the wrong sign",
        ),
        (
            "dlog_vars = w * (through_mu + dlog_var)",
            "dlog_vars = -w * (through_mu + dlog_var)",
            "T_i = exp(-log_vars_i) has slope -T_i",
        ),
        (
            "dlog_vars = w * (through_mu + dlog_var)",
            "dlog_vars = -w * (through_mu + dlog_var) * np.exp(log_vars)",
            "with respect to the precisions T_i",
        ),
        (
            "dlog_vars = w * (through_mu + dlog_var)",
            "dlog_vars = w * (through_mu + dlog_var) / np.exp(log_vars)",
            "with respect to the variances",
        ),
        (
            "dlog_vars = w * (through_mu + dlog_var)",
            "dlog_vars = 2 * w * (through_mu + dlog_var)",
            "the log of the std",
        ),
        (
            "dlog_vars = w * (through_mu + dlog_var)",
            "dlog_vars = w * (through_mu + dlog_var) / 2",
            "it has a factor 1/2",
        ),
        (
            "dlog_vars = w * (through_mu + dlog_var)",
            "dlog_vars = w * through_mu + here * dlog_var",
            "the weight is missing in the part through log_var",
        ),
        (
            "dlog_vars = w * (through_mu + dlog_var)",
            "dlog_vars = here * through_mu + w * dlog_var",
            "the weight is missing in the part through mu",
        ),
        (
            "dlog_vars = w * (through_mu + dlog_var)",
            "dlog_vars = w * through_mu + w",
            "dlog_var is missing",
        ),
        (
            "dlog_vars = w * (through_mu + dlog_var)",
            "dlog_vars = w * (through_mu + dlog_var * np.exp(log_var))",
            "through log_var has a factor exp(log_var)",
        ),
        (
            "dlog_vars = w * (through_mu + dlog_var)",
            "dlog_vars = w * (through_mu + dlog_var / 2)",
            "through log_var has a factor 1/2",
        ),
        (
            "dlog_vars = w * (through_mu + dlog_var)",
            "dlog_vars = w * w * (through_mu + dlog_var)",
            "the weight is squared",
        ),
        (
            "dlog_vars = w * (through_mu + dlog_var)",
            "dlog_vars = w * (dlog_var * (mu - mus) + dmu)",
            "dmu and dlog_var are exchanged",
        ),
        (
            "dlog_vars = w * (through_mu + dlog_var)",
            "dlog_vars = w * (through_mu + dlog_var) / len(dmu)",
            "it is divided by the number of samples, experts or latents",
        ),
        (
            "dlog_vars = w * (through_mu + dlog_var)",
            "dlog_vars = (w * (through_mu + dlog_var)).sum(axis=0)",
            "dlog_vars is summed over the experts",
        ),
        (
            "dlog_vars = w * (through_mu + dlog_var)",
            "dlog_vars = np.exp(log_var - log_vars) * (dmu * (mu - mus) + dlog_var)",
            "absent experts get a gradient",
        ),
        (
            "through_mu = dmu * np.where(here, mu - mus, 0)",
            "through_mu = -dmu * mus",
            "only the numerator",
        ),
        (
            "through_mu = dmu * np.where(here, mu - mus, 0)",
            "through_mu = dmu * mu",
            "only the denominator",
        ),
        (
            "through_mu = dmu * np.where(here, mu - mus, 0)",
            "through_mu = -(1 - w) * dmu * mus",
            "only the weight w_i is differentiated",
        ),
        (
            "through_mu = dmu * np.where(here, mu - mus, 0)",
            "through_mu = dmu",
            "the factor mu - mu_i is missing",
        ),
        (
            "through_mu = dmu * np.where(here, mu - mus, 0)",
            "through_mu = dmu * (mu - mus) ** 2",
            "the difference mu - mu_i is squared",
        ),
        (
            "through_mu = dmu * np.where(here, mu - mus, 0)",
            "through_mu = mu - mus",
            "dmu is missing",
        ),
        (
            "through_mu = dmu * np.where(here, mu - mus, 0)",
            "through_mu = dmu * ((here * mus).sum(axis=0) / here.sum(axis=0) - mus)",
            "it has the mean of the mus instead of mu",
        ),
        ("np.where(here, mu - mus, 0)", "(mu - mus)", "0 * NaN is NaN"),
        ("return dmus, dlog_vars", "return dlog_vars, dmus", "dmus and dlog_vars are exchanged"),
        (
            "dlog_vars = w * (through_mu + dlog_var)",
            "dlog_vars = w * (1 - w) * (through_mu + dlog_var)",
            "it has a factor 1 - w_i",
        ),
        (
            "dlog_vars = w * (through_mu + dlog_var)",
            "dlog_vars = w * (dmu * mus + dlog_var)",
            "the numerator is differentiated, and with",
        ),
        (
            "dlog_vars = w * (through_mu + dlog_var)",
            "dlog_vars = w * (dlog_var - dmu * mu)",
            "the denominator is differentiated, and with",
        ),
        (
            "dlog_vars = w * (through_mu + dlog_var)",
            "dlog_vars = w * (through_mu + w * dlog_var)",
            "squared in the part through log_var",
        ),
        (
            "dlog_vars = w * (through_mu + dlog_var)",
            "dlog_vars = w * (w * through_mu + dlog_var)",
            "squared in the part through mu",
        ),
        (
            "dlog_vars = w * (through_mu + dlog_var)",
            "dlog_vars = w * through_mu + here * np.exp(-log_vars) * dlog_var",
            "the part through log_var is not divided by T",
        ),
        (
            "dlog_vars = w * (through_mu + dlog_var)",
            "dlog_vars = here * np.exp(-log_vars) * through_mu + w * dlog_var",
            "the part through mu is not divided by T",
        ),
        (
            "dlog_vars = w * (through_mu + dlog_var)",
            "dlog_vars = -np.exp(log_var) * here * through_mu",
            "log_vars; and: this is the gradient with respect to the precisions",
        ),
        ("return dmus, dlog_vars", "dmus", "is the return missing"),
    ],
}
WRONG |= COURSE
