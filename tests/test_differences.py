"""Finite differences: their order, their step, their error estimates, and how they fail aloud."""

import threading
import warnings

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from mvnlib import ops
from mvnlib.checking import check_gradient
from mvnlib.conventions import CONVENTIONS, convert_gradient, pair
from mvnlib.differences import SCHEMES, default_step, fd_differential, fd_gradient, step_sweep

EPS = np.finfo(float).eps
CONDITIONS = (10.0, 1e3, 1e6)
# Error relative to the largest entry: truncation and rounding balanced, with two digits to spare.
ACCURACY = {
    "forward": lambda kappa: 10 * (EPS * kappa) ** (1 / 2),
    "central": lambda kappa: 10 * (EPS * kappa) ** (2 / 3),
    "richardson": lambda kappa: 1e4 * EPS * kappa,
    "complex": lambda kappa: 100 * EPS * kappa,
}
seeds = st.integers(0, 2**32 - 1)


def positive_definite(d, seed, condition=10.0):
    Q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))
    S = (Q * np.geomspace(1, 1 / condition, d)) @ Q.T
    return (S + S.T) / 2


def logdet(S):
    sign, size = np.linalg.slogdet(S)
    return size + 1j * np.angle(sign**2) / 2 if np.iscomplexobj(S) else size


def logpdf(S):
    x = np.linspace(-2, 1, S.shape[-1])
    return -(logdet(S) + np.linalg.solve(S, x[:, None])[..., 0] @ x) / 2


def logpdf_gradient(S):
    x = np.linspace(-2, 1, S.shape[-1])
    u = np.linalg.solve(S.T, x)
    v = np.linalg.solve(S, x)
    return -(np.linalg.inv(S).T - np.outer(u, v)) / 2


def inverse_gradient(S):
    P = np.linalg.inv(S)
    return -np.einsum("ki,jl->ijkl", P, P)


FUNCTIONS = {
    "logdet": (logdet, lambda S: np.linalg.inv(S).T),
    "inverse": (np.linalg.inv, inverse_gradient),
    "logpdf": (logpdf, logpdf_gradient),
}


def inverse_to_fifty_digits(S):
    with mpmath.workdps(50):
        return (mpmath.matrix(S.tolist()) ** -1).tolist()


def logdet_gradient_to_fifty_digits(S):
    return np.array(inverse_to_fifty_digits(S), dtype=float).T


def inverse_gradient_to_fifty_digits(S):
    P = np.array(inverse_to_fifty_digits(S), dtype=float)
    return -np.einsum("ki,jl->ijkl", P, P)


def logpdf_gradient_to_fifty_digits(S):
    P = np.array(inverse_to_fifty_digits(S), dtype=object)
    u = P @ np.linspace(-2, 1, len(S))
    return (-(P - np.outer(u, u)) / 2).astype(float)


FIFTY_DIGITS = {
    "logdet": logdet_gradient_to_fifty_digits,
    "inverse": inverse_gradient_to_fifty_digits,
    "logpdf": logpdf_gradient_to_fifty_digits,
}


def relative(A, B):
    assert np.shape(A) == np.shape(B)
    return np.abs(A - B).max() / np.abs(B).max()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", FUNCTIONS)
@given(d=st.integers(1, 5), seed=seeds, condition=st.sampled_from(CONDITIONS))
@settings(max_examples=15)
def test_every_scheme_reaches_its_accuracy_in_every_convention(name, scheme, d, seed, condition):
    f, gradient = FUNCTIONS[name]
    S = positive_definite(d, seed, condition)
    for convention in CONVENTIONS:
        exact = convert_gradient(gradient(S), "entrywise", convention)
        assert relative(fd_gradient(f, S, convention, scheme), exact) < ACCURACY[scheme](condition)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_error_estimates_bound_the_error_and_are_not_far_above_it(name, scheme, condition):
    f, _ = FUNCTIONS[name]
    exceeded, excess = [], []
    for seed in range(20):
        S = positive_definite(2 + seed % 4, seed, condition)
        exact = FIFTY_DIGITS[name](S)
        table, estimate = fd_gradient(f, S, scheme=scheme, return_error=True)
        assert estimate.shape == table.shape
        exceeded.append((np.abs(table - exact) / estimate).max())
        excess.append(estimate.max() / max(np.abs(table - exact).max(), EPS * np.abs(exact).max()))
        E = np.random.default_rng(seed).normal(size=S.shape)
        df, error = fd_differential(f, S, E, scheme, return_error=True)
        exceeded.append((np.abs(df - np.tensordot(E, exact, 2)) / error).max())
    assert max(exceeded) < 10
    assert np.mean(np.array(exceeded) < 1) > 0.9
    assert np.median(excess) < (1e4 if scheme == "complex" else 100)


@given(d=st.integers(2, 5), seed=seeds)
@settings(max_examples=20)
def test_all_schemes_work_at_a_matrix_that_is_not_symmetric(d, seed):
    S = np.random.default_rng(seed).normal(size=(d, d)) + 3 * np.eye(d)
    kappa = np.linalg.cond(S)
    for scheme in SCHEMES:
        assert relative(fd_gradient(logdet, S, scheme=scheme), np.linalg.inv(S).T) < ACCURACY[scheme](kappa)


