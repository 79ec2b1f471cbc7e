"""The class of specimens, and the decorator that adds one to the zoo."""

from collections.abc import Callable
from dataclasses import dataclass, field

COLLECTION = []


@dataclass(frozen=True)
class Finding:
    """The result of an instrument for one piece of code.

    `caught` is whether the code was found wrong, `evidence` the figures, `cause` the diagnosis of a
    gradient check ("" for the other instruments, which give none).
    """

    caught: bool
    evidence: str
    cause: str = ""


@dataclass(frozen=True)
class Specimen:
    """A deliberately wrong class or function, and the instrument that must catch it.

    Attributes
    ----------
    id : str
    source : str, the public repository and file with this mistake, or "constructed"
    fault : str, one sentence that says what is wrong
    instrument : function of (class or function, seed, **options) that returns a Finding
    cause : str, the expected diagnosis; "" if the instrument gives none
    wrong, right : the wrong class or function, and the right version
    options : dict, passed on to the instrument
    """

    id: str
    source: str
    fault: str
    instrument: Callable
    cause: str
    wrong: Callable
    right: Callable
    options: dict = field(default_factory=dict)

    def examine(self, seed=0):
        """Use the instrument on the wrong code."""
        return self.instrument(self.wrong, seed, **self.options)

    def examine_correct(self, seed=0):
        """Use the same instrument on the right version, which must not be caught."""
        return self.instrument(self.right, seed, **self.options)

    @property
    def instrument_name(self):
        """The name of the instrument in a table."""
        return self.instrument.__name__.replace("_", " ")


def specimen(name, instrument, right, cause="", source="constructed", **options):
    """Add the class or function below to the zoo; its docstring says what is wrong."""

    def collect(wrong):
        fault = " ".join(wrong.__doc__.split())
        COLLECTION.append(Specimen(name, source, fault, instrument, cause, wrong, right, options))
        return wrong

    return collect
