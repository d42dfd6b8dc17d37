"""The explorers on the side of Python: traits, refusals, and the form for a page without a kernel."""

from __future__ import annotations

import json
import re
import warnings

import anywidget
import numpy as np
import pytest

from mvnlib import (
    SCHEMES,
    convert_gradient,
    default_step,
    em_step,
    explore,
    explore_em,
    explore_neumann,
    explore_segment,
    fd_gradient,
    fit_normal,
    loglik,
    mixture_loglik,
    responsibilities,
)
from mvnlib.identities import TABLE, Differentiable, Differential
from mvnlib.spaces import positive_definite
from mvnlib.widgets import SEGMENTS, front
from mvnlib.widgets.front import style
from mvnlib.widgets.subject import STEPS

S2 = np.array([[2.0, 0.6], [0.6, 1.0]])
S3 = np.array([[2.0, 0.6, 0.2], [0.6, 1.0, -0.3], [0.2, -0.3, 1.5]])
KEYS = [key for key, entry in TABLE.items() if isinstance(entry, Differentiable)]


def page_state(widget):
    """What stands in the page as JSON."""
    text = re.search(r'<script type="application/json">(.*?)</script>', widget.static_html(), re.DOTALL)
    return json.loads(text[1])


# ---- In Jupyter


def test_an_explorer_is_a_jupyter_widget_that_can_be_composed():
    import ipywidgets

    widget = explore("logdet", at=S2)
    assert isinstance(widget, anywidget.AnyWidget)
    assert ipywidgets.VBox([widget]).children == (widget,)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("d", [2, 3])
def test_the_numbers_shown_are_those_of_the_library(key, d):
    entry = TABLE[key]
    square = entry.where[entry.wrt].shape == ("d", "d")
    space = positive_definite if square else None
    point = entry.draw(np.random.default_rng(d), d, space)
    held = {name: value for name, value in point.items() if name != entry.wrt}
    convention = "free" if square else "entrywise"
    at = point[entry.wrt]
    widget = explore(key, at=at, space=space, convention=convention, scheme="complex", **held)
    result = widget.result
    np.testing.assert_allclose(result["value"], entry.value(point), rtol=1e-12)
    E = np.zeros(at.shape)
    if isinstance(entry, Differential):
        if square:
            E[1, 0] = 1
        E[tuple(widget.direction)] = 1
        np.testing.assert_allclose(result["formula"], entry.differential(point, E), rtol=1e-12)
    else:
        np.testing.assert_allclose(result["formula"], entry.gradient(point, convention), rtol=1e-12)
        table = fd_gradient(entry.along(point), at, convention, "complex")
        np.testing.assert_allclose(result["difference"], table, rtol=1e-12)
    assert result["error"] < 1e-10


def test_a_change_of_any_input_changes_the_result():
    widget = explore("logdet", at=S2)
    seen = []
    widget.observe(lambda change: seen.append(change.new), names="result")
    widget.point = S2 + np.eye(2)
    widget.convention = "free"
    widget.scheme = "forward"
    widget.step = 1e-3
    assert len(seen) == 4
    expected = convert_gradient(np.linalg.inv(S2 + np.eye(2)), "entrywise", "free")
    np.testing.assert_allclose(seen[-1]["formula"], expected)
    assert 1e-5 < seen[-1]["error"] < 1e-2


def test_the_step_follows_the_point_until_it_is_set():
    widget = explore("logdet", at=S2)
    assert widget.step == default_step(S2)
    widget.point = 1e-3 * S2
    assert widget.step == default_step(1e-3 * S2)
    widget.step = 1e-7
    assert not widget.auto
    widget.point = S2
    assert widget.step == 1e-7
    widget.auto = True
    assert widget.step == default_step(S2)


