"""Laws of vec, vech and the matrices between them, and of the three conventions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from mvnlib.conventions import (
    CONVENTIONS,
    commutation_matrix,
    convert_gradient,
    duplication_matrix,
    elimination_matrix,
    pair,
    unvech,
    vec,
    vech,
)

EPS = np.finfo(float).eps
sizes, seeds = st.integers(1, 6), st.integers(0, 2**32 - 1)


def square(d, seed, *more):
    return np.random.default_rng(seed).normal(size=(d, d, *more))


def symmetric(d, seed):
    A = square(d, seed)
    return A + A.T


def test_vec_and_vech_stack_columns():
    A = np.arange(9.0).reshape(3, 3)
    assert_array_equal(vec(A), [0, 3, 6, 1, 4, 7, 2, 5, 8])
    assert_array_equal(vech(A), [0, 3, 6, 4, 7, 8])
    assert_array_equal(vec([[1, 2, 3], [4, 5, 6]]), [1, 4, 2, 5, 3, 6])


@given(sizes, sizes, seeds)
def test_vec_of_a_product_is_a_kronecker_product(m, n, seed):
    rng = np.random.default_rng(seed)
    A, B, C = rng.normal(size=(2, m)), rng.normal(size=(m, n)), rng.normal(size=(n, 3))
    assert_allclose(vec(A @ B @ C), np.kron(C.T, A) @ vec(B), atol=1e3 * EPS)


@given(sizes, seeds)
def test_elimination_picks_vech_from_vec_of_any_square_matrix(d, seed):
    A = square(d, seed)
    assert_array_equal(elimination_matrix(d) @ vec(A), vech(A))


@given(sizes, seeds)
def test_duplication_rebuilds_vec_from_vech_of_a_symmetric_matrix(d, seed):
    S = symmetric(d, seed)
    assert_array_equal(duplication_matrix(d) @ vech(S), vec(S))
    assert_array_equal(unvech(vech(S)), S)


@given(sizes, sizes, seeds)
def test_commutation_transposes(m, n, seed):
    A = np.random.default_rng(seed).normal(size=(m, n))
    K = commutation_matrix(m, n)
    assert_array_equal(K @ vec(A), vec(A.T))
    assert_array_equal(K.T, commutation_matrix(n, m))


@given(sizes)
def test_elimination_undoes_duplication_and_duplication_ignores_order(d):
    D = duplication_matrix(d)
    assert_array_equal(elimination_matrix(d) @ D, np.eye(d * (d + 1) // 2))
    assert_array_equal(commutation_matrix(d, d) @ D, D)


@given(sizes, seeds)
def test_words_work_on_stacks(d, seed):
    stack = np.random.default_rng(seed).normal(size=(2, 3, d, d))
    for word in (vec, vech):
        assert_array_equal(word(stack)[1, 2], word(stack[1, 2]))
    assert_array_equal(unvech(vech(stack))[1, 2], unvech(vech(stack[1, 2])))


@given(sizes, seeds)
def test_conversions_are_those_of_the_duplication_matrix(d, seed):
    G, D = square(d, seed), duplication_matrix(d)
    free, frobenius = convert_gradient(G, "entrywise", "free"), convert_gradient(G, "entrywise", "frobenius")
    assert_allclose(vech(free), D.T @ vec(G), atol=10 * EPS)
    assert_allclose(vec(frobenius), D @ np.linalg.pinv(D) @ vec(G), atol=100 * EPS)
    assert_allclose(vech(free), D.T @ D @ vech(frobenius), atol=10 * EPS)
    assert_array_equal(free, free.T)
    assert_array_equal(frobenius, frobenius.T)


@given(sizes, seeds)
def test_frobenius_and_free_are_inverse_to_each_other(d, seed):
    A = symmetric(d, seed)
    F = convert_gradient(A, "frobenius", "free")
    assert_allclose(F, 2 * A - np.diag(np.diag(A)), rtol=EPS)
    assert_allclose(convert_gradient(F, "free", "frobenius"), A, rtol=EPS)


@given(sizes, seeds)
def test_every_convention_pairs_to_the_same_differential(d, seed):
    G, H = square(d, seed), symmetric(d, seed + 1)
    df = (G * H).sum()
    for convention in CONVENTIONS:
        paired = pair(convert_gradient(G, "entrywise", convention), H, convention)
        assert isinstance(paired, float)
        assert abs(paired - df) < 100 * EPS * d**2 * np.abs(G).max() * np.abs(H).max()


@given(sizes, seeds)
def test_tables_of_matrix_valued_functions_convert_value_by_value(d, seed):
    G, H = square(d, seed, 2, 3), symmetric(d, seed + 1)
    df = np.einsum("ijkl,ij->kl", G, H)
    for convention in CONVENTIONS:
        table = convert_gradient(G, "entrywise", convention)
        assert_array_equal(table[:, :, 1, 2], convert_gradient(G[:, :, 1, 2], "entrywise", convention))
        assert_allclose(pair(table, H, convention), df, atol=1e4 * EPS)


def test_the_free_table_under_the_frobenius_pairing_is_wrong():
    A, H = np.ones((2, 2)), np.ones((2, 2))
    free = convert_gradient(A, "entrywise", "free")
    assert pair(free, H, "free") == 4
    assert pair(free, H, "frobenius") == 6


@pytest.mark.parametrize("source", ["frobenius", "free"])
def test_a_conversion_that_would_invent_the_antisymmetric_part_is_an_error(source):
    with pytest.raises(ValueError, match="antisymmetric part"):
        convert_gradient(np.eye(2), source, "entrywise")


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_same_to_same_is_a_checked_copy(convention):
    G = symmetric(3, 0)
    copy = convert_gradient(G, convention, convention)
    assert_array_equal(copy, G)
    assert not np.shares_memory(copy, G)


@pytest.mark.parametrize("convention", ["frobenius", "free"])
def test_symmetric_tables_must_be_symmetric(convention):
    G = np.array([[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(ValueError, match="G must be symmetric"):
        convert_gradient(G, convention, "frobenius")
    with pytest.raises(ValueError, match="gradient must be symmetric"):
        pair(G, np.eye(2), convention)
    with pytest.raises(ValueError, match="dS must be symmetric"):
        pair(np.eye(2), G, convention)


def test_rounding_of_an_inverse_at_condition_number_1e6_is_not_asymmetry():
    rng = np.random.default_rng(0)
    Q, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    P = np.linalg.inv((Q * np.geomspace(1, 1e-6, 5)) @ Q.T)
    assert_array_equal(convert_gradient(P, "entrywise", "frobenius"), P / 2 + P.T / 2)
    convert_gradient(P, "frobenius", "free")


def test_integers_are_read_as_floats_and_nothing_is_changed():
    G = np.array([[1, 2], [3, 4]])
    before = G.copy()
    assert_array_equal(convert_gradient(G, "entrywise", "frobenius"), [[1, 2.5], [2.5, 4]])
    vec(G)[0] = 9
    vech(G)[0] = 9
    assert_array_equal(G, before)
    A = np.eye(2)
    vec(A)[0] = vec(A.T)[0] = vech(A)[0] = 9
    assert_array_equal(A, np.eye(2))


BAD_MATRICES = [
    (np.full((2, 2), np.nan), ValueError),
    (np.array([[1, np.inf], [0, 1]]), ValueError),
    (np.eye(2) * 1j, TypeError),
    (np.array([["a", "b"], ["c", "d"]]), TypeError),
    (np.ones((0, 0)), ValueError),
    (np.ones(3), ValueError),
    (np.float64(1.0), ValueError),
]


@pytest.mark.parametrize(("bad", "error"), BAD_MATRICES)
@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("A", vec),
        ("A", vech),
        ("G", lambda A: convert_gradient(A, "entrywise", "free")),
        ("G", lambda A: convert_gradient(A, "free", "frobenius")),
        ("gradient", lambda A: pair(A, np.eye(2), "frobenius")),
        ("dS", lambda A: pair(np.eye(2), A, "free")),
    ],
)
def test_bad_matrices_are_named(name, call, bad, error):
    with pytest.raises(error, match=name):
        call(bad)


def test_shapes_are_checked_before_values():
    with pytest.raises(ValueError, match="square"):
        vech(np.ones((2, 3)))
    with pytest.raises(ValueError, match="square"):
        convert_gradient(np.ones((2, 3)), "entrywise", "free")
    with pytest.raises(ValueError, match="shape of its variable"):
        pair(np.ones((2, 2)), np.ones((3, 3)), "entrywise")
    with pytest.raises(ValueError, match=r"triangular|length"):
        unvech(np.ones(4))


@pytest.mark.parametrize("make", [duplication_matrix, elimination_matrix, lambda d: commutation_matrix(2, d)])
def test_sizes_are_whole_numbers_of_at_least_one(make):
    for bad, error in [
        (0, ValueError),
        (-1, ValueError),
        (2.0, TypeError),
        ("2", TypeError),
        (True, TypeError),
    ]:
        with pytest.raises(error):
            make(bad)
    assert_array_equal(make(np.int64(2)), make(2))


def test_an_unknown_convention_is_answered_with_the_known_ones():
    for call in (
        lambda: convert_gradient(np.eye(2), "paired", "free"),
        lambda: convert_gradient(np.eye(2), "free", "paired"),
        lambda: pair(np.eye(2), np.eye(2), "paired"),
    ):
        with pytest.raises(ValueError, match="'entrywise', 'frobenius', 'free'"):
            call()


def test_a_table_or_a_pairing_that_overflows_is_an_error():
    huge = np.full((2, 2), 1e308)
    with pytest.raises(ValueError, match="free table of G must be finite"):
        convert_gradient(huge, "frobenius", "free")
    with pytest.raises(ValueError, match="df must be finite"):
        pair(huge, 10 * np.eye(2), "entrywise")


@pytest.mark.parametrize("convention", ["frobenius", "free"])
def test_a_table_may_be_asymmetric_by_the_rounding_of_an_inverse_and_by_no_more(convention):
    """1e-8 of the largest entry: eps times a condition number of 1e8 is below, a wrong entry above."""
    for part, fits in ((0.9e-8, True), (1.1e-8, False)):
        table = np.array([[10.0, 1.0 + 10 * part], [1.0, 2.0]])
        for call in (
            lambda G: convert_gradient(G, convention, "frobenius"),
            lambda G: pair(G, np.eye(2), convention),
        ):
            if fits:
                call(table)
            else:
                with pytest.raises(ValueError, match="symmetric"):
                    call(table)


def test_a_number_is_no_vech():
    with pytest.raises(ValueError, match=r"v must have length .* but its shape is \(\)"):
        unvech(1.0)
