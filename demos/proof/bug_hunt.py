# %% [markdown]
"""Find the mistake in a VAE that trains: an unnamed specimen of the bug zoo, step by step.

    python demos/proof/bug_hunt.py              the seed chooses the bug
    python demos/proof/bug_hunt.py --seed 3     another seed, another bug

The training loss looks fine. A gradient check of the whole model, of its parts and of one bias
narrows the search down to the line at fault.
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from miniae import VAE, Adam, datasets, gradient_check
from miniae.proof.bugzoo import ZOO

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.common import options, save


# %%
def suspects():
    """Return the specimens that are whole VAEs and that a gradient check catches."""
    return [s for s in ZOO if s.right is VAE and s.cause]  # the others have no diagnosis to name


def train(cls, X, epochs):
    """Train a VAE of a class, and return its loss by epoch."""
    vae = cls(784, 2, (64,), activation="relu", beta=1.5)
    vae.fit(X, epochs=epochs, batch_size=50, optimizer=Adam(2e-3), verbose=0)
    return vae.history["loss"]


def draw(curves):
    """Draw the loss of each VAE by epoch, and return the figure."""
    figure, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
    for (name, losses), style in zip(curves.items(), ("-", "--"), strict=True):
        ax.plot(range(1, len(losses) + 1), losses, style, label=name)
    ax.set(
        xlabel="epoch",
        ylabel="training loss (nats per image)",
        title="What training shows of the mistake",
    )
    ax.legend(frameon=False)
    return figure


def word(ok):
    """Return a verdict as text."""
    return "right" if ok else "WRONG"


# %%
def check_parts(vae, x, rng):
    """Check each layer and the loss on its own, and print the verdicts."""
    for network, inputs in ((vae.encoder, x), (vae.decoder, rng.standard_normal((5, 2)))):
        for layer in network.layers:
            print(f"   {layer!s:24} {word(gradient_check(layer, inputs).ok)}")
            inputs = layer.forward(inputs)
    loss = vae.reconstruction_loss
    print(f"   {loss!s:24} {word(gradient_check(loss, rng.standard_normal((5, 6)), x).ok)}")


def check_code(vae, x, seed):
    """Check the gradient of the encoder's last bias, entry by entry, and print it.

    Its first half is the sum of dmu over the batch, its second half that of dlog_var.
    """
    theta = vae.theta.copy()
    vae.loss(x, rng=np.random.default_rng(seed), training=True)
    vae.backward()
    computed = vae.encoder.layers[-1].grads["b"].copy()
    complex_vae = vae.astype("complex128")
    for j, ours in enumerate(computed):
        complex_vae.theta = theta
        complex_vae.encoder.layers[-1].params["b"][j] += 1e-30j
        loss = complex_vae.loss(x, rng=np.random.default_rng(seed), training=True)
        right, half = loss.imag / 1e-30, "dmu" if j < vae.latent_dim else "dlog_var"
        verdict = word(abs(ours - right) < 1e-9)
        print(f"   {half:8} [{j % vae.latent_dim}]  computed {ours:+.6f}  "
              f"complex step {right:+.6f}  {verdict}")  # fmt: skip


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("bug_hunt", __doc__, argv, data=())
    specimens = suspects()
    specimen = specimens[chosen.seed % len(specimens)]
    rng = np.random.default_rng(chosen.seed)

    print("Step 1. Train it. Does the loss fall?\n")
    X = datasets.synthetic_digits(500 if chosen.quick else 2000, seed=chosen.seed)[0]
    X, epochs = X.reshape(len(X), 784), 3 if chosen.quick else 15
    curves = {
        "the suspect": train(specimen.wrong, X, epochs),
        "the right VAE": train(VAE, X, epochs),
    }
    for name, losses in curves.items():
        print(f"   {name:13} {losses[0]:7.1f} nats after epoch 1, {losses[-1]:7.1f} at the end")

    print("\nStep 2. Check a small copy of the whole model, with its noise held fixed.\n")
    x = rng.random((5, 6))
    vae = specimen.wrong(6, 2, (4,), beta=1.7, dtype="float64", seed=chosen.seed)
    report = gradient_check(vae, x, training=True, seed=chosen.seed)
    for block in report.blocks:
        print(f"   {block.name:12} {block.shape!s:8} error {block.error:.1e}  {word(block.ok)}")

    print("\nStep 3. Check every part on its own.\n")
    check_parts(vae, x, rng)
    print("\n   The parts are right, so the mistake is in how the model combines them.")

    print("\nStep 4. Which half of the code? The encoder's last bias sums dmu, then dlog_var.\n")
    check_code(vae, x, chosen.seed)

    print(f"\nStep 5. The diagnosis: {report.diagnosis}")
    print(f"\nIt was {specimen.id} ({specimen.source}):\n   {specimen.fault}\n")
    save(chosen.out, loss=draw(curves))


# %%
if __name__ == "__main__":
    main()
