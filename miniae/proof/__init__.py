"""The instruments that show whether the mathematics is right.

If it is right and a model still trains badly, `health` (`miniae.check_training`) says why.
"""

from miniae.proof.gradcheck import check_function, gradient_check
from miniae.proof.noise import Property
from miniae.proof.optimizers import OptimizerReport, check_optimizer
from miniae.proof.players import check_player
from miniae.proof.report import Block, GradientReport
from miniae.proof.samplers import SamplerReport, check_sampler

__all__ = [
    "Block",
    "GradientReport",
    "OptimizerReport",
    "Property",
    "SamplerReport",
    "check_function",
    "check_optimizer",
    "check_player",
    "check_sampler",
    "gradient_check",
]
