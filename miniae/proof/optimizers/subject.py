"""The optimiser that is checked, its settings, and how to build others like it."""

import copy
import inspect
from numbers import Real

from miniae.optim import SGD, Adam, Optimizer
from miniae.proof.optimizers.rules import NAMES, OFF, RULES

KNOWN = {SGD: "sgd", Adam: "adamw"}  # miniae's Adam has separate decay
ASSUMED = {"betas": (0.9, 0.999), "eps": 1e-8, **OFF}
PAIR = ("beta1", "beta2")  # what some classes accept instead of betas
EMPTY = inspect.Parameter.empty


class Subject:
    """An optimiser to check.

    Parameters
    ----------
    optimizer : an object with `step`, or a class or function that makes one
    rule : str or None
    given : dict, the settings that the caller gives
    lr : float, for a constructor that needs one, if the caller gives none

    Attributes
    ----------
    settings : dict, every setting of the rule
    takes : set of str, the settings that its constructor accepts by name
    named : set of str, those of them that are in its signature, not only in its **settings
    ours : bool, whether it is a miniae Optimizer
    notes : list of str, what had to be assumed
    refusal : str, why no other one can be built; "" if it can
    """

    def __init__(self, optimizer, rule, given, lr):
        self.instance = optimizer if is_instance(optimizer) else None
        self.maker = optimizer if self.instance is None else type(optimizer)
        if not callable(self.maker):
            raise ValueError(
                f"optimizer={optimizer!r} has no method step, and is neither "
                "a class nor a function that makes an optimiser"
            )
        defaults, self.named = constructor_settings(self.maker)
        self.passed, self.notes, self.refusal = {}, [], ""
        if self.instance is None:
            first = self._first(given, defaults, lr)
        else:
            first = optimizer
        if not callable(getattr(first, "step", None)):
            raise ValueError(f"{type(first).__name__} has no method step(theta, dtheta)")
        self.ours = isinstance(first, Optimizer)
        if self.ours and first.t != 0:
            raise ValueError(f"{first!r} has made {getattr(first, 't', 0)} steps: check a new one")
        self.name = getattr(self.maker, "__name__", "<lambda>")
        self.name = type(first).__name__ if self.name == "<lambda>" else self.name
        self.rule = choose_rule(first, rule)
        for name, value in given.items():
            if name not in NAMES[self.rule]:
                raise ValueError(
                    f"{name}={value!r} is not a setting of the rule "
                    f"{self.rule!r}; its settings are: {', '.join(NAMES[self.rule])}"
                )
        self.takes = {name for name in NAMES[self.rule] if name in defaults}
        self.settings = self._read(first, given)
        if self.instance is not None:
            self.passed = {k: v for k, v in self.settings.items() if k in self.takes & self.named}
            try:
                self.build()
            except Exception as error:
                self.refusal = f"{self.name} cannot be built again: {said(error)}"
            try:
                self.fresh()
            except Exception as error:
                raise ValueError(f"{self.name} cannot be copied ({said(error)}): give its class, "
                                 "or a function that makes it") from error  # fmt: skip

    def _first(self, given, defaults, lr):
        """Build the first one from the given settings, the defaults, and an lr if it needs one."""
        self.passed = {k: v for k, v in defaults.items() if v is not None}
        needed = [name for name, value in self.passed.items() if value is EMPTY]
        if "lr" in defaults and "lr" not in self.named:
            needed.append("lr")
        self.passed |= {name: lr if name == "lr" else ASSUMED[name] for name in needed}
        self.passed |= {name: value for name, value in given.items() if name in defaults}
        try:
            first, second = self._call(self.passed), self._call(self.passed)
        except TypeError as error:
            arguments = ", ".join(f"{name}={value!r}" for name, value in self.passed.items())
            raise ValueError(
                f"{self.maker!r} cannot be called with ({arguments}): {error}; give an optimiser "
                "object, or a function of the settings that returns one"
            ) from error
        if first is second:
            raise ValueError(
                f"{self.maker!r} returns the same object each time: it must make a new one"
            )
        return first

    def _read(self, first, given):
        """Return every setting of the rule: given, passed on, an attribute, or assumed."""
        found, assumed = {}, {}
        for name in NAMES[self.rule]:
            own = attribute(first, name)
            if self.instance is not None and name in given and own is not None:
                if not callable(own) and own != as_setting(name, given[name]):
                    raise ValueError(
                        f"{name}={given[name]!r} is given, but the optimiser has {own!r}"
                    )
            for value in (given.get(name), self.passed.get(name), own):
                if value is not None:
                    found[name] = as_setting(name, value)
                    break
            else:
                if name == "lr":
                    raise ValueError(
                        "lr is unknown: it is not an attribute of the optimiser; pass it "
                        "to check_optimizer, as in lr=0.01"
                    )
                found[name] = assumed[name] = ASSUMED[name]
        assumed.pop("clip_norm", None)
        if assumed:
            values = ", ".join(f"{name}={value!r}" for name, value in assumed.items())
            self.notes.append(f"assumed, because the optimiser has no such attributes: {values}")
        return found

    def _call(self, settings):
        settings = dict(settings)
        if "betas" in settings and set(PAIR) <= set(parameters(self.maker)[0]):
            settings |= zip(PAIR, settings.pop("betas"), strict=True)
        return self.maker(**settings)

    def build(self, **changes):
        """Return a new one from the constructor, with changed settings."""
        return self._call(self.passed | changes)

    def fresh(self):
        """Return a new one with the given settings."""
        return self.build() if self.instance is None else copy.deepcopy(self.instance)

    def why_not(self, names):
        """Return why settings cannot be varied; "" if they can."""
        missing = [name for name in names if name not in self.takes]
        if missing:
            return f"the constructor takes no {' and no '.join(missing)}"
        return self.refusal


