"""The instruments that show whether the mathematics is right.

Where it is, `health` (as `miniae.diagnose`) says what else a model that trains badly suffers from.
"""

from miniae.proof.gradcheck import check_function, gradient_check
from miniae.proof.optimizers import OptimizerReport, check_optimizer
from miniae.proof.report import Block, GradientReport

__all__ = [
    "Block",
    "GradientReport",
    "OptimizerReport",
    "check_function",
    "check_optimizer",
    "gradient_check",
]