@pytest.mark.parametrize(
    ("trait", "value", "words"),
    [
        ("point", [[1.0, 2.0], [2.0, 1.0]], "positive definite"),
        ("point", [[1.0, 0.5], [0.4, 1.0]], "symmetric"),
        ("point", [[1.0, np.nan], [np.nan, 1.0]], "finite"),
        ("point", np.eye(3), "shape"),
        ("point", "S", "S must be"),
        ("convention", "symmetric", "convention must be one of"),
        ("scheme", "backward", "scheme must be one of"),
        ("step", -1.0, "step must be positive"),
        ("direction", [0, 2], "direction must hold"),
        ("params", {"a": [1.0, 2.0]}, "params must be"),
    ],
)
def test_a_bad_value_is_refused_and_nothing_changes(trait, value, words):
    widget = explore("logdet", at=S2)
    before = {name: getattr(widget, name) for name in (trait, "result", "curve")}
    with pytest.raises(ValueError, match=words):
        setattr(widget, trait, value)
    assert {name: getattr(widget, name) for name in before} == before


def test_a_bad_value_from_the_front_end_is_sent_back_with_the_reason():
    widget = explore("logdet", at=S2)
    before = widget.result
    widget.set_state({"point": [[1.0, 2.0], [2.0, 1.0]]})
    assert widget.point == S2.tolist()
    assert widget.result == before
    assert "positive definite" in widget.problem
    widget.set_state({"point": (2 * S2).tolist()})
    assert widget.problem == ""
    assert widget.result != before


def test_where_the_function_has_no_value_the_last_result_stays():
    widget = explore("inv", at=[[2.0, 1.0], [0.0, 1.0]])
    before = widget.result
    with pytest.raises(ValueError, match="not in the space"):
        widget.point = [[1.0, 1.0], [1.0, 1.0]]
    mine = explore(lambda x: np.log(x).sum(), at=np.array([1.0, 2.0]))
    with np.errstate(invalid="ignore"):
        mine.point = [-1.0, 2.0]
    assert mine.point == [1.0, 2.0]
    assert mine.problem == "f must be finite, but at this x it is nan"
    assert widget.result == before


def test_a_readers_gradient_is_right_in_the_conventions_it_is_right_in():
    free = convert_gradient(np.linalg.inv(S2), "entrywise", "free")
    widget = explore("logdet", free, at=S2)
    assert widget.result["error"] > 0.1
    widget.convention = "free"
    assert widget.result["error"] < 1e-9
    assert widget.candidate


def test_a_readers_function_needs_no_candidate():
    widget = explore(np.linalg.det, at=S3)
    assert widget.result["formula"] is None
    assert widget.result["error"] is None
    widget = explore(np.linalg.det, lambda S: np.linalg.det(S) * np.linalg.inv(S).T, at=S3)
    assert widget.result["error"] < 1e-9


def test_the_error_curve_has_its_v():
    curve = explore("logdet", at=S3).curve
    forward, central = (np.array(curve[name], dtype=float) for name in ("forward", "central"))
    complex_step = np.array(curve["complex"], dtype=float)
    assert np.nanmin(central) < np.nanmin(forward) / 100
    assert np.nanargmin(forward) < np.nanargmin(central)
    assert complex_step[:20].max() < 1e-14


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "words"),
    [
        (("nothing",), {}, ValueError, "f must be one of"),
        (("adjugate",), {}, TypeError, "equality"),
        ((3,), {}, TypeError, "f must be"),
        ((np.linalg.det,), {}, ValueError, "at is missing"),
        ((np.linalg.det,), {"at": np.ones((2, 3))}, ValueError, "square"),
        (("logdet",), {"at": S2, "mu": [0, 0]}, TypeError, "unknown variables mu"),
        (("logdet",), {"at": np.eye(2) * 1j}, TypeError, "real"),
        (("logdet",), {"at": -S2, "space": "positive_definite"}, np.linalg.LinAlgError, "at must be"),
        (("logdet",), {"at": S2, "convention": "half"}, ValueError, "convention must be"),
        (("logdet",), {"at": [[2, 1], [0, 1]], "convention": "free"}, ValueError, "convention must be"),
        (("logdet",), {"at": S2, "scheme": "half"}, ValueError, "scheme must be"),
        (("logdet",), {"at": S2, "step": 0}, ValueError, "step must be positive"),
        (("logdet", np.eye(3)), {"at": S2}, ValueError, "candidate must have shape"),
        (("normal_logpdf_mu",), {"at": [0, 0], "Sigma": np.eye(3)}, ValueError, "Sigma must have shape"),
        (("normal_logpdf_mu",), {"Sigma": -np.eye(2)}, np.linalg.LinAlgError, "Sigma must be positive"),
        (("logdet",), {"at": S2, "space": 3}, TypeError, "space must be a space or the name of one, not 3"),
        ((lambda S: None,), {"at": S2}, TypeError, "f must return .*, not None at this S"),
        ((lambda x: "5",), {"at": [1.0]}, TypeError, "f must return .*, not '5' at this x"),
        ((lambda S: [[1], [1, 2]],), {"at": S2}, TypeError, "f must return a number or an array, not"),
        ((lambda S: [],), {"at": S2}, ValueError, "f must have a value"),
        ((lambda S: 1j,), {"at": S2}, TypeError, "f must be real at a real point"),
        ((lambda S: np.nan,), {"at": S2}, ValueError, "f must be finite, but at this S it is nan"),
    ],
)
def test_bad_arguments_are_named(arguments, keywords, error, words):
    with pytest.raises(error, match=words):
        explore(*arguments, **keywords)


