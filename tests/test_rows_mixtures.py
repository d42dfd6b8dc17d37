"""The rows of the truth table that the chapter on mixtures treats, each claim executed."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from tolerances import assert_close

from mvnlib import (
    em_step,
    fd_differential,
    fd_gradient,
    fit_mixture,
    fit_normal,
    logpdf,
    mixture_gradient,
    mixture_loglik,
    ops,
    responsibilities,
    spaces,
)
from mvnlib.identities import TABLE

Parameters = tuple[np.ndarray, np.ndarray, np.ndarray]

FAITHFUL = Path(__file__).resolve().parents[1] / "chapters" / "data" / "faithful.csv"
EXACT, DIFFERENCES = 1e-12, 1e-8


@pytest.fixture(scope="module")
def X() -> np.ndarray:
    return np.genfromtxt(FAITHFUL, delimiter=",", skip_header=1)[:, 1:]


@pytest.fixture(scope="module")
def start(X: np.ndarray) -> Parameters:
    """Unequal weights, so that a weight taken for another is seen."""
    Sigma = fit_normal(X)[1]
    return np.array([0.8, 0.2]), np.array([[2.5, 60.0], [4.0, 75.0]]), np.stack([Sigma / 4, Sigma / 3])


@pytest.fixture(scope="module")
def best(X: np.ndarray) -> Parameters:
    fit = fit_mixture(X, 2, rng=np.random.default_rng(0), tol=1e-15)
    return fit.weights, fit.means, fit.covariances


def densities(X: np.ndarray, theta: Parameters) -> np.ndarray:
    """The densities of the components alone, one row for each row of the data."""
    return np.array([multivariate_normal(m, S).pdf(X) for m, S in zip(theta[1], theta[2], strict=True)]).T


def Q(X: np.ndarray, theta: Parameters, old: Parameters) -> float:
    """The average of log p(Z, X) with the responsibilities at ``old``."""
    logs = [np.log(w) + logpdf(X, m, S) for w, m, S in zip(*theta, strict=True)]
    return float(np.sum(responsibilities(X, *old) * np.array(logs).T))


def with_part(theta: Parameters, part: int, value: np.ndarray) -> Parameters:
    parts = list(theta)
    parts[part] = np.array([value, *theta[part][1:]])
    return parts[0], parts[1], parts[2]


def test_the_likelihood_of_a_mixture_has_its_own_weight_before_every_component(
    X: np.ndarray, start: Parameters
) -> None:
    """S3-L: pi_k in the sum; with pi_K the weights add nothing but a constant."""
    f = densities(X, start)
    assert_close(mixture_loglik(X, *start), np.log(f @ start[0]).sum(), EXACT)
    as_printed = np.log((start[0][-1] * f).sum(axis=1)).sum()
    equal = mixture_loglik(X, np.array([0.5, 0.5]), *start[1:])
    assert_close(as_printed, equal + len(X) * np.log(2 * start[0][-1]), EXACT)
    assert abs(as_printed - mixture_loglik(X, *start)) > 10


def test_the_printed_gradient_is_that_of_equal_weights(X: np.ndarray, start: Parameters) -> None:
    """S3-dL: with pi_k it is the gradient; with pi_K above and below the weights cancel."""
    f, entry = densities(X, start), TABLE["normal_pdf_Sigma"]
    for k in (0, 1):
        slopes = np.array(
            [entry.gradient({"x": x, "mu": start[1][k], "Sigma": start[2][k]}, "frobenius") for x in X]
        )
        right = mixture_gradient(X, *start)[2][k]
        assert_close(np.tensordot(start[0][k] / (f @ start[0]), slopes, 1), right, 1e-10)
        as_printed = np.tensordot(start[0][-1] / (start[0][-1] * f).sum(axis=1), slopes, 1)
        equal = mixture_gradient(X, np.array([0.5, 0.5]), *start[1:])[2][k]
        assert_close(as_printed, equal, 1e-10)
        assert np.abs(as_printed - right).max() > 0.1 * np.abs(right).max()


def test_the_stationary_covariance_is_an_average_whose_weights_depend_on_it(
    X: np.ndarray, start: Parameters, best: Parameters
) -> None:
    """S3-Sig: both sides agree at the fit and nowhere on the way; EM iterates the right side."""

    def right_side(theta: Parameters, k: int) -> np.ndarray:
        r = responsibilities(X, *theta)[:, k]
        y = X - theta[1][k]
        return (r[:, None] * y).T @ y / r.sum()

    for k in (0, 1):
        assert_close(right_side(best, k), best[2][k], 1e-6)
        assert np.abs(right_side(start, k) - start[2][k]).max() > 0.05 * np.abs(start[2][k]).max()
    # And the weights, by their multiplier: N_k / pi_k is the same number n for all k.
    assert_close(mixture_gradient(X, *best)[0], np.full(2, float(len(X))), 1e-6)


def test_the_m_step_is_quadratic_in_the_mean_and_not_in_the_precision() -> None:
    """S3-M: the curvature in mu does not depend on the place, that in S falls to a quarter when S is doubled."""
    rng = np.random.default_rng(3)
    Y, S = rng.normal(size=(9, 2)), spaces.positive_definite.draw(rng, 2)
    a, E, direction = rng.dirichlet(np.ones(9)), spaces.symmetric.direction(rng, 2), rng.normal(size=2)

    def J(S: np.ndarray, mu: np.ndarray) -> float:
        y = Y - mu
        return -ops.logdet(S) + a @ np.einsum("ai,ij,aj->a", y, S, y)

    in_mu = [
        J(S, at + direction) - 2 * J(S, at) + J(S, at - direction) for at in (np.zeros(2), 100 * direction)
    ]
    assert_close(in_mu, np.full(2, 2 * direction @ S @ direction), 1e-9)
    slope = TABLE["em_objective"].gradient
    C = (Y.T * a) @ Y
    bends = [
        fd_differential(lambda T: np.sum(slope({"S": T, "C": C}) * E), c * S, E, "complex") for c in (1, 2)
    ]
    assert bends[0] > 0
    assert_close(bends[0] / bends[1], 4.0, 1e-10)


def test_j_is_the_part_of_q_that_belongs_to_a_component(X: np.ndarray, start: Parameters) -> None:
    """S3-J: J = -(2 / N_k) Q_k + 2 log pi_k - m log 2 pi, because the a_n sum to one; its minimum is S^-1 = C."""
    rng, m = np.random.default_rng(4), X.shape[1]
    R = responsibilities(X, *start)
    for k in (0, 1):
        r, y = R[:, k], X - start[1][k]
        a = r / r.sum()
        assert_close(a.sum(), 1.0, EXACT)

        def J(S: np.ndarray, a: np.ndarray = a, y: np.ndarray = y) -> float:
            return -np.log(np.linalg.det(S)) + a @ np.einsum("ai,ij,aj->a", y, S, y)

        for _ in range(3):
            Sigma = spaces.positive_definite.draw(rng, 2)
            S, pi = np.linalg.inv(Sigma), rng.uniform(0.1, 1)
            Q_k = r @ (np.log(pi) + logpdf(X, start[1][k], (Sigma + Sigma.T) / 2))
            assert_close(
                J(S), -2 / r.sum() * Q_k + 2 * np.log(pi) - m * np.log(2 * np.pi), 1e-11 * (1 + abs(Q_k))
            )
        C = (a[:, None] * y).T @ y
        E = spaces.symmetric.direction(rng, 2)
        scale = 0.1 / np.abs(np.linalg.eigvals(C @ E)).max()
        assert J(np.linalg.inv(C)) < min(J(np.linalg.inv(C) + s * scale * E) for s in (-1, 1))


def test_the_weights_are_posteriors_of_the_component_and_not_densities_of_the_point(
    X: np.ndarray, best: Parameters
) -> None:
    """S3-an: P(C_k | x_n), one over k for each n; a_n is normalised again, over n. The other reading fits worse."""
    R, f = responsibilities(X, *best), densities(X, best)
    assert_close(R, best[0] * f / (f @ best[0])[:, None], 1e-10)
    assert_close(R.sum(axis=1), np.ones(len(X)), EXACT)
    assert_close((R / R.sum(axis=0)).sum(axis=0), np.ones(2), EXACT)

    def fitted(weight: np.ndarray) -> Parameters:
        means = weight.T @ X / weight.sum(axis=0)[:, None]
        spreads = [(w[:, None] * (X - m)).T @ (X - m) / w.sum() for w, m in zip(weight.T, means, strict=True)]
        return best[0], means, np.array(spreads)

    assert_close(fitted(R)[2], best[2], 1e-6)
    assert mixture_loglik(X, *fitted(f)) < mixture_loglik(X, *fitted(R)) - 10


def test_the_gradients_of_l_and_q_agree_where_one_stands_and_not_after_a_step(
    X: np.ndarray, start: Parameters, best: Parameters
) -> None:
    """S3-direct: Fisher's identity; after one M step dQ = 0 but dL is not; at the fixed point both are."""
    for part in (1, 2):
        convention = "entrywise" if part == 1 else "frobenius"

        def of_Q(
            at: Parameters, old: Parameters, part: int = part, convention: str = convention
        ) -> np.ndarray:
            return fd_gradient(
                lambda v: Q(X, with_part(at, part, v), old),
                at[part][0],
                convention,
                "richardson",
                batched=False,
            )

        def of_L(at: Parameters, part: int = part) -> np.ndarray:
            return mixture_gradient(X, *at, convention="frobenius")[part][0]

        size = np.abs(of_L(start)).max()
        assert np.abs(of_Q(start, start) - of_L(start)).max() < DIFFERENCES * size
        after = em_step(X, *start)[:3]
        assert np.abs(of_Q(after, start)).max() < 1e-6 * size
        assert np.abs(of_L(after)).max() > 1e-2 * size
        assert np.abs(of_L(best)).max() < 1e-6 * size


