# %% [markdown]
"""VQ-VAE: a code of whole numbers, beside an autoencoder that is rounded to as many bits.

    python demos/family/vq_vae.py                  10,000 built-in digits, under a minute
    python demos/family/vq_vae.py --data mnist     60,000 images, a few minutes

Each image becomes 8 numbers from 0 to 31, 40 bits: which of 32 codewords is nearest to each part of
the encoder's output. The baselines have 40 bits too: PCA, and an autoencoder of the same size,
whose codes are rounded by k-means after the training. Codewords that no image uses are dead: the
table counts those in use, with and without moving the dead ones to where images are.
"""

# %%
import sys
from pathlib import Path

import numpy as np

from miniae import Autoencoder, Embedding
from miniae.proof.oracles import PCA

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.common import draw_rows, images, options, save, show, squared_error, train
from support.rounding import perplexity, rounded

PARTS, DIM, CODEWORDS, HIDDEN, LR = 8, 4, 32, (256,), 2e-3  # 8 log2(32) = 40 bits
EPOCHS = {"digits": 30, "mnist": 15}


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

    def __init__(self, input_dim, n_parts, dim, n_codewords, hidden, *, commitment=0.25, **more):
        self.n_parts, self.dim, self.n_codewords = n_parts, dim, n_codewords
        self.commitment = commitment
        super().__init__(input_dim, n_parts * dim, hidden, **more)
        self.codebook = Embedding(n_codewords, dim, rng=self.rng)

    def nearest(self, e):
        """e (n, latent_dim) -> the number of the codeword nearest to each part, (n, n_parts)."""
        points, codewords = stop(e).reshape(-1, self.dim), stop(self.codebook.params["W"])
        distance = (codewords**2).sum(axis=1) - 2 * points @ codewords.T  # less |points|^2
        return distance.argmin(axis=1).reshape(len(e), self.n_parts)

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
        self.codebook.backward(-slope.reshape(len(apart), self.n_parts, self.dim))
        self.encoder.backward_params(dz + self.commitment * slope)


def revive(model, X, rng):
    """Move each dead codeword, one that no row of X uses, to a part of the code of a random row.

    A dead codeword has no gradient, so it would stay there for ever. Dhariwal et al. (2020), 3.1.
    """
    e = model.encoder.predict(X)
    used = np.bincount(model.nearest(e).ravel(), minlength=model.n_codewords)
    dead = np.flatnonzero(used == 0)
    points = rng.choice(e.reshape(-1, model.dim), len(dead), replace=False)
    model.codebook.params["W"][dead] = points


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("vq_vae", __doc__, argv, data=tuple(EPOCHS))
    X, X_test, _, _ = images(chosen)
    epochs, rng = 4 if chosen.quick else EPOCHS[chosen.data], np.random.default_rng(chosen.seed)
    same = {"loss": "mse", "seed": chosen.seed}

    def move(model, epoch, logs):
        if epoch < epochs // 2:  # then the codewords settle
            revive(model, X, rng)

    plain = Autoencoder(X.shape[1:], PARTS * DIM, HIDDEN, **same)
    train("autoencoder", plain, X, lr=LR, epochs=epochs)
    flat, flat_test = (x.reshape(len(x), -1) for x in (X, X_test))
    pca, how = PCA(PARTS).fit(flat), (PARTS, CODEWORDS, rng)
    scores, of_pca = rounded(pca.transform(flat), pca.transform(flat_test), *how)
    codes, of_plain = rounded(plain.encode(X), plain.encode(X_test), *how)
    done = {
        "PCA, rounded": (pca.inverse_transform(scores).reshape(X_test.shape), of_pca),
        "autoencoder, rounded": (plain.decode(codes), of_plain),
    }
    for name, callback in (("stay", None), ("moved", move)):
        model = VQVAE(X.shape[1:], PARTS, DIM, CODEWORDS, HIDDEN, **same)
        train(f"VQ-VAE, dead ones {name}", model, X, lr=LR, epochs=epochs, callback=callback)
        index = model.nearest(model.encoder.predict(X_test))
        done[f"VQ-VAE, dead ones {name}"] = model.decode(model.encode(X_test)), index

    rows = [("autoencoder, not rounded", squared_error(X_test, plain(X_test)), "-", "-", "-")]
    for name, (decoded, index) in done.items():
        bits = float(sum(np.log2(perplexity(part)) for part in index.T))
        use = f"{len(np.unique(index))} of {CODEWORDS}", perplexity(index)
        if "VQ-VAE" not in name:
            use = "-", "-"  # each part has a codebook of its own
        rows.append((name, squared_error(X_test, decoded), bits, *use))
    header = ("squared error", "entropy, bits", "codewords in use", "perplexity")
    show((f"{len(X_test):,} held-out images, codes of 40 bits", *header), rows)
    pictures = {"input": X_test[:12], **{name: each[0][:12] for name, each in done.items()}}
    save(chosen.out, reconstructions=draw_rows(pictures, "What codes of 40 bits keep of an image"))


# %%
if __name__ == "__main__":
    main()