def test_an_unknown_key_is_answered_by_what_can_be_explored():
    for refused, error in (("nothing", ValueError), ("adjugate", TypeError), (3, TypeError)):
        with pytest.raises(error) as caught:
            explore(refused)
        words = re.findall(r"\w+", str(caught.value))
        assert set(KEYS) <= set(words)
        others = set(TABLE) - set(KEYS) - {refused}
        assert others
        assert not others & set(words)


def test_a_closed_explorer_has_let_go():
    widget = explore("logdet", at=S2)
    widget.close()
    assert widget.comm is None


# ---- In a page without a kernel


@pytest.mark.parametrize("key", KEYS)
def test_the_page_gets_a_figure_in_words_and_the_functions(key):
    widget = explore(key)
    html = widget.static_html()
    assert f'data-widget="{key}" role="group" aria-label="Explorer: ' in html
    assert re.search(r'role="img" aria-label="Relative error [^"]+central \d', html)
    assert "<caption>Formula" in html
    state = page_state(widget)
    assert state["functions"].startswith("({value(v)")
    assert state["point"] == widget.point


def test_the_output_of_a_cell_carries_the_page_beside_the_widget():
    data, _ = explore("logdet", at=S2)._repr_mimebundle_()
    assert {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"} <= set(data)
    assert data["text/html"].startswith('<div class="mvn-widget"')


def test_a_function_without_javascript_says_where_it_is_live():
    html = explore(np.linalg.det, at=S2).static_html()
    assert "live in Jupyter" in html
    assert "<script" not in html
    assert 'role="img"' in html


def test_no_name_can_close_the_script():
    def trick(S):
        return np.trace(S)

    trick.__name__ = "</script><b>"
    html = explore(trick, at=S2).static_html()
    assert "</script><b>" not in html


# ---- In a plain shell, and as a page of its own


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (
            lambda: explore("logdet", at=S2),
            "Explorer of log |S| at S = [[2, 0.6], [0.6, 1]], entrywise convention:\n",
        ),
        (lambda: explore(np.linalg.det, at=S2), "the central difference, with no formula to compare"),
        (
            lambda: explore_neumann(S2, np.eye(2), t=0.25),
            "at t = 0.25:\nspectral radius 0.3477: the series converges",
        ),
        (
            lambda: explore_em(cloud(), WEIGHTS, MEANS, COVARIANCES),
            "2 components and 40 points, after 0 steps:\nthe log-likelihood is -",
        ),
        (lambda: explore_segment(cloud()), "to ten times the covariance:\nJ rises"),
    ],
)
def test_in_a_shell_an_explorer_says_what_it_is_and_how_to_see_it(made, words):
    text = repr(made())
    assert words in text
    assert '.save("page.html")' in text
    assert "Jupyter" in text
    assert len(text.splitlines()) == 3
    assert max(map(len, text.splitlines())) < 140
    data, _ = made()._repr_mimebundle_()
    assert data["text/plain"] == text


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        (3, TypeError, "path must be the name of a file, such as .*, not 3"),
        (None, TypeError, "path must be the name of a file"),
        (b"page.html", TypeError, "path must be the name of a file"),
        ("page.pdf", ValueError, r"path must end in \"\.html\""),
        ("page", ValueError, r"path must end in \"\.html\""),
        ("", IsADirectoryError, "give a name in it"),
        (".", IsADirectoryError, "is a folder; give a name in it"),
        ("folder.html", IsADirectoryError, "is a folder; give a name in it"),
        ("nowhere/page.html", FileNotFoundError, "there is no folder .*nowhere; make it first"),
    ],
)
def test_where_no_page_can_be_written_that_is_said(tmp_path, monkeypatch, name, error, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(error, match=words):
        explore("logdet", at=S2).save(name)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.html"]


def test_a_saved_page_is_one_file_with_all_that_it_needs(tmp_path):
    target = tmp_path / "page.html"
    target.write_text("older")
    assert explore("logdet", at=S2).save(str(target)) == target
    text = target.read_text(encoding="utf-8")
    assert text.startswith('<!doctype html>\n<html lang="en">')
    assert "<title>Explorer: derivative of log |S| in S, two ways</title>" in text
    assert '<meta name="viewport"' in text
    assert not re.search(r"""\b(src|href)=|@import|url\((?!#)|https?://(?!www\.w3\.org)""", text)
    assert len(text) < 150_000


# ---- The files of the front end


def test_an_explorer_is_a_pair_of_files_of_one_name():
    assert front.explorers() == ["derivative", "em", "neumann", "segment"]
    kinds = {explore("logdet").kind, explore_neumann(S2, S2).kind, explore_segment(cloud()).kind}
    kinds |= {explore_em(cloud(), WEIGHTS, MEANS, COVARIANCES).kind}
    assert kinds == set(front.explorers())


def test_a_widget_carries_its_own_explorer_and_no_other():
    for name in front.explorers():
        text = front.module(name)
        assert f"\n{name}: (() => {{" in text
        assert not any(f"\n{other}: (() => {{" in text for other in front.explorers() if other != name)


@pytest.mark.parametrize(
    "line",
    ['import * as all from "./arrays.js";', "export { first };", "export default 3;", 'import "./x.js";'],
)
def test_what_cannot_be_joined_is_named(monkeypatch, line):
    read = front._text
    monkeypatch.setattr(front, "_text", lambda name: read(name) + (f"{line}\n" if name == "em" else ""))
    with pytest.raises(ValueError, match=r"em\.js may not say " + re.escape(repr(line))):
        front.module("em")


def test_what_python_and_javascript_both_need_is_said_in_python_alone():
    state = page_state(explore("logdet", at=S2))["constants"]
    assert state["steps"] == list(STEPS)
    assert set(state["schemes"]) == set(SCHEMES)
    assert state["letters"]["Sigma"] == "Σ"
    assert state["frame"]["width"] == 360
    assert page_state(explore_em(cloud(), WEIGHTS, MEANS, COVARIANCES))["constants"]["most_steps"] == 1000
    assert set(page_state(explore_segment(cloud()))["constants"]["segments"]) == set(SEGMENTS)


# ---- The Neumann series


def test_an_rms_norm_below_one_promises_nothing():
    S = positive_definite.draw(np.random.default_rng(0), 4)
    result = explore_neumann(S, 1.5 * S).result
    assert result["rms"] == pytest.approx(0.75)
    assert result["radius"] == pytest.approx(1.5)
    assert result["errors"][20] > 1e3


def test_the_partial_sums_converge_inside_the_radius():
    widget = explore_neumann(S3, np.diag([1.0, 0.5, -0.5]), t=0.2)
    assert widget.result["radius"] < 1
    assert widget.result["errors"][0] == pytest.approx(1)
    assert widget.result["errors"][20] < 1e-10
    widget.t = 5
    assert widget.result["radius"] > 1


def test_a_bad_perturbation_is_refused():
    with pytest.raises(ValueError, match="E must have shape"):
        explore_neumann(S2, np.eye(3))
    with pytest.raises(np.linalg.LinAlgError, match="S must be positive definite"):
        explore_neumann(-S2, np.eye(2))
    widget = explore_neumann(S2, np.eye(2))
    with pytest.raises(ValueError, match="t must be finite"):
        widget.t = np.inf
    before = widget.result
    widget.perturbation = -S2
    assert widget.problem
    assert widget.result == before


def test_the_neumann_page_has_its_figure_and_functions():
    widget = explore_neumann(S2, np.eye(2))
    assert 'data-widget="neumann"' in widget.static_html()
    assert "spectral radius" in re.search(r'role="img" aria-label="([^"]+)"', widget.static_html())[1]
    assert page_state(widget)["perturbation"] == [[1.0, 0.0], [0.0, 1.0]]


# ---- EM, a step at a time


def cloud(n=40, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2)) + np.repeat([[0.0, 0.0], [4.0, 2.0]], n // 2, axis=0)


WEIGHTS, MEANS = np.array([0.3, 0.7]), np.array([[1.0, 0.0], [2.0, 2.0]])
COVARIANCES = np.stack([S2, 3 * np.eye(2)])


def test_steps_in_the_explorer_are_those_of_the_library():
    X = cloud()
    widget = explore_em(X, WEIGHTS, MEANS, COVARIANCES)
    here, history = (WEIGHTS, MEANS, COVARIANCES), []
    for step in range(6):
        widget.iteration = step
        history.append(mixture_loglik(X, *here))
        assert widget.history == pytest.approx(history, rel=1e-14)
        assert widget.result["value"] == widget.history[-1]
        np.testing.assert_allclose(widget.result["responsibilities"], responsibilities(X, *here), rtol=1e-12)
        for name, part in zip(("weights", "means", "covariances"), here, strict=True):
            np.testing.assert_allclose(getattr(widget, name), part, rtol=1e-12)
        *here, _ = em_step(X, *here)
    last = widget.means
    widget.iteration = 2  # back to where it was
    assert widget.history == pytest.approx(history[:3], rel=1e-14)
    widget.iteration = 5
    assert widget.means == last
    widget.iteration = 0
    assert widget.means == MEANS.tolist()


def test_setting_a_parameter_starts_a_new_run():
    widget = explore_em(cloud(), WEIGHTS, MEANS, COVARIANCES)
    widget.iteration = 4
    widget.means = MEANS + 1
    assert widget.iteration == 0
    assert len(widget.history) == 1
    assert widget.origin["means"] == (MEANS + 1).tolist()
    widget.iteration = 3
    widget.set_state({"means": MEANS.tolist(), "weights": [0.5, 0.5]})
    assert widget.history == [mixture_loglik(cloud(), [0.5, 0.5], MEANS, widget.covariances)]


@pytest.mark.parametrize(
    ("trait", "value", "words"),
    [
        ("weights", [1.0, -1.0], "weights must not be negative"),
        ("weights", [0.0, 0.0], "nor all zero"),
        ("weights", [1.0], "weights must have shape"),
        ("means", [[0.0, 0.0]], "means must have shape"),
        ("means", [[0.0, np.nan], [0.0, 0.0]], "finite"),
        ("covariances", np.stack([S2, -S2]), r"covariances\[1\] must be positive definite"),
        ("iteration", -1, "iteration must lie between 0 and 1000"),
        ("iteration", 1001, "iteration must lie between 0 and 1000"),
    ],
)
def test_a_bad_mixture_is_refused_and_nothing_changes(trait, value, words):
    widget = explore_em(cloud(), WEIGHTS, MEANS, COVARIANCES)
    widget.iteration = 2
    names = ("weights", "means", "covariances", "iteration", "result", "history")
    before = {name: getattr(widget, name) for name in names}
    with pytest.raises(ValueError, match=words):
        setattr(widget, trait, value)
    assert {name: getattr(widget, name) for name in names} == before


def test_a_collapse_is_told_and_the_last_step_stays():
    X = np.concatenate([cloud(), np.full((8, 2), 50.0)])
    widget = explore_em(X, WEIGHTS, [[50.0, 50.0], [2.0, 1.0]], COVARIANCES)
    widget.iteration = 5
    assert "collapsed" in widget.problem
    assert "no bound" in widget.problem
    assert widget.iteration == 0
    widget.means = MEANS
    assert widget.problem == ""


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"X": np.zeros((3, 3))}, ValueError, "X must have shape"),
        ({"X": np.zeros((2001, 2))}, ValueError, "show a sample"),
        ({"weights": np.ones(5)}, ValueError, "at most"),
        ({"weights": np.ones(3)}, ValueError, "means must have shape"),
        ({"weights": [-1.0, 2.0]}, ValueError, "weights must not be negative"),
        ({"covariances": np.stack([S2, -S2])}, np.linalg.LinAlgError, r"covariances\[1\]"),
        ({"axes": "xy"}, ValueError, "axes must be 2 names"),
        ({"axes": ("x",)}, ValueError, "axes must be 2 names"),
        ({"X": "data"}, TypeError, "X must be"),
    ],
)
def test_bad_arguments_of_a_mixture_are_named(changes, error, words):
    with pytest.raises(error, match=words):
        explore_em(
            **{"X": cloud(), "weights": WEIGHTS, "means": MEANS, "covariances": COVARIANCES, **changes}
        )