def test_a_step_gains_at_least_what_q_gains(X: np.ndarray, start: Parameters) -> None:
    """S3-direct: L(theta) - L(theta') >= Q(theta | theta') - Q(theta' | theta'), so no step loses."""
    here = start
    for _ in range(5):
        there = em_step(X, *here)[:3]
        gain = mixture_loglik(X, *there) - mixture_loglik(X, *here)
        assert gain >= Q(X, there, here) - Q(X, here, here) > 0
        here = there


def test_the_likelihood_has_no_highest_point(X: np.ndarray, best: Parameters) -> None:
    """S3-unb: mu_1 = x_1 and Sigma_1 -> 0; every decade of the variance gains d/2 log 10, without end."""
    n = len(X)
    weights, means = np.array([1, *(n - 1) * best[0]]) / n, np.array([X[0], *best[1]])
    Sigma = fit_normal(X)[1]
    exponents = np.arange(10, 250, 30)
    values = [
        mixture_loglik(X, weights, means, np.array([10.0**-e * Sigma, *best[2]])) for e in exponents.tolist()
    ]
    assert_close(np.diff(values) / 30, np.full(len(values) - 1, np.log(10)), 1e-6)
    assert values[0] > mixture_loglik(X, *best) + 10
    # What EM found instead is a local maximum: nearby everything is lower.
    rng = np.random.default_rng(5)
    top = mixture_loglik(X, *best)
    for _ in range(20):
        shaken = best[1] + 1e-3 * rng.normal(size=(2, 2)), best[2] * (1 + 1e-3 * rng.normal())
        assert mixture_loglik(X, best[0], *shaken) < top


