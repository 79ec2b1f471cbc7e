"""Reference solutions: the code that replaces each `raise` of a stub, in order."""

import re
from textwrap import dedent, indent

from miniae.exercises import find
from miniae.exercises.catalogue import STUBS

BODIES = {
    "sigmoid_softplus": [
        "return 0.5 * (np.tanh(0.5 * x) + 1)",
        "return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))",
    ],
    "activations_backward": [
        "return dout * (x > 0)",
        "return dout * out * (1 - out)",
        "return dout * (1 - out**2)",
    ],
    "dense_forward": ["return x @ W + b"],
    "dense_backward": ["return dout @ W.T, x.T @ dout, dout.sum(axis=0)"],
    "squared_error": [
        "return ((out - target) ** 2).sum() / len(out)",
        "return 2 * (out - target) / len(out)",
    ],
    "bernoulli_nll": [
        """
        softplus = np.maximum(logits, 0) + np.log1p(np.exp(-np.abs(logits)))
        return (softplus - target * logits).sum() / len(logits)
        """,
        """
        p = 0.5 * (np.tanh(0.5 * logits) + 1)
        return (p - target) / len(logits)
        """,
    ],
    "sgd_momentum": [
        "self.lr, self.momentum, self.velocity = lr, momentum, 0.0",
        """
        self.velocity = self.momentum * self.velocity + dtheta
        theta -= self.lr * self.velocity
        """,
    ],
    "adam": [
        """
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.m = self.v = 0.0
        self.t = 0
        """,
        """
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * dtheta
        self.v = self.beta2 * self.v + (1 - self.beta2) * dtheta**2
        m_hat = self.m / (1 - self.beta1**self.t)
        v_hat = self.v / (1 - self.beta2**self.t)
        theta -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)
        """,
    ],
    "autoencoder_backward": [
        """
        for layer in layers:
            x = layer.forward(x)
        return x
        """,
        """
        for layer in reversed(layers):
            dout = layer.backward(dout)
        return dout
        """,
        """
        out = forward(layers, x)
        loss = ((out - x) ** 2).sum() / len(x)
        backward(layers, 2 * (out - x) / len(x))
        for layer in layers:
            layer.theta -= lr * layer.dtheta
        return loss
        """,
    ],
    "reparameterise_forward": [
        """
        mu, log_var = np.split(h, 2, axis=1)
        return mu + np.exp(log_var / 2) * eps
        """
    ],
    "reparameterise_backward": ["return dz, dz * eps * np.exp(log_var / 2) / 2"],
    "kl_value": ["return 0.5 * (mu**2 + np.exp(log_var) - log_var - 1).sum() / len(mu)"],
    "kl_gradient": ["return mu / len(mu), (np.exp(log_var) - 1) / (2 * len(mu))"],
    "elbo": [
        """
        mu, log_var = np.split(encoder.forward(x), 2, axis=1)
        logits = decoder.forward(mu + np.exp(log_var / 2) * eps)
        reconstruction = BernoulliNLL().forward(logits, x)
        kl = 0.5 * (mu**2 + np.exp(log_var) - log_var - 1).sum() / len(x)
        return reconstruction + kl, reconstruction, kl
        """,
        """
        mu, log_var = np.split(encoder.forward(x), 2, axis=1)
        std, loss, n = np.exp(log_var / 2), BernoulliNLL(), len(x)
        loss.forward(decoder.forward(mu + std * eps), x)
        dz = decoder.backward(loss.backward())
        dmu = dz + mu / n
        dlog_var = dz * eps * std / 2 + (np.exp(log_var) - 1) / (2 * n)
        encoder.backward(np.concatenate([dmu, dlog_var], axis=1))
        """,
        """
        networks, losses = (encoder, decoder), []
        optimizers = [Adam(1e-2), Adam(1e-2)]
        for _ in range(60):
            for batch in np.split(rng.permutation(X), range(50, len(X), 50)):
                elbo_backward(encoder, decoder, batch, rng.standard_normal((len(batch), 2)))
                for optimizer, network in zip(optimizers, networks):
                    optimizer.step(network.theta, network.dtheta)
            losses.append(elbo_loss(encoder, decoder, X, rng.standard_normal((len(X), 2)))[0])
        return losses
        """,
    ],
    "gradient_check": [
        """
        gradient = np.empty(v.size)
        for k in range(v.size):
            up, down = v.copy(), v.copy()
            up[k] += h
            down[k] -= h
            gradient[k] = (f(up) - f(down)) / (2 * h)
        return gradient
        """,
        """
        gradient, h = np.empty(v.size), 1e-30
        for k in range(v.size):
            moved = v.astype(complex)
            moved[k] += 1j * h
            gradient[k] = f(moved).imag / h
        return gradient
        """,
        """
        out = layer.forward(x)
        dout = np.random.default_rng(0).standard_normal(out.shape)
        dx, clone = layer.backward(dout), layer.astype(complex)

        def f(v):
            clone.theta = v[: layer.theta.size]
            return (clone.forward(v[layer.theta.size :].reshape(x.shape)) * dout).sum()

        right = complex_step(f, np.concatenate([layer.theta, x.ravel()]))
        got = np.concatenate([layer.dtheta, dx.ravel()])
        return bool(np.abs(got - right).max() < 1e-9 * np.abs(right).max())
        """,
    ],
    "dropout": [
        """
        if not training:
            return x, np.ones(x.shape)
        mask = (rng.random(x.shape) >= p) / (1 - p)
        return x * mask, mask
        """,
        "return dout * mask",
    ],
    "convolution": [
        """
        k = len(W)
        height, width = x.shape[1] - k + 1, x.shape[2] - k + 1
        out = 0.0
        for a in range(k):
            for d in range(k):
                out = out + x[:, a : a + height, d : d + width] @ W[a, d]
        return out + b
        """,
        """
        k = len(W)
        height, width = dout.shape[1:3]
        dx, dW = np.zeros(x.shape), np.zeros(W.shape)
        for a in range(k):
            for d in range(k):
                pixels = x[:, a : a + height, d : d + width]
                dW[a, d] = np.einsum("nhwi,nhwo->io", pixels, dout)
                dx[:, a : a + height, d : d + width] += dout @ W[a, d].T
        return dx, dW, dout.sum(axis=(0, 1, 2))
        """,
    ],
    "batchnorm": [
        """
        m = x.mean(axis=0)
        v = ((x - m) ** 2).mean(axis=0)
        return gamma * (x - m) / np.sqrt(v + eps) + beta
        """,
        """
        c = x - x.mean(axis=0)
        s = np.sqrt((c**2).mean(axis=0) + eps)
        xhat, dxhat = c / s, gamma * dout
        through_mean = dxhat.mean(axis=0)
        through_variance = xhat * (dxhat * xhat).mean(axis=0)
        dx = (dxhat - through_mean - through_variance) / s
        return dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)
        """,
    ],
    "attention_backward": [
        """
        root = np.sqrt(q.shape[2])
        scores = q @ k.swapaxes(1, 2) / root
        if mask is not None:
            scores = np.where(mask, scores, -np.inf)
        p = softmax(scores)
        dv = p.swapaxes(1, 2) @ dout
        dp = dout @ v.swapaxes(1, 2)
        mean = (p * dp).sum(axis=2, keepdims=True)
        ds = p * (dp - mean)
        dq = ds @ k / root
        dk = ds.swapaxes(1, 2) @ q / root
        return dq, dk, dv
        """,
    ],
    "lstm_step_backward": [
        """
        tanh = np.tanh(c_new)
        do = dh_new * tanh
        dcell = dc_new + dh_new * o * (1 - tanh**2)
        di = dcell * g
        df = dcell * c
        dg = dcell * i
        dc = dcell * f
        da = np.hstack([di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)])
        dx = da @ W.T
        dh = da @ U.T
        dW = x.T @ da
        dU = h.T @ da
        db = da.sum(axis=0)
        return dx, dh, dc, dW, dU, db
        """,
    ],
    "product_of_experts": [
        """
        here = present[:, :, None]
        log_T = np.where(here, -log_vars, -np.inf)
        log_total = np.logaddexp.reduce(log_T, axis=0, initial=0)
        w = np.exp(log_T - log_total)
        mu = (w * np.where(here, mus, 0)).sum(axis=0)
        return mu, -log_total
        """,
        """
        here = present[:, :, None]
        w = np.where(here, np.exp(log_var - log_vars), 0)
        dmus = w * dmu
        through_mu = dmu * np.where(here, mu - mus, 0)
        dlog_vars = w * (through_mu + dlog_var)
        return dmus, dlog_vars
        """,
    ],
    "minibatch_loop": [
        """
        shuffled = rng.permutation(X)
        return [shuffled[i : i + size] for i in range(0, len(X), size)]
        """,
        """
        losses = []
        for _ in range(epochs):
            total = 0.0
            for batch in batches(X, size, rng):
                total += len(batch) * step(batch)
            losses.append(total / len(X))
        return losses
        """,
    ],
    "free_bits": [
        """
        kl = 0.5 * (mu**2 + np.exp(log_var) - log_var - 1)
        return np.maximum(kl.mean(axis=0), floor).sum()
        """,
        """
        kl = 0.5 * (mu**2 + np.exp(log_var) - log_var - 1)
        counted = kl.mean(axis=0) > floor
        return counted * mu / len(mu), counted * (np.exp(log_var) - 1) / (2 * len(mu))
        """,
    ],
    "importance_weighted": [
        """
        top = log_w.max(axis=0)
        bound = top + np.log(np.exp(log_w - top).mean(axis=0))
        return -bound.mean()
        """,
        """
        w = np.exp(log_w - log_w.max(axis=0))
        return -w / w.sum(axis=0) / log_w.shape[1]
        """,
    ],
    "concepts": [
        "return 6",
        "return 2",
        "return 4",
        "return 5",
        "return 1",
        "return 3",
        "return 256",
        "return 188.944",
        "return 0.1585",
        "return 2",
        "return 2.4",
    ],
}
MENDED = {
    "hunt_dense": [("self.hidden >= 0", "self.hidden > 0")],
    "hunt_adam": [
        ("self.m = self.m / (1", "m = self.m / (1"),
        ("self.v = self.v / (1", "v = self.v / (1"),
        ("self.lr * self.m / (np.sqrt(self.v)", "self.lr * m / (np.sqrt(v)"),
    ],
    "hunt_vae": [
        ("std = np.exp(log_var)\n    return mu", "std = np.exp(log_var / 2)\n    return mu"),
        (
            "np.exp(log_var)\n    return dz, dz * eps * std",
            "np.exp(log_var / 2)\n    return dz, dz * eps * std / 2",
        ),
    ],
}
RAISE = re.compile(r"^( +)raise NotImplementedError\(.*\)\n", re.MULTILINE)


def replace(text, old, new):
    """Return the text with `old` replaced by `new`; `old` must be there exactly once."""
    assert text.count(old) == 1, (old, text.count(old))
    return text.replace(old, new)


def stub(id):
    """Return the text of a stub."""
    return (STUBS / find(id).file).read_text("utf-8")


def solved(id):
    """Return the text of a solved stub."""
    if id in MENDED:
        text = RAISE.sub("", stub(id))
        for old, new in MENDED[id]:
            text = replace(text, old, new)
        return text
    bodies = iter(BODIES[id])
    text = RAISE.sub(lambda m: indent(dedent(next(bodies)).strip(), m[1]) + "\n", stub(id))
    assert next(bodies, None) is None
    return text