def test_the_page_of_a_mixture_has_its_figure_and_its_data():
    widget = explore_em(cloud(), WEIGHTS, MEANS, COVARIANCES, axes=("length (mm)", "width (mm)"))
    html, state = widget.static_html(), page_state(widget)
    assert 'data-widget="em" role="group"' in html
    words = re.search(r'role="img" aria-label="([^"]+)"', html)[1]
    assert "width (mm) against length (mm), 40 points" in words
    assert "Component 2: weight 0.7, mean (2, 2)" in words
    assert html.count('<path class="mvn-spot') == 40
    assert html.count('<path class="mvn-ring') == 4
    assert state["X"] == cloud().tolist()
    assert state["functions"].startswith("({value(v)")


# ---- The segment and its chord


def test_the_segment_shows_the_log_likelihood_along_a_line():
    X = cloud()
    mu, Sigma = fit_normal(X)
    presets = {"here": (mu, 2 * Sigma), "there": (mu + 1, 9 * Sigma)}
    widget = explore_segment(X, presets, t=0.25)
    assert widget.ends == ["here", "there"]
    assert widget.result["value"] == pytest.approx(-loglik(X, mu + 0.25, 3.75 * Sigma), rel=1e-13)
    ends = [-loglik(X, *presets[name]) for name in ("here", "there")]
    assert widget.result["chord"] == pytest.approx(0.75 * ends[0] + 0.25 * ends[1], rel=1e-13)
    assert widget.curve["J"][0] == pytest.approx(ends[0], rel=1e-13)
    widget.parameters = "mu, P"
    P = 0.75 * np.linalg.inv(2 * Sigma) + 0.25 * np.linalg.inv(9 * Sigma)
    assert widget.result["value"] == pytest.approx(-loglik(X, mu + 0.25, np.linalg.inv(P)), rel=1e-12)
    widget.parameters = "P mu, P"
    eta = 0.75 * np.linalg.solve(2 * Sigma, mu) + 0.25 * np.linalg.solve(9 * Sigma, mu + 1)
    np.testing.assert_allclose(widget.result["mu"], np.linalg.solve(P, eta), rtol=1e-12)
    np.testing.assert_allclose(widget.result["Sigma"], np.linalg.inv(P), rtol=1e-12)


