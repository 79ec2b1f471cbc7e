"""Write docs/16_api.md: every public name with its signature, from the docstrings alone.

python docs/make_api.py            writes the page
python docs/make_api.py --check    exits with 1 if it is not up to date
"""

import importlib
import inspect
import re
import sys
from pathlib import Path

import miniae
from miniae.plumbing.archives import write_text
from miniae.plumbing.names import EARLIER

PAGE = Path(__file__).with_name("16_api.md")
ROOMS = {  # module: what it is for; None for all that it defines in public
    "layers": "Layers",
    "frozen": "Frozen layers",
    "activations": "More activations",
    "normalization": "Normalisation",
    "conv": "Convolutions",
    "conv1d": "Convolutions of signals",
    "pooling": "Pooling and upsampling",
    "recurrent": "Recurrent layers",
    "steps": "Layers for the steps of a sequence",
    "attention": "Attention",
    "losses": "Losses",
    "likelihoods": "More losses",
    "optim": "Optimisers",
    "callbacks": "Callbacks",
    "autoencoder": "The autoencoder",
    "vae": "The variational autoencoder",
    "priors": "Priors of the VAE",
    "variants": "Variants of the VAE",
    "model": "What all models share",
    "estimators": "Estimators for scikit-learn",
    "regularizers": "Corruptions and penalties",
    "missing": "Missing entries",
    "latent": "Walks in latent space",
    "convolutional": "Convolutional networks",
    "suggest": "Settings that fit the data",
    "anomaly": "Anomaly detection",
    "scores": "Scores of strangeness",
    "metrics": "Metrics",
    "datasets": "Data",
    "plots": "Pictures",
    "explorer": "A page for the browser",
    "proof": "Proof: checks, oracles, the bug zoo",
    "proof.health": "What a model that trains badly suffers from",
    "proof.oracles": "Oracles",
    "exercises": "Exercises",
}
HEAD = """# API reference

Every public name, how it is called, and its first sentence; ``help(name)`` shows the rest.
Written by `python docs/make_api.py` from the docstrings. What can be imported from `miniae` itself
is listed under the module that defines it.
"""


def public(module):
    """Return the public classes and functions of a module by name, in the order of its text."""
    listed = getattr(module, "__all__", None)
    names = listed or [name for name in vars(module) if not name.startswith("_")]
    found = {}
    for name in names:
        obj = getattr(module, name)
        inside = getattr(obj, "__module__", "").startswith(module.__name__)
        if (inspect.isclass(obj) or inspect.isfunction(obj)) and (listed or inside):
            found[name] = obj
    return found


def signature(name, obj):
    """Return how an object is called."""
    try:
        return f"{name}{inspect.signature(obj)}"
    except (TypeError, ValueError):
        return name


def methods(cls):
    """Return the public methods that a class defines itself, with a docstring, by name."""
    earlier = {old for base in cls.__mro__ for old in EARLIER.get(base.__name__, {})}
    return {
        name: getattr(value, "__func__", value)
        for name, value in vars(cls).items()
        if not name.startswith("_")
        and name not in earlier
        and inspect.isroutine(getattr(value, "__func__", value))
        and inspect.getdoc(value)
    }


def entry(name, obj):
    """Return the lines of one name: its signature, its first sentence, its methods."""
    lines = [f"- `{signature(name, obj)}`: {first_sentence(obj)}"]
    if inspect.isclass(obj) and methods(obj):
        calls = (f"`{signature(each, function)}`" for each, function in methods(obj).items())
        lines.append("  " + ", ".join(calls).replace("(self, ", "(").replace("(self)", "()"))
    return lines


def first_sentence(obj):
    """Return the first sentence of an object's docstring."""
    text = " ".join((inspect.getdoc(obj) or "").split("\n\n")[0].split())
    return re.split(r"(?<=[a-z)`])\. (?=[A-Z`])", text)[0].rstrip(".") + "."


def page():
    """Return the whole page."""
    modules = {room: importlib.import_module(f"miniae.{room}") for room in ROOMS}
    lines, seen = [HEAD], set()
    for room, title in ROOMS.items():
        lines += [f"## {title}", "", f"`miniae.{room}`", ""]
        for name, obj in public(modules[room]).items():
            if id(obj) not in seen:
                seen.add(id(obj))
                lines += entry(name, obj)
        lines.append("")
    missing = [n for n in miniae.__all__ if n != "metrics" and id(getattr(miniae, n)) not in seen]
    if missing:
        raise SystemExit(f"public, but in no room of this script: {missing}")
    return "\n".join(lines) + "\nNext: [Glossary](17_glossary.md)\n"


def main(argv):
    """Write the page, or check it."""
    text = page()
    if "--check" in argv:
        return int(not PAGE.exists() or PAGE.read_text("utf-8") != text)
    write_text(PAGE, text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
