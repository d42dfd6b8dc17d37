"""Entries of the table beyond first derivatives: Hessians, information, precision, Cholesky, mixtures."""

from __future__ import annotations

from typing import Any

from mvnlib._kinds import Differential, Equality, Gradient
from mvnlib._table_normal import normal_pdf, score_mu, score_Sigma
from mvnlib.ops import inv, kron, log, logdet, lower_half, outer, tr, vec
from mvnlib.spaces import (
    accretive,
    invertible,
    lower,
    positive,
    positive_definite,
    symmetric,
    vector,
)

_MAGNUS = "Magnus and Neudecker (2019), ch. 15"
_COOKBOOK = "Petersen and Pedersen (2012)"


def _hessian_Sigma(Sigma: Any, x: Any, mu: Any, E: Any) -> Any:
    P = inv(Sigma).mT
    dP = -P @ E.mT @ P
    Y = outer(x - mu, x - mu)
    return -(dP - dP @ Y @ P - P @ Y @ dP) / 2


def _posterior(x: Any, mu: Any, Sigma: Any, pi: Any, c: Any) -> Any:
    """The responsibility of the component when the other components together have the density c."""
    density = pi * normal_pdf(x, mu, Sigma)
    return density / (density + c)


def _gram(L: Any, dL: Any) -> Any:
    return dL @ L.mT + L @ dL.mT


_ONE_COMPONENT = {"x": vector, "mu": vector, "Sigma": positive_definite, "pi": positive, "c": positive}


def _log_mixture(x: Any, mu: Any, Sigma: Any, pi: Any, c: Any) -> Any:
    return log(pi * normal_pdf(x, mu, Sigma) + c)


