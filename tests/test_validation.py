"""Bad input meets clear words, good input is taken as it is, and nothing is changed."""

from __future__ import annotations

import dataclasses
import inspect
import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hostile import NOT_A_COVARIANCE, NOT_REAL, NOT_SQUARE, NOT_SYMMETRIC, disguises
from numpy.testing import assert_array_equal

import mvnlib
from mvnlib import CONVENTIONS, SCHEMES
from mvnlib._validation import (
    SYMMETRY_TOLERANCE,
    as_dimension,
    as_float,
    as_generator,
    as_number,
    as_positive,
    as_positive_definite,
    as_real,
    as_rows,
    as_scaled,
    as_square,
    as_symmetric,
    is_finite,
    one_of,
    require_finite,
    subtract,
)

CHECKS = {"as_real": as_real, "as_square": as_square, "as_symmetric": as_symmetric}
CHECKS["as_positive_definite"] = lambda name, value: as_positive_definite(name, value)[0]
S = np.array([[5.0, 2.0], [2.0, 3.0]])


def cases(table: dict[str, Any]) -> Any:
    return pytest.mark.parametrize("case", table)


@pytest.mark.parametrize("check", CHECKS)
@cases(NOT_REAL)
def test_what_is_no_array_of_real_numbers_is_refused_by_name(check: str, case: str) -> None:
    value, error = NOT_REAL[case]
    with pytest.raises(error, match=r"^Omega\b"):
        CHECKS[check]("Omega", value)


def test_the_message_says_what_was_found() -> None:
    for value, words in (
        (np.eye(2) * 1j, r"S must be real, but its entries are complex \(complex128\)"),
        ([["a"]], "S must be an array of real numbers, not list of <U1"),
        (None, "S must be an array of real numbers, not None"),
        ([[1], [1, 2]], "S is not a rectangular array of numbers: its rows differ in length"),
        (np.zeros((0, 3)), r"S is empty: its shape is \(0, 3\)"),
        (np.ma.array([1.0], mask=True), "S has masked entries; drop or fill them first"),
        (NOT_REAL["cannot be read"][0], "S is not a rectangular array of numbers: the file is gone"),
    ):
        with pytest.raises((TypeError, ValueError), match=words):
            as_real("S", value)


def test_of_objects_the_first_that_is_no_number_is_shown_and_otherwise_the_remedy() -> None:
    for value, words in (
        ([[1.0, None]], r"^S must be an array of real numbers, not of objects: S\[0, 1\] is None$"),
        (np.array([[2, 1], [1, "a"]], dtype=object), r"not of objects: S\[1, 1\] is 'a'$"),
        (
            [[Fraction(1, 2), 1]],
            r"not of objects such as Fraction\(1, 2\); pass numpy.asarray\(S, dtype=float\)$",
        ),
        (np.eye(2).astype(object), r"not of objects such as 1\.0; pass numpy.asarray\(S, dtype=float\)$"),
        ({"a": 1}, r"not {'a': 1}$"),
    ):
        with pytest.raises(TypeError, match=words):
            as_real("S", value)


def test_a_message_shows_the_ends_of_what_is_long() -> None:
    with pytest.raises(
        TypeError, match=r"^S must be an array of real numbers, not {0, 1, 2.* \.\.\. .*99999}$"
    ) as found:
        as_real("S", set(range(100_000)))
    assert len(str(found.value)) < 200


@pytest.mark.parametrize(
    ("matrix", "gradient"),
    [
        ("Sigma", mvnlib.loglik_gradient),
        ("L", mvnlib.loglik_gradient_factor),
        ("P", mvnlib.loglik_gradient_precision),
    ],
)
def test_a_gradient_out_of_range_is_blamed_on_the_matrix_too(
    matrix: str, gradient: Callable[..., Any]
) -> None:
    with pytest.raises(
        ValueError, match=f"or {matrix} so small, that the gradient of the log-likelihood overflows"
    ):
        gradient([[0.0]], [0.0], [[5e-324]])


