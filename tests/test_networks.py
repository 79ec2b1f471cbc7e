from miniae import (
    VAE,
    Autoencoder,
    Dense,
)


def test_the_seed_of_a_model_gives_its_layers_different_weights():
    model = Autoencoder(6, 6, (6, 6))
    Ws = [value for name, value, _ in model.named_params() if name.endswith("W")]
    assert len({W.tobytes() for W in Ws}) == len(Ws) == 6


def test_hidden_relu_layers_start_with_he_and_the_others_with_glorot():
    inits = [
        part.init
        for model in (Autoencoder(6, 2, (5,)), VAE(6, 2, (5,)))
        for _, part in model.walk()
        if isinstance(part, Dense)
    ]
    assert inits == ["he", "glorot", "he", "glorot", *["glorot"] * 4]
