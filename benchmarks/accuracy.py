"""How exact mvnlib is, against references of fifty digits: ``python -m benchmarks.accuracy``.

An error is reported in units of what the conditioning allows.  Had somebody rounded the parameters and the data
before we got them, the exact results would have moved; no program can be asked for more.  So the unit of a result
is the furthest that it moves, to first order, when

* Sigma (or L, or P, where that is the parameter) moves by eps times its norm;
* every deviation y = x - mu of a row moves by eps |y|, and what is summed over the rows, s = sum y and
  T = sum y y^T, by eps sum |y| and eps sum |y|^2;
* the result itself moves by eps times its size.

Norms are spectral.  With P = Sigma^-1, p = ||P||, kappa = ||Sigma|| p, z = P y and sums over the n rows the units,
in eps, are

* log density of a row: ||Sigma|| (tr P + |z|^2) / 2 + |z| |y| + |log f|;
* log-likelihood: ||Sigma|| (n tr P + tr P T P) / 2 + p sum |y|^2 / 2 + |log-likelihood|;
* gradient in mu: kappa |P s| + p sum |y|;
* gradient in Sigma: kappa (n p + 2 ||P T P||) / 2 + p^2 sum |y|^2 / 2;
* gradient in L: lambda (l (n + ||Z||) + ||L^-T Z||) + l^3 sum |y|^2, with l = ||L^-1||, lambda = ||L|| l and
  Z = L^-1 T L^-T;
* gradient in P: kappa n ||Sigma|| / 2 + sum |y|^2 / 2;
* Hessian product: the same for every factor of the formula, see ``hessian_units``;
* Fisher information: 2 kappa p^2;
* log-likelihood of a mixture: sum r u over rows and components, with u the unit of log f in that component, and
  the sum of the sizes of the rows' terms;
* EM step: a responsibility moves by r (u + sum r u), and the moments with it; see ``mixture_errors``.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.linalg import norm

import mvnlib
from benchmarks import precise
from benchmarks.report import write
from mvnlib.ops import inv, logdet

EPS = float(np.finfo(float).eps)
#: At most so many rows are different; they are repeated and shuffled, so that references are quick to compute.
#: Equal rows are rounded equally, and errors that all have one sign do not cancel in a sum: it is the harder case.
DIFFERENT = 60
WHERE = ("near", "far from the origin", "far from the mean", "far along the axis")
#: Distances between the components of a mixture, in their largest standard deviations.
APART = {"apart": 1e2, "far apart": 1e3}
OF_MIXTURES = ("near", "far from the origin", "far from the mean", "apart", "far apart")


@dataclass(frozen=True, eq=False)
class Problem:
    """Parameters and data: n rows ``different[which]``."""

    Sigma: Any
    mu: Any
    different: Any
    which: Any

    @property
    def X(self) -> Any:
        return self.different[self.which]

    @property
    def counts(self) -> Any:
        return np.bincount(self.which)


def covariance(rng: np.random.Generator, d: int, condition: float) -> tuple[Any, Any]:
    """A covariance matrix of largest eigenvalue one with the condition number, and a factor of it."""
    factor = np.linalg.qr(rng.standard_normal((d, d)))[0] * np.sqrt(np.geomspace(1, 1 / condition, d))
    S = factor @ factor.T
    return (S + S.T) / 2, factor


def shuffled(rng: np.random.Generator, n: int, different: int) -> Any:
    """Which of the different rows each of n rows is: all of them occur."""
    again = rng.integers(different, size=n - different)
    return rng.permutation(np.concatenate([np.arange(different), again]))


def problem(condition: float, d: int, n: int, where: str = "near", seed: int = 0) -> Problem:
    """Rows of a normal distribution, where ``where`` says.

    Near the mean; with it, 10^8 from the origin; 10^4 from the mean in any direction, or along the longest axis
    of the distribution.
    """
    rng = np.random.default_rng(seed)
    Sigma, factor = covariance(rng, d, condition)
    mu = rng.standard_normal(d) + (1e8 if where == "far from the origin" else 0.0)
    Y = rng.standard_normal((min(n, DIFFERENT), d)) @ factor.T
    if where == "far from the mean":
        away = rng.standard_normal(d)
        Y += 1e4 * away / norm(away)
    if where == "far along the axis":
        Y += 1e4 * factor[:, 0]
    return Problem(Sigma, mu, mu + Y, shuffled(rng, n, len(Y)))


def size(A: Any) -> float:
    """Spectral norm."""
    return float(norm(A, 2))


def gap(found: Any, exact: Any, unit: Any) -> float:
    """The largest error, in units."""
    return float(np.max(np.abs(precise.precise(found) - exact) / unit))


def normal_errors(problem: Problem) -> dict[str, float]:
    """The errors of everything about one normal distribution, in units."""
    Sigma, mu, counts, X = problem.Sigma, problem.mu, problem.counts, problem.X
    rng = np.random.default_rng(1)
    d, n = len(mu), len(X)
    L = np.linalg.cholesky(Sigma)
    E, dmu = rng.standard_normal((d, d)), rng.standard_normal(d)
    E = E + E.T

    # In fifty digits
    Y = precise.precise(problem.different) - precise.precise(mu)
    P, log_det = precise.inverse_and_logdet_of(Sigma)
    count, s, T = precise.sums(Y, precise.precise(counts))
    rows = precise.logpdf(Y, P, log_det)

    # For the units
    y, inverse = Y.astype(float), P.astype(float)
    z = precise.product(Y, P).astype(float)
    a, p, S = size(precise.product(precise.product(P, T), P).astype(float)), size(inverse), size(Sigma)
    kappa, Ps = S * p, norm((P @ s).astype(float))
    length_y, length_z = norm(y, axis=1), norm(z, axis=1)
    sum_y, sum_yy = counts @ length_y, counts @ length_y**2

    errors = {}
    some = slice(0, 1000)  # the rows come in random order
    found, which = mvnlib.logpdf(X, mu, Sigma)[some], problem.which[some]
    unit = S * (np.trace(inverse) + length_z**2) / 2 + length_z * length_y + np.abs(rows.astype(float))
    errors["log density of a row"] = gap(found, rows[which], EPS * unit[which])

    value = (rows * counts).sum()
    unit = S * (n * np.trace(inverse) + counts @ length_z**2) / 2 + p * sum_yy / 2 + abs(float(value))
    errors["log-likelihood"] = gap(mvnlib.loglik(X, mu, Sigma), value, EPS * unit)

    in_mu, in_Sigma = mvnlib.loglik_gradient(X, mu, Sigma)
    exact_mu, exact_Sigma = precise.loglik_gradient(count, s, T, P)
    errors["gradient in mu"] = gap(in_mu, exact_mu, EPS * (kappa * Ps + p * sum_y))
    unit = kappa * (n * p + 2 * a) / 2 + p**2 * sum_yy / 2
    errors["gradient in Sigma"] = gap(in_Sigma, exact_Sigma, EPS * unit)

    # The factor is an argument of its own: Sigma is now exactly L L^T
    inverse_L = precise.inverse_and_logdet_of(L)[0]
    _, in_L = mvnlib.loglik_gradient_factor(X, mu, L)
    W = np.linalg.solve(L, y.T)
    Z = (W * counts) @ W.T
    short = 1 / np.linalg.svd(L, compute_uv=False)[-1]
    unit = size(L) * short * (short * (n + size(Z)) + size(np.linalg.solve(L.T, Z))) + short**3 * sum_yy
    errors["gradient in L"] = gap(in_L, precise.loglik_gradient_factor(count, T, inverse_L), EPS * unit)

    given = (inverse + inverse.T) / 2
    _, in_P = mvnlib.loglik_gradient_precision(X, mu, given)
    exact_P = (count * precise.inverse_and_logdet_of(given)[0] - T) / 2
    errors["gradient in P"] = gap(in_P, exact_P, EPS * (kappa * n * S + sum_yy) / 2)

    found = mvnlib.loglik_hessian(X, mu, Sigma, dmu, E)
    exact = precise.loglik_hessian(count, s, T, P, precise.precise(dmu), precise.precise(E))
    units = hessian_units(n, kappa, p, a, Ps, sum_y, sum_yy, size(E), norm(dmu))
    errors["Hessian product"] = max(map(gap, found, exact, units))

    i, j = np.triu_indices(d)[::-1]
    chosen = rng.integers(len(i), size=(2, 400))
    information = mvnlib.fisher_information(Sigma)[1][tuple(chosen)]
    entries = precise.fisher_entries(P, *chosen, order=(i, j))
    errors["Fisher information"] = gap(information, entries, EPS * 2 * kappa * p**2)
    return errors


def hessian_units(
    n: int, kappa: float, p: float, a: float, Ps: float, sum_y: float, sum_yy: float, e: float, m: float
) -> tuple[float, float]:
    """Units of -P (n dmu + E P s) and of sym(P E (n P / 2 - A) - P dmu (P s)^T).

    A = P T P has the norm a, E the norm e, dmu the length m.
    """
    in_Ps, in_A = kappa * Ps + p * sum_y, 2 * kappa * a + p**2 * sum_yy
    in_mu = kappa * p * (n * m + e * Ps) + p * e * in_Ps
    in_Sigma = kappa * p * e * (n * p / 2 + a) + p * e * (kappa * n * p / 2 + in_A)
    return EPS * in_mu, EPS * (in_Sigma + p * m * (kappa * Ps + in_Ps))


def mixture_errors(condition: float, d: int, n: int, where: str = "near", seed: int = 0) -> dict[str, float]:
    """The errors of the log-likelihood of a mixture of three, and of an EM step, in units.

    With the unit u of a row's log f in a component, a responsibility r moves by c = r (u + sum r u), the weight by
    sum c / n, the mean by sum c |x - mu| / N, the covariance by sum c (|x - mu|^2 + ||Sigma||) / N; to each comes
    the rounding of its own sum, and to the covariance the square of the rounding of the mean.
    """
    rng = np.random.default_rng(seed)
    K = 3
    drawn = [covariance(rng, d, condition) for _ in range(K)]
    covariances = np.stack([S for S, _ in drawn])
    means, weights = rng.standard_normal((K, d)), np.array([0.5, 0.3, 0.2])
    if where == "far from the origin":
        means += 1e8
    if where in APART:
        means *= APART[where]
    m = min(n, DIFFERENT)
    different = np.stack([means[k] + drawn[k][1] @ rng.standard_normal(d) for k in rng.integers(K, size=m)])
    if where == "far from the mean":
        away = rng.standard_normal(d)
        different += 1e4 * away / norm(away)
    which = shuffled(rng, n, m)
    X, counts = different[which], np.bincount(which)

    exact = precise.em_step(different, counts, weights, means, covariances)
    r, log_f = exact["responsibilities"].astype(float), exact["log densities"].astype(float)
    u = np.empty((K, m))
    for k, P in enumerate(exact["precisions"].astype(float)):
        Y = different - means[k]
        y, z = norm(Y, axis=1), norm(Y @ P, axis=1)
        u[k] = size(covariances[k]) * (np.trace(P) + z**2) / 2 + z * y + np.abs(log_f[k])
    c = r * (u + (r * u).sum(axis=0))
    errors = {}
    value = mvnlib.mixture_loglik(X, weights, means, covariances)
    errors["log-likelihood of a mixture"] = gap(
        value, exact["loglik"], EPS * (counts @ (r * u).sum(axis=0) + n * 2)
    )

    # A component of which float64 sees nothing keeps its parameters.
    N = r @ counts
    seen = np.flatnonzero(N > 1e-80)
    new, c, r, N = exact["means"].astype(float)[seen], c[seen], r[seen], N[seen]
    y = norm(different - new[:, None], axis=2)
    sizes = np.array([size(S) for S in exact["covariances"].astype(float)[seen]])
    units = {
        "weights": c @ counts / n + N / n,
        "means": ((c + r) * y) @ counts / N + norm(new, axis=1),
        "covariances": (c * (y**2 + sizes[:, None]) + 2 * r * y**2) @ counts / N
        + EPS * norm(new, axis=1) ** 2,
    }
    found = dict(zip(units, mvnlib.em_step(X, weights, means, covariances), strict=False))
    errors["EM step"] = max(
        gap(found[name][k], exact[name][k], EPS * unit)
        for name, of_all in units.items()
        for k, unit in zip(seen, of_all, strict=True)
    )
    return errors


SCHEMES = ("central", "richardson", "complex")


def difference_errors(condition: float, d: int, seed: int = 0) -> dict[str, float | None]:
    """Relative errors of the gradient in Sigma by differences of values, and by the formula, as a floor.

    None where the library refuses.
    """
    n = 100
    given = problem(condition, d, n, seed=seed)
    Y, S = given.X - given.mu, given.Sigma
    known = mvnlib.NormalStatistics(n, given.mu, Y.T @ Y)  # for all of them the same T, and s = 0
    T = known.scatter

    def f(S: Any) -> Any:
        return -(n * logdet(S) + np.einsum("...ij,ji->...", inv(S), T)) / 2

    P, _ = precise.inverse_and_logdet_of(S)
    _, exact = precise.loglik_gradient(n, precise.precise(0 * given.mu), precise.precise(T), P)
    largest = float(np.abs(exact).max())
    errors: dict[str, float | None] = {}
    for scheme in SCHEMES:
        try:
            errors[scheme] = gap(mvnlib.fd_gradient(f, S, "frobenius", scheme), exact, largest)
        except ValueError:  # a step that is lost in rounding is refused
            errors[scheme] = None
    errors["formula"] = gap(mvnlib.loglik_gradient(known, given.mu, S)[1], exact, largest)
    return errors


def study(grid: Any, differences: Any) -> dict[str, Any]:
    """All errors on a grid of (condition number, d, n); ``differences`` is one of (condition number, d)."""
    rows = []
    for condition, d, n in grid:
        for where in dict.fromkeys(WHERE + OF_MIXTURES):
            errors = normal_errors(problem(condition, d, n, where)) if where in WHERE else {}
            if where in OF_MIXTURES:
                errors |= mixture_errors(condition, d, n, where)
            rows.append({"condition": condition, "d": d, "n": n, "where": where, "errors": errors})
    by_values = [
        {"condition": condition, "d": d, "errors": difference_errors(condition, d)}
        for condition, d in differences
    ]
    return {"eps": EPS, "rows": rows, "differences": by_values}


def worst(rows: list[dict[str, Any]]) -> dict[str, float]:
    """The largest error of each function."""
    found: dict[str, float] = {}
    for row in rows:
        for name, error in row["errors"].items():
            found[name] = max(error, found.get(name, 0.0))
    return found


def main() -> None:
    """Run the whole grid, print the worst of each function, and write ``accuracy.json``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("accuracy.json"))
    output = parser.parse_args().output
    begun = time.perf_counter()
    powers = [10.0**k for k in range(13)]
    numbers = (1, 100, 100_000)
    grid = [(1.0, 1, n) for n in numbers]
    grid += [(condition, d, n) for condition in powers[::2] for d in (2, 5, 20) for n in numbers]
    grid += [(condition, 50, n) for condition in powers[::4] for n in numbers]
    results = study(grid, [(condition, d) for condition in powers for d in (2, 5)])
    for name, error in worst(results["rows"]).items():
        print(f"{name:30}{error:10.2f} units")
    write(results, output)
    print(f"{output.name} is written ({time.perf_counter() - begun:.0f} s).")


if __name__ == "__main__":
    main()