@given(d=st.integers(2, 5), seed=seeds)
def test_tables_pair_to_the_differential_along_a_direction(d, seed):
    S, rng = positive_definite(d, seed), np.random.default_rng(seed)
    E = rng.normal(size=(d, d))
    E = E + E.T
    df = fd_differential(logpdf, S, E, "richardson")
    assert isinstance(df, float)
    scale = np.abs(E).sum() * np.abs(logpdf_gradient(S)).max()
    for convention in CONVENTIONS:
        table = fd_gradient(logpdf, S, convention, "richardson")
        assert abs(pair(table, E, convention) - df) < 1e6 * EPS * scale


@pytest.mark.parametrize(("scheme", "order"), [("forward", 1), ("central", 2)])
def test_halving_the_step_divides_the_error_by_two_to_the_order(scheme, order):
    S = positive_definite(3, 0)
    exact = np.linalg.inv(S)
    errors = [relative(fd_gradient(logdet, S, "frobenius", scheme, step=h), exact) for h in (4e-3, 2e-3)]
    assert abs(np.log2(errors[0] / errors[1]) - order) < 0.2


def test_richardson_is_exact_for_a_polynomial_of_degree_nine():
    assert_allclose(
        fd_gradient(lambda x: (x**9).sum(), [0.5, -1.0, 2.0], scheme="richardson", step=0.25),
        9 * np.array([0.5, -1.0, 2.0]) ** 8,
        atol=1e-12 * 2304,
    )


def test_richardson_finds_a_finer_step_where_f_varies_faster_than_its_point():
    x = np.array([1.0, 2.0])
    assert (
        relative(fd_gradient(lambda x: np.sin(100 * x).sum(), x, scheme="richardson"), 100 * np.cos(100 * x))
        < 1e-9
    )
    df, error = fd_differential(lambda x: np.sin(100 * x).sum(), x, x, "richardson", return_error=True)
    assert abs(df - 100 * x @ np.cos(100 * x)) < error < 1e-6
    for unit in (2.0**-40, 2.0**40):  # whatever the size of f
        tiny = fd_differential(lambda x, u=unit: u * np.sin(100 * x).sum(), x, x, "richardson")
        assert tiny == unit * df


def test_a_given_step_is_the_step_also_of_richardson():
    """Without one it looks for a finer one where the error is large; this one is coarse, and taken as it is."""

    def f(x):
        return np.sin(100 * x).sum()

    x = np.array([1.0, 2.0])
    assert relative(fd_gradient(f, x, scheme="richardson", step=0.5), 100 * np.cos(100 * x)) > 0.1
    assert abs(fd_differential(f, x, x, "richardson", step=0.5) / (100 * x @ np.cos(100 * x)) - 1) > 0.1


@pytest.mark.parametrize(
    ("scheme", "along", "table"),
    [("forward", 11, 19), ("central", 12, 28), ("richardson", 20, 100), ("complex", 19, 27)],
)
def test_they_cost_as_many_values_of_f_as_they_say(scheme, along, table):
    S, shapes = positive_definite(3, 0), []
    for sign in (1, -1):
        f = counted(lambda S, sign=sign: sign * logdet(S), shapes)
        fd_differential(f, S, np.eye(3), scheme)
        assert len(shapes) == along
        shapes.clear()
        fd_gradient(f, S, scheme=scheme, batched=False)
        assert len(shapes) == table
        shapes.clear()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_minus_f_has_minus_the_slopes_and_the_same_error_estimates(scheme):
    S, E = positive_definite(3, 0), np.diag([1.0, 2.0, -1.0])
    for f in (logdet, np.linalg.inv):
        for call in (
            lambda f: fd_gradient(f, S, scheme=scheme, return_error=True),
            lambda f: fd_differential(f, S, E, scheme, return_error=True),
        ):
            (slopes, errors), (minus, same) = call(f), call(lambda S, f=f: -f(S))
            assert_array_equal(minus, -np.asarray(slopes))
            assert_array_equal(same, errors)
            assert (np.asarray(errors) > 0).all()


def test_the_step_follows_the_smallest_eigenvalue_not_the_entries():
    S = positive_definite(3, 0, 1e6)
    lowest = np.linalg.eigvalsh(S)[0]
    for scheme in SCHEMES:
        assert default_step(S, scheme) < lowest / 4
        assert np.log2(default_step(S, scheme)).is_integer()
    by_entries = fd_gradient(logdet, S, step=EPS ** (1 / 3) * np.abs(S).max())
    assert relative(by_entries, np.linalg.inv(S)) > 0.5
    assert relative(fd_gradient(logdet, S), np.linalg.inv(S)) < 1e-6


def test_the_step_scales_with_the_point():
    S = positive_definite(3, 0)
    assert default_step(1024 * S) == 1024 * default_step(S)
    assert default_step(np.array([3.0, 1.0])) == default_step(3.0)
    assert default_step(np.zeros((2, 2))) == default_step(np.zeros(5)) == default_step(1.0)
    assert default_step(np.ones((2, 2))) == default_step(1.0)  # singular: by its entries
    assert default_step(np.ones((1, 16))) == default_step(np.ones(16))  # one row is a vector


def test_the_step_is_never_more_than_an_eighth_of_the_way_to_a_singular_matrix():
    S = positive_definite(3, 0, 1e3)
    for scheme in ("forward", "central", "richardson"):
        for eps in (EPS, 1e-3, 1.0):
            assert default_step(S, scheme, eps=eps) <= np.linalg.eigvalsh(S)[0] / 8
        assert default_step(1.0, scheme, eps=1.0) == 0.125


