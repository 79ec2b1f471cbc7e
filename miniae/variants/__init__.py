"""Variants of the VAE, a file each; `labels` has the parts of the conditional model, and
`token_layers` those of the sequence models.
"""

from miniae.variants.adversarial import Adversarial
from miniae.variants.adversarial_autoencoder import AdversarialAutoencoder
from miniae.variants.conditional import ConditionalVAE
from miniae.variants.importance_weighted import ImportanceWeightedVAE
from miniae.variants.labels import Condition
from miniae.variants.multimodal import MultimodalVAE
from miniae.variants.sequence import SequenceAutoencoder, SequenceVAE
from miniae.variants.tokens import pad_sequences
from miniae.variants.vae_gan import VAEGAN

__all__ = [
    "VAEGAN",
    "Adversarial",
    "AdversarialAutoencoder",
    "Condition",
    "ConditionalVAE",
    "ImportanceWeightedVAE",
    "MultimodalVAE",
    "SequenceAutoencoder",
    "SequenceVAE",
    "pad_sequences",
]