def test_em_takes_turns_as_alternating_least_squares_does_but_is_not_least_squares(
    X: np.ndarray, start: Parameters
) -> None:
    """S3-als: each half of a step raises F(r, theta); F is linear in r but for an entropy, and no quadratic."""

    def F(R: np.ndarray, theta: Parameters) -> float:
        logs = np.array([np.log(w) + logpdf(X, m, S) for w, m, S in zip(*theta, strict=True)]).T
        return float(np.sum(R * (logs - np.log(R))))

    here, R, climb = start, np.full((len(X), 2), 0.5), []
    for _ in range(4):
        climb.append(F(R, here))
        R = responsibilities(X, *here)
        climb.append(F(R, here))
        assert_close(climb[-1], mixture_loglik(X, *here), 1e-10)
        here = em_step(X, *here)[:3]
    assert (np.diff(climb) > 0).all()
    # Third differences of a quadratic vanish; along a line in r they do not.
    along = [F(0.3 + t * (np.array([0.7, 0.3]) - 0.3) + 0 * R, start) for t in (0, 1 / 3, 2 / 3, 1)]
    assert abs(np.diff(along, 3)[0]) > 1e-2


def test_q_is_the_average_of_the_complete_log_likelihood_over_all_labellings(start: Parameters) -> None:
    """S2-Q: the expectation is under p(Z | X, theta_n): K^n terms, which collapse to r (log pi + log f)."""
    rng = np.random.default_rng(6)
    X = np.array([[2.0, 55.0], [4.4, 80.0], [3.3, 66.0], [2.9, 70.0], [4.0, 62.0]])
    new = (
        np.array([0.3, 0.7]),
        start[1] + rng.normal(size=(2, 2)),
        np.stack([start[2][1], 2 * start[2][0]]),
    )
    f = {id(theta): densities(X, theta) for theta in (start, new)}

    def complete(z: tuple[int, ...], theta: Parameters) -> float:
        return float(sum(np.log(theta[0][k] * f[id(theta)][a, k]) for a, k in enumerate(z)))

    labellings = list(itertools.product((0, 1), repeat=len(X)))
    posterior = np.exp([complete(z, start) for z in labellings])
    total = posterior.sum()
    assert_close(np.log(total), mixture_loglik(X, *start), 1e-12)
    average = sum(p / total * complete(z, new) for p, z in zip(posterior, labellings, strict=True))
    assert_close(average, Q(X, new, start), 1e-12)


