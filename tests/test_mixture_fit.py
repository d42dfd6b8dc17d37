"""Fits that people can use: a prior, several starts, a word about saddles, and a result that prints itself."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture
from test_mixture import CALLS, FAITHFUL, GOOD, by_scipy, draw
from tolerances import assert_close, rounding

from mvnlib import (
    Mixture,
    MixtureStatistics,
    em_step,
    fit_mixture,
    fit_normal,
    mixture_gradient,
    mixture_loglik,
)
from mvnlib.mixture import stationary

SQUARE = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]])
#: A component collapses on the last two rows, wherever it starts.
TWICE = np.concatenate([SQUARE, [[30.0, 30.0], [30.0, 30.0]]])
LINE = np.outer(np.arange(9.0), [1.0, 2.0])


@pytest.fixture(scope="module")
def faithful() -> np.ndarray:
    return np.genfromtxt(FAITHFUL, delimiter=",", skip_header=1)[:, 1:]


def seeded(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def parameters_of(fit: Mixture) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return fit.weights, fit.means, fit.covariances


def twins(X: np.ndarray, K: int = 2, apart: float = 0.0) -> tuple[Any, Any, Any]:
    """The one normal distribution of all rows in every component, the first moved a little."""
    mu, Sigma = fit_normal(X)
    means = np.repeat(mu[None], K, axis=0)
    means[0, 0] += apart
    return np.full(K, 1 / K), means, np.repeat(Sigma[None], K, axis=0)


# A prior


def penalty(covariances: np.ndarray, m: float, V: np.ndarray) -> float:
    """The log of the prior, term by term."""
    d = len(V)
    return sum(
        -m / 2 * (np.linalg.slogdet(S)[1] + np.trace(np.linalg.solve(S, V)) - np.linalg.slogdet(V)[1] - d)
        for S in covariances
    )


@pytest.mark.parametrize("K", [1, 3])
def test_with_a_prior_no_step_loses_and_the_history_is_of_both_terms(faithful: np.ndarray, K: int) -> None:
    V = np.array([[0.2, 0.5], [0.5, 20.0]])
    seen: list[float] = []

    def watch(iteration: int, parameters: Any, value: float) -> None:
        expected = by_scipy(faithful, parameters)[0] + penalty(parameters[2], 7.0, V)
        assert_close(value, expected, 1e-10)
        seen.append(value)

    fit = fit_mixture(faithful, K, rng=seeded(), prior=(7, V), callback=watch)
    assert fit.history == tuple(seen)
    assert (np.diff(fit.history) > -1e-9).all()
    assert_close(fit.loglik, mixture_loglik(faithful, *parameters_of(fit)), rounding())
    cut = fit_mixture(faithful, K, rng=seeded(), prior=(7, V), max_iter=1)
    assert_close(cut.history[-1], cut.loglik + penalty(cut.covariances, 7.0, V), rounding(100))


def test_at_the_fit_the_gradient_of_likelihood_and_prior_together_vanishes(faithful: np.ndarray) -> None:
    m, V = 9.0, np.array([[0.2, 0.5], [0.5, 20.0]])
    fit = fit_mixture(faithful, 2, rng=seeded(), prior=(m, V), tol=1e-15)
    in_weights, in_means, in_covariances = mixture_gradient(faithful, *parameters_of(fit))
    P = np.linalg.inv(fit.covariances)
    in_covariances = in_covariances - m / 2 * (P - P @ V @ P)
    deviations = np.sqrt(np.diagonal(fit.covariances, axis1=1, axis2=2))
    assert_close(in_weights, np.full(2, 272.0), 1e-6)
    assert np.abs(in_means * deviations).max() < 1e-5 * 272
    assert np.abs(in_covariances * deviations[:, :, None] * deviations[:, None, :]).max() < 1e-5 * 272
    assert np.abs(m / 2 * (P - P @ V @ P) * deviations[:, :, None] * deviations[:, None]).max() > 1


def test_a_number_of_rows_stands_for_a_share_of_the_covariance_of_the_data(faithful: np.ndarray) -> None:
    _, Sigma = fit_normal(faithful)
    fits = [
        fit_mixture(faithful, 4, rng=seeded(), prior=prior, max_iter=20)
        for prior in (7, (7.0, 0.25), (7, np.array(0.25)), [np.float32(7), Sigma / 4])
    ]
    for other in fits[1:]:
        assert_close(other.covariances[0], fits[0].covariances[0], 1e-8)
        assert_close(other.history[-1], fits[0].history[-1], 1e-10)


@pytest.mark.parametrize("units", [[1.0, 1.0], [2.0**40, 2.0**-40]])
def test_with_a_prior_that_is_a_share_units_do_not_matter(faithful: np.ndarray, units: list[float]) -> None:
    here, there = (fit_mixture(faithful * a, 3, rng=seeded(), prior=5) for a in ([1.0, 1.0], units))
    assert len(here.history) == len(there.history)
    assert_close(there.means / units, here.means, 1e-9)
    gap = np.array(there.history) + 272 * np.log(units).sum() - here.history
    assert np.abs(gap).max() < 1e-8


@pytest.mark.parametrize("seed", range(5))
def test_with_a_prior_rows_that_are_alike_are_no_collapse(seed: int) -> None:
    for X in (TWICE, np.concatenate([seeded(4).standard_normal((30, 2)), np.full((10, 2), 20.0)])):
        fit = fit_mixture(X, 2, rng=seeded(seed), prior=(1, np.eye(2)))
        assert fit.converged
        assert fit.maximum
        k = int(np.argmax(fit.means[:, 0]))
        N = len(X) * fit.weights[k]
        assert_close(fit.covariances[k], np.eye(2) / (N + 1), 1e-6)  # nothing of its own


def test_a_prior_without_rows_to_speak_of_leaves_the_fit_as_it_is(faithful: np.ndarray) -> None:
    plain, weak = fit_mixture(faithful, 2, rng=seeded()), fit_mixture(faithful, 2, rng=seeded(), prior=1e-9)
    assert_close(weak.covariances[0], plain.covariances[0], 1e-7)
    with pytest.raises(
        np.linalg.LinAlgError, match=r"collapsed on rows .*: the prior is too weak; try a prior"
    ):
        fit_mixture(TWICE, 2, rng=seeded(), prior=(1e-40, 1.0))


def test_a_prior_that_is_a_matrix_makes_up_for_rows_that_do_not_span_the_space() -> None:
    fit = fit_mixture(LINE, 2, rng=seeded(), prior=(3, np.eye(2)))
    assert fit.converged
    assert np.linalg.eigvalsh(fit.covariances).min() > 0.1
    words = (
        r"the 9 rows of X do not span its 2 dimensions about their mean \(smallest eigenvalue .*\): "
        r"the likelihood is unbounded; leave out columns .* or pass prior=\(m, V\)"
    )
    for prior in (None, 3, (3, 0.5)):
        with pytest.raises(np.linalg.LinAlgError, match=words):
            fit_mixture(LINE, 2, rng=seeded(), prior=prior)


def test_a_component_without_rows_has_the_covariance_of_the_prior() -> None:
    X, (weights, means, covariances) = draw(12, 2, 2, 2)
    means[1] += 1e6
    V = np.diag([3.0, 4.0])
    fit = fit_mixture(X, 2, start=(weights, means, covariances), prior=(5, V), max_iter=3)
    assert fit.weights.tolist() == [1.0, 0.0]
    assert_close(fit.covariances[1], V, rounding())


@pytest.mark.parametrize(
    ("prior", "error", "words"),
    [
        (0, ValueError, "^prior must be positive, but it is 0"),
        (np.nan, ValueError, "^prior must be finite"),
        (True, TypeError, r"^prior must be None, a number of rows m, or a pair \(m, V\), not True"),
        ("weak", TypeError, "^prior must be None, .*'weak'"),
        ((1, 2, 3), TypeError, r"^prior must be None, .*\(1, 2, 3\)"),
        ((-1, 0.5), ValueError, r"^m of prior=\(m, V\) must be positive"),
        ((1, 0.0), ValueError, r"^V of prior=\(m, V\) must be positive"),
        ((1, np.eye(3)), ValueError, r"^V of prior=\(m, V\) must have shape \(2, 2\)"),
        ((1, [1.0, 2.0]), ValueError, r"^V of prior=\(m, V\) must be a matrix"),
        ((1, [[1.0, 2.0], [2.0, 1.0]]), np.linalg.LinAlgError, r"^V of prior=\(m, V\) must be positive def"),
    ],
)
def test_a_bad_prior_is_named(prior: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        fit_mixture(SQUARE, 1, rng=seeded(), prior=prior)


# Several starts


def test_the_best_of_several_starts_is_kept_and_the_others_are_told(faithful: np.ndarray) -> None:
    several = fit_mixture(faithful, 3, rng=seeded(1), n_init=3)
    rng = seeded(1)
    alone = [fit_mixture(faithful, 3, rng=rng) for _ in range(3)]
    assert several.starts == tuple(fit.loglik for fit in alone)
    assert len({round(value, 2) for value in several.starts}) > 1
    best = max(alone, key=lambda fit: fit.loglik)
    assert several.history == best.history
    assert np.array_equal(several.means, best.means)
    assert several.collapsed == 0
    assert alone[0].starts == (alone[0].loglik,)


def test_with_several_starts_the_fit_is_as_good_as_that_of_scikit_learn(faithful: np.ndarray) -> None:
    theirs = GaussianMixture(
        3, n_init=5, init_params="k-means++", tol=1e-9, max_iter=3000, random_state=0
    ).fit(faithful)
    mine = fit_mixture(faithful, 3, rng=seeded(1), n_init=5)
    assert mine.loglik > theirs.score(faithful) * len(faithful) - 1e-3


def test_starts_that_collapse_are_counted_and_only_if_all_do_it_is_an_error() -> None:
    X = np.concatenate([seeded(4).standard_normal((40, 2)), [[9.0, 9.0], [9.0, 9.0]]])
    outcomes = []
    rng = seeded(1)
    for _ in range(8):
        try:
            outcomes.append(fit_mixture(X, 3, rng=rng).loglik)
        except np.linalg.LinAlgError:
            outcomes.append(None)
    kept = [value for value in outcomes if value is not None]
    assert 0 < len(kept) < 8
    fit = fit_mixture(X, 3, rng=seeded(1), n_init=8)
    assert fit.starts == tuple(kept)
    assert fit.collapsed == 8 - len(kept)
    assert fit.loglik == max(kept)
    with pytest.raises(
        np.linalg.LinAlgError,
        match=r"^all 3 starts have collapsed, the first thus: after \d+ EM steps component \d of 2 .*; try .*a prior",
    ):
        fit_mixture(TWICE, 2, rng=seeded(), n_init=3)
    with pytest.raises(np.linalg.LinAlgError, match=r"^after \d+ EM steps component .*n_init draws several"):
        fit_mixture(TWICE, 2, rng=seeded())


def test_a_true_answer_of_the_callback_stops_all_starts(faithful: np.ndarray) -> None:
    seen: list[int] = []

    def watch(iteration: int, parameters: Any, value: float) -> bool:
        seen.append(iteration)
        return seen.count(0) == 3 and iteration == 2

    fit = fit_mixture(faithful, 2, rng=seeded(), n_init=5, callback=watch)
    assert seen.count(0) == 3 == len(fit.starts)
    assert seen[-3:] == [0, 1, 2]
    assert fit.loglik == max(fit.starts)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"n_init": 0}, ValueError, "^n_init must be at least 1"),
        ({"n_init": 2.0}, TypeError, "^n_init must be a whole number"),
        ({"n_init": 2, "start": twins(SQUARE)}, ValueError, "^n_init must be 1 with a start of your own"),
    ],
)
def test_a_bad_number_of_starts_is_named(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        fit_mixture(SQUARE, 2, **{"rng": seeded(), **options})


# Maxima, saddles, and components that are the same


@pytest.mark.parametrize("K", [2, 3])
def test_a_fit_that_stops_where_components_are_the_same_says_so(faithful: np.ndarray, K: int) -> None:
    with pytest.warns(UserWarning, match=r"components 0 and 1.* are identical.* saddle.*n_init") as caught:
        fit = fit_mixture(faithful, K, start=twins(faithful, K))
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert fit.converged
    assert fit.maximum is False
    assert len(fit.identical) == K * (K - 1) / 2
    assert fit.identical[0] == (0, 1)


def test_two_of_three_components_that_are_the_same_are_named(faithful: np.ndarray) -> None:
    two = fit_mixture(faithful, 2, rng=seeded())
    where = [0, 1, 1]
    start = two.weights[where] / [1, 2, 2], two.means[where], two.covariances[where]
    with pytest.warns(UserWarning, match="components 1 and 2 are identical"):
        fit = fit_mixture(faithful, 3, start=start)
    assert fit.identical == ((1, 2),)
    assert fit.maximum is False


def test_a_saddle_between_different_components_is_recognised() -> None:
    """Three clusters on a line, a mirror image to the row, and a start that shares the middle one out evenly."""
    half = np.abs(seeded(1).standard_normal(40)) / 2
    right = np.concatenate([half, 6 + seeded(2).standard_normal(60)])
    X = np.concatenate([right, -right])[:, None]
    fit = fit_quietly(X, ([0.5, 0.5], [[-4.0], [4.0]], [[[6.0]], [[6.0]]]))
    assert fit.converged
    assert fit.identical == ()
    assert abs(fit.means.sum()) < 1e-9  # still a mirror image
    assert largest_by_differences(X, fit) > 1.01
    assert fit.maximum is False
    better = fit_mixture(X, 2, start=([0.6, 0.4], fit.means, fit.covariances))
    assert better.loglik > fit.loglik + 1
    assert better.maximum is True


def fit_quietly(X: np.ndarray, start: Any, **options: Any) -> Mixture:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return fit_mixture(X, len(start[0]), start=start, **options)


def largest_by_differences(X: np.ndarray, fit: Mixture) -> float:
    """The largest eigenvalue of the derivative of an EM step, all entries of it by central differences."""
    K, d = fit.means.shape
    sizes = [K, K * d]

    def flat(parts: Any) -> np.ndarray:
        lower = np.tril_indices(d)
        return np.concatenate(
            [parts[0], np.ravel(parts[1]), np.ravel(np.asarray(parts[2])[:, lower[0], lower[1]])]
        )

    def step(v: np.ndarray) -> np.ndarray:
        w, m, lower = np.split(v, np.cumsum(sizes))
        S = np.zeros((K, d, d))
        S[:, *np.tril_indices(d)] = lower.reshape(K, -1)
        S = S + S.transpose(0, 2, 1) - np.einsum("kii->ki", S)[:, :, None] * np.eye(d)
        return flat(em_step(X, w, m.reshape(K, d), S)[:3])

    here = flat(parameters_of(fit))
    h = 1e-6 * np.maximum(np.abs(here), 1e-2)
    J = np.array([(step(here + e) - step(here - e)) / (2 * e.sum()) for e in np.diag(h)]).T
    return float(np.linalg.eigvals(J).real.max())


@pytest.mark.parametrize(("K", "seed"), [(2, 0), (3, 0), (3, 1)])
def test_the_largest_eigenvalue_of_a_step_is_that_of_its_whole_derivative(
    faithful: np.ndarray, monkeypatch: pytest.MonkeyPatch, K: int, seed: int
) -> None:
    found: list[tuple[float, float]] = []
    largest: Callable[..., tuple[float, float]] = stationary._largest_eigenvalue

    def watch(*args: Any) -> tuple[float, float]:
        found.append(largest(*args))
        return found[-1]

    monkeypatch.setattr(stationary, "_largest_eigenvalue", watch)
    fit = fit_mixture(faithful, K, rng=seeded(seed), tol=1e-13)
    ((highest, doubt),) = found
    whole = largest_by_differences(faithful, fit)
    assert whole - 0.05 <= highest <= whole + 1e-3  # from below, and no nearer than the verdict needs
    assert highest + doubt < 1
    assert fit.maximum is True
    fit_mixture(faithful, K, rng=seeded(seed), tol=1e-13)
    assert found[1] == found[0]  # nothing in it is left to chance
    stuck = fit_quietly(faithful, twins(faithful))
    assert stuck.maximum is False
    assert 1 < found[-1][0] <= largest_by_differences(faithful, stuck) + 1e-3


def test_a_fit_that_has_not_converged_is_not_judged(faithful: np.ndarray) -> None:
    for options in ({"max_iter": 2}, {"callback": lambda *_: True}):
        fit = fit_mixture(faithful, 2, start=twins(faithful, apart=1e-3), **options)
        assert fit.maximum is None
        assert not fit.converged


def test_a_start_beside_a_saddle_goes_on_to_the_maximum_or_says_that_it_did_not(faithful: np.ndarray) -> None:
    away = fit_mixture(faithful, 2, start=twins(faithful, apart=1e-3))
    assert away.maximum is True
    assert away.identical == ()
    near = fit_quietly(faithful, twins(faithful, apart=1e-3), tol=1e-3)
    assert near.converged
    assert near.maximum is False


def test_data_far_away_are_judged_alike_or_not_at_all(faithful: np.ndarray) -> None:
    assert fit_mixture(faithful + 2.0**30, 2, rng=seeded()).maximum is True
    far = fit_mixture(np.round(faithful * 1024) / 1024 + 2.0**40, 2, rng=seeded())
    assert far.converged
    assert far.maximum in (True, None)


def test_the_judgement_takes_nothing_from_the_generator(faithful: np.ndarray) -> None:
    one, two = seeded(3), seeded(3)
    fit_mixture(faithful, 2, rng=one)
    fit_mixture(faithful, 2, rng=two, max_iter=1)
    assert one.random() == two.random()


# A result that prints itself


def test_a_mixture_prints_itself_in_a_few_lines(faithful: np.ndarray) -> None:
    fit = fit_mixture(faithful, 2, rng=seeded(), n_init=3)
    lines = repr(fit).splitlines()
    assert lines[0] == "Mixture of 2 normal components in 2 dimensions"
    assert lines[1].split() == ["component", "weight", "mean", "standard", "deviations"]
    assert any(
        re.match(r"  \d +0\.356 +\[2\.036, 54\.48\] +\[0\.263, 5\.805\]$", line) for line in lines[2:4]
    )
    assert re.match(r"  log-likelihood -1130\.264, converged after \d+ steps$", lines[4])
    assert lines[5] == "  best of 3 starts: 3 ended here, 0 collapsed"
    assert len(lines) == 6
    html = fit._repr_html_()
    for word in ("<table>", "<caption>Mixture of 2", 'scope="col">weight', "<td>0.356</td>", "-1130.264"):
        assert word in html
    assert "not converged after 1 step" in repr(fit_mixture(faithful, 2, rng=seeded(), max_iter=1))
    assert "identical" in repr(fit_quietly(faithful, twins(faithful)))
    assert "saddle" in fit_quietly(faithful, twins(faithful))._repr_html_()


def test_a_large_mixture_prints_no_more_than_a_screen() -> None:
    X, parameters = draw(200, 30, 40, 0)
    fit = fit_mixture(X, 40, start=parameters, callback=lambda *_: True)
    lines = repr(fit).splitlines()
    assert len(lines) <= 10
    assert max(map(len, lines)) < 120
    assert lines[0] == "Mixture of 40 normal components in 30 dimensions"
    assert lines[2].count("...]") == 2
    assert lines[8].split()[0] == "39"


# Weights


@pytest.mark.parametrize("percentages", [[35.6, 64.4], [33, 66.0], [50.0, 50.5]])
@pytest.mark.parametrize("function", [*CALLS, "MixtureStatistics", "start"])
def test_percentages_are_no_weights(function: str, percentages: list[float]) -> None:
    call = {
        **CALLS,
        "MixtureStatistics": MixtureStatistics.from_data,
        "start": lambda X, *start: fit_mixture(X, 2, start=start),
    }[function]
    with pytest.raises(
        ValueError, match=r"^weights sum to [\d.]+, as percentages do: pass shares .* weights / "
    ):
        call(**{**GOOD, "weights": percentages}) if function != "start" else call(
            *{**GOOD, "weights": percentages}.values()
        )


@pytest.mark.parametrize("total", [0.99, 2.0, 98.0, 102.0, 1e4])
def test_other_sums_are_taken_as_they_are(total: float) -> None:
    weights = total * np.array([0.3, 0.7])
    gain = mixture_loglik(**{**GOOD, "weights": weights}) - mixture_loglik(**{**GOOD, "weights": [0.3, 0.7]})
    assert abs(gain - 4 * np.log(total)) < 1e-10
