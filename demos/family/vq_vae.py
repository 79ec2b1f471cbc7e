# %% [markdown]
"""VQ-VAE: a code of whole numbers, beside an autoencoder that is rounded to as many bits.

    python demos/family/vq_vae.py

Each image becomes 8 numbers from 0 to 31, 40 bits: which of 32 codewords is nearest to each part of
the encoder's output. The baselines have 40 bits too: PCA, and autoencoders with codes of 8 numbers
and of 8 parts, rounded by k-means after the training. Codewords that no image uses are dead: they
stay, or are moved to where images are. The perplexity is 32 if a part uses all equally often.
"""

# %%
import sys
from pathlib import Path

import numpy as np

from miniae import Autoencoder, Embedding
from miniae.proof.oracles import PCA

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.common import draw_rows, images, options, save, show, squared_error, train
from support.rounding import nearest, perplexity, rounded

PARTS, DIM, CODEWORDS, HIDDEN, LR = 8, 4, 32, (128,), 3e-3  # 8 log2(32) = 40 bits
EPOCHS = {"digits": 40, "mnist": 15}


# %%
def stop(v):
    """Return v as a constant: the complex step carries derivatives in the imaginary part only."""
    return v.real


class VQVAE(Autoencoder):
    """An autoencoder whose code consists of codewords. van den Oord et al. (2017), eq. 3.

    The encoder's output e is cut into parts, and q is the codeword nearest to each part:

        loss = reconstruction(decoder(z)) + |stop(e) - q|^2 + commitment |e - stop(q)|^2,
        z = e + stop(q - e).

    z has the value of q and the slope of e: the straight-through estimator. It is not the slope of
    the loss. q jumps with e and does not move in between, so that slope is 0 and would train no
    encoder. Therefore no gradient check can certify it. What a check does show: `backward` is
    exactly the gradient of this formula with all that is inside `stop` held fixed; and in the
    decoder, where nothing is stopped, that of the loss itself (tests/demos/test_family_models.py).
    """

    def __init__(self, input_dim, latent_dim, hidden, n_parts, n_codewords, commitment=1.0, **more):
        self.n_parts, self.n_codewords, self.commitment = n_parts, n_codewords, commitment
        super().__init__(input_dim, latent_dim, hidden, **more)
        self.codebook = Embedding(n_parts * n_codewords, latent_dim // n_parts, rng=self.rng)

    def nearest(self, e):
        """e (n, latent_dim) -> the row of the codebook nearest to each part, (n, n_parts)."""
        parts, books = np.split(stop(e), self.n_parts, axis=1), self.codebook.params["W"]
        books = np.split(stop(books), self.n_parts)  # each part has codewords of its own
        index = [nearest(part, book) for part, book in zip(parts, books, strict=True)]
        return np.stack(index, axis=1) + self.n_codewords * np.arange(self.n_parts)

    def infer(self, x, training=False):
        """Return q for a checked batch: what `encode` returns and `reconstruct` decodes."""
        e = self.encoder.forward(x, training)
        return self.codebook.forward(self.nearest(e)).reshape(e.shape)

    def loss(self, x, target=None, *, eps=None, rng=None, training=False):
        x, target, rng = self.prepare(x, target, rng, training)
        e = self.encoder.forward(x, training)
        index = self.nearest(e)
        q = self.codebook.forward(index).reshape(e.shape)
        out = self.decoder.forward(e + stop(q - e), training)
        reconstruction = self.reconstruction_loss.forward(out, target)
        codebook = ((stop(e) - q) ** 2).sum(axis=1).mean()
        committed = self.commitment * ((e - stop(q)) ** 2).sum(axis=1).mean()
        self.cache = e - q
        terms = {"reconstruction": reconstruction, "codebook": codebook, "committed": committed}
        return self.record(sum(terms.values()), **terms, perplexity=perplexity(index))

    def backward(self):
        """dz passes to e unchanged, and not to q, since z = e + a constant.

        |stop(e) - q|^2 has the slope -2 (e - q) with respect to q, and none with respect to e; the
        commitment the slope 2 (e - q) with respect to e, and none with respect to q. Both are means
        over n rows. A codeword gets the sum of all places where it was the nearest one.
        """
        apart = self.cached()
        slope = 2 * apart / len(apart)
        dz = self.decoder.backward(self.reconstruction_loss.backward())
        self.codebook.backward(-slope.reshape(len(apart), self.n_parts, -1))
        self.encoder.backward_params(dz + self.commitment * slope)


def revive(model, X, rng):
    """Move each dead codeword, one that no row of X uses, to that part of a random row's code.

    A dead codeword has no gradient, so it would stay there for ever. Dhariwal et al. (2020), 3.1.
    """
    e, words = model.encoder.predict(X), model.codebook.params["W"]
    dead = np.setdiff1d(np.arange(len(words)), model.nearest(e))
    rows, part = rng.choice(len(X), len(dead), replace=False), dead // model.n_codewords
    words[dead] = e.reshape(len(X), model.n_parts, -1)[rows, part]


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("vq_vae", __doc__, argv, data=tuple(EPOCHS))
    X, X_test, _, _ = images(chosen, n_train=5000)
    epochs, rng = 4 if chosen.quick else EPOCHS[chosen.data], np.random.default_rng(chosen.seed)
    size, same = X.shape[1:], {"loss": "mse", "seed": chosen.seed}

    rows, pictures = [], {"input": X_test[:9]}

    def move(model, epoch, logs):
        if epoch < epochs // 2:  # then the codewords settle
            revive(model, X, rng)

    def record(name, decoded, index, not_rounded="-"):
        bits = float(sum(np.log2(perplexity(part)) for part in index.T))
        used = sum(len(np.unique(part)) for part in index.T)
        use = f"{used} of {PARTS * CODEWORDS}", 2 ** (bits / PARTS)
        rows.append((name, squared_error(X_test, decoded), not_rounded, *use, bits))
        pictures[name] = decoded[:9]

    def record_rounded(name, model, X, X_test):
        Z = model.transform(X_test)
        codes, index = rounded(model.transform(X), Z, PARTS, CODEWORDS, rng)
        decoded, best = (model.inverse_transform(z).reshape(-1, *size) for z in (codes, Z))
        record(name, decoded, index, squared_error(X_test.reshape(best.shape), best))

    flat, flat_test = (x.reshape(len(x), -1) for x in (X, X_test))
    record_rounded("PCA, 8 numbers", PCA(PARTS).fit(flat), flat, flat_test)
    for d in (PARTS, PARTS * DIM):
        name, model = f"autoencoder, {d} numbers", Autoencoder(size, d, HIDDEN, **same)
        train(name, model, X, lr=LR, epochs=epochs)
        record_rounded(name, model, X, X_test)
    for name, callback in (("stay", None), ("moved", move)):
        name, model = f"VQ-VAE, dead ones {name}", VQVAE(size, d, HIDDEN, PARTS, CODEWORDS, **same)
        train(name, model, X, lr=LR, epochs=epochs, callback=callback)
        record(name, model.reconstruct(X_test), model.nearest(model.encoder.predict(X_test)))

    header = ("squared error", "not rounded", "codewords in use", "perplexity", "entropy, bits")
    show(("held-out images, 40 bits", *header), rows)
    save(chosen.out, reconstructions=draw_rows(pictures, "What codes of 40 bits keep of an image"))


# %%
if __name__ == "__main__":
    main()