def test_not_convex_in_mean_and_covariance_but_in_the_natural_parameters():
    widget = explore_segment(cloud())
    assert widget.result["excess"] > 1
    assert 0.2 < widget.result["where"] < 0.6
    for one in widget.presets:
        for two in widget.presets:
            widget.set_state({"ends": [one, two], "parameters": "P mu, P"})
            assert widget.ends == [one, two]
            assert widget.result["excess"] <= 1e-9 * max(map(abs, widget.curve["J"]))


def test_the_figure_without_javascript_draws_no_rounding_between_a_point_and_itself():
    html = explore_segment(cloud(), ends=["mean moved, ten times the covariance"] * 2).static_html()
    assert "The two ends are one point" in html
    (path,) = re.findall(
        r'class="mvn-curve mvn-central"[^>]*\bd="([^"]+)"|\bd="([^"]+)"[^>]*mvn-central"', html
    )
    heights = {y for _, y in re.findall(r"(-?[\d.]+)[ ,](-?[\d.]+)", "".join(path))}
    assert len(heights) == 1


def test_in_the_mean_and_the_precision_together_it_is_not_convex():
    """S0-conv: convex in P for a fixed mean, and in the mean for a fixed P, but not in both."""
    X = cloud()
    mu, Sigma = fit_normal(X)
    far = mu + 3 * np.linalg.cholesky(Sigma)[:, 0]
    presets = {"wide, far off": (far, 10 * Sigma), "narrow": (mu, Sigma / 2)}
    widget = explore_segment(X, presets, parameters="mu, P")
    assert widget.result["excess"] > 1
    widget.parameters = "P mu, P"
    assert widget.result["excess"] <= 1e-9 * max(map(abs, widget.curve["J"]))


