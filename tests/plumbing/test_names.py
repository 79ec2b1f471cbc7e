import pytest

from miniae import BernoulliNLL, ImportanceWeightedVAE
from miniae.plumbing.names import choose


def test_an_unknown_name_is_an_error_that_names_the_nearest_one():
    table = {"relu": 1, "tanh": 2}
    assert choose(table, "tanh", "activation") == 2
    with pytest.raises(ValueError, match="activation='tan' is unknown; did you mean 'tanh'"):
        choose(table, "tan", "activation")
    with pytest.raises(ValueError, match=r"did you mean 'linear'\? \['linear', 'relu', 'tanh'\]"):
        choose(table, "linea", "code_activation", ["linear"])
    with pytest.raises(ValueError, match="activation=None is unknown"):
        choose(table, None, "activation")


def test_a_mixin_may_define_the_earlier_name():
    class Mixin:
        def mean(self, out):
            return 3

    class Mine(Mixin, BernoulliNLL):
        pass

    assert Mine().expected(None) == Mine().mean(None) == 3


def test_an_earlier_name_of_a_value_is_the_same_value():
    model = ImportanceWeightedVAE(6, 2, (4,), k=5)
    assert model.draws == model.n_draws == 5
    model.draws = 7
    assert model.n_draws == 7
    loss = BernoulliNLL()
    loss.missing = True
    assert loss.takes_nan and not BernoulliNLL().takes_nan
