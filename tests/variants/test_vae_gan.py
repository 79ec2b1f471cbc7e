"""VAE-GAN and adversarial autoencoder: who gets which gradient, and exact answers."""

import copy
import itertools
import pickle

import numpy as np
import pytest

import miniae
from miniae import (
    SGD,
    VAE,
    VAEGAN,
    Adam,
    AdversarialAutoencoder,
    Autoencoder,
    BatchNorm,
    Dense,
    Dropout,
    GaussianNLL,
    Masked,
    MixturePrior,
    Reshape,
    Sequential,
    Sigmoid,
    SquaredError,
    Tanh,
    gaussian_kl,
    gradient_check,
)
from miniae.proof.players import check_player
from miniae.variants.adversarial import (
    PLAYERS,
    discriminator_grad,
    discriminator_loss,
    generator_grad,
    generator_loss,
)

RNG = np.random.default_rng(0)
X, EPS, Z = RNG.random((7, 6)), RNG.standard_normal((7, 2)), RNG.standard_normal((7, 2))


def own_networks():
    """Networks with what behaves otherwise in training: dropout and statistics of the batch."""
    return {
        "encoder": Sequential(Dense(6, 5), BatchNorm(5), Tanh(), Dense(5, 4)),
        "decoder": Sequential(Dense(2, 5), Tanh(), Dropout(0.3), Dense(5, 6), Sigmoid()),
        "discriminator": Sequential(
            Sequential(Dense(6, 5), Tanh(), Dropout(0.2)),
            Sequential(Dense(5, 4), BatchNorm(4), Tanh(), Dense(4, 1)),
        ),
    }


def normalised_features():
    """With statistics over x, x~ and x_p, so that fakes act on the features of the data."""
    features = Sequential(Dense(6, 5), BatchNorm(5), Tanh())
    return Sequential(features, Sequential(Dense(5, 1)))


MODELS = {
    "VAE-GAN": lambda: VAEGAN(6, 2, (3,), beta=0.7, gamma=0.3),
    "saturating, deep": lambda: VAEGAN(6, 2, (5, 4), saturating=True, activation="gelu"),
    "images, linear output": lambda: VAEGAN((2, 3), 2, (5,), output="linear", gamma=2.0),
    "own networks": lambda: VAEGAN(6, 2, **own_networks()),
    "BatchNorm in f": lambda: VAEGAN(6, 2, (5,), gamma=0.3, discriminator=normalised_features()),
    "AAE": lambda: AdversarialAutoencoder(6, 2, (3,), gamma=0.4),
    "AAE, saturating": lambda: AdversarialAutoencoder(6, 2, (4,), saturating=True, loss="mse"),
}
each_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
both = pytest.mark.parametrize("cls", [VAEGAN, AdversarialAutoencoder])


def check_players(model, training):
    for player in PLAYERS:
        x = X.reshape(-1, *model.input_shape)
        report = check_player(model, player, x, training=training, tolerance=1e-12)
        assert report.ok and report.method == "complex step", report


@pytest.mark.slow
@pytest.mark.parametrize("name", ["VAE-GAN", "BatchNorm in f", "AAE"])
def test_the_gradient_of_each_player_is_that_of_its_own_loss(name):
    check_players(MODELS[name](), training=True)


@pytest.mark.slow
@each_model
@pytest.mark.parametrize("training", [True, False])
def test_so_it_is_with_other_settings_and_networks_in_training_and_evaluation(make, training):
    check_players(make(), training)


def test_the_noise_can_be_given_and_fixes_the_losses():
    model = VAEGAN(6, 2, (3,), dtype="float64")
    losses = model.losses(X, eps=EPS, z_prior=Z)
    assert losses == model.losses(X, eps=EPS, z_prior=Z) != model.losses(X, eps=Z, z_prior=EPS)
    assert check_player(model, "decoder", X, eps=EPS, z_prior=Z, tolerance=1e-12).ok