def test_a_vector_is_told_how_to_become_the_matrix_that_was_asked_for() -> None:
    x = np.arange(3.0)
    column, row = r"X\[:, None\] if it is 3 rows of one number", r"X\[None, :\] if it is one row"
    for shape, words in (
        ((None, None), f"; pass {column}, or {row}$"),
        ((None, 1), f"; pass {column}$"),
        ((3, None), f"; pass {column}$"),
        ((None, 3), f"; pass {row}$"),
        ((None, 2), r"its shape is \(3,\)$"),
        ((2, 2), r"its shape is \(3,\)$"),
    ):
        with pytest.raises(ValueError, match=words):
            as_real("X", x, shape=shape)
    for call in (mvnlib.fit_normal, lambda X: mvnlib.fit_mixture(X, 2, rng=draws())):
        with pytest.raises(ValueError, match=f"^X must be a matrix .*{column}, or {row}$"):
            call(x)
    with pytest.raises(ValueError, match=f"; pass {column}$"):
        mvnlib.logpdf(x, [0.0], [[1.0]])


@pytest.mark.parametrize("check", ["as_square", "as_symmetric", "as_positive_definite"])
@cases(NOT_SQUARE)
def test_what_is_not_square_is_refused_with_its_shape(check: str, case: str) -> None:
    value, error = NOT_SQUARE[case]
    with pytest.raises(error, match=r"Omega .*shape"):
        CHECKS[check]("Omega", value)


@pytest.mark.parametrize("check", ["as_symmetric", "as_positive_definite"])
@cases(NOT_SYMMETRIC)
def test_asymmetry_names_the_two_entries_and_the_remedy(check: str, case: str) -> None:
    value, error = NOT_SYMMETRIC[case]
    with pytest.raises(error, match=r"Omega\[0, 1\] = .*Omega\[1, 0\] = .*\(Omega \+ Omega\.T\) / 2"):
        CHECKS[check]("Omega", value)


def test_asymmetry_names_the_worst_pair() -> None:
    A = np.eye(4)
    A[0, 1], A[3, 2] = 1e-6, 1e-3
    with pytest.raises(ValueError, match=r"A\[2, 3\] = 0.0 and A\[3, 2\] = 0.001"):
        as_symmetric("A", A)


@cases(NOT_A_COVARIANCE)
def test_as_positive_definite_refuses_everything_that_is_no_covariance_matrix(case: str) -> None:
    value, error = NOT_A_COVARIANCE[case]
    with pytest.raises(error, match="Sigma") as caught:
        as_positive_definite("Sigma", value)
    assert type(caught.value) is error


def test_not_positive_definite_says_the_smallest_eigenvalue() -> None:
    with pytest.raises(np.linalg.LinAlgError, match="smallest eigenvalue is -1, beside a largest of 3"):
        as_positive_definite("S", [[1, 2], [2, 1]])


def test_rounding_is_no_asymmetry(rng: np.random.Generator) -> None:
    for d in (2, 10, 50):
        A = rng.standard_normal((d, d))
        as_symmetric("A", A @ np.diag(rng.random(d)) @ A.T)
    as_symmetric("A", [[1.0, 1.0], [1.0 + 1e-13, 1.0]])
    as_symmetric("A", np.zeros((2, 2)))
    with pytest.raises(ValueError, match="symmetric"):
        as_symmetric("A", [[1e308, -1e308], [1e308, 1e308]])


def test_symmetry_is_relative_so_units_do_not_matter() -> None:
    A = np.array([[1.0, 0.5], [0.5 + 1e-14, 1.0]])
    for unit in (1e-200, 1.0, 1e200):
        as_symmetric("A", A * unit)
        with pytest.raises(ValueError, match="symmetric"):
            as_symmetric("A", np.array([[1.0, 0.5], [0.6, 1.0]]) * unit)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("disguise", disguises(S))
def test_other_real_arrays_are_read_as_float64_and_left_unchanged(check: str, disguise: str) -> None:
    value = disguises(S)[disguise]
    read = CHECKS[check]("S", value)
    assert read.dtype == np.float64
    assert read.dtype.isnative
    assert type(read) is np.ndarray
    assert_array_equal(read, S)
    assert_array_equal(np.asarray(value, dtype=float), S)