def test_only_t_leaves_the_curve_as_it_is():
    widget = explore_segment(cloud())
    calls = []
    widget.observe(calls.append, names="curve")
    widget.t = 0.75
    assert not calls
    widget.ends = widget.ends[::-1]
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("trait", "value", "words"),
    [
        ("t", 1.5, "t must lie between 0 and 1"),
        ("t", np.nan, "t must be finite"),
        ("parameters", "P", "parameters must be one of"),
        ("ends", ["the estimate"], "ends must be two names"),
        ("ends", ["the estimate", "nowhere"], "ends must be one of"),
    ],
)
def test_a_bad_segment_is_refused_and_nothing_changes(trait, value, words):
    widget = explore_segment(cloud())
    before = {name: getattr(widget, name) for name in (trait, "result", "curve")}
    with pytest.raises(ValueError, match=words):
        setattr(widget, trait, value)
    assert {name: getattr(widget, name) for name in before} == before


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"presets": {"one": ([0, 0], S2)}}, ValueError, "two points or more"),
        ({"presets": {"one": ([0, 0], S2), "two": ([0, 0], -S2)}}, np.linalg.LinAlgError, "Sigma of 'two'"),
        ({"presets": {"one": ([0], S2), "two": ([0, 0], S2)}}, ValueError, "mu of 'one'"),
        ({"ends": ["here", "there"]}, ValueError, "ends must be one of"),
        ({"axes": ["x"]}, ValueError, "axes must be 2 names"),
        ({"parameters": "Sigma"}, ValueError, "parameters must be one of"),
        ({"X": np.ones((5, 2))}, np.linalg.LinAlgError, "unbounded"),
    ],
)
def test_bad_arguments_of_a_segment_are_named(arguments, error, words):
    with pytest.raises(error, match=words):
        explore_segment(**{"X": cloud(), **arguments})