@each_model
def test_a_step_of_one_player_leaves_the_others_bit_equal(make):
    model = make()
    for player in PLAYERS:
        before = {p: getattr(model, p).theta.copy() for p in PLAYERS}
        model.losses(X.reshape(-1, *model.input_shape), training=True)
        model.backward()
        assert all(np.array_equal(getattr(model, p).theta, before[p]) for p in PLAYERS)
        network = getattr(model, player)
        Adam().step(network.theta, network.dtheta)
        changed = {p for p in PLAYERS if not np.array_equal(getattr(model, p).theta, before[p])}
        assert changed == {player}


def test_backward_can_be_called_twice_and_needs_losses_before():
    model = VAEGAN(6, 2, (5,))
    with pytest.raises(RuntimeError, match="backward was called before losses"):
        model.backward()
    model.losses(X)
    model.backward()
    first = model.dtheta.copy()
    model.backward()
    assert np.array_equal(model.dtheta, first) and first.any()


def test_with_the_data_as_features_the_encoder_and_the_decoder_are_those_of_a_vae():
    """f(x) = x and a head of zeros: the game has no gradient, and a Gaussian VAE is left."""
    model = VAEGAN(6, 2, (5,), output="linear", beta=0.7, gamma=0.3, dtype="float64",
                   discriminator=Sequential(Sequential(), Sequential(Dense(6, 1))))  # fmt: skip
    model.discriminator.theta = np.zeros_like(model.discriminator.theta)
    vae = VAE(6, 2, likelihood=GaussianNLL(1.0), beta=0.7, dtype="float64",
              encoder=model.encoder, decoder=model.decoder)  # fmt: skip
    constant = 3 * np.log(2 * np.pi)  # of the density
    assert model.losses(X, eps=EPS)["encoder"] == pytest.approx(vae.loss(X, eps=EPS) - constant)
    model.backward()
    vae.backward()
    np.testing.assert_allclose(model.encoder.dtheta, vae.encoder.dtheta, rtol=1e-12, atol=1e-15)
    expected = 0.3 * vae.decoder.dtheta
    np.testing.assert_allclose(model.decoder.dtheta, expected, rtol=1e-12, atol=1e-15)


def test_without_the_game_an_adversarial_autoencoder_is_an_autoencoder():
    model = AdversarialAutoencoder(6, 2, (5,), gamma=0.0, dtype="float64")
    plain = Autoencoder(6, 2, encoder=model.encoder, decoder=model.decoder, dtype="float64")
    assert model.losses(X)["encoder"] == pytest.approx(plain.loss(X), rel=1e-14)
    model.backward()
    plain.backward()
    for player in ("encoder", "decoder"):
        np.testing.assert_allclose(
            getattr(model, player).dtheta, getattr(plain, player).dtheta, rtol=1e-12, atol=1e-16
        )


# Two densities on three points, as counts of rows: sums over rows are exact expectations.
P, Q = np.array([1, 2, 5]) / 8, np.array([3, 4, 1]) / 8
REAL, FAKE = (np.repeat(np.eye(3), np.round(8 * density).astype(int), axis=0) for density in (P, Q))


def jensen_shannon(p, q):
    """JSD in nats, from its definition."""
    return 0.5 * sum((each * np.log(2 * each / (p + q))).sum() for each in (p, q))


def game_on_three_points(logits):
    """An adversarial autoencoder whose codes are the data, with a discriminator of these logits."""
    model = AdversarialAutoencoder(
        3, 3, encoder=Sequential(Dense(3, 3)), decoder=Sequential(Dense(3, 3)),
        discriminator=Sequential(Dense(3, 1)), dtype="float64",
    )  # fmt: skip
    model.encoder.layers[0].params.update(W=np.eye(3), b=np.zeros(3))
    model.discriminator.layers[0].params["W"] = logits[:, None]
    return model