@pytest.mark.parametrize("shape", [(2, 2), (5, 5), (2, 6)])
def test_a_matrix_is_singular_from_where_its_rank_says_so(shape):
    """Up to eps times the longer side, beside the largest singular value, the smallest is rounding."""
    for part, singular in ((0.9, True), (1.1, False)):
        S = np.eye(*shape)
        S[0, 0] = part * max(shape) * EPS
        assert (np.linalg.matrix_rank(S) < min(shape)) == singular
        assert (default_step(S, "richardson") == 0.125) == singular


def test_a_stack_that_f_mixes_a_little_is_not_given_to_it():
    S = positive_definite(3, 0)
    for share in (1e-1, 1e-5):
        table = fd_gradient(lambda S, share=share: np.linalg.det(S) * (1 + share * np.ptp(S)), S)
        single = fd_gradient(
            lambda S, share=share: np.linalg.det(S) * (1 + share * np.ptp(S)), S, batched=False
        )
        assert_array_equal(table, single)


def test_the_step_is_larger_for_a_function_of_lower_precision():
    S = positive_definite(3, 0)
    assert default_step(S, eps=1e-7) > 100 * default_step(S)
    table, error = fd_gradient(lambda S: logdet(S).astype(np.float32), S, return_error=True)
    assert relative(table, np.linalg.inv(S)) < 1e-2
    assert (np.abs(table - np.linalg.inv(S)) < error).all()


def test_numbers_vectors_and_rectangular_matrices_are_points_too():
    assert fd_gradient(np.sin, 1.0).shape == ()
    assert_allclose(fd_gradient(np.sin, 1.0, scheme="complex"), np.cos(1), rtol=4 * EPS)
    assert_allclose(fd_differential(np.sin, 1.0, 2.0), 2 * np.cos(1), rtol=1e-9)
    A = np.arange(6.0).reshape(3, 2)
    assert_allclose(fd_gradient(lambda x: A @ x, [1.0, 2.0]), A.T, rtol=1e-9)
    X = np.random.default_rng(0).normal(size=(2, 4))
    assert_allclose(
        fd_gradient(lambda X: np.linalg.slogdet(X @ X.mT)[1], X, scheme="richardson"),
        2 * np.linalg.pinv(X).T,
        rtol=1e-10,
    )
    with pytest.raises(ValueError, match="S must be a matrix"):
        fd_gradient(np.sum, [1.0, 2.0], "free")


def test_a_zero_direction_has_a_zero_differential():
    assert fd_differential(logdet, np.eye(2), np.zeros((2, 2))) == 0
    assert_array_equal(fd_differential(np.linalg.inv, np.eye(2), np.zeros((2, 2))), np.zeros((2, 2)))


# ---- what f is given, and what it may return


def counted(f, shapes):
    def g(S):
        shapes.append(S.shape)
        return f(S)

    return g


def test_a_function_of_stacks_is_called_on_stacks():
    shapes = []
    S = positive_definite(6, 0)
    table = fd_gradient(counted(logdet, shapes), S)
    # S, a stack tried out, its end alone, nine points on a line and the moves
    assert shapes == [(6, 6), (3, 6, 6), (6, 6), (81, 6, 6)]
    assert_allclose(table, fd_gradient(logdet, S, batched=False), rtol=0, atol=1e-9 * np.abs(table).max())


def test_a_function_of_stacks_is_called_on_stacks_at_zero_too():
    shapes = []
    table = fd_gradient(counted(lambda S: np.exp(S).sum(axis=(-1, -2)), shapes), np.zeros((3, 3)))
    assert (27, 3, 3) in shapes
    assert_allclose(table, np.ones((3, 3)), rtol=1e-8)


def test_large_points_come_in_chunks():
    shapes = []
    fd_gradient(counted(lambda S: S[..., 0, 0], shapes), np.eye(40))
    assert max(np.prod(shape) for shape in shapes) * 8 <= 256 * 1024


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_table_of_more_entries_than_a_chunk_is_right_in_every_one(scheme, convention):
    S = positive_definite(20, 0)
    exact = convert_gradient(np.linalg.inv(S), "entrywise", convention)
    table, error = fd_gradient(logdet, S, convention, scheme, return_error=True)
    accuracy = ACCURACY[scheme](10.0 * len(S))
    assert relative(table, exact) < accuracy
    assert (np.abs(table - exact) <= 10 * error).all()
    assert error.max() < 10 * accuracy * np.abs(exact).max()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_error_estimates_are_converted_as_tables_are(scheme):
    S = positive_definite(3, 0)
    free, half = (fd_gradient(logdet, S, name, scheme, return_error=True) for name in ("free", "frobenius"))
    for table, converted in zip(free, half, strict=True):
        assert_array_equal(converted, convert_gradient(table, "free", "frobenius"))


def test_a_function_that_takes_small_stacks_only_is_given_its_points_one_by_one():
    def f(S):
        if S.ndim == 3 and len(S) > 13:
            raise MemoryError
        return np.linalg.det(S)

    S = positive_definite(4, 0)
    assert_array_equal(fd_gradient(f, S), fd_gradient(np.linalg.det, S, batched=False))


