r"""Mixtures of normal distributions: likelihood, responsibilities, gradients and EM.

A mixture of K components in dimension d is three arrays: ``weights`` (K,), ``means`` (K, d) and
``covariances`` (K, d, d).  Densities are handled in the logarithm, so a point far from every component has
responsibilities that sum to one, not 0 / 0.
"""

from mvnlib.mixture.em import em_step, fit_mixture, mixture_gradient, mixture_loglik, responsibilities
from mvnlib.mixture.fitted import Mixture
from mvnlib.mixture.statistics import MixtureStatistics

__all__ = [
    "Mixture",
    "MixtureStatistics",
    "em_step",
    "fit_mixture",
    "mixture_gradient",
    "mixture_loglik",
    "responsibilities",
]