def test_at_the_optimal_discriminator_the_loss_is_2_log_2_minus_2_jsd_and_the_gradient_0():
    model = game_on_three_points(np.log(P / Q))  # D = p / (p + q)
    loss = model.losses(FAKE, z_prior=REAL)["discriminator"]
    assert loss == pytest.approx(2 * np.log(2) - 2 * jensen_shannon(P, Q), rel=1e-14)
    model.backward()
    assert np.abs(model.discriminator.dtheta).max() < 1e-15
    for direction in np.random.default_rng(1).standard_normal((5, 3)):
        other = game_on_three_points(np.log(P / Q) + 0.1 * direction)
        assert other.losses(FAKE, z_prior=REAL)["discriminator"] > loss


def test_training_the_discriminator_alone_finds_the_optimum():
    model = game_on_three_points(np.zeros(3))
    network, rule = model.discriminator, SGD(4.0, momentum=0.8)
    for _ in range(250):
        model.losses(FAKE, z_prior=REAL)
        model.backward()
        rule.step(network.theta, network.dtheta)
    d = 1 / (1 + np.exp(-network.forward(np.eye(3))[:, 0]))
    np.testing.assert_allclose(d, P / (P + Q), rtol=1e-7)


def test_the_vae_gan_sees_reconstructions_and_samples_as_one_density():
    """Features are the data, on 3 points; half of the fakes are decoded from z, half from z_prior.

    So D = p / (p + (q1 + q2) / 2), which is 1/2 where all three are equal.
    """
    model = VAEGAN(
        3, 3, encoder=Sequential(Dense(3, 6)), decoder=Sequential(Dense(3, 3)), output="linear",
        discriminator=Sequential(Sequential(), Sequential(Dense(3, 1))), dtype="float64",
    )  # fmt: skip
    to_mu = np.hstack([np.eye(3), np.zeros((3, 3))])
    model.encoder.layers[0].params.update(W=to_mu, b=np.zeros(6))
    model.decoder.layers[0].params.update(W=np.eye(3), b=np.zeros(3))
    mixture = (P + Q) / 2
    model.discriminator.layers[1].layers[0].params["W"] = np.log(P / mixture)[:, None]
    losses = model.losses(REAL, eps=np.zeros((8, 3)), z_prior=FAKE)
    expected = 2 * np.log(2) - 2 * jensen_shannon(P, mixture)
    assert losses["discriminator"] == pytest.approx(expected, rel=1e-14)
    model.backward()
    assert np.abs(model.discriminator.dtheta).max() < 1e-15


def test_the_slopes_of_the_losses_are_d_in_closed_form():
    rng = np.random.default_rng(2)
    real, fake = 3 * rng.standard_normal((5, 1)), 3 * rng.standard_normal((4, 1))
    d_real, d_fake = 1 / (1 + np.exp(-real)), 1 / (1 + np.exp(-fake))
    assert discriminator_loss(real, fake) == pytest.approx(
        -np.log(d_real).mean() - np.log(1 - d_fake).mean(), rel=1e-13
    )
    assert generator_loss(fake) == pytest.approx(-np.log(d_fake).mean(), rel=1e-13)
    assert generator_loss(fake, True) == pytest.approx(np.log(1 - d_fake).mean(), rel=1e-13)
    dreal, dfake = discriminator_grad(real, fake)
    np.testing.assert_allclose(dreal, -(1 - d_real) / 5, rtol=1e-12)
    np.testing.assert_allclose(dfake, d_fake / 4, rtol=1e-12)
    np.testing.assert_allclose(generator_grad(fake), -(1 - d_fake) / 4, rtol=1e-12)
    np.testing.assert_allclose(generator_grad(fake, True), -d_fake / 4, rtol=1e-12)


def test_a_sure_discriminator_stops_the_saturating_generator_only():
    sure = np.full((4, 1), -800.0)
    assert generator_loss(sure) == 800 and generator_loss(sure, True) == 0
    assert (generator_grad(sure) == -0.25).all() and (generator_grad(sure, True) == 0).all()
    assert discriminator_loss(-sure, sure) == 0 and discriminator_loss(sure, -sure) == 1600


