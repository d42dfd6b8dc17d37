"""Derivatives from values alone: finite differences and the complex step.

How good a difference is depends on the step.  A long step is wrong because f is not a straight line (truncation), a
short one because the noise in the values of f is divided by the step.  How long a step may be follows from the point
where it can be known: for a positive definite S from its smallest eigenvalue, in units in which the variances are
alike.  How short it may be follows from the noise of f, which is measured on a line through the point.  For vectors
and general matrices both are found from f, for each coordinate on its own.
"""

from mvnlib.differences.schemes import (
    SCHEMES,
    StepSweep,
    default_step,
    fd_differential,
    fd_gradient,
    step_sweep,
)

__all__ = ["SCHEMES", "StepSweep", "default_step", "fd_differential", "fd_gradient", "step_sweep"]