ENTRIES = (
    # Second derivatives of the log density
    Differential(
        key="hessian_mu",
        statement=r"d\,\frac{\partial \log f}{\partial \mu} = -\Sigma^{-1}\, d\mu",
        source=_MAGNUS,
        reading=r"in $\mu$; the Hessian is $-\Sigma^{-1}$, whatever the $x$",
        where={"mu": vector, "x": vector, "Sigma": positive_definite},
        wrt="mu",
        f=lambda mu, x, Sigma: score_mu(x, mu, Sigma),
        D=lambda mu, x, Sigma, E: -inv(Sigma) @ E,
    ),
    Differential(
        key="hessian_mu_Sigma",
        statement=r"d\,\frac{\partial \log f}{\partial \mu}"
        r" = -\Sigma^{-1}\, d\Sigma\, \Sigma^{-1}(x - \mu)",
        source=_MAGNUS,
        reading=r"in $\Sigma$; its expectation is zero, so mean and covariance are informed separately",
        where={"Sigma": accretive, "x": vector, "mu": vector},
        wrt="Sigma",
        f=lambda Sigma, x, mu: score_mu(x, mu, Sigma),
        D=lambda Sigma, x, mu, E: -inv(Sigma) @ E @ inv(Sigma) @ (x - mu),
    ),
    Differential(
        key="hessian_Sigma",
        statement=r"\begin{aligned} d\,\frac{\partial \log f}{\partial \Sigma} &= \tfrac12\left(P\, d\Sigma\, P"
        r" - P\, d\Sigma\, P y y^\top P - P y y^\top P\, d\Sigma\, P\right), \\"
        r" P &= \Sigma^{-1}, \quad y = x - \mu \end{aligned}",
        source=_MAGNUS,
        reading=r"for symmetric $\Sigma$ and $d\Sigma$; in general $P = \Sigma^{-\top}$ and $d\Sigma$ is transposed",
        where={"Sigma": accretive, "x": vector, "mu": vector},
        wrt="Sigma",
        f=lambda Sigma, x, mu: score_Sigma(x, mu, Sigma),
        D=_hessian_Sigma,
    ),
    Differential(
        key="heat",
        statement=r"d\,\frac{\partial f}{\partial x} = 2\,\frac{\partial f}{\partial \Sigma}\, dx",
        source="Plackett (1954)",
        reading=r"in $x$, with the entrywise table of $\Sigma$: half the Hessian of $f$ in $x$ is its"
        r" gradient in $\Sigma$",
        where={"x": vector, "mu": vector, "Sigma": positive_definite},
        wrt="x",
        f=lambda x, mu, Sigma: -normal_pdf(x, mu, Sigma) * score_mu(x, mu, Sigma),
        D=lambda x, mu, Sigma, E: 2 * normal_pdf(x, mu, Sigma) * score_Sigma(x, mu, Sigma) @ E,
    ),
    Equality(
        key="information_Sigma",
        statement=r"\tfrac12\, (\vec E)^\top (\Sigma^{-1} \otimes \Sigma^{-1})\, \vec F"
        r" = \tfrac12 \tr(\Sigma^{-1} E\, \Sigma^{-1} F)",
        source=_MAGNUS,
        reading=r"the Fisher information about $\Sigma$ in two symmetric directions",
        where={"Sigma": positive_definite, "E": symmetric, "F": symmetric},
        lhs=lambda Sigma, E, F: vec(E) @ kron(inv(Sigma), inv(Sigma)) @ vec(F) / 2,
        rhs=lambda Sigma, E, F: tr(inv(Sigma) @ E @ inv(Sigma) @ F) / 2,
    ),
    # Other parameters
    Gradient(
        key="normal_logpdf_P",
        statement=r"\frac{\partial \log f}{\partial P}"
        r" = \tfrac12\left(P^{-\top} - (x - \mu)(x - \mu)^\top\right)",
        source=f"{_COOKBOOK}, eqs. (57) and (72)",
        reading=r"the entrywise table; $P$ is the precision",
        where={"P": invertible, "x": vector, "mu": vector},
        wrt="P",
        f=lambda P, x, mu: (logdet(P) - tr(P @ outer(x - mu, x - mu))) / 2,
        grad=lambda P, x, mu: (inv(P).mT - outer(x - mu, x - mu)) / 2,
    ),
    Gradient(
        key="em_objective",
        statement=r"\frac{\partial}{\partial S}\left(-\log|S| + \tr(S C)\right) = -S^{-\top} + C",
        source="Mathematics Stack Exchange (2017), question 2367597, with its missing transpose",
        reading=r"the entrywise table, $C$ symmetric; $\adj(S) / |S|$ is $S^{-1}$, not its transpose",
        where={"S": invertible, "C": positive_definite},
        wrt="S",
        f=lambda S, C: -logdet(S) + tr(S @ C),
        grad=lambda S, C: -inv(S).mT + C,
    ),
    Equality(
        key="cholesky",
        statement=r"dL\, L^\top + L\, dL^\top = dS \quad\text{for}\quad"
        r" dL = L\, \Phi(L^{-1}\, dS\, L^{-\top})",
        source="Murray (2016), eq. (8)",
        reading=r"$\Phi$ keeps the lower triangle and halves the diagonal; $dL$ is then lower triangular",
        where={"L": lower, "dS": symmetric},
        lhs=lambda L, dS: _gram(L, L @ lower_half(inv(L) @ dS @ inv(L).mT)),
        rhs=lambda L, dS: dS,
    ),
    # One component of a mixture, the density of the others held at c
    Gradient(
        key="mixture_pi",
        statement=r"\frac{\partial \log(\pi f + c)}{\partial \pi} = \frac{r}{\pi},"
        r"\quad r = \frac{\pi f}{\pi f + c}",
        source="Dempster, Laird and Rubin (1977), section 4.3",
        reading=r"the weight as a free positive number; $c$ is the density of the other components",
        where=_ONE_COMPONENT,
        wrt="pi",
        f=_log_mixture,
        grad=lambda x, mu, Sigma, pi, c: _posterior(x, mu, Sigma, pi, c) / pi,
    ),
    Gradient(
        key="mixture_mu",
        statement=r"\frac{\partial \log(\pi f + c)}{\partial \mu} = r\, \Sigma^{-1}(x - \mu)",
        source="Dempster, Laird and Rubin (1977), section 4.3",
        reading=r"$r$ is the responsibility of the component",
        where=_ONE_COMPONENT,
        wrt="mu",
        f=_log_mixture,
        grad=lambda x, mu, Sigma, pi, c: _posterior(x, mu, Sigma, pi, c) * score_mu(x, mu, Sigma),
    ),
    Gradient(
        key="mixture_Sigma",
        statement=r"\frac{\partial \log(\pi f + c)}{\partial \Sigma} = -\tfrac12\, r \left(\Sigma^{-\top}"
        r" - \Sigma^{-\top}(x - \mu)(x - \mu)^\top \Sigma^{-\top}\right)",
        source="Dempster, Laird and Rubin (1977), section 4.3",
        reading=r"the entrywise table; $r$ is the responsibility of the component",
        where={**_ONE_COMPONENT, "Sigma": accretive},
        wrt="Sigma",
        f=_log_mixture,
        grad=lambda x, mu, Sigma, pi, c: _posterior(x, mu, Sigma, pi, c) * score_Sigma(x, mu, Sigma),
    ),
)