def test_the_reconstructed_page_arrives_at_the_maximum_of_q(X: np.ndarray, start: Parameters) -> None:
    """S2-img: dQ/dmu_k = dQ/dSigma_k = 0 and the multiplier give the M step, and nothing near it is higher."""
    step = em_step(X, *start)[:3]
    R = responsibilities(X, *start)
    N = R.sum(axis=0)
    assert_close(step[0], N / len(X), EXACT)
    assert_close(step[1], R.T @ X / N[:, None], EXACT)
    for k in (0, 1):
        y = X - step[1][k]
        assert_close(step[2][k], (R[:, k, None] * y).T @ y / N[k], 1e-11)
        tables = [
            TABLE["normal_logpdf_Sigma"].gradient({"x": x, "mu": step[1][k], "Sigma": step[2][k]}) for x in X
        ]
        terms = np.abs(tables).sum(axis=0).max()
        assert np.abs(np.tensordot(R[:, k], tables, 1)).max() < 1e-10 * terms
    top, rng = Q(X, step, start), np.random.default_rng(7)
    for _ in range(50):
        shift = 0.02 * rng.normal()
        weights = step[0] + np.array([shift, -shift])
        root = np.eye(2) + 0.05 * rng.normal(size=(2, 2, 2))
        covariances = root @ step[2] @ root.transpose(0, 2, 1)
        moved = (
            weights,
            step[1] + 0.05 * rng.normal(size=(2, 2)),
            (covariances + covariances.transpose(0, 2, 1)) / 2,
        )
        assert Q(X, moved, start) < top