@pytest.mark.parametrize("shift", [0.3, 1.5])
def test_at_the_optimal_discriminator_the_generators_gradients_are_those_of_divergences(shift):
    """The generator x = z + shift against N(0, 1); D = p / (p + q) has the logit s^2 / 2 - s x.

    The saturating gradient is that of 2 JSD (Goodfellow et al. 2014), the other one that of
    KL(q || p) - 2 JSD (Arjovsky and Bottou 2017, theorem 2.5). Expectations by Gauss-Hermite
    quadrature, the derivative of the JSD by a complex step.
    """
    z, weight = np.polynomial.hermite_e.hermegauss(80)
    weight = (weight / weight.sum())[:, None]

    def jsd(s):
        """JSD of N(0, 1) and N(s, 1): both its KL terms are E softplus, equal by symmetry."""
        logit = s * s / 2 - s * (z + s)  # log p / q at draws from q
        softplus = np.log(1 + np.exp(logit))
        return np.log(2) - (weight[:, 0] * softplus).sum()

    slope_of_jsd = jsd(shift + 1e-30j).imag / 1e-30
    logits = (shift**2 / 2 - shift * (z + shift))[:, None]
    for saturating, expected in ((True, 2 * slope_of_jsd), (False, shift - 2 * slope_of_jsd)):
        per_row = generator_grad(logits, saturating) * len(z)
        slope = (weight * per_row * -shift).sum()  # dlogit / dx = -shift, dx / dshift = 1
        assert slope == pytest.approx(expected, rel=1e-9)


@both
def test_training_is_reproducible_and_goes_on_where_it_stopped(cls):
    def trained(*epochs):
        model = cls(6, 2, (8,), seed=3)
        for count in epochs:
            model.fit(X, epochs=count, batch_size=3, verbose=0)
        return model

    one, two, parts = trained(3), trained(3), trained(2, 1)
    assert np.array_equal(one.theta, two.theta) and np.array_equal(one.theta, parts.theta)
    assert one.history == two.history == parts.history
    assert {len(values) for values in one.history.values()} == {3}
    assert not np.array_equal(one.theta, cls(6, 2, (8,), seed=4).fit(X, verbose=0).theta)
    assert np.array_equal(one.sample(4, seed=1), two.sample(4, seed=1))
    assert not np.array_equal(one.sample(4, seed=1), one.sample(4, seed=2))


@both
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_everything_has_the_dtype_of_the_model(cls, dtype):
    model = cls((2, 3), 2, (5,), dtype=dtype).fit(X.reshape(7, 2, 3), epochs=1, verbose=0)
    images = X.reshape(7, 2, 3)
    assert model.dtheta.dtype == model.encode(images).dtype == model.sample(3).dtype == dtype
    assert model.reconstruct(images).shape == images.shape and model.sample(3).shape == (3, 2, 3)
    again = model.decode(model.encode(images))
    assert np.array_equal(again, model.reconstruct(images)) and 0 <= again.min() <= again.max() <= 1


def survivors(model, tmp_path):
    """Yield copies of a model by each way there is."""
    model.save(tmp_path / "a.npz")
    yield type(model).load(tmp_path / "a.npz")
    yield copy.deepcopy(model)
    yield pickle.loads(pickle.dumps(model))


@pytest.mark.parametrize("name", ["images, linear output", "own networks", "AAE, saturating"])
def test_a_model_survives_its_file_a_copy_and_a_pickle(name, tmp_path):
    model = MODELS[name]()
    images = X.reshape(-1, *model.input_shape)
    model.fit(images, epochs=2, batch_size=4, verbose=0)
    for again in survivors(model, tmp_path):
        assert np.array_equal(again.sample(5, seed=0), model.sample(5, seed=0))
        assert again.losses(images) == model.losses(images) and again.history == model.history
        again.fit(images, epochs=1, batch_size=4, verbose=0)
        assert len(model.history["loss"]) == 2  # shares nothing
    assert repr(type(model)(**model.get_params())) == repr(model)
    assert model.set_params(latent_dim=2).history == {}