def test_a_stack_that_f_mixes_is_not_given_to_it_at_zero():
    table = fd_gradient(lambda x: x[..., 0] + x.sum(), np.zeros(3))
    assert_allclose(table, [2.0, 1.0, 1.0], rtol=1e-8)


@pytest.mark.parametrize(
    "f",
    [
        lambda S: float(np.trace(S @ S)),
        lambda S: np.trace(S @ S),  # on a stack: the trace over the wrong axes
        lambda S: (S / S.max()).sum(axis=(-1, -2)),  # on a stack: the maximum over all of them
        lambda S: S[0, 1] * S[1, 0],
        lambda S: S.T @ S,
        lambda S: [[S[0, 0], S[1, 1]]],
    ],
)
@pytest.mark.parametrize("d", [2, 3, 5])
def test_a_function_that_does_not_take_stacks_gives_the_same_table(f, d):
    S = positive_definite(d, 1)
    assert_array_equal(fd_gradient(f, S), fd_gradient(f, S, batched=False))


def test_batched_can_be_forced_either_way():
    shapes = []
    fd_gradient(counted(logdet, shapes), np.eye(3), batched=False)
    assert set(shapes) == {(3, 3)}
    shapes = []
    fd_gradient(counted(logdet, shapes), positive_definite(3, 0), batched=True)
    assert shapes == [(3, 3), (27, 3, 3)]
    with pytest.raises(ValueError, match="batched=True"):
        fd_gradient(lambda S: np.trace(S), np.eye(3), batched=True)


@pytest.mark.parametrize("batched", [None, False, True])
def test_f_cannot_change_the_point(batched):
    def spoil(S):
        value = np.linalg.slogdet(S)[1]
        S[...] = np.nan
        return value

    S = positive_definite(3, 0)
    before = S.copy()
    assert_allclose(fd_gradient(spoil, S, batched=batched), np.linalg.inv(S), rtol=1e-7)
    fd_differential(spoil, S, np.eye(3))
    assert_array_equal(S, before)


def test_a_step_that_leaves_the_cone_names_entry_step_and_remedy():
    S = np.diag([1.0, 1e-3])
    with pytest.raises(np.linalg.LinAlgError, match=r"S\[1, 1\] moved by -0.01.*smaller step"):
        fd_gradient(lambda S: np.log(np.diag(np.linalg.cholesky(S))).sum(), S, step=1e-2)
    with pytest.raises(np.linalg.LinAlgError, match=r"S\[1, 0\] and S\[0, 1\] moved by 0.5"):
        fd_gradient(lambda S: np.linalg.cholesky(S)[0, 0], S, "free", step=0.5)
    with pytest.raises(np.linalg.LinAlgError, match=r"S \+ -1 dS"):
        fd_differential(lambda S: np.linalg.cholesky(S)[0, 0], S, np.eye(2), step=1.0)


def test_a_function_of_symmetric_matrices_only_points_to_the_other_conventions():
    def f(S):
        if not (S == S.T).all():
            raise ValueError("not symmetric")
        return np.trace(S @ S)

    with pytest.raises(ValueError, match=r'not symmetric.*convention="frobenius"') as caught:
        fd_gradient(f, np.eye(2))
    assert not isinstance(caught.value, np.linalg.LinAlgError)  # which is a ValueError, but this one is none
    assert_allclose(fd_gradient(f, np.eye(2), "free"), 2 * np.eye(2), atol=1e-9)


def test_values_that_are_not_finite_numbers_of_one_shape_are_refused():
    S = np.eye(2)
    with pytest.raises(ValueError, match="f must be finite, but at S "):
        fd_gradient(lambda S: np.nan, S)
    with pytest.raises(ValueError, match=r"f must be finite, but at S with S\[0, 0\] moved"):
        fd_gradient(lambda S: 0.0 if np.array_equal(S, np.eye(2)) else np.inf, S)
    with pytest.raises(TypeError, match="number"):
        fd_gradient(lambda S: None, S)
    with pytest.raises(TypeError, match="number"):
        fd_gradient(lambda S: "one", S)
    with pytest.raises(TypeError, match="number"):
        fd_gradient(lambda S: [[1.0], [1.0, 2.0]], S)
    with pytest.raises(TypeError, match="real"):
        fd_gradient(lambda S: S[0, 0] * 1j, S)
    with pytest.raises(ValueError, match="one shape"):
        fd_gradient(lambda S: np.zeros(1 + int(S[0, 0] > 1)), S)
    with pytest.raises(TypeError, match="f must be a function"):
        fd_gradient(3.0, S)
    with pytest.raises(ZeroDivisionError):  # at S itself the error is f's own
        fd_gradient(lambda S: 1 / 0, S)


def test_a_step_lost_in_rounding_is_refused():
    with pytest.raises(ValueError, match="lost in rounding"):
        fd_gradient(logdet, np.eye(2), step=1e-20)


# ---- the complex step


DROPS = {
    "cholesky": lambda S: 2 * np.log(np.diag(np.linalg.cholesky(S))).sum(),
    "eigvalsh": lambda S: np.log(np.linalg.eigvalsh(S)).sum(),
    "slogdet's second value": lambda S: np.linalg.slogdet(S)[1],
    "abs": lambda S: np.log(np.abs(np.linalg.det(S))),
    "conj": lambda S: np.conj(np.linalg.det(S)),
    "vdot": lambda S: np.vdot(S, S),
    "norm": lambda S: np.linalg.norm(S),
    "real": lambda S: np.linalg.inv(S).real,
    "one term of two": lambda S: np.linalg.det(S) + np.abs(S[0, 0]),
    "a small entry only": lambda S: np.linalg.det(S) + 1e-6 * np.abs(S[0, 1] - 3),
    "casting": lambda S: np.array([S[0, 0], S[1, 1]]).astype(float),
    "type error": lambda S: float(S[0, 0]),
}


