"""Tests of the testers: right answers pass, every planted mistake is caught and named."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from mvnlib.checking import MISTAKES, StepError, Verdict, check_gradient, check_steps
from mvnlib.conventions import CONVENTIONS, convert_gradient
from mvnlib.normal import fit_normal, loglik, loglik_gradient
from mvnlib.ops import logdet
from mvnlib.spaces import positive_definite, vector

inv = np.linalg.inv
seeds = st.integers(0, 2**32 - 1)


def point(d, seed, condition=10.0, symmetric=True):
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.normal(size=(d, d)))
    R = Q if symmetric else np.linalg.qr(rng.normal(size=(d, d)))[0]
    S = (Q * np.geomspace(2, 2 / condition, d)) @ R.T
    return (S + S.T) / 2 if symmetric else S


def normal(d):
    """A log density in its covariance, with its entrywise gradient."""
    x = np.linspace(-2, 1, d)

    def f(S):
        return -(np.linalg.slogdet(S)[1] + x @ np.linalg.solve(S, x)) / 2

    def gradient(S):
        P = inv(S).T
        return -(P - P @ np.outer(x, x) @ P) / 2

    return f, gradient


def bilinear(d):
    """a^T S^-1 b, whose gradient is not symmetric even where S is."""
    a, b = np.linspace(1, 2, d), np.linspace(-1, 2, d) ** 2
    return lambda S: a @ np.linalg.solve(S, b), lambda S: -np.outer(inv(S).T @ a, inv(S) @ b)


def log_determinant(d):
    return lambda S: np.linalg.slogdet(S)[1], lambda S: inv(S).T


def determinant(d):
    return np.linalg.det, lambda S: np.linalg.det(S) * inv(S).T


def cubic(d):
    A = np.arange(1.0, d * d + 1).reshape(d, d) / d
    return lambda S: np.trace(A @ S @ S @ S), lambda S: (A @ S @ S + S @ A @ S + S @ S @ A).T


FUNCTIONS = [normal, bilinear, log_determinant, determinant, cubic]


def by_cholesky(d):
    """The same density as `normal`, reading the lower triangle of S only."""
    x = np.linspace(-2, 1, d)

    def f(S):
        L = np.linalg.cholesky(S)
        y = np.linalg.solve(L, x)
        return -np.log(np.diag(L)).sum() - y @ y / 2

    return f, normal(d)[1]


def refusing(d):
    """The same density as `normal`, of a symmetric S only."""
    f, gradient = normal(d)

    def strict(S):
        if not np.array_equal(S, S.T):
            raise ValueError("the covariance must be symmetric")
        return f(S)

    return strict, gradient


# ---- right answers pass


@pytest.mark.parametrize("make", [*FUNCTIONS, by_cholesky, refusing])
@given(d=st.integers(2, 4), seed=seeds, condition=st.sampled_from([10.0, 1e3, 1e6]))
@settings(max_examples=15)
def test_right_gradients_are_accepted_in_every_convention(make, d, seed, condition):
    f, gradient = make(d)
    S = point(d, seed, condition)
    for convention in CONVENTIONS:
        verdict = check_gradient(f, convert_gradient(gradient(S), "entrywise", convention), S, convention)
        assert verdict.correct, verdict.message
        assert convention in verdict.conventions
        assert verdict.max_error < 1e-8 * condition**0.5
        assert verdict.mistake is None


@pytest.mark.parametrize("make", FUNCTIONS)
@given(d=st.integers(2, 4), seed=seeds)
@settings(max_examples=15)
def test_right_gradients_are_accepted_at_matrices_that_are_not_symmetric(make, d, seed):
    f, gradient = make(d)
    S = point(d, seed, symmetric=False)
    verdict = check_gradient(f, gradient, S)
    assert verdict.correct, verdict.message
    assert verdict.conventions == ("entrywise",)


def test_every_convention_in_which_a_table_is_right_is_listed():
    S = point(3, 0)
    f, gradient = normal(3)
    A = gradient(S)
    assert check_gradient(f, A, S).conventions == ("entrywise", "frobenius")
    assert check_gradient(f, convert_gradient(A, "entrywise", "free"), S).conventions == ("free",)
    g, skewed = bilinear(3)
    assert check_gradient(g, skewed(S), S).conventions == ("entrywise",)
    assert check_gradient(g, 2 * skewed(S), S).conventions == ()
    assert check_gradient(np.trace, np.eye(3), S).conventions == CONVENTIONS
    assert check_gradient(lambda S: 1.0, np.zeros((3, 3)), S, "free").conventions == CONVENTIONS


def test_numbers_vectors_and_rectangular_matrices_are_checked_entrywise():
    assert check_gradient(np.sin, np.cos, 1.0).conventions == ("entrywise",)
    x = np.array([0.5, -1.0, 2.0])
    assert check_gradient(lambda x: x @ x, lambda x: 2 * x, x).correct
    assert check_gradient(lambda x: x @ x, x, x).mistake == "half"
    X = np.random.default_rng(0).normal(size=(2, 4))
    assert check_gradient(lambda X: np.linalg.slogdet(X @ X.T)[1], 2 * np.linalg.pinv(X).T, X).correct
    assert check_gradient(lambda x: x[0] * x[1], [0.0, 0.0], [0.0, 0.0]).correct


def test_matrix_valued_functions_are_checked_value_by_value():
    S = point(3, 1)
    P = inv(S)
    right = -np.einsum("ki,jl->ijkl", P, P)
    assert check_gradient(inv, right, S).correct
    for convention in CONVENTIONS:
        assert check_gradient(inv, convert_gradient(right, "entrywise", convention), S, convention)
    assert check_gradient(inv, -right, S).mistake == "sign"
    assert check_gradient(inv, right.swapaxes(0, 1), point(3, 1)).mistake == "transpose"
    A = np.arange(6.0).reshape(2, 3)
    assert check_gradient(lambda x: A @ x, A.T, [1.0, 2.0, 3.0]).correct


# ---- wrong ones do not


@pytest.mark.parametrize(
    ("make", "mistake"),
    [
        pytest.param(make, mistake, id=f"{make.__name__}-{mistake.key}")
        for make in FUNCTIONS
        for mistake in MISTAKES
        if not (make is bilinear and mistake.key == "inverse_missing")  # of rank one: it has no inverse
        if mistake.needs != "symmetric table"  # which has a test of its own
    ],
)
@pytest.mark.parametrize("d", [2, 3])
def test_every_planted_mistake_is_caught_and_named(make, mistake, d):
    f, gradient = make(d)
    S = point(d, 7, symmetric=False)
    G = gradient(S)
    verdict = check_gradient(f, mistake.plant(G, S), S)
    assert not verdict.correct
    assert not verdict
    assert verdict.conventions == ()
    hints = {m.key: m.hint for m in MISTAKES} | {None: ""}
    assert hints[verdict.mistake] in verdict.message
    if make in (log_determinant, determinant) and mistake.up_to and mistake.key != "term_transposed":
        # Here the gradient is itself a multiple of S^-T: there are no two terms to do differently.
        assert verdict.mistake in ("sign", "double", "half", "factor", None)
    else:
        assert verdict.mistake == mistake.key, verdict.message


@pytest.mark.parametrize("make", [normal, by_cholesky, refusing, log_determinant])
@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake.key for mistake in MISTAKES])
def test_mistakes_at_a_symmetric_point_are_caught_where_they_change_the_table(make, convention, mistake):
    f, gradient = make(3)
    S = point(3, 5)
    G = convert_gradient(gradient(S), "entrywise", convention)
    if convention == "free" and mistake.about == "conventions":
        wrong = mistake.plant(gradient(S), S)
    elif convention == "free" and mistake.about == "terms" and mistake.key != "term_transposed":
        wrong = convert_gradient(mistake.plant(gradient(S), S), "frobenius", "free")
    else:
        wrong = mistake.plant(G, S)
    verdict = check_gradient(f, wrong, S, convention)
    if np.abs(wrong - G).max() < 1e-9:
        assert verdict.correct
    elif make is by_cholesky and convention == "entrywise" and mistake.key == "one_triangle":
        assert verdict.correct  # that is what this program's partials are
    else:
        assert not verdict.correct
        # Of one term alone there are no two conventions to mix.
        assert verdict.mistake is not None or (make is log_determinant and mistake.about == "conventions")


@given(d=st.integers(2, 4), seed=seeds, exponent=st.sampled_from([-6, -5, -3]))
@settings(max_examples=20)
def test_a_relative_error_of_a_millionth_in_one_entry_is_caught_at_condition_number_10(d, seed, exponent):
    f, gradient = normal(d)
    S = point(d, seed)
    for convention in CONVENTIONS:
        G = convert_gradient(gradient(S), "entrywise", convention)
        i, j = np.unravel_index(np.argmax(np.abs(G)), G.shape)
        G[i, j] *= 1 + 10.0**exponent
        G[j, i] = G[i, j]
        assert not check_gradient(f, G, S, convention)


@given(d=st.integers(2, 4), seed=seeds)
@settings(max_examples=20)
def test_one_per_cent_is_caught_at_condition_number_a_million(d, seed):
    f, gradient = normal(d)
    S = point(d, seed, 1e6)
    G = gradient(S)
    assert check_gradient(f, G, S)
    assert not check_gradient(f, 1.01 * G, S)
    k = np.argmax(np.abs(np.diag(G)))
    G[k, k] *= 1.01
    assert not check_gradient(f, G, S)


def test_symmetric_directions_do_not_fool_the_entrywise_check():
    f, gradient = bilinear(3)
    S = point(3, 2)
    verdict = check_gradient(f, gradient(S).T, S)
    assert verdict.mistake == "transpose"
    assert verdict.conventions == ()


def test_a_claim_in_the_wrong_convention_is_told_the_right_one():
    f, gradient = normal(3)
    S = point(3, 0)
    A = gradient(S)
    F = convert_gradient(A, "entrywise", "free")
    verdict = check_gradient(f, F, S, "frobenius")
    assert not verdict
    assert verdict.mistake == "off_diagonal_doubled"
    assert "the off-diagonal entries disagree" in verdict.message
    assert "the ratio is 2 for all of these" in verdict.message
    assert "It is right as the free table" in verdict.message
    verdict = check_gradient(f, A, S, "free")
    assert verdict.mistake == "off_diagonal_halved"
    assert "right as the entrywise and frobenius table" in verdict.message
    g, skewed = bilinear(3)
    assert "symmetric, the candidate is not" in check_gradient(g, skewed(S), S, "frobenius").message


def test_the_message_names_the_entry_that_is_off():
    f, gradient = normal(3)
    S = point(3, 0)
    G = gradient(S)
    G[2, 1] *= 1.5
    verdict = check_gradient(f, G, S)
    assert "1 of 9 entries disagrees" in verdict.message
    assert "entry [2, 1]" in verdict.message
    assert "the ratio is 1.5" in verdict.message
    assert verdict.mistake is None
    wrong = np.eye(3)
    wrong[0, 1] = 1e-3
    assert "differences give 0" in check_gradient(np.trace, wrong, S).message.replace("-0", "0")
    assert "the diagonal entries" in check_gradient(np.trace, 3 * np.eye(3), S).message


def test_of_several_wrong_entries_the_one_that_is_furthest_off_is_named_and_a_ratio_if_it_is_one():
    f, right = lambda x: x @ [100.0, 1.0, 1.0], np.array([100.0, 1.0, 1.0])
    message = check_gradient(f, right + np.array([1.0, -2.0, 0.0]), np.ones(3)).message
    assert "most of all entry [1], where the candidate has -1" in message
    assert "for all of these" not in message
    assert "the ratio is 2 for all of these" in check_gradient(f, right * [1, 2, 2], np.ones(3)).message
    assert "for all of these" not in check_gradient(f, right * [1, 2, 2.02], np.ones(3)).message


def test_what_is_wrong_is_counted_in_vectors_and_rectangles_too():
    x = np.array([0.5, -1.0, 2.0])
    one_wrong = check_gradient(lambda x: x @ x, [1.0, -2.0, 5.0], x)
    assert "1 of 3 entries disagrees, most of all entry [2]" in one_wrong.message
    A = np.arange(6.0).reshape(2, 3)
    wrong = A.copy()
    wrong[0, 1] = -1.0
    assert (
        "1 of 6 entries disagrees, most of all entry [0, 1]"
        in check_gradient(lambda X: (A * X).sum(), wrong, A).message
    )
    assert "table: the entry disagrees" in check_gradient(np.sin, 0.0, 1.0).message


@pytest.mark.parametrize("d", [2, 3])
def test_entries_on_and_off_the_diagonal_are_told_apart_in_matrix_valued_functions(d):
    S = point(d, 1)
    P = inv(S)
    right = -np.einsum("ki,jl->ijkl", P, P)
    on_diagonal = np.eye(d, dtype=bool)[:, :, None, None]
    below = np.tri(d, k=-1, dtype=bool)[:, :, None, None]
    for wrong, mistake in (
        (np.where(on_diagonal, 0.0, right), "diagonal_dropped"),
        (np.where(on_diagonal, right, 0.0), "diagonal_only"),
        (np.where(on_diagonal, 2 * right, right), "diagonal_doubled"),
        (np.where(on_diagonal, right, 2 * right), "off_diagonal_doubled"),
        (np.where(on_diagonal, right, right / 2), "off_diagonal_halved"),
        (np.where(on_diagonal, right, np.where(below, 2 * right, 0.0)), "one_triangle"),
    ):
        assert check_gradient(inv, wrong, S).mistake == mistake


def test_a_wrong_gradient_whose_squares_are_no_floats_is_wrong_all_the_same():
    S = point(3, 0)
    tiny = check_gradient(lambda S: 1e-200 * np.linalg.slogdet(S)[1], 5e-200 * inv(S), S)
    assert not tiny.correct
    assert "the ratio is 5 for all of these" in tiny.message


@pytest.mark.parametrize("unit", [2.0**-40, 1.0, 2.0**40])
def test_a_function_that_reads_one_triangle_is_said_to(unit):
    density, gradient = by_cholesky(3)
    S = unit * point(3, 0)
    A = gradient(S / unit) / unit

    def f(S):
        return density(S / unit)

    for claim in (A, np.tril(2 * A - np.diag(np.diag(A)))):
        verdict = check_gradient(f, claim, S)
        assert verdict.correct
        assert "reads only the lower triangle" in verdict.message
    assert not check_gradient(f, convert_gradient(A, "entrywise", "free"), S)
    upper = check_gradient(lambda S: f(S.T), A, S)
    assert "reads only the upper triangle" in upper.message


def test_a_function_that_ignores_a_triangle_at_one_point_only_is_not_said_to_read_the_other():
    verdict = check_gradient(lambda S: S[0, 1] * S[1, 0], np.zeros((2, 2)), np.diag([2.0, 1.0]))
    assert verdict.correct
    assert "triangle" not in verdict.message

    def f(S):  # S_12 on the symmetric matrices, and 0 along each entry
        a, b = S[0, 1], S[1, 0]
        return a * b * (a + b) / (a**2 + b**2) if a or b else 0.0

    verdict = check_gradient(f, np.zeros((2, 2)), np.diag([2.0, 1.0]))
    assert not verdict
    assert "no differential" in verdict.message


def test_a_function_that_refuses_asymmetry_is_judged_on_its_symmetric_extension():
    f, gradient = refusing(3)
    S = point(3, 0)
    A = gradient(S)
    verdict = check_gradient(f, A, S)
    assert verdict.correct
    assert "the covariance must be symmetric" in verdict.message
    assert "symmetric extension" in verdict.message
    assert "extension" not in check_gradient(f, convert_gradient(A, "entrywise", "free"), S, "free").message
    wrong = check_gradient(f, 2 * A, S)
    assert not wrong
    assert "symmetric extension" in wrong.message


def test_a_point_that_is_symmetric_but_for_rounding_is_taken_for_symmetric():
    """A function that refuses asymmetry is not told of ours."""
    f, gradient = refusing(3)
    S = point(3, 0)
    S[0, 1] = np.nextafter(S[0, 1], np.inf)
    for convention in CONVENTIONS:
        claim = convert_gradient(gradient((S + S.T) / 2), "entrywise", convention)
        assert check_gradient(f, claim, S, convention).correct


def test_a_transpose_hidden_by_a_symmetric_point_is_mentioned():
    S = point(3, 0)
    verdict = check_gradient(log_determinant(3)[0], inv, S)
    assert verdict.correct
    assert "near by that is not symmetric it is the transpose" in verdict.message
    assert "near by" not in check_gradient(log_determinant(3)[0], lambda S: inv(S).T, S).message
    uses_symmetry = check_gradient(bilinear(3)[0], lambda S: bilinear(3)[1]((S + S.T) / 2), S)
    assert uses_symmetry.correct
    assert "uses the symmetry of S" in uses_symmetry.message

    def candidate(S):
        if not np.allclose(S, S.T):
            raise ValueError
        return inv(S)

    assert check_gradient(log_determinant(3)[0], candidate, S).correct


@pytest.mark.parametrize("d", [2, 3, 5, 8])
def test_the_matrix_near_by_is_in_the_domain_of_what_wants_a_positive_definite_symmetric_part(d):
    def f(S):
        if np.linalg.eigvalsh(S + S.T)[0] <= 0:
            raise ValueError("no density")
        return np.linalg.slogdet(S)[1]

    assert "it is the transpose" in check_gradient(f, inv, point(d, 0)).message


def test_partials_that_are_no_differential_are_not_accepted():
    def f(x):
        return x[0] * x[1] * x[0] / (x @ x) if x.any() else 0.0

    verdict = check_gradient(f, np.zeros(2), np.zeros(2))
    assert not verdict
    assert "no differential" in verdict.message


@pytest.mark.parametrize("unit", [2.0**-40, 1.0, 2.0**40])
def test_partials_that_are_no_differential_are_not_accepted_in_any_units(unit):
    def f(S):
        a, b = S[0, 0] / unit - 1, S[1, 1] / unit - 1
        return a * b * (a + b) / (a**2 + b**2) if a or b else 0.0

    verdict = check_gradient(f, np.zeros((2, 2)), unit * np.eye(2))
    assert not verdict
    assert "no differential" in verdict.message


@pytest.mark.parametrize("unit", [1e3, 1e5])
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_wrong_sign_is_caught_in_an_entry_that_its_units_make_tiny(convention, unit):
    f, gradient = normal(3)
    D = np.diag([1.0, 1 / unit, unit])
    S = D @ point(3, 1) @ D

    def g(S):
        return f(inv(D) @ S @ inv(D))

    G = convert_gradient(inv(D) @ gradient(inv(D) @ S @ inv(D)) @ inv(D), "entrywise", convention)
    assert check_gradient(g, G, S, convention).correct
    for entry in ((2, 2), (0, 0), (0, 2)):
        wrong = G.copy()
        wrong[entry] = wrong[entry[::-1]] = -G[entry]
        assert not check_gradient(g, wrong, S, convention).correct


@pytest.mark.parametrize("d", [2, 3])
def test_a_kink_that_two_sided_differences_average_away_is_not_accepted(d):
    def largest(S):
        return np.linalg.eigvalsh(S)[..., -1]

    verdict = check_gradient(largest, np.eye(d) / 2, np.eye(d), "frobenius")
    assert not verdict.correct
    assert verdict.conventions == ()
    assert "no differential" in verdict.message
    away = np.diag(np.linspace(2, 1, d))
    assert check_gradient(largest, np.diag(np.eye(d)[0]), away, "frobenius").correct
    assert not check_gradient(np.abs, 0.0, 0.0).correct

    def on_symmetric_matrices(S):
        if not (S == S.T).all():
            raise ValueError("not symmetric")
        return abs(S[0, 0] - S[1, 1])

    for convention in CONVENTIONS:
        verdict = check_gradient(on_symmetric_matrices, np.zeros((d, d)), np.eye(d), convention)
        assert not verdict.correct
        assert "no differential" in verdict.message


def test_a_verdict_says_when_the_differences_can_hardly_tell():
    verdict = check_gradient(lambda x: np.float32(1e3 + np.exp(x).sum()), np.exp, [1.0, 2.0])
    assert "uncertain by" in verdict.message
    clear = check_gradient(lambda x: x @ x, lambda x: 2 * x, [1.0, 2.0])
    assert "uncertain by" not in clear.message
    assert "within the error of the differences" in clear.message
    assert "it is 0" not in clear.message


def test_of_a_gradient_that_is_zero_the_error_is_not_a_share_of_rounding():
    X = np.random.default_rng(0).standard_normal((50, 3))
    mu, Sigma = fit_normal(X)
    for candidate in (loglik_gradient(X, mu, Sigma)[1], np.zeros((3, 3))):
        verdict = check_gradient(lambda S: loglik(X, mu, S), candidate, Sigma, "frobenius")
        assert verdict.correct
        assert verdict.max_error < 1e-8
        assert "it is 0 as far as differences can tell" in verdict.message
        assert "uncertain" not in verdict.message
    wrong = check_gradient(lambda S: loglik(X, mu, S), np.full((3, 3), 1e-3), Sigma, "frobenius")
    assert not wrong.correct
    assert wrong.max_error == pytest.approx(1e-3, rel=0.5)


def test_of_a_number_no_entry_is_named():
    message = check_gradient(np.sin, 0.77, 1.0).message
    assert "the entry disagrees, the candidate has 0.77 and differences give 0.540302" in message
    assert "[]" not in message


def test_a_badly_conditioned_function_is_judged_within_its_noise():
    """log det(S S) of condition 1e12: its values are off by 1e-4, and so are its differences, relatively."""
    S = point(3, 0, 1e6)

    def f(S):
        return logdet(S @ S)

    assert check_gradient(f, 2 * inv(S), S).correct
    assert check_gradient(f, 2.1 * inv(S), S).correct is False


def test_a_verdict_is_its_correctness_and_shows_its_message():
    right = check_gradient(np.trace, np.eye(2), np.eye(2))
    wrong = check_gradient(np.trace, 2 * np.eye(2), np.eye(2))
    assert right
    assert not wrong
    assert isinstance(right, Verdict)
    assert "correct=False" in repr(wrong)
    assert wrong.message in repr(wrong)
    assert wrong.max_error == pytest.approx(1)
    assert "right as frobenius and free too" in right.message
    assert "<strong>correct</strong>" in right._repr_html_()
    assert "<strong>not correct</strong>" in wrong._repr_html_()


def test_neither_f_nor_the_candidate_can_change_the_point():
    def spoil(S):
        value = np.trace(S)
        S[...] = 0
        return value

    def spoiled(S):
        S[...] = 0
        return np.eye(2)

    S = np.eye(2)
    assert check_gradient(spoil, spoiled, S).correct
    assert_array_equal(S, np.eye(2))


@pytest.mark.parametrize(
    ("candidate", "error"),
    [
        (np.eye(3), ValueError),
        (np.ones(2), ValueError),
        (1.0, ValueError),
        (np.full((2, 2), np.nan), ValueError),
        (np.eye(2) * 1j, TypeError),
        ("identity", TypeError),
        (None, TypeError),
        (lambda S: np.ones(3), ValueError),
        (lambda S: None, TypeError),
    ],
)
def test_bad_candidates_are_named(candidate, error):
    with pytest.raises(error, match="candidate"):
        check_gradient(np.trace, candidate, np.eye(2))


def test_bad_points_and_conventions_are_named():
    for bad, error in [
        (np.full((2, 2), np.nan), ValueError),
        (np.ones((2, 2, 2)), ValueError),
        (np.ones((0, 0)), ValueError),
        (np.eye(2) * 1j, TypeError),
        ("S", TypeError),
    ]:
        with pytest.raises(error, match="at "):
            check_gradient(np.trace, np.eye(2), bad)
    with pytest.raises(ValueError, match="convention"):
        check_gradient(np.trace, np.eye(2), np.eye(2), "paired")
    with pytest.raises(TypeError, match="f must be a function"):
        check_gradient(1.0, np.eye(2), np.eye(2))
    for convention in ("frobenius", "free"):
        with pytest.raises(ValueError, match="space of symmetric matrices"):
            check_gradient(np.trace, np.eye(2), [[1, 2], [3, 4]], convention)
        with pytest.raises(ValueError, match="space of symmetric matrices"):
            check_gradient(np.sum, np.ones(2), [1, 2], convention)
    assert check_gradient(np.trace, [[1, 0], [0, 1]], [[2, 1], [1, 2]]).correct


# ---- derivations


JACOBI = (
    ("trace form", lambda S, E: np.trace(inv(S) @ E)),
    ("in indices", lambda S, E: sum(inv(S)[j, i] * E[i, j] for i in range(len(S)) for j in range(len(S)))),
    ("as a pairing", lambda S, E: (inv(S).T * E).sum()),
)


def test_lines_that_follow_make_a_table():
    table = check_steps(*JACOBI, where={"S": "invertible", "E": "general"})
    assert [label for label, _ in table.rows] == ["trace form", "in indices", "as a pairing"]
    assert table.rows[0][1] == 0
    assert all(0 <= difference < 1e-13 for _, difference in table.rows)
    assert table.points == 10
    sizes = []
    check_steps(lambda x: sizes.append(len(x)) or x, lambda x: x, where=vector)
    assert set(sizes) == {2, 3}
    assert "in indices" in repr(table)
    page = table._repr_html_()
    assert "<caption>" in page
    assert page.count('scope="row"') == 3


@pytest.mark.parametrize("broken", [1, 2])
def test_the_first_line_that_does_not_follow_is_named_with_its_values(broken):
    lines = list(JACOBI)
    lines[broken] = ("transpose lost", lambda S, E: (inv(S) * E).sum())
    with pytest.raises(
        StepError, match=f"transpose lost does not follow from {lines[broken - 1][0]}"
    ) as caught:
        check_steps(*lines, where={"S": "invertible", "E": "general"})
    for shown in ("S =", "E =", "transpose lost ="):
        assert shown in str(caught.value)
    assert isinstance(caught.value, AssertionError)
    assert isinstance(caught.value, ValueError)


def test_what_is_wrong_in_general_may_follow_on_symmetric_matrices():
    lines = (JACOBI[0], lambda S, E: (inv(S) * E).sum())
    table = check_steps(*lines, where={"S": positive_definite, "E": "general"})
    assert table.rows[1][0] == "line 2"


def test_each_line_takes_the_variables_it_names():
    table = check_steps(
        lambda x, y: x @ y,
        lambda y, x: y @ x,
        lambda y, x, scale=1.0: (scale * x * y).sum(),
        lambda a, b: np.dot(a, b),
        np.vdot,
        lambda *both: both[0] @ both[1],
        where={"x": vector, "y": vector},
        d=3,
    )
    assert table.points == 5
    check_steps(lambda x, y: x, lambda x: 1.0 * x, where={"x": vector, "y": vector})
    check_steps(lambda A: A @ A, lambda S: np.linalg.matrix_power(S, 2), where="symmetric")
    check_steps(
        lambda M: np.log(np.linalg.det(M)), lambda x: np.linalg.slogdet(x)[1], where=positive_definite
    )


def test_zero_equals_its_rounding_and_small_numbers_are_not_zero():
    where = {"S": "invertible", "E": "general"}
    zero = check_steps(
        lambda S: 0 * S,
        lambda S, E: E @ inv(S) - S @ inv(S) @ E @ inv(S),
        lambda S: np.zeros_like(S),
        where=where,
    )
    assert all(difference <= 1e-9 for _, difference in zero.rows)
    check_steps(lambda x: np.exp(-100 - x @ x), lambda x: np.exp(-100) * np.exp(-x @ x), where=vector)
    with pytest.raises(StepError):
        check_steps(lambda x: np.exp(-100 - x @ x), lambda x: 1.001 * np.exp(-100 - x @ x), where=vector)
    with pytest.raises(StepError):
        check_steps(lambda x: 0.0, lambda x: np.exp(-100 - x @ x), where=vector)
    with pytest.raises(StepError):
        check_steps(lambda x: x.sum(), lambda x: x.sum() * (1 + 1e-8), where=vector)


def test_lines_must_agree_in_shape_and_be_finite_numbers():
    with pytest.raises(StepError, match="shape"):
        check_steps(lambda x: x, lambda x: x[:, None], where=vector)
    with pytest.raises(StepError, match="shape"):
        check_steps(lambda x: x @ x, lambda x: np.array([x @ x]), where=vector)
    for lines in (
        (lambda x: x, lambda x: x * np.nan),
        (lambda x: x * np.inf, lambda x: x * np.inf),
        (lambda x: x, lambda x: np.append(x[:-1], np.nan)),
    ):
        with np.errstate(invalid="ignore"), pytest.raises(StepError, match="not finite"):
            check_steps(*lines, where=vector)
    with pytest.raises(StepError, match="real numbers"):
        check_steps(lambda x: x, lambda x: None, where=vector)
    with pytest.raises(StepError, match="line 2 could not be evaluated: ValueError"):
        check_steps(lambda x: x, lambda x: np.ones(7) + x, where=vector)


@pytest.mark.parametrize("size", [1.0, 1e-9])
def test_a_line_that_changes_by_itself_follows_from_nothing(size):
    rng = np.random.default_rng(0)
    with pytest.raises(StepError, match="line 2 changes from one evaluation to the next"):
        check_steps(lambda x: x, lambda x: x + size * rng.standard_normal(), where=vector)


def test_a_line_without_a_value_is_an_error():
    with pytest.raises(StepError, match="line 1 must have a value"):
        check_steps(lambda x: x[:0], lambda x: x[:0], where=vector)


def test_lines_cannot_change_the_point_for_each_other():
    def spoil(x):
        y = x.copy()
        x[...] = 0
        return y

    check_steps(spoil, lambda x: x, spoil, lambda x: 1 * x, where=vector)


def test_bad_derivations_are_refused():
    with pytest.raises(ValueError, match="two or more"):
        check_steps(lambda x: x, where=vector)
    with pytest.raises(TypeError, match="line 2 must be a function"):
        check_steps(lambda x: x, 3.0, where=vector)
    with pytest.raises(TypeError, match="where"):
        check_steps(lambda x: x, lambda x: x, where={"x": 3})
    with pytest.raises(ValueError, match="where"):
        check_steps(lambda x: x, lambda x: x, where="covariance")
    with pytest.raises(ValueError, match="where is empty"):
        check_steps(lambda x: x, lambda x: x, where={})
    with pytest.raises(ValueError, match="y, which is not among"):
        check_steps(lambda x: x, lambda x, y: x, where={"x": vector, "z": vector})
    with pytest.raises(ValueError, match="where has only"):
        check_steps(lambda a, b: a, lambda a: a, where=vector)
    with pytest.raises(ValueError, match="d is empty"):
        check_steps(lambda x: x, lambda x: x, where=vector, d=())
    for options, error in [
        ({"d": 0}, ValueError),
        ({"d": 2.5}, TypeError),
        ({"points": 0}, ValueError),
        ({"rtol": 0.0}, ValueError),
    ]:
        with pytest.raises(error):
            check_steps(lambda x: x, lambda x: x, where=vector, **options)


def test_a_derivation_is_checked_alike_every_time_and_elsewhere_on_request():
    seen = []
    lines = (lambda x: seen.append(x.copy()) or x, lambda x: x)
    check_steps(*lines, where=vector, d=2, points=1)
    check_steps(*lines, where=vector, d=2, points=1)
    check_steps(*lines, where=vector, d=2, points=1, rng=np.random.default_rng(1))
    first, second, third = seen[0], seen[len(seen) // 3], seen[2 * len(seen) // 3]
    assert_array_equal(first, second)
    assert (first != third).any()


def test_a_function_that_changes_by_itself_is_not_judged(rng):
    """Its differences are so uncertain that every table would be right."""
    with pytest.raises(ValueError, match="f must give one value at one point"):
        check_gradient(lambda S: rng.standard_normal(), np.zeros((2, 2)), np.eye(2))
    buffer, fixed = np.empty((2, 2)), rng.standard_normal()

    def same_array(S):
        np.copyto(buffer, fixed * S)
        return buffer

    assert check_gradient(same_array, fixed * np.eye(4).reshape(2, 2, 2, 2), np.eye(2))


def test_a_small_table_is_not_called_zero_nor_a_multiple_of_another(rng):
    S = positive_definite.draw(rng, 3)
    right = np.linalg.inv(S)
    verdict = check_gradient(logdet, 1e-7 * right, S)
    assert verdict.mistake == "factor"
    assert "for all of these" in verdict.message
    verdict = check_gradient(logdet, 1e-7 * np.arange(9.0).reshape(3, 3), S)
    assert not verdict
    assert verdict.mistake is None
    assert "for all of these" not in verdict.message
    assert check_gradient(logdet, 0 * right, S).mistake == "zero"


@pytest.mark.parametrize("d", [2, 3])
def test_wrong_free_tables_are_recognised_by_what_is_wrong_with_the_gradient(rng, d):
    S, n = positive_definite.draw(rng, d), 7
    P, T = np.linalg.inv(S), positive_definite.draw(rng, d)
    data, right = P @ T @ P / 2, -n / 2 * P + P @ T @ P / 2

    def f(S):
        return -0.5 * (n * np.linalg.slogdet(S)[1] + np.vdot(np.linalg.inv(S), T))

    def free(G):
        return convert_gradient(G, "frobenius", "free")

    for table, mistake in (
        (free(-n / 2 * P), "only_the_log_det"),
        (free(data), "log_det_missing"),
        (free(-P / 2 + data), "log_det_missing"),
        (free(3 * right), "factor"),
        (right + right.T, "diagonal_doubled"),
        (right, "off_diagonal_halved"),
    ):
        verdict = check_gradient(f, table, S, "free")
        assert not verdict.correct
        assert verdict.mistake == mistake
    logdet = check_gradient(lambda S: np.linalg.slogdet(S)[1], P + P.T, S, "free")
    assert logdet.mistake == "diagonal_doubled"


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("n", [1, 7])
def test_a_likelihood_whose_terms_are_done_differently_is_told_which(rng, convention, n):
    S = positive_definite.draw(rng, 3)
    P, T = np.linalg.inv(S), n * positive_definite.draw(rng, 3)
    log_det, data = -n / 2 * P, P @ T @ P / 2

    def f(S):
        return -0.5 * (n * np.linalg.slogdet(S)[1] + np.vdot(np.linalg.inv(S), T))

    def free(G):
        return convert_gradient(G, "frobenius", "free")

    def claimed(G):
        return free(G) if convention == "free" else G

    for table, mistake in (
        (claimed(log_det - data), "data_sign"),
        (claimed(-log_det + data), "log_det_missing"),
        (free(log_det) + data, "free_log_det"),
        (log_det + free(data), "free_data"),
        (np.tril(claimed(log_det + data)), "lower_triangle"),
        (np.triu(claimed(log_det + data)), "upper_triangle"),
        (2 * free(log_det + data), "double" if convention == "free" else "free_form_doubled"),
    ):
        verdict = check_gradient(f, table, S, convention)
        assert not verdict.correct
        assert verdict.mistake == mistake, verdict.message
        assert check_gradient(f, claimed(log_det + data), S, convention).mistake is None


def test_a_table_that_is_not_symmetric_is_told_how_it_was_transposed(rng):
    S, A, B = (rng.standard_normal((3, 3)) for _ in range(3))

    def f(S):
        return np.trace(A.T @ S) + np.trace(B.T @ S @ S)

    G, H = A, S.T @ B + B @ S.T
    for table, mistake in (
        (A + H.T, "term_transposed"),
        (A.T + H, "term_transposed"),
        (A + S.T @ B + (B @ S.T).T, "term_transposed"),
        (-(G + H).T, "transpose_and_sign"),
        ((G + H).T, "transpose"),
        (convert_gradient(G + H, "entrywise", "free"), "free_form"),
    ):
        verdict = check_gradient(f, table, S)
        assert not verdict.correct
        assert verdict.mistake == mistake, verdict.message
    assert check_gradient(f, G + H, S).mistake is None


@pytest.mark.parametrize("size", [1e-12, 1e12])
def test_a_mistake_is_named_whatever_the_size_of_f(size):
    f, gradient = bilinear(3)
    S = point(3, 0)
    for mistake in MISTAKES:
        if mistake.about == "table" and mistake.key not in ("inverse_missing", "antisymmetric_part"):
            # The first is of another size, and the second is about tables that are symmetric.
            wrong = size * mistake.plant(gradient(S), S)
            assert check_gradient(lambda S: size * f(S), wrong, S).mistake == mistake.key


def test_of_one_term_alone_a_wrong_factor_is_no_matter_of_terms():
    S = point(3, 0)
    for c in (1.0, -0.5, 3.0):
        assert (
            check_gradient(lambda S, c=c: c * np.linalg.slogdet(S)[1], 7 * c * inv(S), S).mistake == "factor"
        )


def test_mistakes_with_a_diagonal_are_named_in_rectangles_too():
    X = np.random.default_rng(0).normal(size=(2, 4))
    for M in (X, X.T):
        f = lambda M: np.sum(M**2) / 2  # noqa: E731
        for key, wrong in {
            "diagonal_dropped": M - M * np.eye(*M.shape),
            "diagonal_only": M * np.eye(*M.shape),
            "diagonal_doubled": M + M * np.eye(*M.shape),
            "lower_triangle": np.tril(M),
            "upper_triangle": np.triu(M),
            "factor": 7 * M,
        }.items():
            assert check_gradient(f, wrong, M).mistake == key


def test_where_two_explanations_fit_equally_none_is_given(rng):
    # Of two free entries of a symmetric 2 x 2 table one is off the diagonal: whatever stands there is a multiple.
    S = point(2, 3)
    f, gradient = normal(2)
    G = gradient(S)
    wrong = G + 0.3 * np.array([[0, 1], [1, 0]]) * G[0, 1]
    assert check_gradient(f, wrong, S).mistake is None
    # A number is a multiple of any other.
    assert check_gradient(np.sin, 0.77, 1.0).mistake is None
    assert check_gradient(lambda S: np.linalg.slogdet(S)[1], [[0.77]], [[1.0]]).mistake is None
    assert check_gradient(np.sin, -np.cos(1.0), 1.0).mistake == "sign"
    # And any table is something.
    S = point(3, 3)
    f, gradient = normal(3)
    for _ in range(20):
        noise = rng.standard_normal((3, 3))
        assert check_gradient(f, gradient(S) + noise + noise.T, S).mistake is None
    assert check_gradient(f, gradient(S), S).mistake is None


def test_where_a_function_has_no_differential_its_partials_are_not_called_a_mistake():
    def f(x):
        return x[0] * x[1] * x[0] / (x @ x) if x.any() else 0.0

    assert check_gradient(f, np.zeros(2), np.zeros(2)).mistake is None


# ---- units and conditions


@pytest.mark.parametrize("unit", [1e10, 1e50, 1e100])
def test_a_right_table_is_accepted_where_variances_are_as_unlike_as_they_can_be(unit):
    S = np.diag([1 / unit, unit])
    x = np.array([1.0, 2.0]) * np.sqrt(S.diagonal())
    P = np.diag(1 / S.diagonal())
    likelihood, score = normal_of(x)
    for f, G in ((lambda S: np.linalg.slogdet(S)[1], P), (likelihood, score(S))):
        for convention in CONVENTIONS:
            table = convert_gradient(G, "entrywise", convention)
            right = check_gradient(f, table, S, convention)
            assert right.correct, right.message
            assert right.max_error < 1e-10
            assert "uncertain" not in right.message
            wrong = check_gradient(f, -table, S, convention)
            assert not wrong.correct
            assert wrong.mistake == "sign"
    table = score(S)
    table[0, 1] = table[1, 0] = 1.01 * table[0, 1]  # a small number beside 1 / unit, but not in its units
    verdict = check_gradient(likelihood, table, S)
    assert not verdict.correct
    assert "off-diagonal" in verdict.message
    assert verdict.max_error > 1e-3


def normal_of(x):
    """Log density of one row, as a function of its covariance, with its gradient."""

    def gradient(S):
        P = np.linalg.inv(S)
        return -(P - P @ np.outer(x, x) @ P) / 2

    return lambda S: -(np.linalg.slogdet(S)[1] + x @ np.linalg.solve(S, x)) / 2, gradient


@pytest.mark.parametrize("condition", [8e7, 1e10, 1e12])
def test_right_tables_are_accepted_at_any_condition_number(condition):
    """At 1e12 a complex step that drops half of f cannot be told from differences of a few digits."""
    for seed in (12, 42, 44, 68):
        rng = np.random.default_rng(seed)
        d, n = int(rng.integers(2, 6)), int(rng.integers(3, 40))
        S = positive_definite.draw(rng, d, condition)
        X = rng.multivariate_normal(np.zeros(d), S, size=n)
        T, G = X.T @ X, loglik_gradient(X, np.zeros(d), S)[1]

        def f(S, n=n, T=T):
            return -0.5 * (n * np.linalg.slogdet(S)[1] + np.trace(np.linalg.solve(S, T)))

        for convention in ("entrywise", "free"):
            verdict = check_gradient(f, convert_gradient(G, "entrywise", convention), S, convention)
            assert verdict.correct, verdict.message


def test_a_table_of_a_matrix_valued_function_that_is_too_small_is_refused_with_both_shapes():
    with pytest.raises(
        ValueError, match=r"candidate must be an array of shape \(2, 2, 2, 2\), but its shape is"
    ):
        check_gradient(np.linalg.inv, np.eye(2), np.eye(2))


def test_a_line_whose_value_is_masked_has_none():
    with pytest.raises(StepError, match="line 1 is not finite: nan"):
        check_steps(lambda S: np.ma.masked, lambda S: 0.0, where="symmetric")
