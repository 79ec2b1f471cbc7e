"""Does an optimiser do what its paper says? `check_optimizer` compares it with the rule."""

from miniae.proof.optimizers.bench import Size
from miniae.proof.optimizers.check import check_optimizer, examine
from miniae.proof.optimizers.report import OptimizerReport, Property

__all__ = ["OptimizerReport", "Property", "Size", "check_optimizer", "examine"]
