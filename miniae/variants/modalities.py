"""Checks of the modalities of a `MultimodalVAE`, and of their data. Errors name the modality."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from miniae.layers import Sequential
from miniae.losses import Loss
from miniae.missing import with_nan
from miniae.plumbing.hints import range_hint, shape_hint
from miniae.plumbing.inputs import as_array
from miniae.vae import VAE
from miniae.variants.experts import Shaped


def check_modalities(input_dim, **by_modality):
    """Return the names of the modalities; refuse arguments that do not fit them.

    by_modality : other arguments, each a dict by modality or anything else
    """
    if not isinstance(input_dim, Mapping) or len(input_dim) < 2:
        raise ValueError(
            f"input_dim={input_dim!r} must be a dict with the size or shape of two modalities or "
            'more, such as {"image": (28, 28), "text": 30}; a VAE takes one kind of data'
        )
    for name in input_dim:
        if not isinstance(name, str) or not name or "." in name:
            raise ValueError(
                f"input_dim: the name {name!r} must be text without a dot, since it is part of the "
                "names of parameters"
            )
    for argument, value in by_modality.items():
        unknown = [name for name in value if name not in input_dim] if is_dict(value) else []
        if unknown:
            raise ValueError(f"{argument}: no modality {unknown}; there are {[*input_dim]}")
        if argument in ("encoder", "decoder") and not (value is None or is_dict(value)):
            raise TypeError(f"{argument} must be a dict of Sequential by modality, got {value!r}")
        if argument == "likelihood" and is_dict(value) and len(value) < len(input_dim):
            lacking = [name for name in input_dim if name not in value]
            raise ValueError(f"likelihood: none for {lacking}; there is no default in a dict")
    return [*input_dim]


def is_dict(value):
    """Return whether a value is a dict, or another mapping."""
    return isinstance(value, Mapping)


@dataclass
class Expert:
    """What a modality brings: the shape of a sample, a likelihood, an encoder and a decoder.

    takes_nan is whether single entries may be missing.
    """

    shape: tuple
    loss: Loss
    takes_nan: bool
    encoder: Sequential
    decoder: Sequential


def make_experts(
    input_dim, latent_dim, hidden, *, likelihood, encoder, decoder, dropout, seed, **options
):
    """Return the Expert of each modality, a dict; the arguments are those of `MultimodalVAE`.

    Raises
    ------
    ValueError, TypeError : an argument does not fit; names it, and the modality
    """
    check_modalities(input_dim, likelihood=likelihood, encoder=encoder, decoder=decoder)
    try:
        rng = np.random.default_rng(seed)
    except (TypeError, ValueError):
        raise ValueError(f"seed={seed!r} must be an integer, 0 or more, or None") from None
    experts = {}
    for name, shape in input_dim.items():
        own = {
            "encoder": (encoder or {}).get(name),
            "decoder": (decoder or {}).get(name),
            "likelihood": likelihood[name] if is_dict(likelihood) else likelihood,
            # Each modality needs a seed of its own: two of one shape must have different weights.
            "seed": int(rng.integers(2**32)),
        }
        if own["encoder"] is None or own["decoder"] is None:
            own["dropout"] = dropout
        try:
            experts[name] = expert_of(VAE(shape, latent_dim, hidden, **own, **options))
        except (ValueError, TypeError) as error:
            raise type(error)(f"modality {name!r}: {error}") from None
    return experts


def expert_of(vae):
    """Return the networks and the likelihood of a VAE of one modality, an Expert."""
    shape, loss = vae.input_shape, copy.deepcopy(vae.reconstruction_loss.base)
    if hasattr(loss, "shape_of_out"):
        raise ValueError(
            f"{loss} is of sequences, which only a SequenceVAE writes; for "
            "words of a fixed length use CategoricalNLL on one-hot letters"
        )
    encoder, decoder = copy.deepcopy([vae.encoder, vae.decoder])
    del decoder.to_data  # that of the VAE
    loss = Shaped(loss, shape) if len(shape) > 1 else loss
    return Expert(shape, loss, vae.reconstruction_loss.takes_nan, encoder, decoder)


def by_modality(X, columns, name):
    """Return a dict of what X has of each modality: arrays and lists as they are, or None.

    X : dict by modality; list or tuple in the order of the modalities; rows (n, features)
    columns : dict of slices by modality
    """
    names = [*columns]
    if isinstance(X, Mapping):
        unknown = [key for key in X if key not in names]
        if unknown:
            raise ValueError(f"{name}: no modality {unknown}; there are {names}")
        return dict(X)
    if isinstance(X, (list, tuple)):
        if len(X) != len(names):
            raise ValueError(
                f"{name} is a {type(X).__name__} of {len(X)}, but there are {len(names)} "
                f"modalities: give [{', '.join(names)}], None for one that is missing, or a dict"
            )
        return dict(zip(names, X, strict=True))
    X, features = as_array(with_nan(X), name), columns[names[-1]].stop
    if X.ndim != 2 or X.shape[1] != features:
        keys = ", ".join(f'"{key}": ...' for key in names)
        raise ValueError(
            f"{name} is one array of shape {X.shape}: give {{{keys}}}, or rows (n, {features}) "
            "as the model's pack returns them"
        )
    return {key: X[:, here] for key, here in columns.items()}


def as_rows(values, shape, name, dtype):
    """Return the data of one modality as rows (n, size), NaN where missing.

    A None in a list stands for a row that is missing.
    """
    size = int(np.prod(shape))
    if isinstance(values, (list, tuple)) and any(value is None for value in values):
        values = [np.full(shape, np.nan) if value is None else value for value in values]
    values = np.asarray(as_array(with_nan(values), name))
    if values.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} must hold real numbers, NaN where missing, got {values.dtype}; a list of "
            "samples may have None for one that is missing"
        )
    if values.shape[1:] not in (shape, (size,)) or not len(values):
        expected = ", ".join(str(s) for s in ("n", *shape))
        hint = shape_hint(values.shape, shape, name)
        raise ValueError(
            f"{name} must have shape ({expected}) with n >= 1 samples, got {values.shape}{hint}"
        )
    with np.errstate(over="ignore"):  # a number too large for the dtype becomes inf: refused
        return values.reshape(-1, size).astype(dtype)


def check_rows(rows, loss, takes_nan, name):
    """Refuse numbers that the likelihood of a modality cannot have, and rows missing in part."""
    gone = np.isnan(rows)
    partly = gone.any(axis=1) & ~gone.all(axis=1)
    if partly.any() and not takes_nan:
        row = int(partly.argmax())
        raise ValueError(
            f"{name}[{row}] has {gone[row].sum()} NaN among {rows.shape[1]} entries: a modality is "
            "missing as a whole; for single missing entries wrap its likelihood in Masked"
        )
    low, high = loss.bounds
    slack = 8 * np.finfo(rows.dtype).eps  # rounding errors of a scaler are allowed
    bad = ~gone & ~(np.isfinite(rows) & (rows >= low - slack) & (rows <= high + slack))
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"{name}[{row}], entry {column}, is {rows[row, column]:g}, but {loss} takes finite "
            f"numbers in {[low, high]}{range_hint(VAE, (low, high))}"
        )
    found = loss.wrong_target(rows) if hasattr(loss, "wrong_target") else None
    if found:
        row, column, words, remedy = found
        raise ValueError(f"{name}[{row}]: the entries from column {column} {words}; {remedy}")
