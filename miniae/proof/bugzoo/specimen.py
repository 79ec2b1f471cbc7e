"""What a specimen is, and the decorator that files one."""

from collections.abc import Callable
from dataclasses import dataclass, field

COLLECTION = []


@dataclass(frozen=True)
class Finding:
    """What an instrument says of one piece of code.

    `caught` is whether it is found wrong, `evidence` the figures, `cause` the diagnosis of a
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
    source : str, the public repository and file it was read in, or "constructed"
    fault : str, one sentence that says what is wrong
    instrument : function of (class or function, seed, **options) that returns a Finding
    cause : str, the diagnosis expected; "" where the instrument gives none
    wrong, right : the class or function, and the correct one in its place
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
        """Hold the instrument to the wrong code."""
        return self.instrument(self.wrong, seed, **self.options)

    def examine_correct(self, seed=0):
        """Hold the same instrument to the correct code: it must not be caught."""
        return self.instrument(self.right, seed, **self.options)

    @property
    def instrument_name(self):
        """What to call the instrument in a table."""
        return self.instrument.__name__.replace("_", " ")

    def names_the_cause(self, finding):
        """Tell whether a diagnosis names the cause, possibly among others ("n or features")."""
        return self.cause in finding.cause.split(" or ")


def specimen(name, instrument, right, cause="", source="constructed", **options):
    """File the class or function below as a specimen; its docstring says what is wrong."""

    def collect(wrong):
        fault = " ".join(wrong.__doc__.split())
        COLLECTION.append(Specimen(name, source, fault, instrument, cause, wrong, right, options))
        return wrong

    return collect