def test_a_float64_array_is_not_copied() -> None:
    assert as_real("S", S) is S


def test_the_factor_is_the_lower_cholesky_factor(rng: np.random.Generator) -> None:
    A = rng.standard_normal((4, 4))
    read, L = as_positive_definite("S", A @ A.T)
    assert_array_equal(np.triu(L, 1), 0)
    np.testing.assert_allclose(L @ L.T, read, rtol=1e-12)


def test_the_factor_is_that_of_the_matrix_itself_whatever_its_units() -> None:
    units = np.array([2.0**200, 2.0**-300])
    S, L = as_positive_definite("S", np.array([[4.0, 2.0], [2.0, 5.0]]) * units[:, None] * units)
    assert_array_equal(L, np.array([[2.0, 0.0], [1.0, 2.0]]) * units[:, None])
    assert_array_equal(L @ L.T, S)


def test_the_factor_in_units_multiplies_to_the_matrix(rng: np.random.Generator) -> None:
    A = rng.standard_normal((4, 4))
    R = A @ A.T + np.eye(4)
    for exponents in ([0, 0, 0, 0], [500, -500, 0, 250]):
        scale = np.ldexp(1.0, exponents)
        S = R * scale[:, None] * scale
        read, units, L = as_scaled("S", S)
        assert read is S
        assert not np.triu(L, 1).any()
        back = L @ L.T * np.multiply.outer(np.ones(4) * units / scale, np.ones(4) * units / scale)
        np.testing.assert_allclose(back, R, rtol=1e-12, atol=1e-12)
        if exponents[0]:
            assert (np.abs(L) < 1).all()  # of variances below one
        else:
            assert units == 1.0


@pytest.mark.parametrize("scale", [1.0, 1e-100, 1e100])
def test_a_matrix_that_cannot_be_told_from_a_singular_one_is_refused(scale: float) -> None:
    """What is left of a variance may not be less than d eps of it: with d = 2, about 4.4e-16."""
    units = np.array([scale, 1 / scale])
    for left, fits in ((1e-15, True), (3e-16, False), (-1e-15, False), (0.0, False)):
        S = np.array([[1.0, 1.0], [1.0, 1.0 + left]])
        S[0, 1] = S[1, 0] = 1.0
        S = S * units[:, None] * units
        if fits:
            as_positive_definite("S", S)
        else:
            with pytest.raises(np.linalg.LinAlgError, match=r"^S must be positive definite"):
                as_positive_definite("S", S)


@pytest.mark.parametrize(
    ("matrix", "found"),
    [
        (np.diag([3.0, 2.0, -1.0]), "its smallest eigenvalue is -1, beside a largest of 3"),
        (np.diag([1.0, 0.0]), "its smallest eigenvalue is 0, beside a largest of 1"),
        (np.diag([0.5, -0.5]), "its smallest eigenvalue is -0.5, beside a largest of 0.5"),
        (np.zeros((2, 2)), "its smallest eigenvalue is 0"),
        (-np.eye(2), "its smallest eigenvalue is -1"),
    ],
)
def test_the_eigenvalues_at_both_ends_are_said(matrix: np.ndarray, found: str) -> None:
    with pytest.raises(np.linalg.LinAlgError) as caught:
        as_positive_definite("S", matrix)
    assert str(caught.value) == f"S must be positive definite, but {found}"


def test_why_a_nearly_singular_matrix_is_refused_is_said() -> None:
    with pytest.raises(np.linalg.LinAlgError, match="it cannot be told from a singular matrix: its smallest"):
        as_positive_definite("S", np.diag([1.0, 1.0]) + np.array([[0.0, 1 - 2e-16], [1 - 2e-16, 0.0]]))


def test_entries_that_no_positive_definite_matrix_has_are_refused_without_an_overflow() -> None:
    for big in (1e10, 1e200, 1.7e308):
        with pytest.raises(np.linalg.LinAlgError, match=r"^S must be positive definite"):
            as_positive_definite("S", [[1e-300, big], [big, 1e-300]])


