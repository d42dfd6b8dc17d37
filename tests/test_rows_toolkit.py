"""What the chapter "The toolkit" makes of the sources, row by row; and its formulas against the table."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import sympy
from tolerances import assert_close, rounding

from mvnlib import (
    check_gradient,
    commutation_matrix,
    convert_gradient,
    duplication_matrix,
    fd_gradient,
    spaces,
    vech,
)
from mvnlib.identities import TABLE
from mvnlib.ops import kron, logdet, tr, vec

CHAPTER = Path(__file__).resolve().parents[1] / "chapters" / "02-toolkit.md"
KEYS = ("gram", "product", "trace_cycle", "trace_product", "bilinear", "quadratic_x", "trace_vec", "vec_kron")


def gram(L: np.ndarray) -> np.ndarray:
    return L @ L.mT


def with_deltas(L: np.ndarray) -> np.ndarray:
    """The table of dS_kl / dL_ij, indexed [i, j, k, l]."""
    delta = np.eye(len(L))
    return np.einsum("ki,lj->ijkl", delta, L) + np.einsum("kj,li->ijkl", L, delta)


@pytest.mark.parametrize("key", KEYS)
def test_the_page_states_what_the_table_states(key: str) -> None:
    found = re.search(rf"```{{math}}\n:label: eq-{key}\n(.*?)```", CHAPTER.read_text("utf-8"), flags=re.S)
    assert found
    assert " ".join(found[1].split()) == " ".join(TABLE[key].statement.split())


@pytest.mark.parametrize("shape", [(2, 2), (3, 3), (3, 5), (4, 2)])
def test_one_entry_of_a_factor_moves_a_row_and_a_column(
    shape: tuple[int, int], rng: np.random.Generator
) -> None:
    """S0-a: dS_kl / dLambda_ij = delta_ki Lambda_lj + Lambda_kj delta_li, for every shape of Lambda."""
    L = rng.normal(size=shape)
    table = with_deltas(L)
    assert_close(table, fd_gradient(gram, L, scheme="complex"), rounding(10))
    i, j = 1, 0
    cross = np.zeros((len(L), len(L)))
    cross[i] += L[:, j]
    cross[:, i] += L[:, j]
    assert_close(table[i, j], cross, rounding())


def test_the_jacobian_of_the_gram_matrix_in_long_columns(rng: np.random.Generator) -> None:
    """S0-a: the same partials, as one matrix."""
    for d in (2, 3):
        L, E = rng.normal(size=(2, d, d))
        moved = E @ L.T + L @ E.T
        full = (np.eye(d * d) + commutation_matrix(d, d)) @ kron(L, np.eye(d))
        halved = 2 * np.linalg.pinv(duplication_matrix(d)) @ kron(L, np.eye(d))
        assert_close(full @ vec(E), vec(moved), rounding(100))
        assert_close(halved @ vec(E), vech(moved), rounding(100))
        assert np.linalg.matrix_rank(halved) == d * (d + 1) // 2


def test_the_chain_rule_over_all_entries_wants_the_entrywise_table(rng: np.random.Generator) -> None:
    """S0-chain: the sum over all k, l goes with G, that over k <= l with the free table, and not across."""
    L = rng.normal(size=(3, 3))
    right = fd_gradient(lambda L: logdet(gram(L)), L, scheme="complex")
    G = np.linalg.inv(gram(L))
    F = convert_gradient(G, "entrywise", "free")

    def chained(table: np.ndarray) -> np.ndarray:
        return np.einsum("kl,ijkl->ij", table, with_deltas(L))

    condition = np.linalg.cond(L) ** 2
    for table in (G, np.tril(F), np.triu(F)):
        assert_close(chained(table), right, rounding(condition))
    for table in (F, np.tril(G), np.triu(G)):
        assert np.abs(chained(table) - right).max() > 0.1 * np.abs(right).max()
    assert not check_gradient(lambda L: logdet(gram(L)), 2 * F @ L, L)


def test_the_chain_rule_adds_the_transpose_where_the_table_is_not_symmetric(rng: np.random.Generator) -> None:
    """S0-chain: (G + G^T) L in general; the frobenius table serves too, since every dS is symmetric."""
    L, A = rng.normal(size=(2, 3, 3))
    G = (A @ gram(L) + gram(L) @ A).T
    right = fd_gradient(lambda L: tr(A @ gram(L) @ gram(L)), L, scheme="complex")
    for table in (G, convert_gradient(G, "entrywise", "frobenius")):
        assert_close((table + table.T) @ L, right, rounding(100))
    assert np.abs(2 * G @ L - right).max() > 0.1 * np.abs(right).max()


def test_the_notation_of_row_vectors_makes_numbers_where_columns_make_matrices(
    rng: np.random.Generator,
) -> None:
    """S0-not: x S x^T and a b^T are numbers for rows, A + a adds to each row, diag goes both ways."""
    x, a, b = rng.normal(size=(3, 1, 4))
    S = spaces.positive_definite.draw(rng, 4)
    assert (x @ S @ x.T).shape == (a @ b.T).shape == (1, 1)
    assert (a.T @ b).shape == (4, 4)
    A = rng.normal(size=(3, 4))
    assert_close((A - a)[2], A[2] - a[0], rounding())
    assert np.diag(a[0]).shape == (4, 4)
    assert_close(np.diag(np.diag(a[0])), a[0], rounding())


def test_sympy_is_silently_wrong_about_numbers_made_of_traces_and_forms() -> None:
    """The lesson of the chapter stands while this SymPy has not learnt better."""
    X, A = sympy.MatrixSymbol("X", 2, 2), sympy.MatrixSymbol("A", 2, 2)
    w = sympy.MatrixSymbol("w", 2, 1)
    assert (1 / sympy.Trace(A * X)).diff(X) == sympy.ZeroMatrix(2, 2)
    at = {w: sympy.Matrix([1, 2]), A: sympy.Matrix([[3, 1], [1, 1]])}
    found = ((w.T * A * w) / (w.T * w)[0, 0]).diff(w).subs(at).doit()
    assert list(found) == [2, sympy.Rational(6, 5)]  # (A + A^T) w / w^T w, its second half missing
