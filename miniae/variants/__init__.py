"""Variants of the VAE, a file each; `token_layers` has the parts of the sequence models."""

from miniae.variants.conditional import Condition, ConditionalVAE
from miniae.variants.importance_weighted import ImportanceWeightedVAE
from miniae.variants.multimodal import MultimodalVAE
from miniae.variants.sequence import SequenceAutoencoder, SequenceVAE, pad_sequences

__all__ = [
    "Condition",
    "ConditionalVAE",
    "ImportanceWeightedVAE",
    "MultimodalVAE",
    "SequenceAutoencoder",
    "SequenceVAE",
    "pad_sequences",
]
