"""Looking into a model."""

import numpy as np


def summary(model, print_fn=print):
    """Print a line per layer: its output shape and number of parameters."""
    model.cache = None  # the passes below overwrite what loss() left for backward()
    rows = [("layer", "", "output shape", "parameters")]
    for name, network, shape in (
        ("encoder", model.encoder, model.input_shape),
        ("decoder", model.decoder, (model.latent_dim,)),
    ):
        x = np.zeros((1, *shape), model.theta.dtype)
        for i, layer in enumerate(network.layers):
            x = layer.forward(x)
            shape = ", ".join(str(size) for size in ("n", *x.shape[1:]))
            rows.append((f"{name}.{i}", str(layer), f"({shape})", f"{layer.theta.size:,}"))
    loss = model.reconstruction_loss
    rows.append(("loss", str(loss), "", f"{loss.theta.size:,}"))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    print_fn(str(model))
    for a, b, c, d in rows:
        print_fn(f"{a:{widths[0]}}  {b:{widths[1]}}  {c:{widths[2]}}  {d:>{widths[3]}}")
    size = f"{model.theta.nbytes / 1024:,.0f} KiB of {model.theta.dtype}"
    print_fn(f"{model.theta.size:,} parameters, {size}")
