"""Entries of the table about matrices: determinants, inverses, and forms linear in their matrix."""

from __future__ import annotations

import numpy as np

from mvnlib._kinds import Differential, Equality, Gradient
from mvnlib.ops import adjugate, det, inv, logdet, outer, tr
from mvnlib.spaces import general, invertible, matrix, vector

_RENNIE = "Rennie (2006), section 2"
_COOKBOOK = "Petersen and Pedersen (2012)"

ENTRIES = (
    # Determinants
    Equality(
        key="adjugate",
        statement=r"S \adj(S) = |S|\, I",
        source="Horn and Johnson (2013), section 0.8.2",
        reading=r"for every square $S$, singular or not",
        where={"S": general},
        lhs=lambda S: S @ adjugate(S),
        rhs=lambda S: det(S) * np.eye(S.shape[-1], dtype=int),
    ),
    Gradient(
        key="det",
        statement=r"d|S| = \tr(\adj(S)\, dS)",
        source=f"{_COOKBOOK}, eq. (41); Magnus and Neudecker (2019), ch. 8",
        reading=r"Jacobi's formula, for every square $S$; the entrywise table is $\adj(S)^\top$",
        where={"S": general},
        wrt="S",
        f=det,
        grad=lambda S: adjugate(S).mT,
    ),
    Gradient(
        key="logdet",
        statement=r"d\log|S| = \tr(S^{-1}\, dS)",
        source=f"{_COOKBOOK}, eqs. (43) and (57); {_RENNIE}",
        reading=r"entrywise the table is $S^{-\top}$; the transpose may be dropped only for symmetric $S$",
        where={"S": invertible},
        wrt="S",
        f=logdet,
        grad=lambda S: inv(S).mT,
    ),
    # Inverses
    Differential(
        key="inv",
        statement=r"d\,S^{-1} = -S^{-1}\, dS\, S^{-1}",
        source=f"{_COOKBOOK}, eqs. (40) and (60); {_RENNIE}",
        reading=r"entrywise, also for $S$ that is not symmetric",
        where={"S": invertible},
        wrt="S",
        f=inv,
        D=lambda S, E: -inv(S) @ E @ inv(S),
    ),
    Equality(
        key="resolvent",
        statement=r"(S + E)^{-1} = S^{-1} - S^{-1} E\, (S + E)^{-1}",
        source="Horn and Johnson (2013), section 0.7.4",
        reading="exact wherever both inverses exist; put into itself again and again, the Neumann series",
        where={"S": invertible, "E": general},
        lhs=lambda S, E: inv(S + E),
        rhs=lambda S, E: inv(S) - inv(S) @ E @ inv(S + E),
    ),
    Gradient(
        key="bilinear_inv",
        statement=r"\frac{\partial\, a^\top S^{-1} b}{\partial S} = -S^{-\top} a\, b^\top S^{-\top}",
        source=f"{_COOKBOOK}, eq. (61)",
        reading=r"the entrywise table; for symmetric $S$ it is symmetric only if $a$ and $b$ are parallel",
        where={"S": invertible, "a": vector, "b": vector},
        wrt="S",
        f=lambda S, a, b: tr(inv(S) @ outer(b, a)),
        grad=lambda S, a, b: -inv(S).mT @ outer(a, b) @ inv(S).mT,
    ),
    Gradient(
        key="trace_inv",
        statement=r"\frac{\partial \tr(A S^{-1} B)}{\partial S} = -(S^{-1} B A\, S^{-1})^\top",
        source=f"{_COOKBOOK}, eq. (63)",
        reading=r"the entrywise table; $A$ is $m \times d$ and $B$ is $d \times m$",
        where={"S": invertible, "A": matrix("m", "d"), "B": matrix("d", "m")},
        wrt="S",
        f=lambda S, A, B: tr(A @ inv(S) @ B),
        grad=lambda S, A, B: -(inv(S) @ B @ A @ inv(S)).mT,
    ),
    # Forms that are linear in their matrix
    Gradient(
        key="quadratic",
        statement=r"\frac{\partial\, a^\top M a}{\partial M} = a a^\top",
        source=f"{_RENNIE}; {_COOKBOOK}, eq. (72)",
        reading=r"a column $a$; with the row vectors of Rennie's note the form is $a M a^\top$,"
        r" the table $a^\top a$",
        where={"M": general, "a": vector},
        wrt="M",
        f=lambda M, a: tr(M @ outer(a, a)),
        grad=lambda M, a: outer(a, a),
    ),
    Differential(
        key="sandwich",
        statement=r"d(A B A) = A\, dB\, A",
        source=f"{_RENNIE}",
        reading=r"in $B$, with $A$ held; entry by entry $\partial (A B A)_{kl} / \partial B_{ij} = A_{ki} A_{jl}$",
        where={"B": general, "A": general},
        wrt="B",
        f=lambda B, A: A @ B @ A,
        D=lambda B, A, E: A @ E @ A,
    ),
)
