"""miniae: autoencoders and variational autoencoders from scratch in NumPy, to read and change."""

import importlib

from miniae import conv, layers, losses, metrics, optim, regularizers
from miniae.activations import ELU, GELU, LeakyReLU
from miniae.anomaly import AnomalyDetector
from miniae.attention import Attention, MultiHeadAttention
from miniae.autoencoder import Autoencoder
from miniae.conv import Conv2D, ConvTranspose2D
from miniae.conv1d import Conv1D, ConvTranspose1D
from miniae.convolutional import conv_networks
from miniae.estimators import AutoencoderTransformer, VAETransformer
from miniae.frozen import Frozen
from miniae.latent import slerp
from miniae.layers import (
    Dense,
    Dropout,
    Flatten,
    Layer,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
    Softplus,
    Tanh,
)
from miniae.likelihoods import (
    AbsoluteError,
    CategoricalNLL,
    ColumnGaussianNLL,
    Huber,
    LaplaceNLL,
    Mixed,
    PoissonNLL,
)
from miniae.losses import (
    BernoulliNLL,
    GaussianNLL,
    Loss,
    MultinomialNLL,
    SquaredError,
    StandardNormal,
    gaussian_kl,
    gaussian_kl_grad,
)
from miniae.missing import Masked
from miniae.model import Model
from miniae.normalization import BatchNorm, LayerNorm
from miniae.optim import SGD, Adam, Optimizer
from miniae.plumbing.foreign import explain_names, no_attribute
from miniae.pooling import MaxPool2D, UpSample2D
from miniae.priors import GaussianPrior, MixturePrior, Prior
from miniae.recurrent import GRU, LSTM, Bidirectional
from miniae.regularizers import GaussianNoise, KLSparsity, L1Penalty, MaskingNoise, SaltAndPepper
from miniae.steps import Embedding, Repeat, TimeDistributed
from miniae.suggest import suggest
from miniae.vae import VAE
from miniae.variants import (
    VAEGAN,
    AdversarialAutoencoder,
    Condition,
    ConditionalVAE,
    ImportanceWeightedVAE,
    MultimodalVAE,
    SequenceAutoencoder,
    SequenceVAE,
    pad_sequences,
)

__version__ = "0.1.0"
__all__ = [
    "ELU",
    "GELU",
    "GRU",
    "LSTM",
    "SGD",
    "VAE",
    "VAEGAN",
    "AbsoluteError",
    "Adam",
    "AdversarialAutoencoder",
    "AnomalyDetector",
    "Attention",
    "Autoencoder",
    "AutoencoderTransformer",
    "BatchNorm",
    "BernoulliNLL",
    "Bidirectional",
    "CategoricalNLL",
    "ColumnGaussianNLL",
    "Condition",
    "ConditionalVAE",
    "Conv1D",
    "Conv2D",
    "ConvTranspose1D",
    "ConvTranspose2D",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "Frozen",
    "GaussianNLL",
    "GaussianNoise",
    "GaussianPrior",
    "Huber",
    "ImportanceWeightedVAE",
    "KLSparsity",
    "L1Penalty",
    "LaplaceNLL",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Loss",
    "Masked",
    "MaskingNoise",
    "MaxPool2D",
    "Mixed",
    "MixturePrior",
    "Model",
    "MultiHeadAttention",
    "MultimodalVAE",
    "MultinomialNLL",
    "Optimizer",
    "PoissonNLL",
    "Prior",
    "ReLU",
    "Repeat",
    "Reshape",
    "SaltAndPepper",
    "SequenceAutoencoder",
    "SequenceVAE",
    "Sequential",
    "Sigmoid",
    "Softplus",
    "SquaredError",
    "StandardNormal",
    "Tanh",
    "TimeDistributed",
    "UpSample2D",
    "VAETransformer",
    "check_function",
    "check_optimizer",
    "check_sampler",
    "check_training",
    "conv_networks",
    "gaussian_kl",
    "gaussian_kl_grad",
    "gradient_check",
    "metrics",
    "pad_sequences",
    "slerp",
    "suggest",
]
explain_names(conv, layers, losses, metrics, optim, regularizers)

CHECKS = {  # and the rooms of miniae.proof that they are in
    "check_function": "gradcheck",
    "check_optimizer": "optimizers",
    "check_sampler": "samplers",
    "check_training": "health",
    "diagnose": "health",  # the name of check_training in version 0.1
    "gradient_check": "gradcheck",
}


def __getattr__(name):
    """Import what is used now and then at its first use: plots loads matplotlib, which is slow."""
    if name in ("callbacks", "datasets", "explorer", "plots", "proof"):
        return importlib.import_module(f"miniae.{name}")
    if name in CHECKS:
        return getattr(importlib.import_module(f"miniae.proof.{CHECKS[name]}"), name)
    raise no_attribute("miniae", name)
