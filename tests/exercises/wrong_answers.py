"""Typical wrong answers: the old code of a solution, the new code, and words of the diagnosis."""

DENSE = "return dout @ W.T, x.T @ dout, dout.sum(axis=0)"
DOCUMENTED = (
    '"""dout (n, n_out), x (n, n_in), W (n_in, n_out) -> dx, dW, db, with the shapes of x, W, b."""'
)
KL = "(mu**2 + np.exp(log_var) - log_var - 1)"
Z = "return mu + np.exp(log_var / 2) * eps"
DZ = "return dz, dz * eps * np.exp(log_var / 2) / 2"
DKL = "return mu / len(mu), (np.exp(log_var) - 1) / (2 * len(mu))"
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
            "rounded to float32",
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
        ("x @ W + b", "(x @ W + b).astype('f4')", "rounded to float32"),
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
            "rounded to float32",
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
        ("np.split(h, 2", "np.split(h.astype('f4'), 2", "rounded to float32"),
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
        (f"0.5 * {KL}.sum() / len(mu)", f"-0.5 * {KL}.mean()", "minus the KL, and also a mean"),
        (KL, "(mu**2 + np.exp(log_var) - log_var - 1).astype('f4')", "rounded to float32"),
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
        ("log_var - 1).sum() / len(x)", "log_var - 1).mean()", "it is a mean over latents"),
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
            "loss.backward()[:, :2]",
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
        ("1e-9 *", "0.1 *", "one entry of dW is 1 % off"),
        ("(f(up) - f(down)) / (2 * h)", "complex_step(f, v)[k]", "h is not used"),
        (
            "gradient = np.empty(v.size)\n    for",
            "gradient, h = np.empty(v.size), 1e-5\n    for",
            "h is not used",
        ),
        (
            "np.random.default_rng(0).standard_normal(out.shape)",
            "np.ones(out.shape)",
            "db is one number for all units",
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
        ("/ (1 - p)\n", "/ np.float32(1 - p)\n", "rounded to float32"),
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
        ("(self.hidden > 0)", "(self.hidden > 0) * 2", "the fault is still there"),
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
        ("m = self.m / (1 - self.beta1**self.t)", "m = self.m", "the fault is still there"),
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
            "do not change it: log_var",
        ),
    ],
}