@pytest.mark.slow
def test_scikit_learn_clones_both():
    base = pytest.importorskip("sklearn.base")
    for model in (VAEGAN(6, 3, gamma=0.1), AdversarialAutoencoder(6, 3, loss="mse")):
        assert repr(base.clone(model)) == repr(model)
        steps = pytest.importorskip("sklearn.pipeline").make_pipeline(model)
        assert steps.fit(X, None).transform(X).shape == (7, 3)


def test_names_of_a_model_with_one_loss_say_what_there_is_instead():
    model = VAEGAN(6, 2, (5,))
    for call, words in {
        (lambda: gradient_check(model, X)): r"losses\(x\) has one for each player",
        (lambda: model.evaluate(X)): "no one number measures a game",
        (lambda: model.optimizer): "optimizers has one for each player",
        (lambda: miniae.AAE): "called AdversarialAutoencoder",
    }.items():
        with pytest.raises(AttributeError, match=words):
            call()
    with pytest.raises(TypeError, match="it is an argument of the optimiser"):
        model.fit(X, lr=1e-3)


def test_each_player_has_an_optimiser_of_its_own():
    model, given = VAEGAN(6, 2, (5,)), Adam(1e-2)
    model.fit(X, epochs=1, optimizer=given, verbose=0)
    rules = model.optimizers
    assert len({id(rule) for rule in rules.values()} | {id(given)}) == 4 and given.t == 0
    model.fit(X, epochs=1, optimizer={"discriminator": SGD(1e-3)}, verbose=0)
    assert model.optimizers["encoder"] is rules["encoder"] and rules["encoder"].t == 2
    assert isinstance(model.optimizers["discriminator"], SGD)
    before = model.decoder.theta.copy()
    slow = {"encoder": SGD(1e-2), "decoder": SGD(lambda step: 0.0), "discriminator": "sgd"}
    model.fit(X, epochs=1, optimizer=slow, verbose=0)
    assert np.array_equal(model.decoder.theta, before)
    with pytest.raises(ValueError, match=r"keys \['critic'\]; the players are"):
        model.fit(X, optimizer={"critic": Adam()})
    with pytest.raises(ValueError, match="optimizer='ada' must be one of"):
        model.fit(X, optimizer={"encoder": "ada"})


class Momentum:
    """An optimiser of one's own, with a state."""

    velocity = 0.0

    def step(self, theta, dtheta):
        self.velocity = 0.9 * self.velocity - 1e-2 * dtheta
        theta += self.velocity


RULES = {
    "one object": lambda: Adam(1e-2),
    "of one's own": Momentum,
    "a schedule": lambda: SGD(lambda step: 0.1 / (1 + step)),
    "by player": lambda: {"encoder": Adam(1e-2), "discriminator": SGD(1e-2, momentum=0.9)},
}


@pytest.mark.slow
@both
@pytest.mark.parametrize("make", RULES.values(), ids=RULES)
def test_an_optimiser_that_is_given_again_keeps_its_state_as_in_every_model(cls, make):
    def trained(rule, *epochs):
        model = cls(6, 2, (5,))
        for count in epochs:
            model.fit(X, epochs=count, batch_size=3, optimizer=rule, verbose=0)
        return model

    rule = make()
    whole, parts = trained(rule, 3).theta, trained(rule, 2, 1)
    assert np.array_equal(whole, parts.theta)
    again = trained(make(), 2)
    again.fit(X, epochs=1, batch_size=3, optimizer=again.optimizers, verbose=0)
    assert np.array_equal(whole, again.theta)
    fresh = trained(make(), 2).fit(X, epochs=1, batch_size=3, optimizer=make(), verbose=0)
    assert not np.array_equal(whole, fresh.theta)
    vae = VAE(6, 2, (5,))
    for given in rule.values() if isinstance(rule, dict) else [rule]:
        vae.fit(X, epochs=1, optimizer=given, verbose=0)  # serves a model that has one loss too


