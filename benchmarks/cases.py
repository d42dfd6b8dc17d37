"""What is compared: each case declared once, as a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import mvnlib
from benchmarks import by_hand, programs
from benchmarks import other_libraries as others
from benchmarks.measure import Call, extra_memory

Size = dict[str, int]
Version = Callable[..., Call]


@dataclass(frozen=True)
class Target:
    """What mvnlib is to reach.

    ``kind`` is "at most" (its time over that of another), "faster" (the other's over its), "memory" (bytes beside
    data and result), "seconds", or "above" (seconds more than another takes).
    """

    kind: str
    bound: float
    other: str = ""


@dataclass(frozen=True)
class Case:
    """One row of the comparison.

    ``data`` makes the arguments from a size; ``ours``, every one of ``peers`` and ``limit`` take them and return
    a call without arguments.  Ours and the peers have to return the same up to ``rtol``; the limit does less.
    ``alone``: the number of threads is nothing to it.  ``space`` measures what a call needs beside its result.
    """

    name: str
    work: str
    sizes: tuple[Size, ...]
    data: Callable[..., tuple[Any, ...]]
    ours: Version
    peers: Mapping[str, Version]
    targets: Callable[..., tuple[Target, ...]]
    limit: Version | None = None
    rtol: float = 1e-9
    alone: bool = False
    space: Callable[[Call], int] | None = extra_memory

    @property
    def letters(self) -> set[str]:
        """The letters of its sizes."""
        return set(self.sizes[0])


def at_most(times: float, other: str) -> Target:
    return Target("at most", times, other)


def faster(times: float, other: str) -> Target:
    return Target("faster", times, other)


def memory(megabytes: float) -> Target:
    return Target("memory", megabytes * 1e6)


def direct(function: Callable[..., Any]) -> Version:
    """A version with nothing to prepare."""
    return lambda *data: lambda: function(*data)


# Data


def _covariance(rng: np.random.Generator, d: int) -> Any:
    A = rng.standard_normal((d, d))
    return A @ A.T / d + np.eye(d) / 2


def normal(n: int, d: int) -> tuple[Any, ...]:
    """Rows of a normal distribution, and parameters beside the true ones."""
    rng = np.random.default_rng(0)
    X = 1 + rng.standard_normal((n, d)) @ np.linalg.cholesky(_covariance(rng, d)).T
    return X, 1 + rng.standard_normal(d) / 10, _covariance(rng, d)


def normal_factor(n: int, d: int) -> tuple[Any, ...]:
    X, mu, Sigma = normal(n, d)
    return X, mu, np.linalg.cholesky(Sigma)


def profile(d: int) -> tuple[Any, ...]:
    """The log-likelihood of n rows as a function of Sigma alone, for stacks too; a point, n and T."""
    rng = np.random.default_rng(0)
    n, T, S = 100.0, 100 * _covariance(rng, d), _covariance(rng, d)

    def f(S: Any) -> Any:
        return -(n * np.linalg.slogdet(S)[1] + np.einsum("...ij,ji->...", np.linalg.inv(S), T)) / 2

    return f, S, n, T


def covariance(d: int) -> tuple[Any, ...]:
    return (_covariance(np.random.default_rng(0), d),)


def slope(d: int) -> tuple[Any, ...]:
    """Sigma, and a symmetric table."""
    rng = np.random.default_rng(0)
    G = rng.standard_normal((d, d))
    return _covariance(rng, d), G + G.T


def direction(d: int) -> tuple[Any, ...]:
    """n, T, Sigma, and a symmetric direction."""
    rng = np.random.default_rng(0)
    E = rng.standard_normal((d, d))
    return 100.0, 100 * _covariance(rng, d), _covariance(rng, d), E + E.T


def mixture(n: int, d: int, K: int) -> tuple[Any, ...]:
    """Rows of K normal distributions that overlap, and parameters an EM step can improve."""
    rng = np.random.default_rng(0)
    centres = 2 * rng.standard_normal((K, d)) / np.sqrt(d)
    X = centres[rng.integers(K, size=n)] + rng.standard_normal((n, d))
    return X, np.full(K, 1 / K), centres + 0.1, np.stack([_covariance(rng, d) for _ in range(K)])


# The calls of mvnlib that are no single function


def flat_gradient(X: Any, mu: Any, Sigma: Any) -> Any:
    value, gradient = mvnlib.loglik_and_gradient(X, mu, Sigma)
    return value, *gradient


def flat_gradient_factor(X: Any, mu: Any, L: Any) -> Any:
    value, (in_mu, in_L) = mvnlib.loglik_and_gradient_factor(X, mu, L)
    return value, in_mu, np.tril(in_L)


def low_rank(f: Any, S: Any, n: Any, T: Any) -> Call:
    known, zero = mvnlib.NormalStatistics(n, np.zeros(len(S)), T), np.zeros(len(S))
    return lambda: mvnlib.loglik_differences(known, zero, S, convention="free")


def natural_gradient(Sigma: Any, G: Any) -> Call:
    zero = np.zeros(len(Sigma))
    return lambda: mvnlib.natural_gradient(Sigma, zero, G, convention="free")[1]


def hessian_along(n: Any, T: Any, Sigma: Any, E: Any) -> Call:
    """The operator is made once; a direction is what is timed."""
    zero = np.zeros(len(Sigma))
    operator = mvnlib.loglik_hessian_operator(mvnlib.NormalStatistics(n, zero, T), zero, Sigma)
    return lambda: operator(zero, E)[1]


def table_by_differences(scheme: str, batched: bool | None = None) -> Version:
    """``batched``: f is known to take stacks, as the version by hand takes for granted; else it is tried out."""
    return lambda f, S, *_: lambda: mvnlib.fd_gradient(f, S, "free", scheme, batched=batched)


# Targets that depend on the size


def _is_small(n: int, d: int) -> bool:
    """Whether the pass over the data is not what costs."""
    return n * d * d < 1e6 or n < 4 * d


def of_gradient(n: int, d: int) -> tuple[Target, ...]:
    if _is_small(n, d):
        return (at_most(2, "by hand"), faster(1, "JAX"), faster(1, "PyTorch"))
    if d < 50:
        return (at_most(1.5, "limit"), faster(8, "JAX"), faster(8, "PyTorch"), memory(2))
    return (at_most(1.3 if d < 250 else 1.5, "limit"), faster(1, "JAX"), faster(1, "PyTorch"))


def of_factor(n: int, d: int) -> tuple[Target, ...]:
    bound = at_most(2, "by hand") if _is_small(n, d) else at_most(1.5, "limit")
    return (bound, faster(1, "JAX"), faster(1, "PyTorch"))


def of_proof(d: int) -> tuple[Target, ...]:
    return (Target("seconds", 0.1), faster(1, "cancel"))


def of_em(n: int, d: int, K: int) -> tuple[Target, ...]:
    return (faster(4, "scikit-learn"), memory(10))


LARGE = ({"n": 100_000, "d": 20}, {"n": 100_000, "d": 100}, {"n": 10_000, "d": 500})
SMALL = {"n": 1000, "d": 5}

CASES = (
    Case(
        "gradient",
        "log-likelihood and gradient in (mu, Sigma)",
        (*LARGE, SMALL),
        normal,
        direct(flat_gradient),
        {
            "by hand": direct(by_hand.loglik_gradient),
            "JAX": others.jax_loglik_gradient,
            "PyTorch": others.torch_loglik_gradient,
        },
        of_gradient,
        direct(by_hand.plain_pass),
    ),
    Case(
        "factor",
        "log-likelihood and gradient in (mu, L)",
        LARGE,
        normal_factor,
        direct(flat_gradient_factor),
        {
            "by hand": direct(by_hand.loglik_gradient_factor),
            "JAX": others.jax_loglik_gradient_factor,
            "PyTorch": others.torch_loglik_gradient_factor,
        },
        of_factor,
        direct(by_hand.plain_pass),
    ),
    Case(
        "value",
        "log-likelihood alone",
        (*LARGE, SMALL),
        normal,
        direct(mvnlib.loglik),
        {
            "by hand": direct(by_hand.loglik),
            "scipy": others.scipy_loglik,
            "JAX": others.jax_loglik,
        },
        lambda n, d: (faster(1, "scipy"), memory(2)),
        direct(by_hand.plain_pass),
    ),
    Case(
        "rows",
        "log density of every row",
        (*LARGE, SMALL),
        normal,
        direct(mvnlib.logpdf),
        {
            "by hand": direct(by_hand.logpdf),
            "scipy": others.scipy_logpdf,
            "JAX": others.jax_logpdf,
        },
        lambda n, d: (faster(2, "scipy"), memory(2)),
    ),
    Case(
        "differences",
        "all entries by central differences",
        ({"d": 2}, {"d": 4}, {"d": 8}),
        profile,
        table_by_differences("central", batched=True),
        {
            "by hand": lambda f, S, *_: lambda: by_hand.central_differences(f, S),
            "numdifftools": others.numdifftools_gradient,
            "scipy": others.scipy_differentiate,
            "PyTorch": others.torch_gradcheck,
            "JAX": others.jax_check_grads,
        },
        lambda d: (at_most(1.2, "by hand"), faster(1, "numdifftools"), faster(1, "scipy")),
        rtol=1e-4,
    ),
    Case(
        "many differences",
        "the same in chunks",
        ({"d": 64},),
        profile,
        table_by_differences("central", batched=True),
        {"by hand": lambda f, S, *_: lambda: by_hand.central_differences(f, S)},
        lambda d: (at_most(1, "by hand"), memory(4)),
        rtol=1e-4,
    ),
    Case(
        "low rank",
        "the same for the log-likelihood, by updates of rank two",
        ({"d": 8}, {"d": 64}),
        profile,
        low_rank,
        {"batched": table_by_differences("central")},
        lambda d: (faster(1000 if d >= 64 else 1, "batched"),),
        rtol=1e-4,
    ),
    Case(
        "complex step",
        "all entries by the complex step",
        ({"d": 8},),
        profile,
        lambda f, S, n, T: lambda: mvnlib.fd_gradient(_complex_profile(n, T), S, "free", "complex"),
        {"central": table_by_differences("central")},
        lambda d: (at_most(2, "central"),),
        rtol=1e-4,
    ),
    Case(
        "information",
        "Fisher information about vech(Sigma)",
        ({"d": 10}, {"d": 20}, {"d": 40}),
        covariance,
        lambda Sigma: lambda: mvnlib.fisher_information(Sigma)[1],
        {
            "by hand": direct(by_hand.fisher_information),
            "Kronecker": lambda S: direct(by_hand.fisher_by_kronecker)(S, mvnlib.duplication_matrix(len(S))),
            "JAX": others.jax_fisher_information,
            "PyTorch": others.torch_fisher_information,
        },
        lambda d: (at_most(1.2, "by hand"), faster(1, "Kronecker"), faster(1, "JAX"), faster(1, "PyTorch")),
    ),
    Case(
        "bound",
        "its inverse",
        ({"d": 10}, {"d": 20}, {"d": 40}),
        covariance,
        lambda Sigma: lambda: mvnlib.fisher_information_inverse(Sigma)[1],
        {"inv": by_hand.inverse_of_information},
        lambda d: (faster(8 if d >= 20 else 1, "inv"),),
    ),
    Case(
        "natural gradient",
        "its inverse times a gradient",
        ({"d": 10}, {"d": 40}),
        slope,
        natural_gradient,
        {"solve": by_hand.natural_gradient},
        lambda d: (faster(500 if d >= 40 else 1, "solve"),),
    ),
    Case(
        "hessian",
        "Hessian of the log-likelihood along a direction in Sigma",
        ({"d": 20}, {"d": 100}, {"d": 300}),
        direction,
        hessian_along,
        {"by hand": by_hand.hessian_along, "JAX": others.jax_hessian_product},
        lambda d: (at_most(1.1, "by hand"), faster(1, "JAX")),
    ),
    Case(
        "em",
        "one EM iteration, full covariances",
        ({"n": 10_000, "d": 2, "K": 3}, {"n": 100_000, "d": 10, "K": 8}, {"n": 200_000, "d": 32, "K": 16}),
        mixture,
        direct(mvnlib.em_step),
        {"scikit-learn": others.sklearn_em_step},
        of_em,
        rtol=1e-10,
    ),
    Case(
        "proof",
        "exact proof of the derivative of the inverse",
        ({"d": 3},),
        lambda d: (d,),
        programs.by_mvnlib,
        {
            "by hand": programs.by_polynomials,
            "cancel": programs.by_simplifying("cancel"),
            "simplify": programs.by_simplifying("simplify"),
        },
        of_proof,
        alone=True,
        space=None,
    ),
    Case(
        "larger proof",  # beyond the patience of anybody who waits for simplify
        "the same, one dimension more",
        ({"d": 4},),
        lambda d: (d,),
        programs.by_mvnlib,
        {"by hand": programs.by_polynomials, "cancel": programs.by_simplifying("cancel")},
        of_proof,
        alone=True,
        space=None,
    ),
    Case(
        "javascript",
        f"density and gradient in JavaScript, {programs.EVALUATIONS} times",
        ({"d": 3}, {"d": 5}),
        lambda d: (d,),
        programs.script_of_mvnlib,
        {"by hand": programs.script_by_hand, "differentiated": programs.script_by_differentiation},
        lambda d: (at_most(1.2, "by hand"),),
        alone=True,
        space=programs.code_size,
    ),
    Case(
        "import",
        "starting Python and importing",
        ({},),
        tuple,
        programs.starting("mvnlib"),
        {
            "NumPy": programs.starting("numpy"),
            "scipy.linalg": programs.starting("scipy.linalg"),
            "SymPy": programs.starting("sympy"),
            "scipy.stats": programs.starting("scipy.stats"),
        },
        lambda: (Target("above", 0.030, "NumPy"),),
        alone=True,
        space=None,
    ),
)


def _complex_profile(n: float, T: Any) -> Callable[[Any], Any]:
    from mvnlib.ops import inv, logdet

    return lambda S: -(n * logdet(S) + np.einsum("...ij,ji->...", inv(S), T)) / 2
