"""Check of the training of a VAE."""

import copy

import numpy as np

from miniae.exercises.checks.elbo_parts import networks, two_terms
from miniae.exercises.grader.stand_ins import record
from miniae.exercises.questions import Named, numbers

LATENT = 2


def noises_of(encoder, decoder):
    """Return the noise in each recorded z of the decoder, and whether backward followed.

    Returns
    -------
    list of (noise (n, d), bool)
    """
    passes = [(at, "encode", h) for at, h in encoder.passes["forward"]]
    passes += [(at, "decode", z) for at, z in decoder.passes["forward"]]
    passes += [(at, "back", empty) for at, empty in decoder.passes["backward"]]
    found, h = [], None
    for _, name, array in sorted(passes, key=lambda entry: entry[0]):
        if name == "encode":
            h = array
        elif name == "back" and found:
            found[-1] = found[-1][0], True
        elif name == "decode" and h is not None:
            if h.ndim == 2 and h.shape[1] == 2 * LATENT and array.shape == (len(h), LATENT):
                with np.errstate(all="ignore"):
                    noise = (array - h[:, :LATENT]) / np.exp(h[:, LATENT:] / 2)
                found.append((noise, False))
            h = None  # the encoder may have recorded all that it can
    return found


def check_source(noises, state, drawn, expected):
    """Raise Named if rng has drawn too few numbers, and the eps of training are not among them.

    Code that draws eps in another way than `standard_normal` does draws enough numbers.

    Parameters
    ----------
    noises : list, as from `noises_of`
    state : of rng before training
    drawn : int, the count of numbers that it has drawn
    expected : int, the count for the training alone
    """
    parts = [noise.ravel() for noise, _ in noises]
    trained = [noise.ravel() for noise, training in noises if training]
    if not trained:
        return
    parts, trained = np.concatenate(parts).round(6), np.concatenate(trained)
    if drawn >= expected * len(np.unique(parts)) / len(np.unique(trained.round(6))):
        return
    rng = np.random.Generator(np.random.PCG64())
    drawable = []
    for count in range(min(drawn, 1 << 15)):
        rng.bit_generator.state = {**state, "has_uint32": 0}
        rng.bit_generator.advance(count)
        drawable += rng.standard_normal(2, dtype=np.float32).tolist()  # one number for both
        rng.bit_generator.state = {**state, "has_uint32": 0}
        rng.bit_generator.advance(count)
        drawable.append(rng.standard_normal())
    drawable, some = np.sort(np.abs(drawable)), np.abs(trained[:200])
    above = np.searchsorted(drawable, some).clip(1, len(drawable) - 1)
    far = np.minimum(np.abs(drawable[above] - some), np.abs(drawable[above - 1] - some))
    if (far < 1e-8).mean() < 0.5:
        raise Named("The eps of training are not among the numbers of rng", ["rng_not_used"])


def check_noise(noises, n):
    """Raise Named unless new eps are drawn from N(0, 1) for each batch of the n samples."""
    if len(noises) < 2:
        return
    rows = np.concatenate(noises).round(6)
    if not np.isfinite(rows).all() or len(rows) < 1.5 * n:
        return
    if not rows.any():
        raise Named("In every step z is mu", ["eps_is_0"])
    distinct = len(np.unique(rows, axis=0))
    where = f"In {len(rows)} samples of training steps eps has {distinct} different values"
    if all(len(np.unique(noise.round(6), axis=0)) == 1 for noise in noises):
        raise Named(where, ["eps_alike_in_batch"])
    if distinct <= n:
        raise Named(where, ["eps_reused"])
    mean, std = rows.mean(), rows.std()
    if abs(mean) > 0.2 or abs(std - 1) > 0.2:
        raise Named(f"(z - mu) / std has mean {mean:.2f} and std {std:.2f}", ["eps_not_normal"])


def bars(rng, n, side=4):
    """Return images of side x side pixels with some noise; in a row all pixels are on, or off."""
    on = rng.random((n, side, 1)) < 0.5
    flip = rng.random((n, side, side)) < 0.02
    return (on ^ flip).reshape(n, -1).astype(np.float64)


