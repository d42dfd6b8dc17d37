"""Laws of the words, for floats, for stacks, for complex steps, for JAX and for symbols."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from oracles import autodiff  # switches JAX to float64
from tolerances import assert_close, rounding

from mvnlib import conventions, ops, spaces

sizes, seeds = st.integers(1, 5), st.integers(0, 2**32 - 1)


def invertible(d: int, seed: int, condition: float = 10.0) -> Any:
    return spaces.invertible.draw(np.random.default_rng(seed), d, condition)


def general(d: int, seed: int, *more: int) -> Any:
    return np.random.default_rng(seed).standard_normal((*more, d, d))


# Laws


@given(sizes, seeds)
def test_logdet_of_A_S_B_is_the_sum_of_the_three(d: int, seed: int) -> None:
    A, S, B = (invertible(d, seed + k) for k in range(3))
    total = ops.logdet(A) + ops.logdet(S) + ops.logdet(B)
    assert abs(ops.logdet(A @ S @ B) - total) <= rounding(1000) * d


@given(sizes, seeds)
def test_logdet_of_a_multiple_and_of_the_inverse(d: int, seed: int) -> None:
    S = invertible(d, seed)
    assert abs(ops.logdet(-3 * S) - ops.logdet(S) - d * np.log(3)) <= rounding(10) * d
    assert abs(ops.logdet(ops.inv(S)) + ops.logdet(S)) <= rounding(10) * d
    assert abs(ops.logdet(S) - np.log(abs(ops.det(S)))) <= rounding(10) * d


@given(sizes, seeds)
def test_det_is_multiplicative_and_blind_to_transposing(d: int, seed: int) -> None:
    A, B = general(d, seed), general(d, seed + 1)
    size = np.linalg.norm(A, 2) ** d * np.linalg.norm(B, 2) ** d
    assert abs(ops.det(A @ B) - ops.det(A) * ops.det(B)) <= rounding() * size
    assert abs(ops.det(A.T) - ops.det(A)) <= rounding() * np.linalg.norm(A, 2) ** d


@given(sizes, seeds)
def test_adjugate_of_a_product_is_the_product_in_reverse(d: int, seed: int) -> None:
    A, B = general(d, seed), general(d, seed + 1)
    size = (np.linalg.norm(A, 2) * np.linalg.norm(B, 2)) ** (d - 1)
    assert np.abs(ops.adjugate(A @ B) - ops.adjugate(B) @ ops.adjugate(A)).max() <= rounding() * size


@given(sizes, seeds)
def test_adjugate_is_that_of_the_characteristic_polynomial_also_where_singular(d: int, seed: int) -> None:
    A = general(d, seed)
    A[:, -1] = A[:, 0] * (d > 1)  # of rank d - 1 at most
    size = max(1.0, np.linalg.norm(A, 2) ** (d - 1))
    assert np.abs(ops.adjugate(A) - autodiff.adjugate(A)).max() <= rounding() * size
    assert np.abs(A @ ops.adjugate(A)).max() <= rounding() * max(1.0, np.linalg.norm(A, 2) ** d)


def test_adjugate_of_rank_one_is_not_zero_at_dimension_two_and_is_at_three() -> None:
    assert np.array_equal(ops.adjugate(np.ones((2, 2))), [[1, -1], [-1, 1]])
    assert np.array_equal(ops.adjugate(np.ones((3, 3))), np.zeros((3, 3)))
    assert np.array_equal(ops.adjugate(np.zeros((1, 1))), [[1]])


@given(sizes, seeds, st.integers(0, 6))
def test_inverse_undoes_and_reverses_products(d: int, seed: int, exponent: int) -> None:
    condition = 10.0**exponent
    A, B = invertible(d, seed, condition), invertible(d, seed + 1)
    assert np.abs(A @ ops.inv(A) - np.eye(d)).max() <= rounding(condition)
    assert_close(ops.inv(A @ B), ops.inv(B) @ ops.inv(A), rounding(10 * condition))


@given(sizes, seeds)
def test_trace_is_blind_to_the_order_of_two_factors(d: int, seed: int) -> None:
    A, B = general(d, seed), general(d, seed + 1)
    size = np.linalg.norm(A) * np.linalg.norm(B)
    assert abs(ops.tr(A @ B) - ops.tr(B @ A)) <= rounding() * size
    assert abs(ops.dot(A, B) - ops.tr(A.T @ B)) <= rounding() * size


@given(sizes, seeds)
def test_vec_of_a_product_is_a_kronecker_product(d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    A, S, B = rng.standard_normal((2, d)), rng.standard_normal((d, d)), rng.standard_normal((d, 3))
    assert np.abs(ops.vec(A @ S @ B) - ops.kron(B.T, A) @ ops.vec(S)).max() <= rounding(100)
    assert np.array_equal(ops.vec(S), conventions.vec(S))


@given(sizes, seeds)
def test_outer_sym_diag_and_lower_half(d: int, seed: int) -> None:
    a, b = np.random.default_rng(seed).standard_normal((2, d))
    A = general(d, seed)
    assert np.array_equal(ops.outer(a, b), np.outer(a, b))
    assert np.array_equal(ops.sym(A), (A + A.T) / 2)
    assert np.array_equal(ops.diag(A), np.diag(np.diag(A)))
    half = ops.lower_half(ops.sym(A))
    assert np.array_equal(np.triu(half, 1), np.zeros((d, d)))
    assert_close(half + half.T, ops.sym(A), rounding())


def test_dot_of_numbers_is_their_product() -> None:
    assert ops.dot(np.float64(2), np.array(3.0)) == 6
    x = sympy.Symbol("x")
    assert ops.dot(np.array(x, dtype=object), np.array(2)) == 2 * x


# The complex step

INVERSE = np.linalg.inv
DIFFERENTIALS = {
    "tr": lambda S, E: np.trace(E),
    "det": lambda S, E: np.linalg.det(S) * np.trace(INVERSE(S) @ E),
    "logdet": lambda S, E: np.trace(INVERSE(S) @ E),
    "inv": lambda S, E: -INVERSE(S) @ E @ INVERSE(S),
    "adjugate": lambda S, E: (
        np.linalg.det(S) * (np.trace(INVERSE(S) @ E) * INVERSE(S) - INVERSE(S) @ E @ INVERSE(S))
    ),
}


@pytest.mark.parametrize("word", DIFFERENTIALS)
@given(d=sizes, seed=seeds, sign=st.sampled_from([1, -1]))
def test_complex_step_goes_through_at_either_sign_of_the_determinant(
    word: str, d: int, seed: int, sign: int
) -> None:
    S, E = invertible(d, seed), general(d, seed + 1)
    S[0] *= sign * np.sign(np.linalg.det(S))
    f, h = getattr(ops, word), 1e-30
    moved, expected = f(S + 1j * h * E), DIFFERENTIALS[word](S, E)
    assert np.shape(moved) == np.shape(expected)
    size = np.linalg.norm(E) * {"tr": 1.0, "det": 1.0, "adjugate": 1.0}.get(
        word, np.linalg.norm(INVERSE(S)) ** 2
    )
    assert (
        np.abs(moved.imag / h - expected).max()
        <= rounding(10) * max(1.0, size) * max(1.0, np.linalg.norm(S)) ** d
    )
    assert np.abs(moved.real - f(S)).max() <= rounding(10) * max(1.0, np.abs(f(S)).max())


def test_logdet_of_a_complex_matrix_near_a_real_one_has_a_small_imaginary_part() -> None:
    for sign in (1, -1):
        S = np.diag([sign * 2.0, 3.0])
        assert ops.logdet(S + 1e-20j * np.eye(2)).imag == pytest.approx(1e-20 * ops.tr(ops.inv(S)), rel=1e-12)


# Stacks

STACKED = {
    "tr": ops.tr,
    "det": ops.det,
    "logdet": ops.logdet,
    "inv": ops.inv,
    "adjugate": ops.adjugate,
    "diag": ops.diag,
    "sym": ops.sym,
    "vec": ops.vec,
    "lower_half": ops.lower_half,
    "exp": ops.exp,
    "outer": lambda A: ops.outer(A[..., 0], A[..., 1 % A.shape[-1]]),
}


@pytest.mark.parametrize("word", STACKED)
@pytest.mark.parametrize("make", [lambda A: A, lambda A: A + 1j], ids=["real", "complex"])
def test_a_word_on_a_stack_is_the_word_on_each(word: str, make: Any) -> None:
    f = STACKED[word]
    for d in (1, 2, 4):
        stack = make(general(d, d, 2, 3))
        loop = [[f(stack[i, j]) for j in range(3)] for i in range(2)]
        assert_close(f(stack), np.array(loop), rounding(10))


# JAX and symbols mean the same as floats

SINGLE = {**STACKED, "dot": lambda A: ops.dot(A, A), "kron": lambda A: ops.kron(A, A.mT)}


@pytest.mark.parametrize("word", SINGLE)
def test_a_word_means_the_same_for_jax(word: str) -> None:
    A = general(3, 7, 2) if word in STACKED else general(3, 7)
    result = SINGLE[word](jnp.asarray(A))
    assert isinstance(result, jnp.ndarray)
    assert_close(np.asarray(result), SINGLE[word](A), rounding(10))


@pytest.mark.parametrize("elimination", [False, True])
@pytest.mark.parametrize("word", SINGLE)
@pytest.mark.parametrize("d", [1, 2, 3])
def test_a_word_means_the_same_for_symbols(word: str, d: int, elimination: bool) -> None:
    A = general(d, 11)
    A[0] *= np.sign(np.linalg.det(A))  # of symbols logdet is written without the absolute value
    S = spaces.general.symbols("S", d)
    if elimination:
        with ops.by_elimination():
            result = np.asarray(SINGLE[word](S), dtype=object)
    else:
        result = np.asarray(SINGLE[word](S), dtype=object)
    values = {s: sympy.Float(float(a), 40) for s, a in zip(S.flat, A.flat, strict=True)}
    numbers = np.array([float(sympy.sympify(e).xreplace(values).evalf(30)) for e in result.flat])
    assert_close(numbers.reshape(result.shape), np.asarray(SINGLE[word](A)), rounding(1000))


def test_elimination_ends_with_its_block_also_after_an_error() -> None:
    S = spaces.general.symbols("S", 2)
    cofactors = ops.inv(S)[0, 0]
    with ops.by_elimination():
        assert ops.inv(S)[0, 0] != cofactors
    assert ops.inv(S)[0, 0] == cofactors
    with pytest.raises(ZeroDivisionError), ops.by_elimination():
        raise ZeroDivisionError
    assert ops.inv(S)[0, 0] == cofactors


def test_elimination_of_a_symmetric_matrix_divides_by_each_pivot_only() -> None:
    S = spaces.symmetric.symbols("S", 2)
    with ops.by_elimination():
        assert sympy.simplify(ops.det(S) - (S[0, 0] * S[1, 1] - S[0, 1] ** 2)) == 0
        # The determinant of symbols with a negative first pivot is not lost in a logarithm.
        value = sympy.sympify(ops.logdet(S)).subs({S[0, 0]: -1, S[0, 1]: 2, S[1, 1]: 3})
    assert float(value) == pytest.approx(np.log(7))


def test_log_and_exp_take_numbers_of_every_kind() -> None:
    x = sympy.Symbol("x", positive=True)
    for number in (2.0, 2, np.float64(2), np.array(2.0), jnp.asarray(2.0)):
        assert float(ops.log(number)) == pytest.approx(np.log(2))
        assert float(ops.exp(number)) == pytest.approx(np.exp(2))
    assert ops.log(ops.exp(1j)) == pytest.approx(1j)
    assert ops.log(x) == sympy.log(x)
    assert ops.exp(np.array([x, 0], dtype=object)).tolist() == [sympy.exp(x), 1]
    assert ops.pi(spaces.vector.symbols("x", 2)) is sympy.pi
    assert ops.pi(np.ones(2)) == np.pi


def test_words_change_nothing_they_are_given() -> None:
    A = general(3, 0)
    before = A.copy()
    A.flags.writeable = False
    for f in SINGLE.values():
        f(A)
    S = spaces.general.symbols("S", 3)
    symbols = S.copy()
    with ops.by_elimination():
        for f in SINGLE.values():
            f(S)
    assert np.array_equal(A, before)
    assert (symbols == S).all()


def test_the_determinant_keeps_the_type_of_its_numbers() -> None:
    for number in (int, float, Fraction, sympy.Integer, sympy.Float):
        A = np.array([[number(1), number(2)], [number(3), number(4)]], dtype=object)
        assert float(ops.det(A)) == -2
        assert isinstance(ops.det(A), number)