def test_an_asymmetry_is_seen_in_the_units_of_its_coordinates() -> None:
    S = np.array([[1e10, 0.0, 0.0], [0.0, 1e-10, 1e-11], [0.0, 0.0, 1e-10]])
    assert as_symmetric("S", S) is S  # beside 1e10
    with pytest.raises(ValueError, match=r"^S must be symmetric, but S\[1, 2\] = 1e-11"):
        as_symmetric("S", S, deviations=np.sqrt(S.diagonal()))
    with pytest.raises(ValueError, match=r"^S must be symmetric, but S\[1, 2\] = 1e-11"):
        as_positive_definite("S", S)


def test_how_much_asymmetry_is_rounding() -> None:
    for part, fits in ((0.9, True), (1.1, False)):
        S = np.array([[1.0, 0.0], [part * SYMMETRY_TOLERANCE, 1.0]])
        for check in CHECKS.values():
            if fits or check is as_real or check is as_square:
                check("S", S)
            else:
                with pytest.raises(ValueError, match=r"^S must be symmetric"):
                    check("S", S)
    assert SYMMETRY_TOLERANCE == 1e-12


def test_rows_are_checked_for_all_but_infinities_and_not_converted() -> None:
    X = np.array([[1, 2], [3, 4]], dtype=np.int8)
    assert as_rows("X", X) is X
    assert as_rows("X", X, 2) is X
    as_rows("X", [[np.nan, 1.0]])
    with pytest.raises(ValueError, match=r"^X must have shape \(any, 3\), but its shape is \(2, 2\)"):
        as_rows("X", X, 3)


def test_reading_as_float64_copies_only_what_is_none() -> None:
    assert as_float(S) is S
    assert as_float(S.astype(np.float32)).dtype == np.float64
    assert as_float(S.astype(">f8")).dtype.isnative
    assert np.isinf(as_float(np.array([np.longdouble("1e400")]))[0])


@pytest.mark.parametrize("dtype", [bool, np.int8, np.float32, np.float64, ">f8", np.longdouble])
def test_subtraction_reads_every_type_as_float64(dtype: Any) -> None:
    rows, out = np.array([[0, 1], [1, 1]]).astype(dtype), np.empty((2, 2))
    assert subtract(rows, np.array([0.5, 0.1]), out) is out
    assert_array_equal(out, [[-0.5, 0.9], [0.5, 0.9]])


def test_whether_all_entries_are_finite_is_not_mistaken_for_large_ones() -> None:
    assert is_finite(np.array([1.7e308, -1.7e308]))
    for bad in (np.nan, np.inf, -np.inf):
        assert not is_finite(np.array([[1.0, 0.0], [bad, 0.0]]))
        assert not is_finite(np.array(bad))


def test_looking_for_an_entry_takes_no_memory_of_the_size_of_the_array() -> None:
    for array in (np.zeros((2_000_000, 2), dtype=np.float32), np.zeros((500, 8000))[:, ::2]):
        tracemalloc.start()
        require_finite("X", array)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1.5e6


def test_what_an_array_of_each_number_of_axes_is_called() -> None:
    for ndim, called in enumerate(("a number", "a vector", "a matrix", "a stack of matrices")):
        with pytest.raises(ValueError, match=rf"^S must be {called}, but its shape is \(1, 1, 1, 1\)"):
            as_real("S", np.ones((1, 1, 1, 1)), ndim=ndim)


@pytest.mark.parametrize(
    ("shape", "place"),
    [
        ((), ()),
        ((5,), (3,)),
        ((200_000,), (199_999,)),
        ((200_000,), (65_536,)),
        ((3, 100_000), (1, 99_999)),
        ((70_000, 2), (65_535, 1)),
        ((2, 300, 300), (1, 299, 0)),
        ((70_000, 1, 1), (69_999, 0, 0)),
    ],
)
def test_an_entry_that_is_not_finite_is_named_wherever_it_is(shape: Any, place: Any) -> None:
    for dtype in (np.float64, np.float32):
        array = np.zeros(shape, dtype=dtype)
        require_finite("X", array)
        array[place] = np.inf
        where = "X" if place == () else f"X[{', '.join(map(str, place))}]"
        with pytest.raises(ValueError) as caught:  # noqa: PT011
            require_finite("X", array)
        assert str(caught.value) == f"X must be finite, but {where} is inf"


