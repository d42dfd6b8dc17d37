"""Verdicts on a gradient and on a derivation, that say in words what is wrong."""

from mvnlib.checking.gradient import Verdict, check_gradient
from mvnlib.checking.mistakes import MISTAKES, Mistake
from mvnlib.checking.steps import StepError, Steps, check_steps

__all__ = ["MISTAKES", "Mistake", "StepError", "Steps", "Verdict", "check_gradient", "check_steps"]
