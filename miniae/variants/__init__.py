"""Variants of the VAE, a file each."""

from miniae.variants.conditional import Condition, ConditionalVAE
from miniae.variants.importance_weighted import ImportanceWeightedVAE

__all__ = ["Condition", "ConditionalVAE", "ImportanceWeightedVAE"]