@pytest.mark.parametrize(
    ("shape", "fits"),
    [
        ((2, 3), True),
        ((None, 3), True),
        ((None, None), True),
        ((2, 2), False),
        ((3, None), False),
        ((6,), False),
    ],
)
def test_shape_is_checked_and_None_stands_for_any_length(shape: Any, fits: bool) -> None:
    if fits:
        as_real("X", np.ones((2, 3)), shape=shape)
        return
    with pytest.raises(ValueError, match=r"X must .*shape is \(2, 3\)"):
        as_real("X", np.ones((2, 3)), shape=shape)


def test_the_shape_asked_for_is_written_in_the_message() -> None:
    with pytest.raises(ValueError, match=r"mu must be a vector of shape \(3,\), but its shape is \(1, 3\)"):
        as_real("mu", np.ones((1, 3)), shape=(3,))
    with pytest.raises(ValueError, match=r"X must have shape \(any, 3\), but its shape is \(5, 2\)"):
        as_real("X", np.ones((5, 2)), shape=(None, 3))


def test_the_first_entry_that_is_not_finite_is_named() -> None:
    with pytest.raises(ValueError, match=r"X\[1, 0\] is nan"):
        as_real("X", [[1, 2], [np.nan, np.inf]])
    with pytest.raises(ValueError, match="t must be finite, but t is inf"):
        as_number("t", np.inf)


def test_positive_numbers() -> None:
    for good in (1, 0.5, np.float32(2), np.array(3), True):
        assert as_positive("h", good) == float(good)
        assert type(as_positive("h", good)) is float
    for bad in (0, -1, -0.0):
        with pytest.raises(ValueError, match="h must be positive"):
            as_positive("h", bad)
    for bad in ([1.0], np.ones(1), np.nan):
        with pytest.raises(ValueError, match="h must be"):
            as_positive("h", bad)
    for bad in ("1", None, 1j):
        with pytest.raises(TypeError, match="h must be"):
            as_positive("h", bad)


def test_dimensions() -> None:
    assert as_dimension("d", np.int8(3)) == 3
    for bad in (0, -2):
        with pytest.raises(ValueError, match="d must be at least 1"):
            as_dimension("d", bad)
    for bad in (2.0, "2", None, True, [2], np.float64(2)):
        with pytest.raises(TypeError, match="d must be a whole number"):
            as_dimension("d", bad)


def test_generators() -> None:
    generator = np.random.default_rng(0)
    assert as_generator("rng", generator) is generator
    for bad in (0, None, np.random.RandomState(0), np.random):
        with pytest.raises(TypeError, match=r"rng must be a generator, say numpy\.random\.default_rng\(0\)"):
            as_generator("rng", bad)


def test_options_are_listed() -> None:
    assert one_of("scheme", "forward", ("forward", "central")) == "forward"
    for bad in ("Forward", "", None, 1, ["forward"], np.ones(2)):
        with pytest.raises(ValueError, match="scheme must be one of 'forward', 'central', but it is"):
            one_of("scheme", bad, ("forward", "central"))


# What the caller has asked of NumPy about floating-point errors

FAINT = 1e-170  # its square is no float
LOW = np.finfo(np.longdouble).tiny  # underflows when it is read as a float
TINY = np.array([[2.0, 0.5], [0.5, 1.0]]) * 1e-280


@dataclasses.dataclass
class Point:
    """Data and parameters of a normal distribution in two dimensions."""

    X: np.ndarray
    mu: np.ndarray
    Sigma: np.ndarray
    E: np.ndarray

    def __post_init__(self) -> None:
        far = 50 * np.sqrt(self.Sigma.diagonal())
        self.apart = np.vstack([self.X, self.X + far])
        self.mixture = [0.5, 0.5], np.stack([self.mu, self.mu + far]), [self.Sigma, self.Sigma]