def test_only_a_player_can_be_checked():
    with pytest.raises(ValueError, match="player='loss' must be one of"):
        check_player(VAEGAN(6, 2, (5,)), "loss", X)


def test_losses_that_are_not_numbers_are_told_as_numbers():
    with pytest.raises(FloatingPointError, match=r"encoder nan, decoder nan, discriminator nan\."):
        VAEGAN(6, 2, (5,)).losses(X, eps=np.full((7, 2), np.nan))


@both
def test_bad_data_are_refused_before_anything_is_trained(cls):
    model, bad = cls(6, 2, (5,)), X.copy()
    bad[3, 1] = np.nan
    for method in (model.fit, model.encode, model.reconstruct, model.losses):
        with pytest.raises(ValueError, match=r"\[3, 1\] is nan, but"):
            method(bad)
    bad[3, 1] = 1.5
    remedy = 'output="linear"' if cls is VAEGAN else 'loss="mse"'
    with pytest.raises(ValueError, match=r"X\[3, 1\] is 1.5, but .* within .*" + remedy):
        model.fit(bad)
    with pytest.raises(ValueError, match=r"shape \(n, 6\) .* got \(7, 5\)"):
        model.fit(X[:, :5])
    with pytest.raises(ValueError, match="epochs=0.5"):
        model.fit(X, epochs=0.5)
    with pytest.raises(ValueError, match="no target but X"):
        model.fit(X, X)
    with pytest.raises(TypeError, match="validation_data"):
        model.fit(X, validation_data=X)
    with pytest.raises(ValueError, match=r"z_prior has shape \(7, 3\), the codes \(7, 2\)"):
        model.losses(X, z_prior=np.zeros((7, 3)))
    assert model.history == {}


def test_arguments_that_do_not_fit_are_refused():
    wrong = {
        "gamma=-1 must be": {"gamma": -1},
        "saturating='no' must be True or False": {"saturating": "no"},
        "hidden=8 must be a tuple": {"hidden": 8},
        "latent_dim=0": {"latent_dim": 0},
        "seed=-1": {"seed": -1},
        "dtype=float16": {"dtype": "float16"},
    }
    for message, given in wrong.items():
        for cls in (VAEGAN, AdversarialAutoencoder):
            with pytest.raises(ValueError, match=message):
                cls(6, **given)
    with pytest.raises(ValueError, match="beta=-1"):
        VAEGAN(6, beta=-1)
    with pytest.raises(ValueError, match="output='softmax' is unknown"):
        VAEGAN(6, output="softmax")
    with pytest.raises(ValueError, match=r"must be Sequential\(features, head\)"):
        VAEGAN(6, discriminator=Sequential(Dense(6, 4), Tanh(), Dense(4, 1)))
    ends = Sequential(Sequential(Dense(6, 4)), Sequential(Dense(4, 1), Sigmoid()))
    with pytest.raises(ValueError, match="discriminator ends in Sigmoid"):
        VAEGAN(6, discriminator=ends)
    with pytest.raises(ValueError, match=r"\(2,\) to \(3,\), but must map them to \(1,\)"):
        AdversarialAutoencoder(6, 2, discriminator=Sequential(Dense(2, 3)))
    with pytest.raises(TypeError, match="discriminator must be a Sequential"):
        AdversarialAutoencoder(6, 2, discriminator=Dense(2, 1))
    with pytest.raises(ValueError, match="loss='gaussian' has parameters"):
        AdversarialAutoencoder(6, loss="gaussian")
    with pytest.raises(ValueError, match="loss='bcee' is unknown"):
        AdversarialAutoencoder(6, loss="bcee")
    with pytest.raises(ValueError, match="prior=3 must be an object"):
        AdversarialAutoencoder(6, prior=3)
    with pytest.raises(ValueError, match=r"draw\(\(3, 3\), rng\) must return"):
        AdversarialAutoencoder(6, 3, prior=MixturePrior([[0.0, 1.0], [1.0, 0.0]], np.ones((2, 2))))
    with pytest.raises(ValueError, match="needs .*latent_dim=3"):
        VAEGAN(6, 3, encoder=Sequential(Dense(6, 3)))