def test_the_page_of_a_segment_has_its_figure_and_functions():
    widget = explore_segment(cloud())
    html = widget.static_html()
    assert 'data-widget="segment" role="group"' in html
    assert "J rises" in re.search(r'role="img" aria-label="([^"]+)"', html)[1]
    assert page_state(widget)["functions"].startswith("({density:({value(v)")
    five = np.random.default_rng(0).normal(size=(20, 5))
    assert "live in Jupyter" in explore_segment(five).static_html()


def test_what_a_function_does_to_its_argument_changes_no_number():
    def spoilt(f):
        def g(S):
            value = f(S)
            S[...] = 0
            return value

        return g

    def cofactors(S):
        return np.linalg.det(S) * np.linalg.inv(S).T

    S = np.array([[2.0, 1.0], [1.0, 3.0]])
    found = explore(spoilt(np.linalg.det), spoilt(cofactors), at=S)
    assert found.result == explore(np.linalg.det, cofactors, at=S).result
    assert found.point == S.tolist()


@pytest.mark.parametrize("name", ["point", "params"])
def test_None_is_refused_as_any_other_bad_value(name):
    widget = explore("normal_logpdf_mu")
    before = widget.point, widget.params, widget.result
    with pytest.raises(ValueError, match="must be"):
        setattr(widget, name, None)
    assert (widget.point, widget.params, widget.result) == before
    widget.point = np.add(widget.point, 1.0)  # it goes on
    assert widget.result != before[2]


