"""A whole variational autoencoder in one short file. Read this first.

``python -m miniae.microvae`` checks the gradient, trains on digits and draws what was learned.
`miniae.VAE` computes the same numbers from layers, losses and an optimiser that you can exchange.
"""

import numpy as np


def loss_and_gradient(theta, x, eps):
    """Return minus the ELBO, in nats per sample, and its gradient for each array of theta.

    theta : dict of arrays, as `init` makes it; x : (n, n_x), in [0, 1]; eps : (n, n_z), noise
    """
    W1, b1, W2, b2, W3, b3, W4, b4 = theta.values()
    # encode: mean and log variance of the posterior q(z|x)
    h = np.tanh(x @ W1 + b1)
    mu, log_var = np.split(h @ W2 + b2, 2, axis=1)
    # draw z from q(z|x): the reparameterisation trick
    std = np.exp(log_var / 2)
    z = mu + std * eps
    # decode: the logit of each pixel
    g = np.tanh(z @ W3 + b3)
    logits = g @ W4 + b4
    # the loss: -log p(x|z), with softplus(l) = log(1 + e^l) without overflow, and KL(q || N(0, I))
    positive = logits * (logits.real > 0)  # .real: `check` calls this with complex numbers
    softplus = positive + np.log(1 + np.exp(logits - 2 * positive))
    nll = (softplus - x * logits).sum(axis=1)
    kl = 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=1)
    loss = (nll + kl).mean()

    # backward: the same steps from last to first, d... is the gradient of the loss
    n = len(x)
    dlogits = (0.5 * (1 + np.tanh(logits / 2)) - x) / n  # sigmoid(logits) - x; 1 / n of the mean
    dW4, db4 = g.T @ dlogits, dlogits.sum(axis=0)
    dg = dlogits @ W4.T * (1 - g**2)  # through tanh
    dW3, db3 = z.T @ dg, dg.sum(axis=0)
    dz = dg @ W3.T
    dmu = dz + mu / n  # z moves with mu one to one; the KL pulls mu to 0
    dlog_var = dz * eps * std / 2 + (np.exp(log_var) - 1) / (2 * n)
    dcode = np.concatenate([dmu, dlog_var], axis=1)
    dW2, db2 = h.T @ dcode, dcode.sum(axis=0)
    dh = dcode @ W2.T * (1 - h**2)
    dW1, db1 = x.T @ dh, dh.sum(axis=0)
    return loss, dict(zip(theta, (dW1, db1, dW2, db2, dW3, db3, dW4, db4), strict=True))


def init(n_x, n_hidden, n_z, rng, dtype="float32"):
    """Return theta: weights uniform with variance 2 / (n_in + n_out), Glorot (2010); biases 0."""
    theta = {}
    sizes = (n_x, n_hidden), (n_hidden, 2 * n_z), (n_z, n_hidden), (n_hidden, n_x)
    for i, (n_in, n_out) in enumerate(sizes, 1):
        limit = np.sqrt(6 / (n_in + n_out))
        theta[f"W{i}"] = rng.uniform(-limit, limit, (n_in, n_out)).astype(dtype)
        theta[f"b{i}"] = np.zeros(n_out, dtype)
    return theta


def check(theta, x, eps, step=1e-30):
    """Return the largest error of the gradient, relative to the largest entry of its array.

    The complex step: f(t + ih) = f(t) + ih f'(t) + ..., so f'(t) = Im f(t + ih) / h. Nothing is
    subtracted, so the step h can be so small that the rest vanishes.
    """
    theta = {name: value.astype(complex) for name, value in theta.items()}
    _, gradient = loss_and_gradient(theta, x, eps)
    worst = 0.0
    for name, value in theta.items():
        exact = np.empty(value.shape)
        for i in np.ndindex(value.shape):
            value[i] += 1j * step
            exact[i] = loss_and_gradient(theta, x, eps)[0].imag / step
            value[i] -= 1j * step
        worst = max(worst, abs(gradient[name] - exact).max() / abs(exact).max())
    return worst


def train(x, n_hidden=200, n_z=2, epochs=30, batch_size=100, lr=1e-3, seed=0):
    """Return theta after training on x (n, n_x) by Adam, Kingma and Ba (2015), algorithm 1."""
    rng = np.random.default_rng(seed)
    theta, t = init(x.shape[1], n_hidden, n_z, rng, x.dtype), 0
    m = {name: np.zeros_like(value) for name, value in theta.items()}
    v = {name: np.zeros_like(value) for name, value in theta.items()}
    for epoch in range(1, epochs + 1):
        order, total = rng.permutation(len(x)), 0.0
        for start in range(0, len(x), batch_size):
            batch = x[order[start : start + batch_size]]
            eps = rng.standard_normal((len(batch), n_z), dtype=x.dtype)
            loss, gradient = loss_and_gradient(theta, batch, eps)
            total, t = total + loss * len(batch), t + 1
            for k, d in gradient.items():
                m[k] = 0.9 * m[k] + 0.1 * d
                v[k] = 0.999 * v[k] + 0.001 * d**2
                m_hat, v_hat = m[k] / (1 - 0.9**t), v[k] / (1 - 0.999**t)
                theta[k] -= lr * m_hat / (np.sqrt(v_hat) + 1e-8)
        print(f"epoch {epoch:2}/{epochs}: loss {total / len(x):.1f} nats", flush=True)
    return theta


def decode(theta, z):
    """Return the mean image of each code: z (n, n_z) -> (n, n_x), in (0, 1)."""
    logits = np.tanh(z @ theta["W3"] + theta["b3"]) @ theta["W4"] + theta["b4"]
    return 0.5 * (1 + np.tanh(logits / 2))


def main(path="out/microvae.png", n=5000, epochs=30):
    """Check, train, draw."""
    from pathlib import Path

    import matplotlib.image

    from miniae.datasets import synthetic_digits

    rng = np.random.default_rng(0)
    theta = {k: v + 0.1 * rng.standard_normal(v.shape) for k, v in init(6, 5, 2, rng).items()}
    error = check(theta, rng.random((4, 6)), rng.standard_normal((4, 2)))
    print(f"gradient: largest error {error:.1e}, relative to the largest entry")
    images, _, _ = synthetic_digits(n)
    theta = train(images.reshape(n, -1), epochs=epochs, lr=5e-3)
    line = np.linspace(-2, 2, 16)
    z = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    sheet = decode(theta, z).reshape(16, 16, 28, 28).swapaxes(1, 2).reshape(16 * 28, 16 * 28)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    matplotlib.image.imsave(path, sheet, cmap="gray_r")
    print(f"{path}: the decoded images of a grid of codes")


if __name__ == "__main__":
    main()
