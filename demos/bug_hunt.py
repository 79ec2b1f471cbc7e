"""Find the mistake in a VAE that trains: an unnamed specimen of the bug zoo, step by step.

python demos/bug_hunt.py --seed 3       another seed, another bug
"""

# %%
import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # the picture goes to a file: no display needed
import matplotlib.pyplot as plt
import numpy as np

from miniae import VAE, Adam, datasets, gradient_check
from miniae.proof.bugzoo import ZOO


# %%
def suspects():
    """Return the specimens that are whole VAEs and that a gradient check catches."""
    return [s for s in ZOO if s.right is VAE and s.cause]  # others have no diagnosis to name


def train(cls, images, epochs):
    """Train a VAE of a class, and return its loss by epoch."""
    vae = cls(784, 2, (64,), activation="relu", beta=1.5)
    vae.fit(images, epochs=epochs, batch_size=50, optimizer=Adam(2e-3), verbose=0)
    return vae.history["loss"]


def plot(curves):
    """Draw the loss of each by epoch, and return the Figure."""
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


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="picks the specimen, and the points")
    parser.add_argument("--out", type=Path, default=Path("out") / "bug_hunt")
    parser.add_argument("--quick", action="store_true", help="few epochs")
    options = parser.parse_args(argv)
    specimens = suspects()
    specimen = specimens[options.seed % len(specimens)]
    rng = np.random.default_rng(options.seed)

    print("Step 1. Train it. Does the loss fall?\n")
    images = datasets.synthetic_digits(500 if options.quick else 2000, seed=options.seed)[0]
    images, epochs = images.reshape(len(images), 784), 3 if options.quick else 15
    curves = {
        "the suspect": train(specimen.wrong, images, epochs),
        "a right VAE": train(VAE, images, epochs),
    }
    for name, losses in curves.items():
        print(f"   {name:12} {losses[0]:7.1f} nats after epoch 1, {losses[-1]:7.1f} at the end")

    print("\nStep 2. Check the whole model, small, with its noise held fixed.\n")
    x = rng.random((5, 6))
    vae = specimen.wrong(6, 2, (4,), beta=1.7, dtype="float64", seed=options.seed)
    report = gradient_check(vae, x, training=True, seed=options.seed)
    for block in report.blocks:
        verdict = "right" if block.ok else "WRONG"
        print(f"   {block.name:12} {block.shape!s:8} error {block.error:.1e}  {verdict}")

    print("\nStep 3. Check every part by itself.\n")
    for network, inputs in ((vae.encoder, x), (vae.decoder, rng.standard_normal((5, 2)))):
        for layer in network.layers:
            part = gradient_check(layer, inputs)
            print(f"   {layer!s:24} {'right' if part.ok else 'WRONG'}")
            inputs = layer.forward(inputs)
    part = gradient_check(vae.reconstruction_loss, rng.standard_normal((5, 6)), x)
    print(f"   {vae.reconstruction_loss!s:24} {'right' if part.ok else 'WRONG'}")
    print("\n   So the parts are right, and it is how the model puts them together.")

    print("\nStep 4. Which half? The last bias of the encoder collects dmu, then dlog_var.\n")
    theta = vae.theta.copy()
    vae.loss(x, rng=np.random.default_rng(options.seed), training=True)
    vae.backward()
    biases, ours = vae.encoder.layers[-1].params["b"], vae.encoder.layers[-1].grads["b"].copy()
    twin = vae.astype("complex128")
    for j in range(len(biases)):
        twin.theta = theta
        twin.encoder.layers[-1].params["b"][j] += 1e-30j
        loss = twin.loss(x, rng=np.random.default_rng(options.seed), training=True)
        right, half = loss.imag / 1e-30, "dmu" if j < 2 else "dlog_var"
        verdict = "right" if abs(ours[j] - right) < 1e-9 else "WRONG"
        print(f"   {half:8} [{j % 2}]  ours {ours[j]:+.6f}  right {right:+.6f}  {verdict}")

    print(f"\nStep 5. The diagnosis: {report.diagnosis}")
    print(f"\nIt was {specimen.id} ({specimen.source}):\n   {specimen.fault}")
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "loss.png"
    plot(curves).savefig(path, dpi=120)
    print(f"\nThe picture is {path}")


# %%
if __name__ == "__main__":
    main()