@pytest.mark.parametrize("f", DROPS.values(), ids=DROPS.keys())
def test_a_complex_step_that_would_be_silently_wrong_is_an_error(f):
    S = positive_definite(3, 0)
    if f is DROPS["a small entry only"]:
        S = np.diag([1.0, 2.0, 3.0])
    for convention in ("frobenius", "free", "entrywise"):
        with pytest.raises(ValueError, match="richardson"):
            fd_gradient(f, S, convention, "complex")
    with pytest.raises(ValueError, match="richardson"):
        fd_differential(f, S, np.ones((3, 3)), "complex")


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_an_entry_that_is_lost_altogether_is_not_hidden_by_a_billion_times_larger_ones(convention):
    with pytest.raises(ValueError, match="the complex step fails"):
        fd_gradient(
            lambda S: np.linalg.det(S) + 1e-9 * np.abs(S[0, 1] - 3),
            np.diag([1.0, 2.0, 3.0]),
            convention,
            "complex",
        )


def test_a_derivative_that_is_truly_zero_is_no_error():
    S = positive_definite(3, 0)
    for f in (lambda S: 1.0, lambda S: 0 * S, lambda S: S[0, 0] - S[0, 0], lambda S: np.round(S[0, 0].real)):
        assert not fd_gradient(f, S, scheme="complex").any()
        assert not np.any(fd_differential(f, S, np.eye(3), "complex"))
    one = fd_gradient(lambda S: S[..., 0, 0] ** 2, S, scheme="complex", return_error=True)[0]
    assert_allclose(one, np.diag([2 * S[0, 0], 0, 0]), rtol=4 * EPS)


def test_warnings_are_as_the_caller_has_them_after_every_complex_step():
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            before = list(warnings.filters)
            with pytest.raises(ValueError, match="needs an f that takes complex matrices"):
                fd_gradient(DROPS["casting"], np.eye(2), scheme="complex")
            assert warnings.filters == before


# ---- the sweep


def test_the_sweep_shows_the_v_curve_and_the_best_steps():
    S, E = positive_definite(3, 0), np.eye(3)
    exact = np.trace(np.linalg.inv(S))
    sweep = step_sweep(logdet, S, E, exact=exact)
    assert set(sweep.errors) == set(sweep.best) == {"forward", "central", "complex"}
    assert all(error.shape == sweep.steps.shape for error in sweep.errors.values())
    assert (sweep.referee, sweep.exact) == ("given", exact)
    best = {scheme: np.nanmin(error) for scheme, error in sweep.errors.items()}
    assert best["complex"] < 1e-14
    assert 1e-14 < best["central"] < 1e-9
    assert 1e-9 < best["forward"] < 1e-6
    assert sweep.best["forward"] < sweep.best["central"]
    for scheme in ("forward", "central"):
        error = sweep.errors[scheme]
        assert min(error[0], error[-1]) > 1e4 * best[scheme]


def test_the_sweep_names_its_referee():
    S, E = positive_definite(3, 0), np.eye(3)
    sweep = step_sweep(logdet, S, E)
    assert sweep.referee == "complex step"
    assert abs(sweep.exact / np.trace(np.linalg.inv(S)) - 1) < 100 * EPS
    by_cholesky = step_sweep(DROPS["cholesky"], S, E, schemes=("central", "complex"))
    assert by_cholesky.referee == "richardson"
    assert np.nanmin(by_cholesky.errors["complex"]) > 0.5  # the lost imaginary part is shown, not hidden


def test_the_sweep_marks_steps_outside_the_domain():
    sweep = step_sweep(DROPS["cholesky"], np.eye(2), np.eye(2), steps=[2.0, 1e-3], schemes=["central"])
    assert_array_equal(sweep.steps, [2.0, 1e-3])
    assert np.isnan(sweep.errors["central"][0])
    assert sweep.best["central"] == 1e-3


def test_the_sweep_takes_matrix_valued_functions():
    S = positive_definite(2, 0)
    P = np.linalg.inv(S)
    sweep = step_sweep(np.linalg.inv, S, S, exact=-P, schemes=SCHEMES)
    assert min(sweep.errors["richardson"]) < 1e-12


# ---- input


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (np.full((2, 2), np.nan), ValueError),
        (np.array([[np.inf, 0], [0, 1]]), ValueError),
        (np.eye(2) * 1j, TypeError),
        (np.array([["a"]]), TypeError),
        (None, TypeError),
        (np.ones((0, 0)), ValueError),
        (np.ones((2, 2, 2)), ValueError),
    ],
)
def test_bad_points_are_named(bad, error):
    for call in (
        lambda: fd_gradient(np.sum, bad),
        lambda: fd_differential(np.sum, bad, np.eye(2)),
        lambda: default_step(bad, "central"),
        lambda: step_sweep(np.sum, bad, np.eye(2)),
    ):
        with pytest.raises(error, match="S"):
            call()
    for call in (
        lambda: fd_differential(np.sum, np.eye(2), bad),
        lambda: step_sweep(np.sum, np.eye(2), bad),
    ):
        with pytest.raises(error, match="dS"):
            call()


