"""Hints: what to do about data that do not fit a model."""

import math


def shape_hint(given, wanted, name):
    """Return what turns data into the shape (n, *wanted), "; ..."; "" if nothing obvious does.

    given : tuple of int, the shape of the data
    """
    name = name if name.isidentifier() else "x"
    if given == wanted:
        hint = "; a single sample is x[None]"
        if len(wanted) > 1:
            hint += (
                ". If these are all samples, then input_dim was given their number too: it is the "
                f"shape of one sample, {name}.shape[1:]"
            )
        return hint
    sample = given[1:]
    if (*sample, 1) == wanted:
        return f"; {name}[..., None] adds the axis"
    if sample == (*wanted, 1):
        return f"; {name}[..., 0] removes the axis"
    if len(wanted) == 3 and sample == (wanted[2], *wanted[:2]):
        return f"; the channels come last here: np.moveaxis({name}, 1, -1)"
    if sample and math.prod(sample) == math.prod(wanted):
        sizes = ", ".join(str(size) for size in wanted)
        return f"; {name}.reshape(-1, {sizes}) changes the shape"
    if len(given) == 2 and given[:1] == wanted:
        return f"; samples are rows: {name}.T if yours are columns"
    return ""


def range_hint(model, bounds):
    """Return what to do about data outside of the bounds of a loss, "; ...", or ""."""
    if bounds != (0, 1):
        return ""
    others = getattr(model, "any_range", f'{model.loss_argument}="gaussian"')
    if model.loss_argument == "loss" and not hasattr(model, "any_range"):
        others = f'loss="mse" or {others}'
    return (
        "; scale the data to [0, 1] (grey levels: X / 255; a MinMaxScaler leaves new data outside, "
        f"unless it has clip=True). For standardised data: {others}"
    )


def target_hint(name):
    """Return what to write in place of labels that were given as the target."""
    if name.startswith("validation_data"):
        return (
            "; validation_data is X alone, or (X, what to reconstruct): leave labels out. Only a "
            "ConditionalVAE takes them, as validation_data=(X, None, labels)"
        )
    return (
        "; to reconstruct X itself, leave it out. Labels, which a ConditionalVAE uses, are the "
        "keyword labels="
    )
