"""Questions on concepts, with random figures: what the curves, losses and figures of a VAE mean."""

import functools
import zlib
from dataclasses import dataclass

import numpy as np

from miniae.exercises.questions import Named, Wrong, numbers

NEAR = 0.01  # relative: answers are computed by hand
ID = "concepts"


@dataclass(frozen=True)
class Question:
    """A question of one student.

    Attributes
    ----------
    text : str
    right : float, the answer; for a choice its number, from 1
    wrong : dict, from the key of a mistake to its answer
    choices : tuple of str; empty if the answer is a number
    """

    text: str
    right: float
    wrong: dict
    choices: tuple = ()


def choose(rng, text, right, wrong):
    """Return a question with choices in random order; `wrong` is a dict from a key to a choice."""
    keys = rng.permutation(["", *wrong])
    choices = tuple(wrong.get(key, right) for key in keys)
    numbered = {str(key): n for n, key in enumerate(keys, 1)}
    return Question(text, numbered.pop(""), numbered, choices)


def table(**columns):
    """Return columns of text as lines."""
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    return "\n".join("   ".join(f"{cell:>12}" for cell in row) for row in rows)


def stop_epoch(rng):
    """Overfitting, from two loss curves."""
    n, best = 9, int(rng.integers(4, 7))
    epochs = np.arange(1, n + 1)
    train = 150 - 60 * (1 - 0.75**epochs) - 3 * epochs + rng.uniform(-0.5, 0.5)
    valley = train[best - 1] + 5 + 1.8 * np.abs(epochs - best) ** 1.3
    valid = np.maximum(valley, train + 0.8 + 0.3 * epochs)
    text = (
        "A VAE was trained for 9 epochs. At which epoch do you stop, with these losses?\n"
        + table(
            epoch=[str(e) for e in epochs],
            training=[f"{v:.1f}" for v in train],
            validation=[f"{v:.1f}" for v in valid],
        )
    )
    return Question(text, best, {"stop_at_end": n, "stop_at_first_epoch": 1, "stop_late": best + 1})


def underfits(rng):
    """Underfitting, from two losses that are both high."""
    train = rng.uniform(180, 190)
    text = (
        f"After 200 epochs the training loss is {train:.1f} and the validation loss "
        f"{train + rng.uniform(0.3, 0.9):.1f}. Both have been constant for 100 epochs. A larger "
        f"model of another team reaches {train - rng.uniform(70, 80):.1f} on the same validation "
        "data. What do you try first?"
    )
    return choose(
        rng,
        text,
        "more hidden units, or a better learning rate",
        {
            "underfits_dropout": "dropout or weight decay",
            "underfits_stop": "early stopping",
            "underfits_data": "more training data of the same kind",
        },
    )


def learning_rate(rng):
    """The learning rate, from the first losses."""
    start, low = rng.uniform(540, 546), rng.uniform(110, 120)
    curves = {
        "": [start, low + 90, low + 40, low + 15, low],
        "rate_too_small": [start, start - 2, start - 4, start - 5, start - 7],
        "rate_too_large": [start, low + 480, low + 210, low + 530, low + 370],
        "rate_diverges": [start, 3e4, 2e7, 5e12, float("nan")],
    }
    said = {key: ", ".join(f"{v:.4g}" for v in curve) for key, curve in curves.items()}
    text = (
        "Four runs differ only in the learning rate. These are the losses before training and "
        "after epochs 1 to 4. Which run has the best rate?"
    )
    return choose(rng, text, said.pop(""), said)


def beta(rng):
    """The choice of beta, from the two terms of the loss."""
    kl, nll = rng.uniform(1.5, 3), rng.uniform(180, 190)
    text = (
        f"A beta-VAE with beta = {int(rng.integers(8, 20))} has a reconstruction term of {nll:.0f} "
        f"nats and a KL of {kl:.1f} nats. All reconstructions are blurred, and digits of different "
        "classes have nearly the same reconstruction. What do you change first?"
    )
    return choose(
        rng,
        text,
        "a smaller beta: the code may carry more nats",
        {
            "beta_larger": "a larger beta: the codes come closer to the prior",
            "beta_more_latents": "more latents, with the same beta",
            "beta_mean": "the mean over pixels for the reconstruction term, instead of the sum",
        },
    )


