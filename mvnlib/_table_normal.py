"""Entries of the table about the normal density, its logarithm, and their first derivatives."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from mvnlib import ops
from mvnlib._kinds import Gradient
from mvnlib.ops import exp, inv, log, logdet, outer, tr
from mvnlib.spaces import accretive, positive_definite, vector


def _quadratic_form(y: Any, S: Any) -> Any:
    """y^T S^-1 y for one y and one S, or a stack of either."""
    return tr(inv(S) @ outer(y, y))


def normal_logpdf(x: Any, mu: Any, Sigma: Any) -> Any:
    """The log density: the form to prove things of; to compute, see mvnlib.logpdf."""
    d = Sigma.shape[-1]
    return -(d * log(2 * ops.pi(Sigma)) + logdet(Sigma) + _quadratic_form(x - mu, Sigma)) / 2


def normal_pdf(x: Any, mu: Any, Sigma: Any) -> Any:
    return exp(normal_logpdf(x, mu, Sigma))


def score_mu(x: Any, mu: Any, Sigma: Any) -> Any:
    return inv(Sigma) @ (x - mu)


def score_Sigma(x: Any, mu: Any, Sigma: Any) -> Any:
    P = inv(Sigma).mT
    return -(P - P @ outer(x - mu, x - mu) @ P) / 2


_COOKBOOK = "Petersen and Pedersen (2012)"
_ABOUT_MEAN = MappingProxyType({"x": vector, "mu": vector, "Sigma": positive_definite})
_ABOUT_SIGMA = MappingProxyType({"x": vector, "mu": vector, "Sigma": accretive})

ENTRIES = (
    # The logarithm of the normal density
    Gradient(
        key="normal_logpdf_x",
        statement=r"\frac{\partial \log f}{\partial x} = -\Sigma^{-1}(x - \mu)",
        source=f"{_COOKBOOK}, eq. (85)",
        reading=r"for symmetric $\Sigma$",
        where=_ABOUT_MEAN,
        wrt="x",
        f=normal_logpdf,
        grad=lambda x, mu, Sigma: -score_mu(x, mu, Sigma),
    ),
    Gradient(
        key="normal_logpdf_mu",
        statement=r"\frac{\partial \log f}{\partial \mu} = \Sigma^{-1}(x - \mu)",
        source=f"{_COOKBOOK}, eq. (86)",
        reading=r"for symmetric $\Sigma$",
        where=_ABOUT_MEAN,
        wrt="mu",
        f=normal_logpdf,
        grad=score_mu,
    ),
    Gradient(
        key="normal_logpdf_Sigma",
        statement=r"\frac{\partial \log f}{\partial \Sigma} = -\tfrac12\left(\Sigma^{-\top}"
        r" - \Sigma^{-\top}(x - \mu)(x - \mu)^\top \Sigma^{-\top}\right)",
        source=f"{_COOKBOOK}, eqs. (57) and (61)",
        reading=r"entrywise; for symmetric $\Sigma$ the transposes fall away and the frobenius table is the same",
        where=_ABOUT_SIGMA,
        wrt="Sigma",
        f=normal_logpdf,
        grad=score_Sigma,
    ),
    # The density itself: its gradient is f times that of its logarithm
    Gradient(
        key="normal_pdf_x",
        statement=r"\frac{\partial f}{\partial x} = -f\, \Sigma^{-1}(x - \mu)",
        source=f"{_COOKBOOK}, eq. (85), and the chain rule",
        reading=r"for symmetric $\Sigma$",
        where=_ABOUT_MEAN,
        wrt="x",
        f=normal_pdf,
        grad=lambda x, mu, Sigma: -normal_pdf(x, mu, Sigma) * score_mu(x, mu, Sigma),
    ),
    Gradient(
        key="normal_pdf_mu",
        statement=r"\frac{\partial f}{\partial \mu} = f\, \Sigma^{-1}(x - \mu)",
        source=f"{_COOKBOOK}, eq. (86), and the chain rule",
        reading=r"for symmetric $\Sigma$",
        where=_ABOUT_MEAN,
        wrt="mu",
        f=normal_pdf,
        grad=lambda x, mu, Sigma: normal_pdf(x, mu, Sigma) * score_mu(x, mu, Sigma),
    ),
    Gradient(
        key="normal_pdf_Sigma",
        statement=r"\frac{\partial f}{\partial \Sigma} = -\tfrac12 f \left(\Sigma^{-\top}"
        r" - \Sigma^{-\top}(x - \mu)(x - \mu)^\top \Sigma^{-\top}\right)",
        source=f"{_COOKBOOK}, eqs. (57) and (61), and the chain rule",
        reading=r"entrywise; for symmetric $\Sigma$ the transposes fall away and the frobenius table is the same",
        where=_ABOUT_SIGMA,
        wrt="Sigma",
        f=normal_pdf,
        grad=lambda x, mu, Sigma: normal_pdf(x, mu, Sigma) * score_Sigma(x, mu, Sigma),
    ),
)