def is_instance(optimizer):
    """Return whether this is an optimiser, and not a class or function that makes one."""
    return not isinstance(optimizer, type) and hasattr(optimizer, "step")


def choose_rule(first, rule):
    """Return the given rule, or that of a miniae class."""
    if rule is None:
        rule = next((KNOWN[base] for base in type(first).__mro__ if base in KNOWN), None)
    if rule not in RULES:
        raise ValueError(
            f"rule={rule!r}: say which rule {type(first).__name__} follows. 'sgd' (with or without "
            "momentum and Nesterov), 'adam' (weight decay is added to the gradient, as in "
            "torch.optim.Adam) or 'adamw' (separate weight decay, as in torch.optim.AdamW and "
            "miniae.Adam)"
        )
    return rule


def as_setting(name, value):
    """Return a setting in the form for comparisons."""
    return tuple(value) if name == "betas" else value


def attribute(optimizer, name):
    """Return a setting that an object has as an attribute; None if it has no valid one."""
    value = getattr(optimizer, name, None)
    if name == "betas":
        value = [getattr(optimizer, beta, None) for beta in PAIR] if value is None else value
        if not isinstance(value, (tuple, list)) or len(value) != 2:
            return None
        return tuple(value) if all(isinstance(beta, Real) for beta in value) else None
    return value if isinstance(value, Real) or (name == "lr" and callable(value)) else None


def parameters(maker):
    """Return (dict of argument name to default, whether other names are accepted).

    A class that passes its ``**settings`` on also accepts the arguments of its base class.
    """
    chain, found = [maker], {}
    if isinstance(maker, type):
        above = [base for base in maker.__mro__ if base is not object and "__init__" in vars(base)]
        chain = [base.__init__ for base in above]
    for function in chain:
        try:
            own = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):
            return found, False
        named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        found = {p.name: p.default for p in own if p.kind in named} | found
        if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in own):
            return found, False
    return found, bool(chain)


def constructor_settings(maker):
    """Return a dict of the settings that a class or function accepts, with their defaults.

    Also returns the set of those in its signature. If it accepts any name, the others are None.
    """
    found, more = parameters(maker)
    if set(PAIR) <= set(found):
        pair = tuple(found[beta] for beta in PAIR)
        found["betas"] = EMPTY if EMPTY in pair else pair
    known = {name: found[name] for names in NAMES.values() for name in names if name in found}
    others = dict.fromkeys(name for names in NAMES.values() for name in names) if more else {}
    return others | known, set(known)


def said(error):
    """Return an exception in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
