"""What scikit-learn asks of an estimator, so that clone, Pipeline and GridSearchCV take a model."""

import inspect
from types import MappingProxyType

from miniae.parameters import choose


class Estimator:
    """Base of `Model`: its constructor's arguments, as scikit-learn wants to see and set them.

    It expects `arguments`, the constructor's arguments as given, and `history`.
    """

    adjustable = ()  # arguments that are attributes too, and take effect when they are assigned
    copies = MappingProxyType({})  # of arguments: as long as one is in place, it counts as given

    def get_params(self, deep=True):
        """Return the constructor's arguments as given, or as set since (``vae.beta = 4``)."""
        names = {**self.arguments, **inspect.signature(type(self)).parameters}
        given = {name: self.arguments[name] for name in names if name in self.arguments}
        own = [name for name in names if name not in given and name in vars(self)]  # a subclass's
        live = [name for name in self.adjustable if name in given]
        now = {name: vars(self)[name] for name in (*live, *own)}
        kept = {name for name in now if now[name] is self.copies.get(name, self)}
        return {**given, **{name: value for name, value in now.items() if name not in kept}}

    def set_params(self, **changes):
        """Rebuild the model with some arguments changed; what it has learned is gone."""
        known = self.get_params()
        for name in changes:
            choose(known, name, "set_params: argument")
        if changes:
            vars(self).update(vars(type(self)(**{**known, **changes})))
        return self

    def __sklearn_tags__(self):
        """Return what scikit-learn asks of an estimator: that this one transforms, unsupervised."""
        from sklearn.utils import Tags, TargetTags, TransformerTags

        target = TargetTags(required=False)
        return Tags(estimator_type=None, target_tags=target, transformer_tags=TransformerTags())

    def __sklearn_is_fitted__(self):
        return bool(self.history)