@both
def test_numbers_that_overflow_stop_the_training_with_an_error(cls):
    with pytest.raises(FloatingPointError, match="learning rate is too high"):
        cls(6, 2, (5,)).fit(X, epochs=50, optimizer=SGD(1e25), verbose=0)


def test_a_callback_sees_the_terms_and_can_end_the_training(capsys):
    seen = []

    def stop(model, epoch, logs):
        seen.append((epoch, *logs))
        return epoch == 1

    model = VAEGAN(6, 2, (5,)).fit(X, epochs=9, callback=stop, verbose=2)
    names = ("loss", "decoder_loss", "discriminator_loss", "reconstruction", "kl", "d_real")
    assert [each[:7] for each in seen] == [(0, *names), (1, *names)]
    assert len(model.history["d_fake"]) == 2 and "epoch 2/9" in capsys.readouterr().err


def test_data_in_other_ranges_and_entries_that_are_missing_have_their_settings():
    wide = 5 * np.random.default_rng(1).standard_normal((20, 6))
    VAEGAN(6, 2, (5,), output="linear").fit(wide, epochs=1, verbose=0)
    AdversarialAutoencoder(6, 2, (5,), loss="mse").fit(wide, epochs=1, verbose=0)
    wide[0, 0] = np.nan
    masked = AdversarialAutoencoder(6, 2, (5,), loss=Masked(SquaredError()))
    assert np.isfinite(masked.fit(wide, epochs=1, verbose=0).reconstruct(wide)).all()
    images = np.random.default_rng(2).random((9, 4, 4, 1))
    own = Sequential(Dense(2, 16), Reshape(4, 4, 1), Sigmoid())
    VAEGAN((4, 4, 1), 2, (5,), decoder=own).fit(images, epochs=1, verbose=0)


@pytest.mark.slow
def test_codes_of_an_adversarial_autoencoder_take_the_shape_of_a_prior_without_a_kl():
    """Two narrow modes at -2 and 2; a VAE needs a KL in closed form, which a mixture has not."""
    rng = np.random.default_rng(0)
    data = rng.standard_normal((2000, 2)) @ rng.standard_normal((2, 6))
    prior = MixturePrior([[-2.0], [2.0]], [[0.3], [0.3]])
    off = []
    for gamma in (0.0, 20.0):
        model = AdversarialAutoencoder(
            6, 1, (32,), activation="tanh", loss="mse", prior=prior, gamma=gamma
        )
        model.fit(data, epochs=40, batch_size=100, optimizer=Adam(2e-3, (0.5, 0.999)), verbose=0)
        z = np.sort(model.encode(data)[:, 0])
        exact = np.sort(prior.draw((2000, 1), np.random.default_rng(1))[:, 0])
        off.append(np.abs(z - exact).mean())  # Wasserstein distance of the two samples
    assert off[1] < 0.3 and off[0] > 1


def test_the_players_are_three_slices_of_one_vector():
    model = VAEGAN(6, 2, (5,))
    sizes = [getattr(model, player).theta.size for player in PLAYERS]
    ends = list(itertools.accumulate(sizes))
    assert ends[-1] == model.theta.size
    for player, start, end in zip(PLAYERS, [0, *ends], ends, strict=False):
        assert np.shares_memory(getattr(model, player).theta, model.theta[start:end])


