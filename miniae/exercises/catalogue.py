"""The exercises in teaching order: id, title, minutes, checks and hints of each."""

import zlib
from dataclasses import dataclass, field
from pathlib import Path

from miniae.exercises.checks import (
    activations,
    adam,
    attention,
    checking,
    concepts,
    convolution,
    dense,
    dropout,
    elbo,
    experts_backward,
    free_bits,
    hunts,
    importance,
    kl,
    latent,
    loops,
    losses,
    networks,
    normalization,
    optimisers,
    recurrent,
)
from miniae.exercises.naming import GENERIC, with_ids
from miniae.exercises.questions import Ask
from miniae.plumbing.names import choose

STUBS = Path(__file__).parent / "stubs"
MODULES = (activations, dense, losses, optimisers, adam, networks, latent, kl, elbo)
MODULES += (
    checking,
    dropout,
    convolution,
    hunts,
    normalization,
    attention,
    recurrent,
    experts_backward,
    loops,
    free_bits,
    importance,
    concepts,
)
ORDER = """
    sigmoid_softplus activations_backward dense_forward dense_backward gradient_check squared_error
    bernoulli_nll sgd_momentum adam hunt_adam autoencoder_backward minibatch_loop dropout
    convolution reparameterise_forward kl_value reparameterise_backward kl_gradient elbo
    concepts free_bits importance_weighted hunt_dense hunt_vae batchnorm attention_backward
    lstm_step_backward product_of_experts
""".split()


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Attributes
    ----------
    id : str, also in the stub's error, the heading in docs/15_exercises.md and the pytest marker
    number : int, the place in teaching order, from 1
    title : str, one line
    minutes : int, for a student who has had the lesson
    parts : dict, from each name that the student must write to its check, a function of an `Ask`
    hints : tuple of str; each hint says more than the one before
    mistakes : dict, from the key of each mistake that has a name to a sentence for the student
    library : dict, from the name of a part to the library's function, for tests of other parts
    """

    id: str
    number: int
    title: str
    minutes: int
    parts: dict
    hints: tuple
    mistakes: dict = field(default_factory=dict)
    library: dict = field(default_factory=dict)

    @property
    def file(self):
        """The name of the stub and of the student's file."""
        return f"{self.number:02d}_{self.id}.py"

    def ask(self, names, part, student):
        """Return the `Ask` of a part; its random inputs depend on the student's id only."""
        seed = [
            zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in (student, self.id, part)
        ]
        return Ask(names, seed)


def collect():
    """Return the exercises by id, in order."""
    known = {key: value for module in MODULES for key, value in module.EXERCISES.items()}
    found = {}
    for number, id in enumerate(ORDER, 1):
        fields = dict(known[id])
        sentences = fields.get("mistakes", {})
        checks = fields.pop("parts").items()
        parts = {name: with_ids(id, check, sentences) for name, check in checks}
        found[id] = Exercise(id, number, parts=parts, **fields)
    return found


EXERCISES = collect()


def find(id):
    """Return the exercise with this id; otherwise raise ValueError with the nearest id."""
    return choose(EXERCISES, id, "exercise")


def diagnoses():
    """Return the diagnoses that have a sentence, a dict from the stable id to this sentence.

    The ids of `edits` are not among them; `sentence_of` makes their sentences.
    """
    return {
        f"{exercise.id}.{key}": sentence
        for exercise in EXERCISES.values()
        for key, sentence in {**GENERIC, **exercise.mistakes}.items()
    }


def sentence_of(diagnosis):
    """Return a sentence for the id of a diagnosis, for reports."""
    _, _, key = diagnosis.partition(".")
    if key.startswith("edit_"):
        return f"one edit of the right formula: {key.removeprefix('edit_').replace('_', ' ')}"
    return diagnoses().get(diagnosis, "the answer is wrong in a way that has no name")


def recognise(word):
    """Return the exercise with this id, number or file name, or None."""
    return next((e for e in EXERCISES.values() if word in (e.id, str(e.number), e.file)), None)
