"""The instruments that show whether the mathematics is right."""

from miniae.proof.gradcheck import GradientReport, gradient_check

__all__ = ["GradientReport", "gradient_check"]
