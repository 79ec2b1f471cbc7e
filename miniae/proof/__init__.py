"""The instruments that show whether the mathematics is right."""

from miniae.proof.gradcheck import check_function, gradient_check
from miniae.proof.report import Block, GradientReport

__all__ = ["Block", "GradientReport", "check_function", "gradient_check"]
