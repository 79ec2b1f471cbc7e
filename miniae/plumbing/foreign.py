"""Names of Keras, PyTorch and scikit-learn: the error says what each is called here.

None of them works as a second spelling. The tables are in `plumbing.dictionary`, `constructors` and
`glossary`. This module looks names up in them, for attributes and for arguments of constructors and
methods.
"""

import functools
import inspect
import sys
from opcode import opmap

from miniae.plumbing.constructors import ARGUMENTS, SIZES
from miniae.plumbing.dictionary import ACTIVATION, ATTRIBUTES, METHODS
from miniae.plumbing.floating import at_most_warn
from miniae.plumbing.glossary import MODULES, NAMES
from miniae.plumbing.inputs import side_names
from miniae.plumbing.signatures import argument_names, signature, takes_any


def refused(name, also_of_subclass=True):
    """Return a property that is not there, and cannot be set: that would have no effect.

    also_of_subclass : False lets a subclass of a reader's own use the name
    """

    def absent(self):
        if name in vars(self):
            return vars(self)[name]
        answer = find(ATTRIBUTES, type(self), name)
        raise AttributeError(message(type(self).__name__, repr(name), answer))

    def refuse(self, value):
        if not also_of_subclass and not is_ours(type(self)):
            vars(self)[name] = value
            return
        answer = find(ATTRIBUTES, type(self), name)
        raise AttributeError(f"{type(self).__name__}.{name} has no effect: {called(answer)}")

    return property(absent, refuse)


class Foreign:
    """Base of classes that explain foreign names: layers, losses, models, optimisers."""

    set_by_init = None  # an attribute that the constructor of the base class sets

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        for name in METHODS.keys() & vars(cls).keys():
            if inspect.isfunction(vars(cls)[name]):
                answers = METHODS[name] if is_ours(cls) else {}  # yours may take what it likes
                setattr(cls, name, public(vars(cls)[name], name, answers))

    def __new__(cls, *args, **options):
        if args or options:  # copies and pickles are made without any
            check_call(cls, args, options)
        make = super().__new__  # object's, or that of a class which is a base too
        return make(cls) if make is object.__new__ else make(cls, *args, **options)

    def __getattr__(self, name):
        # Python calls this for attributes that do not exist. A property whose code raises
        # AttributeError comes here too, and keeps its own error.
        kind, first = type(self).__name__, self.set_by_init
        if first and first not in vars(self) and not name.startswith("__"):
            raise AttributeError(
                f"{kind} has no {name!r} yet: call super().__init__() in {kind}.__init__, before "
                "this attribute is used"
            )
        answer = find(ATTRIBUTES, type(self), name)
        if answer is None:  # what other libraries call an argument is often an attribute there
            answer = find(ARGUMENTS, type(self), name)
        if answer is None or hasattr(type(self), name):
            return object.__getattribute__(self, name)  # raises Python's own error
        raise AttributeError(message(type(self).__name__, repr(name), answer), name=name, obj=self)


class LossValue(float):
    """A loss: a float, whose error explains ``loss.backward()``, which is a method of the model."""

    set_by_init, __getattr__ = None, Foreign.__getattr__


def is_ours(thing):
    """Return whether a class or function is miniae's own."""
    return thing.__module__.split(".")[0] == "miniae"


def message(owner, what, answer):
    """Return the text of an error."""
    return f"{owner} has no {what}: {called(answer)}"


def called(answer):
    """Return an answer of a table as a sentence: one word is what it is called here."""
    return answer if " " in answer else f"here it is called {answer}"


def find(table, cls, name):
    """Return the answer for a name in a table by class, that of the nearest class, or None."""
    for each in cls.__mro__:
        if name in table.get(each.__name__, ()):
            return table[each.__name__][name]
    return None


def no_attribute(module, name, names=NAMES):
    """Return the error for a name that a module of miniae does not have, to be raised there.

    Python replaces the AttributeError of ``from miniae import name`` by an ImportError of its own,
    without the text. So that statement gets an ImportError at once.
    """
    answer, package = names.get(name), sys.modules["miniae"]
    if name in getattr(package, "__all__", ()):
        answer = f"it is in miniae itself, from miniae import {name}"
    elif answer and answer.isidentifier() and not hasattr(sys.modules[module], answer):
        answer = f"it is {answer} of miniae itself, from miniae import {answer}"
    if answer is None:
        return AttributeError(f"module {module!r} has no attribute {name!r}", name=name)
    text, caller = message(module, repr(name), answer), sys._getframe(2)
    if caller.f_code.co_code[caller.f_lasti] == opmap["IMPORT_FROM"]:
        return ImportError(text, name=module)
    return AttributeError(text, name=name)


def explain_names(*modules):
    """Let modules explain foreign names, as in ``from miniae.layers import Linear``."""
    for module in modules:
        names = MODULES.get(module.__name__.split(".")[-1], NAMES)
        module.__getattr__ = asked(module.__name__, names)