ROWS = np.array([[1.0, FAINT], [FAINT, 3.0], [-2.0, 1.0], [5.0, -FAINT], [0.5, 2.0], [-1.0, -4.0]])
#: Where squares and products of what is small are no floats; a unit may be, but not its third power; and where
#: digits of the smallest floats are lost.
POINTS = (
    Point(
        ROWS, np.zeros(2), np.array([[2.0, FAINT], [FAINT, 1.0]]), np.array([[FAINT, 3e-160], [3e-160, 1.0]])
    ),
    Point(
        ROWS * [1e-150, 1],
        np.array([1e-151, 0.5]),
        np.array([[2e-300, 1e-160], [1e-160, 1.0]]),
        np.array([[FAINT, 3e-160], [3e-160, 1.0]]),
    ),
    Point(
        np.array([[1.0, 3e-308], [-1.0, 5e-308], [0.0, 1.0], [0.0, -1.0], [1.0, 0.0]]),
        np.array([0.0, 3e-308]),
        np.array([[2.0, 3e-308], [3e-308, 1.0]]),
        np.array([[1.0, 5e-308], [5e-308, 1.0]]),
    ),
)


#: What a function of the caller's computes is their arithmetic: what they asked for holds in it.
own_arithmetic = np.errstate(all="ignore")


@own_arithmetic
def density(S: Any) -> Any:
    """A log density that uses numbers that underflow."""
    return np.linalg.slogdet(S)[1] + float(np.exp(-800.0 * S[0, 0])) + float(np.sum(FAINT * S * FAINT))


BY_SCHEME: dict[str, Any] = {
    scheme: own_arithmetic(np.linalg.det) if scheme == "complex" else density for scheme in SCHEMES
}


def draws() -> np.random.Generator:
    return np.random.default_rng(0)