def latent_size(rng):
    """The number of latents, from the KL of each."""
    size, used = int(rng.integers(9, 12)), int(rng.integers(4, 7))
    kl = np.concatenate([rng.uniform(0.9, 3.5, used), rng.uniform(0, 0.02, size - used)])
    kl = rng.permutation(kl)
    text = (
        f"A VAE with {size} latents is trained until its loss is constant. The KL of each latent, "
        f"in nats: {', '.join(f'{v:.2f}' for v in kl)}. How many latents does it use?"
    )
    wrong = {
        "latent_all": size,
        "latent_unused": size - used,
        "latent_over_one": int((kl > 1).sum()),
        "latent_total": float(kl.sum()),
    }
    known, others = [used], {}
    for key, value in wrong.items():
        if not any(abs(value - v) < 0.05 * v for v in known):
            known.append(value)
            others[key] = value
    return Question(text, used, others)


def collapsed(rng):
    """Posterior collapse, from what four models report."""
    nll = rng.uniform(195, 205)
    models = {
        "": f"reconstruction {nll:.1f}, KL 0.003; all reconstructions are one blurred image",
        "collapse_untrained": (
            f"reconstruction {nll + 320:.1f}, KL {rng.uniform(40, 60):.1f}; images are noise"
        ),
        "collapse_good": (
            f"reconstruction {nll - 120:.1f}, KL {rng.uniform(18, 25):.1f}; images are sharp"
        ),
        "collapse_negative": (
            f"reconstruction {nll - 60:.1f}, KL -{rng.uniform(3, 9):.1f}; images are fair"
        ),
    }
    text = "Which of these VAEs has a collapsed posterior? Figures are nats per image."
    return choose(rng, text, models.pop(""), models)


def mean_for_sum(rng):
    """A mean over pixels instead of a sum is a large beta."""
    side = int(rng.choice([16, 20, 24, 32, 48]))
    pixels = side**2
    text = (
        f"Images have {side} x {side} pixels. A program takes the MEAN of the reconstruction loss "
        "over pixels, and adds the KL, summed over latents, with weight 1. It trains the same "
        "model as a beta-VAE with the SUM over pixels. What is beta?"
    )
    wrong = {
        "beta_inverted": 1 / pixels,
        "beta_is_one": 1,
        "beta_of_side": side,
        "beta_root": pixels**2,
    }
    return Question(text, pixels, wrong)


def reported_loss(rng):
    """A loss per pixel, as a loss per image."""
    loss = round(rng.uniform(0.24, 0.28), 3)
    text = (
        f"Keras reports a loss of {loss} for an autoencoder of digits: the binary cross-entropy, a "
        "mean over the 28 x 28 pixels. A paper reports nats per image. Which number do you compare "
        "with the paper?"
    )
    wrong = {
        "loss_unchanged": loss,
        "loss_divided": loss / 784,
        "loss_of_side": loss * 28,
        "loss_in_bits": loss * 784 / np.log(2),
        "loss_as_log": -np.log(loss) * 784,
    }
    return Question(text, loss * 784, wrong)


def bits_per_pixel(rng):
    """Nats per image as bits per pixel."""
    side, nats = int(rng.choice([24, 28, 32])), round(rng.uniform(85, 130), 1)
    pixels = side**2
    text = (
        f"A VAE has a loss of {nats} nats per image of {side} x {side} pixels. How many bits "
        "per pixel are these?"
    )
    wrong = {
        "bits_are_nats": nats / pixels,
        "bits_per_image": nats / np.log(2),
        "bits_multiplied": nats * np.log(2) / pixels,
        "bits_log10": nats / np.log(10) / pixels,
        "bits_per_side": nats / np.log(2) / side,
    }
    return Question(text, nats / np.log(2) / pixels, wrong)


