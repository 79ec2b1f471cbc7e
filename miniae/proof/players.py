"""The gradient check of an adversarial model: each player's own loss, the others held fixed."""

import numpy as np

from miniae.proof.gradcheck import check_function
from miniae.proof.subject import Noise
from miniae.variants.adversarial import PLAYERS


def check_player(
    model, player, x, *, training=True, method="complex step", seed=0, tolerance=1e-9, **given
):
    """Compare one player's gradient with a numeric derivative of its own loss.

    All noise is fixed by the seed. The check works on copies; the model is not changed.

    Parameters
    ----------
    model : VAEGAN or AdversarialAutoencoder
    player : "encoder", "decoder" or "discriminator"
    x : (n, *input_shape)
    training, method, seed, tolerance : as in `gradient_check`
    **given : other arguments of `losses`: eps, z_prior

    Returns
    -------
    GradientReport with one block, "theta", the player's parameter vector

    Raises
    ------
    ValueError : there is no such player
    """
    if player not in PLAYERS:
        raise ValueError(f"player={player!r} must be one of {list(PLAYERS)}")
    real, other = model.astype(np.float64), model.astype(np.complex128)

    def loss(theta):
        """Return the player's loss; only its own parameters become complex."""
        copied = other if np.iscomplexobj(theta) else real
        getattr(copied, player).theta[...] = theta
        return copied.losses(x, rng=Noise(seed), training=training, **given)[player]

    def gradient(theta):
        """Return the player's gradient, by backward."""
        loss(theta)
        real.backward()
        return getattr(real, player).dtheta.copy()

    theta = getattr(real, player).theta
    moved = theta + 0.1 * np.random.default_rng([seed, 1]).standard_normal(theta.size)
    report = check_function(loss, gradient, moved, method=method, seed=seed, tolerance=tolerance)
    report.title = f"gradient check of the {player} of {model}"
    return report
