"""Entries of the table for the toolkit: traces, products, vec and Kronecker."""

from __future__ import annotations

from mvnlib._kinds import Differential, Equality, Gradient
from mvnlib.ops import inv, kron, logdet, outer, tr, vec
from mvnlib.spaces import general, invertible, matrix, positive_definite, vector

_COOKBOOK = "Petersen and Pedersen (2012)"
_MAGNUS = "Magnus and Neudecker (2019)"

ENTRIES = (
    Gradient(
        key="trace_product",
        statement=r"\frac{\partial \tr(A X)}{\partial X} = A^\top",
        source=f"{_COOKBOOK}, eq. (100)",
        reading=r"the entrywise table; $A$ is $m \times d$ and $X$ is $d \times m$",
        where={"X": matrix("d", "m"), "A": matrix("m", "d")},
        wrt="X",
        f=lambda X, A: tr(A @ X),
        grad=lambda X, A: A.mT,
    ),
    Gradient(
        key="bilinear",
        statement=r"\frac{\partial\, a^\top M b}{\partial M} = a\, b^\top",
        source=f"{_COOKBOOK}, eq. (70)",
        reading=r"the entrywise table, which is not symmetric unless $a$ and $b$ are parallel",
        where={"M": general, "a": vector, "b": vector},
        wrt="M",
        f=lambda M, a, b: tr(M @ outer(b, a)),
        grad=lambda M, a, b: outer(a, b),
    ),
    Gradient(
        key="quadratic_x",
        statement=r"\frac{\partial\, x^\top M x}{\partial x} = (M + M^\top)\, x",
        source=f"{_COOKBOOK}, eq. (81)",
        reading=r"$2 M x$ only for symmetric $M$",
        where={"x": vector, "M": general},
        wrt="x",
        f=lambda x, M: tr(M @ outer(x, x)),
        grad=lambda x, M: (M + M.mT) @ x,
    ),
    Differential(
        key="product",
        statement=r"d(X B X) = dX\, B X + X B\, dX",
        source=f"{_COOKBOOK}, eq. (37), twice",
        reading="the order of the factors is kept",
        where={"X": general, "B": general},
        wrt="X",
        f=lambda X, B: X @ B @ X,
        D=lambda X, B, E: E @ B @ X + X @ B @ E,
    ),
    Equality(
        key="trace_cycle",
        statement=r"\tr(A B) = \tr(B A)",
        source=f"{_COOKBOOK}, eq. (14)",
        reading=r"also when neither $A$ nor $B$ is square",
        where={"A": matrix("m", "d"), "B": matrix("d", "m")},
        lhs=lambda A, B: tr(A @ B),
        rhs=lambda A, B: tr(B @ A),
    ),
    Equality(
        key="vec_kron",
        statement=r"\vec(A X B) = (B^\top \otimes A)\, \vec X",
        source=f"{_MAGNUS}, ch. 2",
        reading="vec stacks columns",
        where={"A": matrix("m", "d"), "X": general, "B": matrix("d", "k")},
        lhs=lambda A, X, B: vec(A @ X @ B),
        rhs=lambda A, X, B: kron(B.mT, A) @ vec(X),
    ),
    Equality(
        key="trace_vec",
        statement=r"\tr(A^\top B) = (\vec A)^\top \vec B",
        source=f"{_MAGNUS}, ch. 2",
        reading="the inner product of two matrices is that of their entries",
        where={"A": matrix("m", "d"), "B": matrix("m", "d")},
        lhs=lambda A, B: tr(A.mT @ B),
        rhs=lambda A, B: vec(A) @ vec(B),
    ),
    # The factor S = L L^T: Rennie's note, whose Lambda is our L
    Differential(
        key="gram",
        statement=r"d(L L^\top) = dL\, L^\top + L\, dL^\top",
        source="Rennie (2006), section 2, first partial",
        reading=r"for every $L$, also a wide one",
        where={"L": matrix("d", "k")},
        wrt="L",
        f=lambda L: L @ L.mT,
        D=lambda L, E: E @ L.mT + L @ E.mT,
    ),
    Gradient(
        key="logdet_gram",
        statement=r"\frac{\partial \log|L L^\top|}{\partial L} = 2\,(L L^\top)^{-1} L",
        source="Rennie (2006), eq. (7)",
        reading=r"$2 L^{-\top}$ if $L$ is square and invertible; the display holds for a wide $L$ of full row rank too",
        where={"L": invertible},
        wrt="L",
        f=lambda L: logdet(L @ L.mT),
        grad=lambda L: 2 * inv(L @ L.mT) @ L,
    ),
    Gradient(
        key="quadratic_gram",
        statement=r"\frac{\partial \tr\big((L L^\top)^{-1} T\big)}{\partial L}"
        r" = -2\,(L L^\top)^{-1} T\, (L L^\top)^{-1} L",
        source="Rennie (2006), eq. (14)",
        reading=r"$T$ is symmetric: the scatter matrix of the rows about $\mu$",
        where={"L": invertible, "T": positive_definite},
        wrt="L",
        f=lambda L, T: tr(inv(L @ L.mT) @ T),
        grad=lambda L, T: -2 * inv(L @ L.mT) @ T @ inv(L @ L.mT) @ L,
    ),
)
