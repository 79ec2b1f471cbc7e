"""The interface of scikit-learn, so that clone, Pipeline and GridSearchCV accept a model."""

import inspect
from types import MappingProxyType

import numpy as np

from miniae.plumbing.floating import STEP
from miniae.plumbing.foreign import Foreign, check_names
from miniae.plumbing.names import choose
from miniae.plumbing.signatures import argument_names, described


class NotFittedError(ValueError, AttributeError):
    """What is raised without scikit-learn, whose error of this name has these bases."""


def check_fitted(estimator):
    """Raise NotFittedError before `fit`: scikit-learn's, if it is installed."""
    if estimator.__sklearn_is_fitted__():
        return
    try:
        from sklearn.exceptions import NotFittedError as error
    except ImportError:
        error = NotFittedError
    name = type(estimator).__name__
    raise error(f"This {name} instance is not fitted yet: call fit before you use it")


class Estimator(Foreign):
    """Base of `Model`: gets and sets the constructor's arguments, as scikit-learn does.

    An argument that takes effect whenever it is used, such as `beta`, is an attribute. One that
    only the constructor uses, such as `hidden` or `encoder`, is in the dict `arguments` as it was
    given; assigning to the attribute of its name has no effect.
    """

    arguments = MappingProxyType({})

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        for name in STEP & vars(cls).keys():
            if inspect.isfunction(vars(cls)[name]):
                setattr(cls, name, np.errstate(under="ignore")(vars(cls)[name]))

    def get_params(self, deep=True):
        """Return the constructor's arguments as given, or as set since (``vae.beta = 4``).

        An argument of a subclass's own is known if it is kept as an attribute of its name.
        """
        values = {**vars(self), **self.arguments}
        return {name: values[name] for name in argument_names(type(self)) if name in values}

    def set_params(self, **changes):
        """Rebuild the model with some arguments changed; what it has learned is lost."""
        known = self.get_params()
        check_changes(self, changes, known)
        if changes:
            rebuilt = vars(type(self)(**{**known, **changes}))
            vars(self).clear()  # feature_names_in_ too, say
            vars(self).update(rebuilt)
        return self

    def __sklearn_tags__(self):
        """Tell scikit-learn that this is a transformer and needs no target."""
        from sklearn.utils import Tags, TargetTags, TransformerTags

        target = TargetTags(required=False)
        return Tags(estimator_type=None, target_tags=target, transformer_tags=TransformerTags())

    def __sklearn_is_fitted__(self):
        return bool(self.history)

    def __repr__(self):
        return described(self, self.get_params(deep=False), first=2)


def check_changes(estimator, changes, known, more=()):
    """Refuse names in `changes` that are not known; say what was meant, or what it is called here.

    more : names that are valid too

    Raises
    ------
    TypeError : a name of another library
    ValueError : another unknown name
    """
    check_names(type(estimator), changes, known)
    for name in changes:
        choose(known, name, "set_params: argument", more)
