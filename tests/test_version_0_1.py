"""What subclasses written for version 0.1 use still works, and is not silently ignored."""

import numpy as np
import pytest

from miniae import VAE, Autoencoder, BernoulliNLL, Dense, Loss, MultinomialNLL, gradient_check
from miniae.layers import Sequential

X = np.random.default_rng(0).random((9, 6))


class Labelled(Autoencoder):
    """As the page on extending showed it, with the names of 0.1."""

    def __init__(self, input_dim, latent_dim=32, hidden=(128,), *, n_classes, weight=1.0, **more):
        super().__init__(input_dim, latent_dim, hidden, **more)
        self.arguments.update(n_classes=n_classes, weight=weight)
        self.n_classes, self.weight = n_classes, weight
        self.label_loss = MultinomialNLL()
        self.parts["head"] = Dense(latent_dim, n_classes, rng=self.rng)
        self._own(self.theta.dtype)

    def loss(self, x, target=None, *, labels, eps=None, rng=None, training=False):
        x, target, rng = self._inputs(x, target, rng, training)
        code = self._code(x, training)
        out = self.decoder.forward(code, training)
        reconstruction = self.reconstruction_loss.forward(out, target)
        one_hot = np.eye(self.n_classes, dtype="float32")[labels]
        label_nll = self.label_loss.forward(self.parts["head"].forward(code), one_hot)
        self.cache = True
        loss = reconstruction + self.weight * label_nll
        return self._record(loss, reconstruction=reconstruction, label_nll=label_nll)

    def backward(self):
        self.cached()
        dcode = self.decoder.backward(self.reconstruction_loss.backward())
        dlogits = self.weight * self.label_loss.backward()
        self.encoder.backward_params(dcode + self.parts["head"].backward(dlogits))


def test_a_model_of_0_1_is_checked_trained_saved_and_loaded(tmp_path):
    labels = np.arange(9) % 3
    model = Labelled(6, 3, (5,), n_classes=3, weight=0.5)
    assert gradient_check(model, X, labels=labels).ok
    model.fit(X, labels=labels, epochs=2, verbose=0).save(tmp_path / "m.npz")
    loaded = Labelled.load(tmp_path / "m.npz")
    assert np.array_equal(loaded.theta, model.theta) and loaded.weight == 0.5


def test_networks_put_into_parts_are_used_and_trained():
    model = Autoencoder(6, 2, (), loss="mse")
    model.parts["encoder"] = Sequential(Dense(6, 2, rng=5))
    model._own(model.theta.dtype)
    before = model.encoder.theta.copy()
    assert model.encoder is model.parts["encoder"]
    model.fit(X, epochs=1, verbose=0)
    assert not np.array_equal(model.encoder.theta, before)


@pytest.mark.parametrize("name", ["_inputs", "_code", "_record"])
def test_an_override_of_an_earlier_name_takes_effect(name):
    calls = []

    def override(self, *args, **options):
        calls.append(name)
        return getattr(super(Mine, self), name)(*args, **options)

    Mine = type("Mine", (Autoencoder,), {name: override})
    Mine(6, 2, (4,)).loss(X)
    assert calls == [name]


def test_the_earlier_names_of_a_loss_take_effect():
    class Mine(BernoulliNLL):
        missing = True

        def mean(self, out):
            return super().mean(out) / 2

        def remember(self, out, target):
            return super().remember(out, np.nan_to_num(target))

    loss, out = Mine(), np.array([[0.3, -0.2]])
    assert loss.takes_nan and not BernoulliNLL().missing
    assert np.array_equal(loss.expected(out), BernoulliNLL().mean(out) / 2)
    zero = BernoulliNLL().forward(out, np.array([[0.0, 1.0]]))
    assert loss.forward(out, np.array([[np.nan, 1.0]])) == zero


def test_a_loss_may_keep_more_than_out_and_target():
    class Mine(Loss):
        def entries(self, out, target):
            self.cache = (*self.cache, out - target)
            return (out - target) ** 2

        def slopes(self, out, target, weight):
            return 2 * self.cache[2] * weight

    rng = np.random.default_rng(1)
    assert gradient_check(Mine(), rng.standard_normal((4, 3)), rng.standard_normal((4, 3))).ok


def test_names_of_other_libraries_follow_an_override():
    class Halved(VAE):
        def encode(self, X):
            return super().encode(X) / 2

    model = Halved(6, 2, (4,))
    assert np.array_equal(model.transform(X), model.encode(X))
    assert np.array_equal(model.predict(X), model(X))
    assert np.array_equal(model.predict(X), model.reconstruct(X))


def test_an_argument_that_a_subclass_does_not_keep_is_given_to_load(tmp_path):
    class Mine(VAE):
        def __init__(self, input_dim, extra, width=3):
            super().__init__(input_dim, 2, (width,))
            self.width = width

    model = Mine(6, "anything").fit(X, epochs=1, verbose=0)
    model.save(tmp_path / "m.npz")
    loaded = Mine.load(tmp_path / "m.npz", extra="else")
    assert np.array_equal(loaded.encode(X), model.encode(X))
    with pytest.raises(ValueError, match="extra"):
        Mine.load(tmp_path / "m.npz")