def asked(module, names):
    """Return a function that a module can use as its __getattr__."""

    def __getattr__(name):
        raise no_attribute(module, name, names)

    return __getattr__


def check_call(cls, args, options):
    """Refuse arguments that do not fit a constructor, and say which ones it has.

    Raises
    ------
    TypeError : an argument with a foreign or misspelt name, one too many, or one too few
    """
    if cls.__init__ is object.__init__:
        raise TypeError(f"{cls.__name__} takes no arguments")
    takes = signature(cls.__init__)
    open_ended = any(p.kind == p.VAR_KEYWORD for p in takes.parameters.values())
    if open_ended and not is_ours(cls.__init__):
        return  # its code may take names that its signature does not show
    known = argument_names(cls)
    check_names(cls, options, known)
    if open_ended and (not hasattr(cls, "get_params") or takes_any(cls)):
        return  # a layer's **params, for one, are names that its author chooses
    for name in options:
        if name not in known:
            raise TypeError(f"{cls.__name__} has no argument {name!r}{suggestion(name, known)}")
    no_params = find(ARGUMENTS, cls, "params")  # an optimiser's first argument is lr
    if no_params and args and (getattr(args[0], "ndim", 0) or hasattr(args[0], "theta")):
        raise TypeError(message(cls.__name__, "argument for the parameters", no_params))
    try:
        given = takes.bind(None, *args, **options).arguments
    except TypeError as error:
        raise TypeError(f"{cls.__name__}: {error}; its arguments are {', '.join(known)}") from None
    for name in SIZES & given.keys():
        if isinstance(given[name], str):
            raise TypeError(
                f"{cls.__name__}: {name}={given[name]!r} must be an integer; {ACTIVATION}"
            )


def check_names(cls, names, known):
    """Refuse the foreign names among those of a constructor's arguments."""
    for name in names:
        answer = None if name in known else find(ARGUMENTS, cls, name)
        if answer is not None:
            raise TypeError(message(cls.__name__, f"argument {name!r}", answer))


def suggestion(name, known):
    """Return "; did you mean ...?", or all known names if none is near."""
    import difflib  # needed for the error only, and slow to import

    near = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    return f"; did you mean {near[0]}?" if near else f"; its arguments are {', '.join(known)}"


def check_keywords(owner, method, answers, options, more=(), of_class=()):
    """Refuse the arguments of a method or function that other libraries have, but not this one.

    more : names that it passes on
    of_class : names of arguments of the constructor
    """
    parameters = signature(method).parameters
    for name in options:
        if name in parameters or name in more:
            continue
        if name in answers:
            raise TypeError(message(owner, f"argument {name!r}", answers[name]))
        if name in of_class:
            answer = "it is an argument of the constructor"
            raise TypeError(message(owner, f"argument {name!r}", answer))
        answer = suggestion(name, [*parameters])
        if "did you mean" in answer:
            raise TypeError(f"{owner} has no argument {name!r}{answer}")


def check_positions(owner, method, args):
    """Refuse more arguments without a name than a method takes."""
    kinds = {p.name: p.kind for p in list(signature(method).parameters.values())[1:]}
    by_place = [n for n, kind in kinds.items() if kind == inspect.Parameter.POSITIONAL_OR_KEYWORD]
    by_name = [n for n, kind in kinds.items() if kind == inspect.Parameter.KEYWORD_ONLY]
    if len(args) > len(by_place) and by_name:
        raise TypeError(
            f"{owner} takes {', '.join(by_place)} without a name, got {len(args)} arguments; write "
            f"the names of the others, such as {by_name[0]}=..."
        )


def public(method, name, answers):
    """Return a method that looks for foreign names of arguments and computes within `at_most_warn`.

    answers : dict by foreign name, which raises a TypeError; {} accepts all names
    """

    @functools.wraps(method)
    def call(self, *args, **options):
        owner = f"{type(self).__name__}.{name}"
        if options and answers:
            more = side_names(self) if hasattr(type(self), "loss") else ()
            check_keywords(owner, method, answers, options, more, argument_names(type(self)))
        if len(args) > 1 and answers:
            check_positions(owner, method, args)
        if name == "sample" and answers and args and getattr(args[0], "ndim", 0):
            raise TypeError(
                f"sample takes a number, got an array of shape {args[0].shape}: codes z are "
                "decoded by decode(z)"
            )
        with at_most_warn():
            return method(self, *args, **options)

    return call


def explains(answers):
    """Return a decorator for a function: its errors explain arguments with foreign names."""

    def decorate(function):
        @functools.wraps(function)
        def call(*args, **options):
            check_keywords(function.__name__, function, answers, options)
            return function(*args, **options)

        return call

    return decorate