def plain_samples(rng):
    """Why samples of a plain autoencoder fail."""
    kind = rng.choice(["2 latents", "8 latents", "32 latents"])
    text = (
        f"A plain autoencoder with {kind} reconstructs digits well. You draw codes from N(0, I) "
        "and decode them. Most images are not digits. Why?"
    )
    return choose(
        rng,
        text,
        "nothing in its loss says where the codes are, so most draws fall where there are none",
        {
            "plain_capacity": "its decoder has too few units to draw a digit",
            "plain_overfit": "it has overfitted, so more dropout would mend the samples",
            "plain_sigmoid": "its decoder outputs probabilities, which must be rounded to 0 and 1",
        },
    )


def gap(rng):
    """The gap between log-likelihood and ELBO is a KL."""
    elbo = -round(rng.uniform(98, 104), 1)
    distance, kl, k = round(rng.uniform(2, 5), 1), round(rng.uniform(18, 24), 1), 5000
    text = (
        f"For one image the ELBO of a VAE is {elbo} nats, and its KL from the prior is {kl}. "
        f"The log-likelihood, from {k} importance samples, is {elbo + distance:.1f}. How large is "
        "the KL of the encoder's posterior from the true posterior p(z|x), in nats?"
    )
    wrong = {
        "gap_negative": -distance,
        "gap_prior": kl,
        "gap_reconstruction": elbo + kl,
        "gap_is_zero": 0.0,
        "gap_with_kl": distance + kl,
        "gap_less_kl": kl - distance,
        "gap_sum": 2 * elbo + distance,
    }
    return Question(text, distance, wrong)


QUESTIONS = {
    f.__name__: f
    for f in (
        stop_epoch,
        underfits,
        learning_rate,
        latent_size,
        beta,
        collapsed,
        mean_for_sum,
        reported_loss,
        bits_per_pixel,
        plain_samples,
        gap,
    )
}


def rng_of(student, part):
    """Return the generator that draws the figures of a student's question."""
    words = (word.encode("utf-8", "surrogatepass") for word in (student, ID, part))
    return np.random.default_rng([zlib.crc32(word) for word in words])


def question_of(student, part):
    """Return a student's question."""
    return QUESTIONS[part](rng_of(student, part))


def whose(ask, part):
    """Return the id in the student's file; raise Named if the file is that of another student."""
    student = ask.find("STUDENT")
    if not isinstance(student, str):
        raise Wrong(f'STUDENT must be a text, such as "ada"; got {student!r}', "student_not_text")
    first = ask.rng.random()
    if student and first not in (rng_of(other, part).random() for other in (student, "")):
        raise Named(f"STUDENT is {student!r}", ["other_student"])
    return student


def check(part, ask):
    """Compare the answer with the right one, and with those of typical mistakes."""
    question = question_of(whose(ask, part), part)
    got = numbers(ask(part), "the answer")
    if got.size != 1:
        raise Wrong(f"answer with one number, got an array {got.shape}", "several_values")
    got = float(got.real.ravel()[0])
    if question.choices and got not in range(1, len(question.choices) + 1):
        said = f"answer with the number of a choice, 1 to {len(question.choices)}; got {got:g}"
        raise Wrong(said, "not_a_choice")
    if abs(got - question.right) <= NEAR * abs(question.right):
        return
    for key, wrong in question.wrong.items():
        if abs(got - wrong) <= NEAR * abs(wrong):
            raise Named(f"You answer {got:g}", [key])
    if abs(got + question.right) <= NEAR * abs(question.right):
        raise Wrong(f"the sign is wrong: you answer {got:g}", "sign")
    raise Wrong(
        f"{got:g} is not right, and is no typical mistake. It is enough if 1 % is missing. To read "
        f"the question again, run the file",
        "unknown",
    )


