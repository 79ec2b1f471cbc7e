from miniae import (
    VAE,
    Autoencoder,
    ConditionalVAE,
    Dense,
)


def test_the_seed_of_a_model_gives_its_layers_different_weights():
    model = Autoencoder(6, 6, (6, 6))
    Ws = [value for name, value, _ in model.named_params() if name.endswith("W")]
    assert len({W.tobytes() for W in Ws}) == len(Ws) == 6


def inits(model):
    return [part.init for _, part in model.walk() if isinstance(part, Dense)]


def test_only_hidden_layers_before_a_relu_do_not_start_with_glorot():
    assert inits(Autoencoder(6, 2, (5,))) == ["he", "glorot", "he", "glorot"]
    assert inits(VAE(6, 2, (5,))) == ["glorot"] * 4  # tanh
    for vae in (VAE(6, 2, (5,), activation="relu"),
                ConditionalVAE(6, 2, (5,), n_classes=3, activation="relu")):  # fmt: skip
        assert inits(vae) == ["pytorch", "glorot", "pytorch", "glorot"]
    deep = VAE(6, 2, (5, 4), activation="relu")  # signals would fade from layer to layer
    assert inits(deep) == ["he", "he", "glorot"] * 2