def test_bad_options_are_named():
    S = np.eye(2)
    with pytest.raises(ValueError, match="convention"):
        fd_gradient(logdet, S, "paired")
    with pytest.raises(ValueError, match="scheme"):
        fd_gradient(logdet, S, scheme="backward")
    with pytest.raises(ValueError, match="scheme"):
        fd_differential(logdet, S, S, "backward")
    with pytest.raises(ValueError, match="scheme"):
        step_sweep(logdet, S, S, schemes=["backward"])
    for step, error in [(0.0, ValueError), (-1.0, ValueError), (np.nan, ValueError), ("h", TypeError)]:
        with pytest.raises(error, match="step"):
            fd_gradient(logdet, S, step=step)
        with pytest.raises(error, match="step"):
            fd_differential(logdet, S, S, step=step)
    with pytest.raises(ValueError, match="steps"):
        step_sweep(logdet, S, S, steps=[0.1, 0.0])
    with pytest.raises(ValueError, match="steps must be a vector"):
        step_sweep(logdet, S, S, steps=0.1)
    with pytest.raises(ValueError, match="dS is zero"):
        step_sweep(logdet, S, 0 * S)
    for convention in ("frobenius", "free"):
        with pytest.raises(ValueError, match="S must be symmetric"):
            fd_gradient(logdet, [[1, 0.5], [0, 1]], convention)


def test_integers_are_read_as_floats_and_no_warning_is_left_behind():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_allclose(fd_gradient(logdet, [[2, 0], [0, 4]]), np.diag([0.5, 0.25]), atol=1e-9)
        assert isinstance(fd_gradient(lambda S: int(S[0, 0] > 0), np.eye(2, dtype=int)), np.ndarray)


def test_a_step_that_rounding_swallows_or_changes_is_refused():
    with pytest.raises(ValueError, match="step 1e-15 is lost in rounding"):
        fd_differential(lambda x: x, 1.0, 1.0, step=1e-15)
    assert fd_differential(lambda x: x, 1.0, 1.0, step=2.0**-48) == 1.0
    assert fd_differential(lambda x: x, 1.0, -1.0, step=2.0**-48) == -1.0
    assert fd_differential(np.linalg.det, np.eye(2), np.eye(2), "complex", step=1e-20) == 2.0
    for scheme in ("forward", "central", "richardson"):
        with pytest.raises(ValueError, match="step 1e-20 is lost in rounding"):
            fd_differential(np.linalg.det, np.eye(2), np.eye(2), scheme, step=1e-20)


def test_a_sweep_measures_errors_relative_to_the_differential():
    S = positive_definite(3, 0)
    factors = (1.0, 2.0**20, -1.0)
    one, *others = (
        step_sweep(lambda S, c=c: c * np.linalg.slogdet(S)[1], S, S, exact=3.0 * c) for c in factors
    )
    for other in others:
        assert_array_equal(one.errors["central"], other.errors["central"])
    assert (one.errors["central"] > 0).any()
    two = step_sweep(lambda x: np.array([x, 1000 * x**2]), 1.0, 1.0, [0.5], [1.0, 2000.0], ["forward"])
    assert two.errors["forward"] == [0.25]  # of the largest entry


def test_the_steps_of_a_sweep_go_as_far_as_the_nearest_singular_matrix():
    steps = step_sweep(np.linalg.det, np.diag([1.0, 1e-6]), 2 * np.eye(2)).steps
    assert_allclose(steps[[0, -1]], np.array([1e-16, 1.0]) * 1e-6 / np.sqrt(8), rtol=1e-12)
    assert (np.diff(steps) > 0).all()
    assert steps.size == 61


def test_a_sweep_measures_absolute_errors_where_the_differential_is_zero():
    sweep = step_sweep(lambda x: 3 * x**2, 0.0, 1.0, steps=[0.5], schemes=["forward", "central"])
    assert sweep.exact == 0
    assert sweep.errors["forward"] == [1.5]
    assert sweep.errors["central"] == [0.0]


@pytest.mark.parametrize("condition", [1e11, 1e12, 1e14])
def test_where_a_finer_step_is_lost_in_rounding_the_first_is_kept_with_its_error(condition):
    rng = np.random.default_rng(3)
    Q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    S = (Q * np.geomspace(1, 1 / condition, 3)) @ Q.T
    S = (S + S.T) / 2
    exact = np.linalg.inv(S)
    for convention in ("entrywise", "frobenius"):
        table, error = fd_gradient(
            lambda S: np.linalg.slogdet(S)[1], S, convention, "richardson", return_error=True
        )
        # The inverse itself is not known better than this.
        assert (np.abs(table - exact) <= 10 * error + 1e-15 * condition * np.abs(exact).max()).all()
    with pytest.raises(ValueError, match="lost in rounding"):  # of a step that was asked for it is said
        fd_gradient(lambda S: np.linalg.slogdet(S)[1], S, "entrywise", "richardson", step=1e-18)