#: A call of every public function, with numbers that underflow or overflow on the way to the answer.
CALLS: dict[str, Callable[[Point], Any]] = {
    "NormalStatistics": lambda p: [
        some := mvnlib.NormalStatistics(6, [FAINT, LOW], np.diag([1e-308, 1.0])),
        some + mvnlib.NormalStatistics.from_data(p.X),
        mvnlib.NormalStatistics.from_data(p.X).about(p.mu),
        mvnlib.NormalStatistics.from_data(p.X).loglik_gradient(p.mu, p.Sigma),
    ],
    "MixtureStatistics": lambda p: [
        some := mvnlib.MixtureStatistics.from_data(p.X, *p.mixture),
        (some + some).em_step(),
        some.loglik_gradient(),
    ],
    "check_gradient": lambda p: [mvnlib.check_gradient(density, np.linalg.inv(S), S) for S in (S, TINY)],
    "check_steps": lambda p: mvnlib.check_steps(
        own_arithmetic(lambda A: FAINT * A * FAINT + A), lambda A: A, where="general", points=2
    ),
    "cholesky_differential": lambda p: mvnlib.cholesky_differential(np.linalg.cholesky(p.Sigma), p.E),
    "cholesky_pullback": lambda p: mvnlib.cholesky_pullback(np.linalg.cholesky(p.Sigma), p.E),
    "commutation_matrix": lambda p: mvnlib.commutation_matrix(2, 3),
    "convert_gradient": lambda p: mvnlib.convert_gradient(
        [[5e-324, 1], [2, 5e-324]], "entrywise", "frobenius"
    ),
    "default_step": lambda p: mvnlib.default_step(TINY),
    "duplication_matrix": lambda p: mvnlib.duplication_matrix(2),
    "elimination_matrix": lambda p: mvnlib.elimination_matrix(2),
    "em_step": lambda p: mvnlib.em_step(p.X, *p.mixture),
    "fd_differential": lambda p: [
        mvnlib.fd_differential(f, S, p.E, scheme, return_error=True) for scheme, f in BY_SCHEME.items()
    ],
    "fd_gradient": lambda p: [
        mvnlib.fd_gradient(f, at, convention, scheme, return_error=True)
        for at in (S, TINY)
        for convention in CONVENTIONS
        for scheme, f in BY_SCHEME.items()
    ],
    "fisher_information": lambda p: mvnlib.fisher_information(p.Sigma),
    "fisher_information_inverse": lambda p: mvnlib.fisher_information_inverse(p.Sigma),
    "fisher_information_product": lambda p: mvnlib.fisher_information_product(p.Sigma, p.mu, p.E),
    "fit_mixture": lambda p: mvnlib.fit_mixture(p.apart, 2, rng=draws()),
    "fit_normal": lambda p: mvnlib.fit_normal(p.X),
    "from_log_cholesky": lambda p: mvnlib.from_log_cholesky([-350.0, FAINT, 0.0]),
    "laplace": lambda p: mvnlib.laplace(
        own_arithmetic(lambda t: -t @ t / 2 + FAINT * FAINT * t[0] + np.exp(-800.0)),
        [3.0, FAINT],
        own_arithmetic(lambda t: -t * (1 + FAINT * t)),
    ),
    "log_cholesky": lambda p: mvnlib.log_cholesky(p.Sigma),
    "loglik": lambda p: mvnlib.loglik(p.X, p.mu, p.Sigma),
    "loglik_and_gradient": lambda p: mvnlib.loglik_and_gradient(p.X, p.mu, p.Sigma),
    "loglik_and_gradient_factor": lambda p: mvnlib.loglik_and_gradient_factor(p.X, p.mu, p.Sigma),
    "loglik_and_gradient_precision": lambda p: mvnlib.loglik_and_gradient_precision(p.X, p.mu, p.Sigma),
    "loglik_differences": lambda p: mvnlib.loglik_differences(p.X, p.mu, p.Sigma),
    "loglik_gradient": lambda p: mvnlib.loglik_gradient(p.X, p.mu, p.Sigma, convention="free"),
    "loglik_gradient_factor": lambda p: mvnlib.loglik_gradient_factor(p.X, p.mu, p.Sigma),
    "loglik_gradient_precision": lambda p: mvnlib.loglik_gradient_precision(
        p.X, p.mu, p.Sigma, convention="free"
    ),
    "loglik_hessian": lambda p: mvnlib.loglik_hessian(p.X, p.mu, p.Sigma, p.mu, p.E),
    "loglik_hessian_operator": lambda p: mvnlib.loglik_hessian_operator(p.X, p.mu, p.Sigma)(p.mu, p.E),
    "logpdf": lambda p: mvnlib.logpdf(p.X, p.mu, p.Sigma),
    "mixture_gradient": lambda p: mvnlib.mixture_gradient(p.X, *p.mixture),
    "mixture_loglik": lambda p: mvnlib.mixture_loglik(p.X, *p.mixture),
    "natural_gradient": lambda p: mvnlib.natural_gradient(p.Sigma, p.mu, p.E),
    "pair": lambda p: mvnlib.pair(p.E, p.E, "frobenius"),
    "responsibilities": lambda p: mvnlib.responsibilities(p.X, *p.mixture),
    "step_sweep": lambda p: mvnlib.step_sweep(density, S, np.eye(2)),
    "unvech": lambda p: mvnlib.unvech([1, 0, LOW]),
    "vec": lambda p: mvnlib.vec([[1, LOW], [0, 1]]),
    "vech": lambda p: mvnlib.vech([[1, 0], [LOW, 1]]),
}
#: What is no function of numbers: values that a function returned, errors, modules; symbols, and widgets.
NO_CALLS = {"Laplace", "Mixture", "StepError", "Verdict", "identities", "ops", "spaces"}


def parts(value: Any) -> list[Any]:
    """The numbers and words in a nested value."""
    if dataclasses.is_dataclass(value):
        value = [getattr(value, field.name) for field in dataclasses.fields(value)]
    if isinstance(value, dict):
        value = list(value.values())
    return [part for item in value for part in parts(item)] if isinstance(value, list | tuple) else [value]


def outcome(name: str, point: Point) -> list[Any]:
    """The answer, or the words of a refusal: a FloatingPointError is neither."""
    try:
        return parts(CALLS[name](point))
    except ValueError as error:
        return [f"refused: {error}"]