def check_train(ask):
    """After training the ELBO must be above the log-likelihood of independent pixels.

    All students start from the same weights: from a few starts in a hundred even right code ends
    in a poor optimum, and the result must not depend on the student's id.
    """
    rng = np.random.default_rng(0)
    X = bars(rng, 400)
    encoder, decoder = networks(rng, X.shape[1], LATENT)
    before = np.concatenate([encoder.theta, decoder.theta])
    cut = len(encoder.theta)
    start = loss_of(encoder, decoder, X)
    record(encoder, "result")
    record(decoder, "argument")
    state = copy.deepcopy(rng.bit_generator.state)
    losses = ask("train", encoder, decoder, X, rng)
    noises = noises_of(encoder, decoder)
    after = np.concatenate([encoder.theta, decoder.theta])
    if np.array_equal(before, after):
        raise Named("theta is the same before and after train", ["weights_unchanged"])
    if np.array_equal(after[:cut], before[:cut]):
        raise Named("encoder.theta is the same before and after", ["encoder_unchanged"])
    if np.array_equal(after[cut:], before[cut:]):
        raise Named("decoder.theta is the same before and after", ["decoder_unchanged"])
    losses = numbers(losses, "the list of losses")
    if losses.ndim != 1:
        raise Named(f"It returns an array of shape {losses.shape}", ["losses_not_a_list"])
    if len(losses) < 2:
        raise Named(f"The list has length {len(losses)}", ["one_epoch_in_list"])
    check_noise([noise for noise, training in noises if training], len(X))
    drawn = draws_between(state, rng.bit_generator.state)
    if drawn < 0.5 * LATENT * len(X):  # less than half of an epoch
        raise Named(f"train takes {drawn} random numbers from rng", ["rng_not_used"])
    check_source(noises, state, drawn, len(losses) * LATENT * len(X))
    epochs = 2 * drawn / (LATENT * len(X))  # at most: of float32, one draw gives two numbers
    if len(losses) > 1.1 * epochs:
        raise Named(f"There are {len(losses)} losses of {epochs:.0f} epochs", ["loss_of_each_step"])
    loss = loss_of(encoder, decoder, X)
    p = X.mean(axis=0).clip(0.01, 0.99)
    floor = -(X * np.log(p) + (1 - X) * np.log(1 - p)).sum(axis=1).mean()
    if not loss < start and not loss_of(encoder, decoder, X, 0) < start:
        raise Named(
            f"Before training the loss is {start:.3g}, after it {loss:.3g}", ["training_got_worse"]
        )
    without = loss_of(encoder, decoder, X, 0)
    if loss > 0.9 * floor > without:
        raise Named(
            f"The loss is {loss:.3g} with eps from N(0, 1), but {without:.3g} with eps = 0",
            ["good_without_noise_only"],
        )
    if loss > 0.9 * floor:
        raise Named(
            f"after training the loss is {loss:.3g}, but must be below {0.9 * floor:.3g}: that is "
            f"90 % of {floor:.3g}, the loss of a model in which every pixel is independent. Train "
            "for longer, or try another learning rate",
            ["training_too_short"],
        )
    if not np.isfinite(losses).all() or losses[-1] >= losses[0]:
        raise Named(
            f"the losses that train returns must fall, but the first is {losses[0]:.6g} and the "
            f"last {losses[-1]:.6g}",
            ["losses_do_not_fall"],
        )
    if not 0.8 < losses[-1] / loss < 1.25:
        raise Named(
            f"the last loss that train returns is {losses[-1]:.3g}, but the loss of the trained "
            f"networks is {loss:.3g}: return the loss of each epoch, as the mean over its samples",
            ["losses_of_something_else"],
        )


def draws_between(before, after):
    """Return how many numbers PCG64 has drawn between two of its states.

    Its state follows s <- a s + c modulo 2^128. So the lowest bit of the distance is the lowest
    bit in which the states differ, and 2^k steps at once have a known a and c.
    """
    s, goal, c = before["state"]["state"], after["state"]["state"], before["state"]["inc"]
    a, mask, count, bit = 0x2360ED051FC65DA44385DF649FCCF645, (1 << 128) - 1, 0, 1
    while s != goal and bit <= mask:
        if (s ^ goal) & bit:
            s, count = (a * s + c) & mask, count | bit
        a, c, bit = a * a & mask, c * (a + 1) & mask, bit << 1
    return count


def loss_of(encoder, decoder, X, scale=1):
    """Return the loss of all samples, with the same noise each time, multiplied by `scale`."""
    eps = scale * np.random.default_rng(0).standard_normal((len(X), LATENT))
    with np.errstate(all="ignore"):  # weights that diverge
        reconstruction, kl, _ = two_terms(encoder, decoder, X, eps)
    return reconstruction + kl


TRAIN_SENTENCES = {
    "weights_unchanged": (
        "the weights have not changed: optimizer.step(network.theta, network.dtheta)"
    ),
    "encoder_unchanged": "the encoder has not changed: call step for both networks",
    "decoder_unchanged": "the decoder has not changed: call step for both networks",
    "losses_not_a_list": "train must return the losses, a list with one number per epoch",
    "one_epoch_in_list": "the list has the loss of one epoch: add the loss of each epoch to it",
    "loss_of_each_step": "it returns more losses than there are epochs: return one for each epoch",
    "rng_not_used": "the noise does not come from rng: draw a new eps with it for each batch",
    "eps_is_0": "eps is 0 in training: draw it with rng.standard_normal",
    "eps_alike_in_batch": (
        "all samples of a batch have the same eps: draw an array of shape (batch, d)"
    ),
    "eps_reused": "the same eps is used again and again: draw a new eps for each batch",
    "eps_not_normal": "z is not mu + std eps with eps drawn from N(0, 1): use rng.standard_normal",
    "training_got_worse": (
        "training makes the loss larger: is the sign right, or the learning rate too large?"
    ),
    "good_without_noise_only": (
        "the model is good only without noise: eps must be drawn from N(0, 1) in training"
    ),
    "training_too_short": "the loss after training is still too large",
    "losses_do_not_fall": "the returned losses do not fall",
    "losses_of_something_else": "the returned losses are not those of the trained networks",
}