@pytest.mark.parametrize("unit", [1e20, 1e100, 1e300])
def test_the_error_estimate_sees_what_f_adds_and_takes_away_again(unit):
    """log(unit x) + log(x / unit) is rounded at the size of the logarithms, although their sum is near 0."""

    def f(x):
        return np.log(x[0] * unit) + np.log(x[1] / unit)

    x = np.array([0.9, 1.1])
    table, error = fd_gradient(f, x, scheme="richardson", return_error=True)
    assert (np.abs(table - 1 / x) <= 3 * error).all()
    df, bound = fd_differential(f, x, [1.0, -0.3], "richardson", return_error=True)
    assert abs(df - (1 / x) @ [1.0, -0.3]) <= 3 * bound
    assert 1e-14 < error.max() < 1e-9


def test_the_error_estimate_sees_beside_zero_what_rounding_leaves_at_zero_alone():
    """exp(a + x) - exp(a) is exact at x = 0, and nowhere else."""
    a = np.linspace(18, 19, 500)
    table, error = fd_gradient(lambda x: np.exp(a + x) - np.exp(a), 0.0, return_error=True)
    assert (np.abs(table - np.exp(a)) <= error).all()
    assert (error < 1e-6 * table).all()


@pytest.mark.parametrize(
    ("eps", "error"),
    [
        (-1.0, ValueError),
        (0, ValueError),
        (np.nan, ValueError),
        (np.inf, ValueError),
        ("a", TypeError),
        (None, TypeError),
    ],
)
def test_a_rounding_error_that_is_none_is_refused_by_name(eps, error):
    with pytest.raises(error, match=r"^eps must be"):
        default_step(np.eye(2), eps=eps)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_beside_the_smallest_floats_there_is_no_step(scheme):
    with pytest.raises(ValueError, match=r"^S is so small, .*change its units"):
        default_step(5e-324, scheme)
    with pytest.raises(ValueError, match=r"^S is so small"):
        fd_gradient(lambda S: S[0, 0], 5e-324 * np.eye(2), scheme=scheme)
    assert default_step(1e-280, scheme) > 0


@pytest.mark.parametrize("batched", ["no", 1, 0.0, [True]])
def test_batched_is_yes_or_no_or_to_be_found_out(batched):
    with pytest.raises(TypeError, match=r"^batched must be True, False or None, not "):
        fd_gradient(logdet, np.eye(2), batched=batched)
    assert_array_equal(fd_gradient(logdet, np.eye(2), batched=np.True_), fd_gradient(logdet, np.eye(2)))


@pytest.mark.parametrize("schemes", ["central", None, 3])
def test_the_schemes_of_a_sweep_are_several(schemes):
    with pytest.raises(TypeError, match=r"^schemes must be a sequence of names, .* not "):
        step_sweep(np.exp, 1.0, 1.0, schemes=schemes)
    with pytest.raises(ValueError, match=r"^schemes is empty"):
        step_sweep(np.exp, 1.0, 1.0, schemes=())
    with pytest.raises(ValueError, match=r"^schemes must be one of 'forward'"):
        step_sweep(np.exp, 1.0, 1.0, schemes=["centred"])
    assert set(step_sweep(np.exp, 1.0, 1.0, schemes=iter(["central"])).errors) == {"central"}


@pytest.mark.parametrize("scheme", ["central", "complex"])
def test_two_threads_leave_the_filters_of_warnings_as_they_were(scheme):
    """They are one for all threads; here the first to begin is the first to end, with the other in between."""
    before, begun, both = list(warnings.filters), threading.Event(), threading.Event()

    def of_one(S):
        if S.ndim == 3 or S.dtype.kind == "c":  # a trial stack, a complex point
            begun.set()
            both.wait(10)
        return np.trace(S @ S)

    def of_two(S):
        if S.ndim == 3 or S.dtype.kind == "c":
            both.set()
            one.join(10)
        return np.trace(S @ S)

    one = threading.Thread(target=fd_gradient, args=(of_one, np.eye(2)), kwargs={"scheme": scheme})
    one.start()
    begun.wait(10)
    fd_gradient(of_two, np.eye(2), scheme=scheme)
    assert warnings.filters == before


#: What a function may return that is no value: the return value, and what is said of it.
NO_VALUES = {
    "None": (None, TypeError, "f must return a number or an array of numbers, not None at S"),
    "a string": ("5", TypeError, "not '5' at S"),
    "a list of lists of unlike lengths": (
        [[1], [1, 2]],
        TypeError,
        "f must return a number or an array, not",
    ),
    "objects": (np.array([1.0], dtype=object), TypeError, "f must return"),
    "nothing": (np.zeros((0, 2)), ValueError, r"f must have a value, but at S it is empty: .* \(0, 2\)"),
    "masked": (np.ma.masked, ValueError, "f must be finite, but at S it is nan"),
    "a masked entry": (np.ma.array([1, 2], mask=[True, False]), ValueError, r"at S it is \[nan +2\.\]"),
    "not a number": (np.nan, ValueError, "f must be finite, but at S it is nan"),
    "complex": (1.0 + 0j, TypeError, "f must be real at a real point"),
}


@pytest.mark.parametrize("case", NO_VALUES)
def test_what_is_no_value_of_f_is_said_wherever_f_is_given(case):
    value, error, words = NO_VALUES[case]

    def f(S):
        return value

    for call in (
        *(lambda scheme=scheme: fd_gradient(f, np.eye(2), scheme=scheme) for scheme in SCHEMES),
        lambda: fd_differential(f, np.eye(2), np.eye(2)),
        lambda: step_sweep(f, np.eye(2), np.eye(2)),
        lambda: check_gradient(f, np.eye(2), np.eye(2)),
    ):
        with pytest.raises(error, match=words):
            call()