@pytest.mark.parametrize("name", CALLS)
def test_what_the_caller_asked_of_numpy_about_underflow_changes_no_answer(name: str) -> None:
    answers = 0
    for point in POINTS:
        plain = outcome(name, point)
        with np.errstate(all="raise"):
            found = outcome(name, point)
        assert len(found) == len(plain) > 0
        for mine, theirs in zip(found, plain, strict=True):
            assert_array_equal(mine, theirs)
        answers += not str(plain[0]).startswith("refused: ")
    assert answers


def test_every_public_function_is_asked() -> None:
    later = {name for names in mvnlib._LATER.values() for name in names} | set(mvnlib._LATER)
    values = {name for name in mvnlib.__all__ if name not in later and not callable(getattr(mvnlib, name))}
    assert set(mvnlib.__all__) - later - values - NO_CALLS == set(CALLS)


def bowl(t: Any) -> Any:
    """Minus half of the squares: a log density of a vector, and a function of a matrix."""
    return -np.sum(t * t) / 2


#: Every public function that is given functions: a call with each of them told of by ``spy``.
GIVEN_FUNCTIONS: dict[str, Callable[[Callable[..., Any]], Any]] = {
    "check_gradient": lambda spy: mvnlib.check_gradient(spy(bowl), spy(lambda S: -S), S),
    "check_steps": lambda spy: mvnlib.check_steps(spy(bowl), ("again", spy(bowl)), where="symmetric"),
    "fd_differential": lambda spy: mvnlib.fd_differential(spy(bowl), S, S),
    "fd_gradient": lambda spy: [mvnlib.fd_gradient(spy(bowl), S, batched=b) for b in (None, False)],
    "fit_mixture": lambda spy: mvnlib.fit_mixture(
        np.arange(5.0)[:, None], 1, rng=draws(), callback=spy(lambda iteration, parameters, loglik: False)
    ),
    "laplace": lambda spy: mvnlib.laplace(
        spy(bowl), np.ones(2), gradient=spy(lambda t: -t), hessian=spy(lambda t: -np.eye(2))
    ),
    "step_sweep": lambda spy: mvnlib.step_sweep(spy(bowl), S, S),
}


@pytest.mark.parametrize("name", GIVEN_FUNCTIONS)
def test_a_function_that_is_given_runs_under_what_the_caller_asked_of_numpy(name: str) -> None:
    """It is their arithmetic; only at points that they did not name are they not warned of it."""

    def settings_seen() -> list[dict[str, str]]:
        seen = []

        def spy(f: Callable[..., Any]) -> Callable[..., Any]:
            def spied(*args: Any) -> Any:
                seen.append(dict(np.geterr()))
                return f(*args)

            return spied

        GIVEN_FUNCTIONS[name](spy)
        return seen

    for how in ("raise", "ignore", "call"):
        asked = {"divide": how, "over": how, "under": "ignore", "invalid": how}
        with np.errstate(**asked):  # type: ignore[arg-type]
            assert all(settings == asked for settings in settings_seen())
    with np.errstate(all="warn"):
        first, *others = settings_seen()
    assert set(first.values()) == {"warn"}
    assert all(set(settings.values()) in ({"warn"}, {"ignore"}) for settings in others)


def test_no_warning_is_given_of_points_that_the_caller_did_not_name() -> None:
    """The suite makes an error of every warning: here f has no value beside its domain."""
    found = mvnlib.laplace(lambda t: 10 * np.log(t[0]) - t[0], [500.0])
    assert abs(found.mode[0] - 10) <= 1e-6
    sweep = mvnlib.step_sweep(lambda t: np.sqrt(t - 0.6), 1.0, 1.0, [1e-5, 0.5])
    assert np.isnan(sweep.errors["central"][1])
    assert mvnlib.fd_gradient(lambda t: np.sqrt(t[0] - 0.8), [1.0]).shape == (1,)


def test_every_function_that_is_given_functions_is_asked() -> None:
    taken = {
        name
        for name in CALLS
        if "Callable" in str(inspect.signature(getattr(mvnlib, name)).parameters) or name == "check_steps"
    }
    assert taken == set(GIVEN_FUNCTIONS)
