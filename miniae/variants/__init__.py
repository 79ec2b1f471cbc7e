"""Variants of the VAE, a file each; `labels` has the parts of the conditional model, and
`token_layers` those of the sequence models.
"""

from miniae.variants.conditional import ConditionalVAE
from miniae.variants.importance_weighted import ImportanceWeightedVAE
from miniae.variants.labels import Condition
from miniae.variants.sequence import SequenceAutoencoder, SequenceVAE, pad_sequences

__all__ = [
    "Condition",
    "ConditionalVAE",
    "ImportanceWeightedVAE",
    "SequenceAutoencoder",
    "SequenceVAE",
    "pad_sequences",
]