EXERCISES = {
    ID: {
        "title": "What curves, losses and figures mean",
        "minutes": 30,
        "parts": {part: functools.partial(check, part) for part in QUESTIONS},
        "mistakes": {
            "other_student": (
                "the answers are those of another student's questions: write your id in STUDENT, "
                "and run the file again"
            ),
            "student_not_text": "STUDENT must be a text",
            "not_a_choice": "answer with the number of a choice",
            "stop_at_end": (
                "there the training loss is lowest, but the model is used on data that it has not "
                "seen: only the validation loss shows this"
            ),
            "stop_at_first_epoch": (
                "there the validation loss is already above the training loss, but both still "
                "fall: a distance alone is not overfitting"
            ),
            "stop_late": "there the validation loss rises again: go back to its lowest value",
            "underfits_dropout": (
                "dropout and weight decay help if the validation loss is far above the training "
                "loss: here the two are alike and both high"
            ),
            "underfits_stop": (
                "early stopping helps if the validation loss rises: here it is constant, and high"
            ),
            "underfits_data": (
                "more data closes a distance between the two losses: here there is none"
            ),
            "rate_too_small": "it falls by a few nats per epoch: a larger rate gets there sooner",
            "rate_too_large": "it jumps up and down: its steps are too large to go further down",
            "rate_diverges": "it grows without a bound: its steps are far too large",
            "latent_all": "latents with a KL near 0 carry nothing about x: do not count them",
            "latent_unused": "these are the latents that are not used: a KL near 0 carries nothing",
            "latent_over_one": (
                "a latent with a KL below 1 nat still carries something: only those near 0 do not"
            ),
            "latent_total": "this is the total KL: count the latents whose KL is not near 0",
            "beta_larger": (
                "a larger beta makes the KL cheaper to avoid, so the code carries even less"
            ),
            "beta_more_latents": (
                "the KL limits the code, not the number of latents: new ones would stay unused"
            ),
            "beta_mean": "a mean over pixels divides this term by their number: a much larger beta",
            "collapse_untrained": "it has a large KL and has not learned: this is no collapse",
            "collapse_good": "its code carries many nats, and the decoder uses them",
            "collapse_negative": "a KL is never negative: its formula is wrong, which is a bug",
            "beta_inverted": (
                "dividing the reconstruction by D makes the KL D times as heavy: invert it"
            ),
            "beta_is_one": "the two terms now have different scales: one is divided by D",
            "beta_of_side": "the mean is over all pixels, not over one side",
            "beta_root": "the number of pixels is squared: the mean divides by it once",
            "loss_unchanged": "this is per pixel, and the paper's number is per image",
            "loss_divided": "it is divided by the pixels once more: the sum is 784 times the mean",
            "loss_of_side": "an image has 28 x 28 pixels, not 28",
            "loss_in_bits": "this is in bits: the natural logarithm of Keras gives nats",
            "loss_as_log": "the loss is minus a log already: do not take the log again",
            "bits_are_nats": "these are nats per pixel: one bit is log(2) = 0.693 nats",
            "bits_per_image": "these are bits per image: divide by the number of pixels",
            "bits_multiplied": (
                "it is multiplied by log(2): a nat is more than a bit, so there are more bits"
            ),
            "bits_log10": "it is divided by log(10): bits take the logarithm to base 2",
            "bits_per_side": "an image has side x side pixels",
            "plain_capacity": "it reconstructs digits well, so the decoder can draw them",
            "plain_overfit": (
                "it fits new digits too; dropout would not tell it where N(0, I) draws its codes"
            ),
            "plain_sigmoid": (
                "the reconstructions come from the same probabilities, and they are digits"
            ),
            "gap_negative": "the ELBO is the lower of the two, and a KL is never negative",
            "gap_prior": "this is the KL from the prior, a term of the ELBO: not the gap",
            "gap_reconstruction": "this is the reconstruction term of the ELBO",
            "gap_is_zero": "the gap is 0 only if the encoder's posterior is the true one",
            "gap_with_kl": "the KL from the prior is in the ELBO already: do not add it",
            "gap_less_kl": "the KL from the prior is in the ELBO already: do not subtract",
            "gap_sum": "log p(x) = ELBO + KL: subtract, do not add",
        },
        "hints": (
            "Losses: the model is used on new data, so look at the validation loss. If both losses "
            "are high and alike, the model is too small or not trained well.",
            "Units: a sum over D pixels is D times the mean. One bit is log(2) = 0.693 nats.",
            "log p(x) = ELBO + KL(q(z|x) || p(z|x)), and ELBO = E log p(x|z) - KL(q(z|x) || p(z)). "
            "A KL near 0 means that the code carries nothing about x.",
        ),
    },
}