def test_what_is_masked_of_a_stack_is_no_value_either():
    """numpy.ma.log masks what is outside of its domain, and under the mask leaves what it was given."""

    def f(S):
        return np.ma.log(S).sum(axis=(-2, -1))

    assert_allclose(fd_gradient(f, np.full((2, 2), 0.5)), 2.0, rtol=1e-9)
    with pytest.raises(ValueError, match=r"f must be finite, but at S with .* it is nan"):
        fd_gradient(lambda S: np.ma.log(S)[..., 0, 0], np.full((2, 2), 0.5), step=0.75)


def test_a_function_may_return_the_same_array_with_other_values_every_time():
    out = np.empty((2, 2))

    def square(S):
        return np.matmul(S, S, out=out)

    S = np.array([[2.0, 1.0], [1.0, 3.0]])
    exact = np.einsum("ki,jl->ijkl", np.eye(2), S) + np.einsum("jl,ki->ijkl", np.eye(2), S)
    for scheme in ("forward", "central", "richardson"):
        assert_allclose(fd_gradient(square, S, scheme=scheme), exact, atol=1e-6)
    assert_allclose(fd_differential(square, S, S), 2 * S @ S, rtol=1e-8)
    assert check_gradient(square, exact, S).conventions == ("entrywise",)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("unit", [2.0**-1000, 2.0**-600, 2.0**600, 2.0**1000])
def test_along_a_direction_of_any_size_the_differential_is_in_proportion(scheme, unit):
    """Also where the squares of its entries are no floats."""
    S, E = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[1.0, -2.0], [0.5, 3.0]])
    assert_allclose(fd_differential(np.linalg.det, S, unit * E, scheme) / unit, 10.5, rtol=1e-6)
    sweep = step_sweep(np.linalg.det, S, unit * E, schemes=[scheme])
    assert np.nanmin(sweep.errors[scheme]) <= 1e-6


def test_a_derivative_that_is_no_float_is_refused():
    S = np.array([[2.0, 1.0], [1.0, 3.0]])
    for call in (
        lambda: fd_differential(np.linalg.det, S, [[1e308, 0.0], [0.0, 0.0]]),
        lambda: fd_gradient(lambda x: 1e308 * np.sin(1e3 * x), 0.0),
        lambda: fd_gradient(lambda x: 1e308 * np.sin(1e3 * x), 0.0, scheme="richardson"),
    ):
        with np.errstate(all="ignore"), pytest.raises(ValueError, match="the derivative is no float"):
            call()
    with pytest.raises(ValueError, match=r"^dS is of the size .* no step along it is a float"):
        fd_differential(np.linalg.det, S, np.full((2, 2), 5e-324))


@pytest.mark.parametrize("flag", ["yes", None, 1])
def test_whether_an_error_is_wanted_is_yes_or_no(flag):
    for call in (fd_gradient, lambda f, S, **keywords: fd_differential(f, S, S, **keywords)):
        with pytest.raises(TypeError, match=r"^return_error must be True or False, not "):
            call(np.linalg.det, np.eye(2), return_error=flag)
        assert len(call(np.linalg.det, np.eye(2), return_error=np.True_)) == 2
        assert not isinstance(call(np.linalg.det, np.eye(2), return_error=np.False_), tuple)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sort(x, axis=0),
        lambda x: -np.sort(-x, axis=0),
        lambda x: np.minimum.accumulate(x, axis=0),
        lambda x: np.maximum.accumulate(x, axis=0),
    ],
)
@pytest.mark.parametrize("x", [[1.0], [-1.0], [1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [-1.0, -2.0], [-2.0, -1.0]])
def test_a_function_that_would_sort_a_stack_is_given_none(f, x):
    """Along the first axis of a vector; the first axis of a stack is another one."""
    assert_array_equal(fd_gradient(f, x), fd_gradient(f, x, batched=False))


def test_a_complex_step_that_is_too_large_is_not_blamed_on_f():
    S = np.array([[2.0, 0.5], [0.5, 1.0]])
    for slope in (
        lambda f, step: fd_differential(f, S, np.eye(2), "complex", step=step),
        lambda f, step: fd_gradient(f, S, "free", "complex", step=step),
    ):
        with pytest.raises(ValueError, match=r"^step 0\.001 is too large for the complex step"):
            slope(ops.logdet, 1e-3)
        with pytest.raises(ValueError, match=r"^the complex step fails for this f"):
            slope(lambda A: np.linalg.slogdet(A)[1], 1e-3)
        assert_allclose(slope(ops.logdet, 1e-8), slope(ops.logdet, None), rtol=1e-13)


def test_a_function_that_turns_many_times_beside_s_is_seen_on_a_smaller_circle() -> None:
    assert_allclose(fd_gradient(np.sin, 1e6, scheme="complex"), np.cos(1e6), rtol=1e-9)
    with pytest.raises(ValueError, match=r"or turns many times within the radius .* of the smallest circle"):
        fd_gradient(lambda x: np.abs(np.sin(x)), 1e6, scheme="complex")
    for scheme in ("forward", "central", "richardson"):
        slope, error = fd_gradient(np.sin, 1e6, scheme=scheme, return_error=True)
        assert abs(slope - np.cos(1e6)) <= 10 * error < 1e-3