def test_where_a_function_is_at_fault_later_the_explorer_stays_where_it_was():
    def f(S):
        return np.linalg.det(S) if S[0, 0] < 5 else None

    widget = explore(f, at=S2)
    before = widget.point, widget.result
    with pytest.raises(TypeError, match="not None at this S"):
        widget.point = 6 * np.eye(2)
    assert (widget.point, widget.result) == before


def test_where_the_series_has_no_float_or_the_matrix_no_inverse_that_is_said():
    """And not by a warning, which this suite would make an error of."""
    with pytest.raises(np.linalg.LinAlgError, match=r"^S \+ t E must have an inverse, but at t = 1.0"):
        explore_neumann(np.eye(2), -np.eye(2))
    with pytest.raises(ValueError, match=r"^t E must be so small"):
        explore_neumann(np.eye(2), 1e300 * np.eye(2), t=1e10)
    with pytest.raises(ValueError, match=r"^t E must be so small"):
        explore_neumann(1e-200 * np.eye(2), 1e200 * np.eye(2))
    widget = explore_neumann(np.eye(2), -np.eye(2), t=0.5)
    widget.t = 1e308
    assert widget.t == 0.5
    assert widget.problem.startswith("t E must be so small")


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"presets": [1, 2]}, r"^presets must be a mapping"),
        ({"presets": {"a": 3, "b": 4}}, r"^presets\['a'\] must be a pair \(mu, Sigma\), not 3"),
        ({"axes": 3}, r"^axes must be 2 names"),
    ],
)
def test_presets_and_axes_of_another_kind_are_named(keywords, words):
    with pytest.raises((TypeError, ValueError), match=words):
        explore_segment([[0, 0], [1, 0], [0, 1]], **keywords)


@pytest.mark.parametrize("how", ["warn", "raise"])  # this suite makes an error of every warning
@pytest.mark.parametrize(
    ("key", "unit"), [("inv", 1e-150), ("inv", 1e250), ("logdet", 1e250), ("det", 1e-250)]
)
def test_far_from_one_what_the_table_computes_is_quiet(how, key, unit):
    with np.errstate(all=how):
        widget = explore(key, at=unit * S2)
    assert np.isfinite(widget.result["value"]).all()


def test_the_curve_warns_of_no_step_that_the_reader_did_not_choose():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        widget = explore(lambda S: np.log(S[0, 0]) + np.log(S[1, 1]), at=0.01 * np.eye(2))
    assert widget.curve["central"][-1] is None
    assert not caught


def test_the_hatching_of_a_negative_sign_is_drawn_alike_by_every_browser():
    """Firefox fills the gaps of a repeated gradient whose colour comes from color-mix."""
    sheet = style()
    assert "repeating-linear-gradient" in sheet
    assert not re.search(r"repeating-linear-gradient[^;]*color-mix", sheet)
    inks, hatches = (re.findall(rf"--mvn-{name}: (#\w+);", sheet) for name in ("two", "hatch"))
    assert [f"{ink}38" for ink in inks] == hatches  # in the light and in the dark
    assert len(inks) == 2
