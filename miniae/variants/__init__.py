"""Variants of the VAE, a file each; `token_layers` has the parts of the sequence models."""

from miniae.variants.adversarial import Adversarial
from miniae.variants.adversarial_autoencoder import AdversarialAutoencoder
from miniae.variants.conditional import Condition, ConditionalVAE
from miniae.variants.importance_weighted import ImportanceWeightedVAE
from miniae.variants.sequence import SequenceAutoencoder, SequenceVAE, pad_sequences
from miniae.variants.vae_gan import VAEGAN

__all__ = [
    "VAEGAN",
    "Adversarial",
    "AdversarialAutoencoder",
    "Condition",
    "ConditionalVAE",
    "ImportanceWeightedVAE",
    "SequenceAutoencoder",
    "SequenceVAE",
    "pad_sequences",
]
