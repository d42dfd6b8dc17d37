"""The way of EM from one start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvnlib._scaling import EPS, Array
from mvnlib.mixture import expectation
from mvnlib.mixture.components import checked
from mvnlib.mixture.prior import CovariancePrior
from mvnlib.mixture.statistics import MixtureStatistics

Parameters = tuple[Array, Array, Array]
Callback = Callable[[int, Parameters, float], Any]


class Collapse(np.linalg.LinAlgError):
    """A component has collapsed on rows that do not span the space."""


@dataclass(frozen=True)
class Rules:
    """What is maximised, when it counts as maximised, and who looks on."""

    prior: CovariancePrior | None
    tol: float
    max_iter: int
    #: What rounding leaves of the deviation of rows that are alike, for each coordinate.
    noise: Array
    callback: Callback | None
    show: Callable[[float], None]


@dataclass(frozen=True)
class Ascent:
    """Where EM has come to: parameters, their log-likelihood, and the objective before every step and there."""

    parameters: Parameters
    loglik: float
    history: tuple[float, ...]
    converged: bool
    stopped: bool


def step(
    X: NDArray[Any], parameters: Parameters, prior: CovariancePrior | None
) -> tuple[Parameters, float, float]:
    """The parameters after one step; the log-likelihood and the objective of those before."""
    statistics = MixtureStatistics.from_data(X, *parameters)
    weights, means, covariances, loglik = statistics.em_step()
    if prior is None:
        return (weights, means, covariances), loglik, loglik
    covariances = prior.estimate(statistics.moments.counts, covariances)
    return (weights, means, covariances), loglik, loglik + prior.log_density(statistics.components)


def ascend(X: NDArray[Any], parameters: Parameters, rules: Rules) -> Ascent:
    """EM from these parameters until a step gains little; a collapse is an error."""
    history: list[float] = []
    converged = stopped = False
    for iteration in range(rules.max_iter):
        try:
            following, loglik, value = step(X, parameters, rules.prior)
        except np.linalg.LinAlgError as error:
            raise Collapse(f"after {iteration} EM steps {error}") from error
        history.append(value)
        rules.show(value)
        if rules.callback is not None:
            weights, means, covariances = parameters
            stopped = bool(
                rules.callback(iteration, (weights.copy(), means.copy(), covariances.copy()), value)
            )
        converged = not stopped and len(history) > 1 and history[-1] - history[-2] < rules.tol * len(X)
        if stopped or converged:
            break
        parameters = following
        _require_spread(parameters, iteration + 1, rules)
    else:
        components = checked(*parameters)
        loglik = expectation.loglik(X, components)
        history.append(loglik if rules.prior is None else loglik + rules.prior.log_density(components))
    return Ascent(parameters, loglik, tuple(history), converged, stopped)


def _require_spread(parameters: Parameters, steps: int, rules: Rules) -> None:
    _, means, covariances = parameters
    for k in singular(covariances, rules.noise):
        why = "the likelihood is unbounded there" if rules.prior is None else "the prior is too weak"
        raise Collapse(
            f"after {steps} EM steps component {k} of {len(means)} has collapsed on rows that do not "
            f"span the space, about {means[k]}: {why}"
        )


def singular(covariances: Array, noise: Array) -> NDArray[np.intp]:
    """Which covariances, of rows rounded at ``noise``, are singular as far as rounding can tell."""
    deviations = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    units = np.where(deviations > 0, deviations, 1.0)
    lowest = np.linalg.eigvalsh(covariances / units[:, :, None] / units[:, None, :])[:, 0]
    return np.flatnonzero((deviations <= noise).any(axis=1) | (lowest <= 8 * noise.size * EPS))


def all_collapsed(collapses: list[Collapse], prior: CovariancePrior | None) -> np.linalg.LinAlgError:
    """The error that no start has come to an end, with what helps."""
    words = str(collapses[0])
    if len(collapses) > 1:
        words = f"all {len(collapses)} starts have collapsed, the first thus: {words}"
    remedy = "another start (n_init draws several), fewer components, or a prior"
    return np.linalg.LinAlgError(f"{words}; try {remedy if prior is None else 'a prior of more rows'}")