@both
def test_terms_are_the_losses_of_the_players_and_the_means_of_d(cls):
    model = cls(6, 2, (5,), dtype="float64")
    losses = model.losses(X, z_prior=Z)
    names = {"encoder": "loss", "decoder": "decoder_loss", "discriminator": "discriminator_loss"}
    assert {p: model.terms[name] for p, name in names.items()} == losses
    real = X if cls is VAEGAN else Z
    d = 1 / (1 + np.exp(-model.discriminator.forward(real)))
    assert model.terms["d_real"] == pytest.approx(d.mean(), rel=1e-12)
    assert abs(model.terms["d_fake"] - d.mean()) > 1e-3
    if cls is AdversarialAutoencoder:
        d = 1 / (1 + np.exp(-model.discriminator.forward(model.encode(X))))
        assert model.terms["d_fake"] == pytest.approx(d.mean(), rel=1e-12)


def test_the_history_has_means_over_rows_although_the_last_batch_is_small():
    frozen, batches = SGD(lambda step: 0.0), []

    class Spy(AdversarialAutoencoder):
        def record(self, losses, logits, n_real, **terms):
            batches.append((n_real, losses["encoder"]))
            return super().record(losses, logits, n_real, **terms)

    model = Spy(6, 2, (5,), dtype="float64").fit(
        X, epochs=1, batch_size=3, optimizer=frozen, verbose=0
    )
    sizes, losses = zip(*batches, strict=True)
    assert sizes == (3, 3, 1)
    assert model.history["loss"] == pytest.approx([np.average(losses, weights=sizes)], rel=1e-12)


def test_weights_that_the_last_step_ruins_stop_the_training():
    class Ruin:
        def step(self, theta, dtheta):
            theta[0] = np.nan

    model = VAEGAN(6, 2, (5,))
    with pytest.raises(FloatingPointError, match="after its last step, weights are NaN"):
        model.fit(X, epochs=1, optimizer={"decoder": Ruin()}, verbose=0)


def test_the_range_of_the_data_is_that_of_the_decoder_which_is_used():
    def decoder(*end):
        return Sequential(Dense(2, 6), *end)

    VAEGAN(6, 2, decoder=decoder(), encoder=Sequential(Dense(6, 4))).losses(5 * X)
    ends = VAEGAN(6, 2, output="linear", decoder=decoder(Sigmoid()))
    with pytest.raises(ValueError, match="but .* within"):
        ends.losses(5 * X)


def test_the_seed_draws_the_weights_of_networks_that_are_given_and_hidden_is_read_in_order():
    one, two, three = (VAEGAN(6, 2, seed=seed, **own_networks()) for seed in (1, 1, 2))
    assert np.array_equal(one.theta, two.theta) and not np.array_equal(one.theta, three.theta)
    for cls in (VAEGAN, AdversarialAutoencoder):
        model = cls(6, 2, (5, 4))
        shapes = [p.layers[0].params["W"].shape for p in (model.encoder, model.decoder)]
        assert shapes == [(6, 5), (2, 4)]


def test_by_default_each_player_has_adam_with_little_momentum():
    rules = VAEGAN(6, 2, (5,)).fit(X, epochs=1, verbose=0).optimizers
    assert {repr(rule) for rule in rules.values()} == {repr(Adam(1e-3, betas=(0.5, 0.999)))}


def test_the_kl_and_the_reconstruction_are_recorded_without_their_weights():
    model = VAEGAN(6, 2, (5,), beta=0.7, gamma=0.3, dtype="float64")
    losses = model.losses(X)
    terms = model.terms
    kl = gaussian_kl(*model.posterior(X)).sum(axis=1).mean()
    assert terms["kl"] == pytest.approx(kl, rel=1e-12)
    assert losses["encoder"] == pytest.approx(terms["reconstruction"] + 0.7 * kl, rel=1e-12)
