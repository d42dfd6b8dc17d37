"""The explorers in a browser: from disk, offline, against the numbers of the library, by mouse and by keyboard."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mvnlib
from mvnlib import (
    convert_gradient,
    default_step,
    em_step,
    explore,
    explore_em,
    explore_neumann,
    explore_segment,
    fd_gradient,
    mixture_loglik,
    responsibilities,
)
from mvnlib.identities import TABLE, Differentiable, Differential
from mvnlib.spaces import positive_definite
from mvnlib.widgets import front
from mvnlib.widgets.front import module, style

REPOSITORY = Path(__file__).resolve().parents[2]
KEYS = [key for key, entry in TABLE.items() if isinstance(entry, Differentiable)]
FRAME = 16  # milliseconds
PRECISION = 1e-9  # JavaScript against Python, relative to the largest entry, up to condition number 1e6

S2 = np.array([[2.0, 0.6], [0.6, 1.0]])
S3 = np.array([[2.0, 0.6, 0.2], [0.6, 1.0, -0.3], [0.2, -0.3, 1.5]])


def host():
    spec = importlib.util.spec_from_file_location("widget_host", REPOSITORY / "_ext" / "widget_host.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def mounted(tmp_path_factory):
    """Write a page with the static form of some explorers and the script of the book; return its address."""

    def write(*widgets):
        folder = tmp_path_factory.mktemp("page")
        (folder / "widgets.js").write_text(host().classic_script(), encoding="utf-8")
        (folder / "widgets.css").write_text(style(), encoding="utf-8")
        body = "".join(widget.static_html() for widget in widgets)
        (folder / "index.html").write_text(
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Explorers</title>'
            '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="widgets.css">'
            f'<script defer src="widgets.js"></script><body>{body}',
            encoding="utf-8",
        )
        return (folder / "index.html").as_uri()

    return write


def model_get(page, name, root=".mvn-widget"):
    return page.evaluate("([root, name]) => document.querySelector(root).model.get(name)", [root, name])


def model_set(page, name, value, root=".mvn-widget"):
    """Set, and read the result back in the same turn of the script."""
    return page.evaluate(
        "([root, name, value]) => { const { model } = document.querySelector(root);"
        " model.set(name, value); return model.get('result'); }",
        [root, name, value],
    )


def plain(value):
    return (
        {k: np.asarray(v).tolist() for k, v in value.items()} if isinstance(value, dict) else value.tolist()
    )


def close(found, expected, precision=PRECISION):
    found, expected = np.asarray(found, dtype=float), np.asarray(expected, dtype=float)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= precision * np.abs(expected).max() + 1e-300


# ---- Numbers


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize("key", KEYS)
def test_javascript_agrees_with_python(page, mounted, key, d):
    entry = TABLE[key]
    square = entry.where[entry.wrt].shape == ("d", "d")
    rng = np.random.default_rng(100 * d + KEYS.index(key))
    space = positive_definite if square else None
    first = entry.draw(rng, d, space)
    held = {name: value for name, value in first.items() if name != entry.wrt}
    page.goto(mounted(explore(key, at=first[entry.wrt], space=space, **held)))
    # A factor L stands for S = L L^T, whose condition number is the square of its own.
    for condition in np.geomspace(1, 1e3 if entry.wrt == "L" else 1e6, 4):
        point = entry.draw(rng, d, space, condition)
        variable = point.pop(entry.wrt)
        model_set(page, "params", plain(point))
        point[entry.wrt] = variable
        for convention in mvnlib.CONVENTIONS if square else ["entrywise"]:
            model_set(page, "convention", convention)
            model_set(page, "scheme", "complex")
            result = model_set(page, "point", plain(variable))
            assert model_get(page, "problem") == ""
            assert model_get(page, "point") == plain(variable)
            close(result["value"], entry.value(point), precision=PRECISION)
            if isinstance(entry, Differential):
                E = np.zeros(variable.shape)
                E[tuple(model_get(page, "direction"))] = 1
                if convention != "entrywise":
                    E[1, 0] = 1
                formula = entry.differential(point, E) / (2 if convention == "frobenius" else 1)
            else:
                formula = entry.gradient(point, convention)
            close(result["formula"], formula)
            close(result["difference"], formula)
            for scheme in mvnlib.SCHEMES:
                model_set(page, "scheme", scheme)
                assert model_get(page, "step") == default_step(variable, scheme)


@pytest.mark.parametrize("convention", mvnlib.CONVENTIONS)
@pytest.mark.parametrize("scheme", mvnlib.SCHEMES)
def test_differences_in_the_page_are_those_of_the_library(page, mounted, convention, scheme):
    page.goto(mounted(explore("logdet", at=S3, convention=convention, scheme=scheme)))
    result = model_set(page, "point", (S3 + np.eye(3) / 3).tolist())
    expected = fd_gradient(mvnlib.ops.logdet, S3 + np.eye(3) / 3, convention, scheme)
    close(result["difference"], expected, precision={"forward": 1e-6, "central": 1e-9}.get(scheme, 1e-12))
    error = (
        np.abs(np.subtract(result["difference"], result["formula"])).max() / np.abs(result["formula"]).max()
    )
    assert result["error"] == pytest.approx(error)
    if scheme == "complex":  # Python refuses a complex step that large
        return
    result = model_set(page, "step", 2.0**-7)
    close(
        result["difference"], fd_gradient(mvnlib.ops.logdet, S3 + np.eye(3) / 3, convention, scheme, 2.0**-7)
    )


def test_the_curve_in_the_page_is_that_of_python(page, mounted):
    widget = explore("logdet", at=S3)
    page.goto(mounted(widget))
    curve = model_get(page, "curve")
    assert curve["steps"] == pytest.approx(widget.curve["steps"])
    for scheme in ("forward", "central", "complex"):
        for here, there in zip(curve[scheme][-10:], widget.curve[scheme][-10:], strict=True):
            assert here == pytest.approx(there, rel=1e-2, abs=1e-10)


def test_helpers_agree_with_numpy(page):
    page.goto("about:blank")
    rng = np.random.default_rng(0)
    general = rng.normal(size=(4, 4))
    nilpotent = np.diag([1.0, 2.0], 1)
    found = page.evaluate(
        """async ([source, S, A, N]) => {
            const m = await import(URL.createObjectURL(new Blob([source], { type: 'text/javascript' })));
            return { eigenvalues: m.eigenvalues(S), cholesky: m.cholesky(S), indefinite: m.cholesky(A),
                radius: m.explorers.neumann.spectralRadius(A),
                nilpotent: m.explorers.neumann.spectralRadius(N),
                tables: ['entrywise', 'frobenius', 'free'].map((c) => m.explorers.derivative.convertGradient(A, c)),
                edge: m.edge([[1, 0], [0, 1]], [[1, 3], [3, 1]]) };
        }""",
        [module(), S3.tolist(), general.tolist(), nilpotent.tolist()],
    )
    close(found["eigenvalues"], np.linalg.eigvalsh(S3), 1e-14)
    close(found["cholesky"], np.linalg.cholesky(S3), 1e-14)
    assert found["indefinite"] is None
    assert found["radius"] == pytest.approx(np.abs(np.linalg.eigvals(general)).max(), rel=1e-13)
    assert found["nilpotent"] == 0
    for convention, table in zip(mvnlib.CONVENTIONS, found["tables"], strict=True):
        close(table, convert_gradient(general, "entrywise", convention), 1e-15)
    assert 0.99 < found["edge"][0][1] < 1


def test_the_neumann_series_in_the_page_is_that_of_python(page, mounted):
    E = np.array([[1.0, 0.4, 0.0], [-0.3, 0.5, 0.2], [0.0, 0.1, -1.0]])
    widget = explore_neumann(S3, E, t=0.3)
    page.goto(mounted(widget))
    for t in (0.1, 0.5, 2.0):
        widget.t = t
        result = model_set(page, "t", t)
        for name in ("radius", "rms"):
            assert result[name] == pytest.approx(widget.result[name], rel=1e-12)
        np.testing.assert_allclose(result["errors"], widget.result["errors"], rtol=1e-6, atol=1e-14)
        close(result["value"], widget.result["value"])
    assert "diverges" in page.inner_text(".mvn-app .mvn-title")


# ---- Refusals


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("point", [[1, 2], [2, 1]], "positive definite"),
        ("point", [[1, 0.5], [0.4, 1]], "symmetric"),
        ("point", [[1, None], [None, 1]], "finite"),
        ("point", [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "shape"),
        ("point", 3, "shape"),
        ("point", None, "shape"),
        ("convention", "half", "convention"),
        ("scheme", "half", "scheme"),
        ("step", 0, "positive"),
        ("step", None, "positive"),
        ("direction", [0, 5], "entry"),
        ("params", None, "Held"),
    ],
)
def test_a_bad_value_is_refused_in_sight(page, mounted, name, value, words):
    page.goto(mounted(explore("logdet", at=S2)))
    before, result = model_get(page, name), model_get(page, "result")
    assert model_set(page, name, value) == result
    assert model_get(page, name) == before
    assert words in page.inner_text(".mvn-problem")
    page.wait_for_function(
        "words => document.querySelector('[aria-live]').textContent.includes(words)", arg=words
    )
    model_set(page, "point", (2 * S2).tolist())
    assert not page.is_visible(".mvn-problem")


# ---- Controls


def test_every_control_does_its_work(page, mounted):
    page.goto(mounted(explore("logdet", at=S2)))
    page.get_by_role("spinbutton", name="S₁₂").fill("0.9")
    assert model_get(page, "point") == [[2, 0.9], [0.9, 1]]
    assert page.get_by_role("spinbutton", name="S₂₁").input_value() == "0.9"
    for convention in mvnlib.CONVENTIONS:
        page.get_by_role("radio", name=convention).check()
        assert model_get(page, "convention") == convention
        shown = page.locator(".mvn-app .mvn-table").nth(0).locator("td").nth(-1).inner_text()
        assert float(shown.replace("−", "-")) == pytest.approx(
            model_get(page, "result")["formula"][1][1], rel=1e-5
        )
    for scheme, label in {
        "forward": "forward",
        "richardson": "Richardson",
        "complex": "complex step",
    }.items():
        page.get_by_role("radio", name=label).check()
        assert model_get(page, "scheme") == scheme
    page.get_by_role("slider", name="Step h").fill("-3")
    assert model_get(page, "step") == pytest.approx(1e-3)
    assert page.get_by_role("button", name="Auto").get_attribute("aria-pressed") == "false"
    page.get_by_role("button", name="Auto").click()
    assert model_get(page, "step") == default_step([[2, 0.9], [0.9, 1]], "complex")
    page.get_by_role("button", name="Random example").click()
    np.linalg.cholesky(model_get(page, "point"))
    page.get_by_role("button", name="Copy S").click()
    page.wait_for_function("document.querySelector('[aria-live]').textContent.includes('np.array([[')")
    page.get_by_role("button", name="Reset").click()
    assert model_get(page, "point") == S2.tolist()


def test_the_live_text_says_the_result(page, mounted):
    page.goto(mounted(explore("logdet", at=S2)))
    model_set(page, "scheme", "forward")
    model_set(page, "step", 1e-2)
    page.wait_for_function("document.querySelector('[aria-live]').textContent.includes('forward difference')")
    words = page.inner_text("[aria-live]")
    result = model_get(page, "result")
    assert "formula 0.6097" in words or "formula 1.2195" in words
    assert f"relative error of the table {result['error']:.1e}".replace("e-0", "e−") in words


def test_an_entry_that_would_leave_the_cone_is_held_at_its_edge(page, mounted):
    page.goto(mounted(explore("logdet", at=S2)))
    box = page.get_by_role("spinbutton", name="S₁₂")
    box.fill("5")
    point = np.array(model_get(page, "point"))
    assert 1.35 < point[0, 1] < np.sqrt(2)
    assert "would not be positive definite" in page.inner_text(".mvn-problem")
    assert box.get_attribute("aria-invalid") == "true"
    box.blur()
    assert float(box.input_value()) == pytest.approx(point[0, 1], rel=1e-5)
    box.fill("")
    assert "not a number" in page.inner_text(".mvn-problem")
    assert model_get(page, "point") == point.tolist()
    box.fill("0.2")
    assert not page.is_visible(".mvn-problem")


def test_the_ellipse_is_dragged_and_stays_an_ellipse(page, mounted):
    page.goto(mounted(explore("logdet", at=S2)))
    handle = page.locator(".mvn-handle").nth(0)
    handle.scroll_into_view_if_needed()
    box, svg = handle.bounding_box(), page.locator(".mvn-ellipse").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    centre = svg["x"] + svg["width"] / 2, svg["y"] + svg["height"] / 2
    page.mouse.move(centre[0], centre[1] - 80, steps=5)
    tall = np.array(model_get(page, "point"))
    assert tall[1, 1] > tall[0, 0]
    assert abs(tall[0, 1]) < 1e-9
    page.mouse.move(centre[0], centre[1] - 1, steps=5)
    flat = np.array(model_get(page, "point"))
    assert np.linalg.eigvalsh(flat)[0] > 0
    assert "singular" in page.inner_text(".mvn-problem")
    page.mouse.up()


def test_everything_can_be_done_from_the_keyboard(page, mounted):
    page.goto(mounted(explore("logdet", at=S2)))
    reached = set()
    for _ in range(25):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "document.activeElement.ariaLabel || document.activeElement.textContent || document.activeElement.value"
            )
        )
    for name in (
        "S₁₁",
        "S₂₂",
        "Reset",
        "Random example",
        "Step h, logarithmic",
        "Auto",
        "entrywise",
        "central",
    ):
        assert name in reached
    handle = page.locator(".mvn-handle").nth(0)
    handle.focus()
    before = np.linalg.eigvalsh(model_get(page, "point"))
    page.keyboard.press("ArrowUp")
    after = np.linalg.eigvalsh(model_get(page, "point"))
    assert after[1] == pytest.approx(before[1] * 1.05**2)
    assert after[0] == pytest.approx(before[0])
    angle = handle.get_attribute("aria-valuetext")
    page.keyboard.press("ArrowLeft")
    assert handle.get_attribute("aria-valuetext") != angle
    np.testing.assert_allclose(np.linalg.eigvalsh(model_get(page, "point")), after)
    page.get_by_role("radio", name="entrywise").focus()
    page.keyboard.press("ArrowDown")
    assert model_get(page, "convention") == "frobenius"
    page.get_by_role("slider", name="Step h").focus()
    step = model_get(page, "step")
    page.keyboard.press("ArrowRight")
    assert model_get(page, "step") > step


def test_a_matrix_valued_function_shows_the_entry_that_moves(page, mounted):
    page.goto(mounted(explore("inv", at=S3, convention="free")))
    page.get_by_label("Entry that moves").select_option("1,2")
    assert model_get(page, "direction") == [1, 2]
    E = np.zeros((3, 3))
    E[1, 2] = E[2, 1] = 1
    close(model_get(page, "result")["formula"], -np.linalg.inv(S3) @ E @ np.linalg.inv(S3))
    assert page.locator(".mvn-app caption").all_inner_texts()[1] == "Formula ∂/∂S₂₃"


def test_a_vector_is_moved_with_the_rest_held(page, mounted):
    page.goto(mounted(explore("normal_logpdf_mu", Sigma=S2)))
    handle = page.locator(".mvn-handle")
    before = model_get(page, "point")
    handle.focus()
    page.keyboard.press("ArrowRight")
    assert model_get(page, "point")[0] > before[0]
    page.get_by_text("Held fixed").click()
    page.get_by_role("spinbutton", name="Σ₁₁").fill("4")
    assert model_get(page, "params")["Sigma"] == [[4, 0.6], [0.6, 1]]
    point = {
        **{k: np.array(v) for k, v in model_get(page, "params").items()},
        "mu": np.array(model_get(page, "point")),
    }
    close(model_get(page, "result")["formula"], TABLE["normal_logpdf_mu"].gradient(point))


def test_a_model_can_be_listened_to_and_left(page, mounted):
    page.goto(mounted(explore("logdet", at=S2)))
    calls = page.evaluate(
        """() => {
            const { model } = document.querySelector('.mvn-widget');
            let calls = 0;
            const listener = () => { calls += 1; };
            model.on('change:result', listener);
            model.set('point', [[3, 0], [0, 3]]);
            model.off('change:result', listener);
            model.set('point', [[4, 0], [0, 4]]);
            return calls;
        }"""
    )
    assert calls == 1


# ---- Speed, looks


def test_a_change_takes_less_than_a_frame(page, mounted):
    widgets = []
    for key in KEYS:
        entry = TABLE[key]
        space = positive_definite if entry.where[entry.wrt].shape == ("d", "d") else None
        point = entry.draw(np.random.default_rng(0), 3, space)
        widgets.append(explore(key, at=point.pop(entry.wrt), space=space, **point))
    page.goto(mounted(*widgets))
    times = page.evaluate(
        """() => [...document.querySelectorAll('.mvn-widget')].map(({ model }) => {
            const point = model.get('point'), times = [];
            for (let k = 1; k <= 40; k++) {
                const moved = JSON.parse(JSON.stringify(point));
                if (Array.isArray(moved[0])) moved[0][0] += k / 100; else if (Array.isArray(moved)) moved[0] += k / 100;
                const begun = performance.now();
                model.set('point', Array.isArray(moved) ? moved : moved + k / 100);
                times.push(performance.now() - begun);
            }
            return times.sort((a, b) => a - b)[20];
        })"""
    )
    assert len(times) == len(KEYS)
    assert max(times) < FRAME


def test_the_curve_is_not_computed_for_a_change_of_step(page, mounted):
    page.goto(mounted(explore("logdet", at=S3)))
    same = page.evaluate(
        """() => {
            const { model } = document.querySelector('.mvn-widget');
            let calls = 0;
            model.on('change:curve', () => { calls += 1; });
            model.set('step', 1e-4);
            model.set('scheme', 'forward');
            return calls;
        }"""
    )
    assert same == 0


@pytest.mark.parametrize("width", [360, 1200])
def test_nothing_is_wider_than_the_window(page, mounted, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(
        mounted(
            explore("inv", at=S3),
            explore("normal_logpdf_Sigma", at=S3),
            explore_neumann(S3, np.eye(3)),
            explore_em(*blobs()),
            explore_segment(blobs()[0]),
        )
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    small = page.evaluate(
        """() => [...document.querySelectorAll('.mvn-app :is(button, select, input[type=number], input[type=range])')]
            .map((node) => node.getBoundingClientRect()).filter((box) => box.height && box.height < 43.5).length"""
    )
    assert small == 0


def test_without_scripts_and_in_print_the_figure_is_there(page, mounted, browser):
    address = mounted(explore("logdet", at=S3), explore(np.linalg.det, at=S3))
    page.goto(address)
    assert not page.is_visible(".mvn-mounted .mvn-static")
    assert page.is_visible(".mvn-mounted .mvn-app")
    assert "live in Jupyter" in page.locator(".mvn-widget").nth(1).inner_text()
    page.emulate_media(media="print")
    assert page.is_visible(".mvn-mounted .mvn-static")
    assert not page.is_visible(".mvn-mounted .mvn-app")
    context = browser.new_context(java_script_enabled=False, offline=True)
    still = context.new_page()
    still.goto(address)
    assert still.locator(".mvn-static svg[role=img]").count() == 2
    assert still.locator(".mvn-static").first.is_visible()
    context.close()


# ---- A page of its own, from disk


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_saved_page_is_live_from_disk(page, tmp_path, scheme):
    page.emulate_media(color_scheme=scheme)
    widget = explore("logdet", at=S2)
    page.goto(widget.save(tmp_path / "page.html").as_uri())
    assert page.title() == page.inner_text("h1") == widget.label
    assert page.locator("html").get_attribute("lang") == "en"
    page.get_by_role("spinbutton", name="S₁₁").fill("3")
    result = model_get(page, "result")
    assert result["value"] == pytest.approx(np.log(2.64), rel=1e-12)
    close(result["formula"], np.linalg.inv([[3, 0.6], [0.6, 1]]))
    page.get_by_role("radio", name="complex step").check()
    assert model_get(page, "result")["error"] < 1e-14
    ground, ink = (
        page.evaluate(f"getComputedStyle(document.querySelector('{where}')).{what}")
        for where, what in (("body", "backgroundColor"), (".mvn-widget", "color"))
    )
    ground, ink = (np.mean([int(v) for v in re.findall(r"\d+", colour)[:3]]) for colour in (ground, ink))
    assert (ground > 200 > 100 > ink) if scheme == "light" else (ground < 60 < 180 < ink)
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_every_kind_of_explorer_can_be_saved(page, tmp_path):
    X, *start = blobs()
    mixture, segment, series = explore_em(X, *start), explore_segment(X), explore_neumann(S2, np.eye(2))
    page.goto(mixture.save(tmp_path / "mixture.html").as_uri())
    page.get_by_role("button", name="Step").click()
    assert model_get(page, "result")["value"] == pytest.approx(mixture_loglik(X, *em_step(X, *start)[:3]))
    page.goto(segment.save(tmp_path / "segment.html").as_uri())
    assert model_get(page, "result")["value"] == pytest.approx(segment.result["value"])
    page.goto(series.save(tmp_path / "series.html").as_uri())
    assert model_get(page, "result")["radius"] == pytest.approx(series.result["radius"])


def test_a_function_of_the_readers_own_is_saved_as_a_figure_that_says_so(page, tmp_path):
    widget = explore(np.linalg.det, lambda S: np.linalg.inv(S), at=S2)
    page.goto(widget.save(tmp_path / "page.html").as_uri())
    assert not page.locator(".mvn-mounted").count()
    assert page.is_visible(".mvn-static svg[role=img]")
    words = page.inner_text("main")
    assert "The numbers of this explorer come from Python: it is live in Jupyter. Here it is still" in words
    assert "Your table" in words
    assert f"{widget.result['formula'][0][0]:.6g}" in words


SPHERE = """import { norm } from "./arrays.js";
import { tag } from "./drawing.js";

export const inputs = ["r"];
export const first = "r";
export const refusals = { r: ({ r }) => (r > 0 ? "" : "r must be positive") };
export const update = (state) => ({ ...state, result: { value: norm([state.r, state.r]) } });

export function view({ app, live, get, on }) {
  const shown = tag("output");
  on(["result"], () => shown.replaceChildren(String(get("result").value)));
  app.append(shown, live);
}
"""


def test_an_explorer_is_added_by_its_own_two_files_alone(page, tmp_path, monkeypatch):
    folder = tmp_path / "widgets"
    shutil.copytree(front._FOLDER, folder)
    (folder / "sphere.js").write_text(SPHERE)
    (folder / "sphere.py").write_text("")
    front._text.cache_clear()
    monkeypatch.setattr(front, "_FOLDER", folder)
    state = {"kind": "sphere", "name": "sphere", "label": "A sphere", "constants": {}, "problem": "", "r": 3}
    text = json.dumps({**state, "functions": "({})"})
    body = (
        f'<div class="mvn-widget" data-widget="sphere"><script type="application/json">{text}</script></div>'
    )
    (tmp_path / "page.html").write_text(front.page("A sphere", body), encoding="utf-8")
    monkeypatch.undo()
    front._text.cache_clear()
    page.goto((tmp_path / "page.html").as_uri())
    assert float(page.inner_text("output")) == pytest.approx(np.sqrt(18))
    model_set(page, "r", 4)
    assert float(page.inner_text("output")) == pytest.approx(np.sqrt(32))
    model_set(page, "r", -1)
    assert page.inner_text(".mvn-problem") == "r must be positive"
    model_set(page, "label", 5)  # no input
    assert model_get(page, "label") == "A sphere"


# ---- EM, a step at a time


PARAMETERS = ("weights", "means", "covariances")


def blobs(K=2, n=272, condition=10.0, seed=0):
    """Data in the plane, and a start that is not where they came from."""
    rng = np.random.default_rng(seed)
    centres = 3 * rng.normal(size=(K, 2))
    X = centres[rng.integers(K, size=n)] + rng.normal(size=(n, 2))
    covariances = np.stack([positive_definite.draw(rng, 2, condition) for _ in range(K)])
    weights = rng.uniform(0.2, 1, size=K)
    return X, weights / weights.sum(), centres + rng.normal(size=(K, 2)), covariances


@pytest.mark.parametrize(("K", "condition"), [(1, 1.0), (2, 10.0), (3, 1e3), (4, 1e6)])
def test_steps_of_em_in_the_page_are_those_of_python(page, mounted, K, condition):
    X, *here = blobs(K, condition=condition)
    page.goto(mounted(explore_em(X, *here)))
    history = []
    for step in range(12):
        result = model_set(page, "iteration", step)
        history.append(mixture_loglik(X, *here))
        close(result["value"], history[-1])
        close(model_get(page, "history"), history)
        close(result["responsibilities"], responsibilities(X, *here), 1e-9 * max(1, condition / 1e3))
        for name, part in zip(PARAMETERS, here, strict=True):
            close(model_get(page, name), part)
        *here, _ = em_step(X, *here)
    kept = model_get(page, "means")
    model_set(page, "iteration", 3)
    close(model_get(page, "history"), history[:4])
    model_set(page, "iteration", 11)
    assert model_get(page, "means") == kept


def test_a_parameter_set_by_a_script_starts_a_new_run(page, mounted):
    X, *here = blobs()
    page.goto(mounted(explore_em(X, *here)))
    model_set(page, "iteration", 4)
    means = (here[1] + 0.5).tolist()
    result = model_set(page, "means", means)
    assert model_get(page, "iteration") == 0
    close(
        result["value"], mixture_loglik(X, model_get(page, "weights"), means, model_get(page, "covariances"))
    )
    assert model_get(page, "origin")["means"] == means


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("weights", [1, -1], "weights"),
        ("weights", [0, 0], "weights"),
        ("weights", [1], "shape"),
        ("means", [[0, 0]], "shape"),
        ("means", None, "shape"),
        ("covariances", [[[1, 2], [2, 1]], [[1, 0], [0, 1]]], "positive definite"),
        ("covariances", 3, "shape"),
        ("iteration", -1, "iteration"),
        ("iteration", 0.5, "iteration"),
        ("iteration", 1001, "iteration"),
    ],
)
def test_a_bad_mixture_is_refused_in_sight(page, mounted, name, value, words):
    page.goto(mounted(explore_em(*blobs())))
    model_set(page, "iteration", 2)
    before = {key: model_get(page, key) for key in (*PARAMETERS, "iteration", "history", "result")}
    model_set(page, name, value)
    assert {key: model_get(page, key) for key in before} == before
    assert words in page.inner_text(".mvn-problem")
    model_set(page, "iteration", 3)
    assert not page.is_visible(".mvn-problem")


def test_a_component_that_collapses_is_told_in_sight(page, mounted):
    X, weights, means, covariances = blobs()
    X = np.concatenate([X, np.full((8, 2), 40.0)])
    means[0] = 40
    page.goto(mounted(explore_em(X, weights, means, covariances)))
    page.get_by_role("button", name="Run").click()
    page.wait_for_function("document.querySelector('.mvn-problem').textContent.includes('collapsed')")
    assert "no bound" in page.inner_text(".mvn-problem")
    assert page.get_by_role("button", name="Run").get_attribute("aria-pressed") == "false"
    page.get_by_role("button", name="Random start").click()
    assert not page.is_visible(".mvn-problem")


def test_every_control_of_em_does_its_work(page, mounted):
    X, *start = blobs()
    page.goto(mounted(explore_em(X, *start, axes=("length (mm)", "width (mm)"))))
    step = page.get_by_role("button", name="Step")
    step.click()
    step.focus()
    page.keyboard.press("Enter")
    assert model_get(page, "iteration") == 2
    assert page.inner_text(".mvn-app .mvn-title").startswith("Iteration 2: log-likelihood")
    page.wait_for_function("document.querySelector('[aria-live]').textContent.includes('Iteration 2')")
    words = page.inner_text("[aria-live]")
    value = f"{model_get(page, 'result')['value']:.3f}".replace("-", "−")
    assert value in words
    assert re.search(r"Component 1: weight 0\.\d+, mean length \S+, width \S+; Component 2", words)
    page.get_by_role("button", name="Run").click()
    assert page.get_by_role("button", name="Pause").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Pause").click()
    paused = model_get(page, "iteration")
    assert paused >= 3
    values, here = [-np.inf, mixture_loglik(X, *start)], start
    while values[-1] - values[-2] >= 1e-8 * len(X):
        *here, _ = em_step(X, *here)
        values.append(mixture_loglik(X, *here))
    steps = len(values) - 2
    model_set(page, "iteration", steps - 3)
    page.get_by_role("button", name="Run").click()
    page.wait_for_function("document.querySelector('.mvn-title').textContent.endsWith('converged')")
    assert model_get(page, "iteration") == steps
    page.get_by_role("button", name="Run", exact=True).wait_for()
    history = np.array(model_get(page, "history"))
    assert (np.diff(history) >= -1e-9).all()
    assert history[-1] - history[-2] < 1e-8 * len(X)
    gradient = mvnlib.mixture_gradient(X, *(model_get(page, name) for name in PARAMETERS))
    assert np.abs(gradient[1]).max() < 1e-1
    page.get_by_role("button", name="Reset").click()
    for name, part in zip(PARAMETERS, start, strict=True):
        assert model_get(page, name) == part.tolist()
    page.get_by_role("button", name="Random start").click()
    means = model_get(page, "means")
    assert all(mean in X.tolist() for mean in means)
    assert means[0] != means[1]
    close(model_get(page, "covariances")[1], np.cov(X.T, bias=True))
    page.get_by_text("Start from other means").click()
    page.get_by_role("spinbutton", name="μ₁₂").fill("7.5")
    assert model_get(page, "means")[0] == [means[0][0], 7.5]
    assert model_get(page, "iteration") == 0
    page.get_by_role("spinbutton", name="μ₁₂").fill("")
    assert "not a number" in page.inner_text(".mvn-problem")


def test_points_and_ellipses_follow_the_parameters(page, mounted):
    X, *here = blobs()
    page.goto(mounted(explore_em(X, *here)))
    model_set(page, "iteration", 6)
    r = np.array(model_get(page, "result")["responsibilities"])
    spots = page.locator(".mvn-app .mvn-spot")
    assert spots.count() == len(X)
    shapes = page.eval_on_selector_all(
        ".mvn-app .mvn-spot",
        "all => all.map(p => [p.getAttribute('d'), p.getAttribute('class'), getComputedStyle(p).fillOpacity])",
    )
    for row, (shape, css, opacity) in zip(r, shapes, strict=True):
        assert css == f"mvn-spot mvn-c{row.argmax() + 1}"
        assert float(opacity) == pytest.approx(0.8 * (2 * row.max() - 1), abs=6e-3)
        assert shape == next(s for s, c, _ in shapes if c == css)
    assert len({shape for shape, _, _ in shapes}) == 2  # told apart in grey
    # The ellipse at two standard deviations, read back from its path in the axes of the plot.
    path = page.locator(".mvn-app .mvn-ring.mvn-c2").nth(1).get_attribute("d")
    points = np.array([pair.split() for pair in path.strip("MZ").split("L")], dtype=float)
    box = np.array(
        [[X[:, j].min() - 0.07 * np.ptp(X[:, j]), X[:, j].max() + 0.07 * np.ptp(X[:, j])] for j in (0, 1)]
    )
    u = box[0, 0] + (points[:, 0] - 66) / 280 * np.ptp(box[0])
    v = box[1, 1] - (points[:, 1] - 10) / 202 * np.ptp(box[1])
    y = np.stack([u, v], axis=1) - model_get(page, "means")[1]
    S = np.array(model_get(page, "covariances")[1])
    np.testing.assert_allclose(np.einsum("ij,ij->i", y @ np.linalg.inv(S), y), 4, rtol=0.03)


def test_motion_is_spared_those_who_ask(browser, mounted):
    context = browser.new_context(offline=True, reduced_motion="reduce")
    tab = context.new_page()
    tab.goto(mounted(explore_em(*blobs())))
    # Click and read in one turn of the script: the next 25 steps come 150 ms later, however slow the machine is.
    steps = tab.get_by_role("button", name="Run").evaluate(
        "run => { run.click(); return run.closest('.mvn-widget').model.get('iteration'); }"
    )
    assert steps == 25
    context.close()


# ---- The segment and its chord


@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_segment_in_the_page_is_that_of_python(page, mounted, d):
    rng = np.random.default_rng(d)
    X = rng.normal(size=(30, d)) @ rng.normal(size=(d, d)) + 2
    presets = {
        f"condition {condition:.0e}": (rng.normal(size=d), positive_definite.draw(rng, d, condition))
        for condition in (1e1, 1e3, 1e6)
    }
    widget = explore_segment(X, presets)
    page.goto(mounted(widget))
    assert page.locator(".mvn-app .mvn-spot").count() == (30 if d == 2 else 0)
    for parameters in ("mu, Sigma", "mu, P", "P mu, P"):
        for ends in (list(presets)[:2], list(presets)[1:]):
            widget.set_state({"ends": ends, "parameters": parameters})
            model_set(page, "ends", ends)
            model_set(page, "parameters", parameters)
            for t in (0.0, 0.3, 1.0):
                widget.t = t
                result = model_set(page, "t", t)
                close(model_get(page, "curve")["J"], widget.curve["J"])
                for name in ("value", "chord", "mu", "Sigma"):
                    close(result[name], widget.result[name])
                assert result["excess"] == pytest.approx(widget.result["excess"], rel=1e-6, abs=1e-6)


def test_every_control_of_the_segment_does_its_work(page, mounted):
    page.goto(mounted(explore_segment(blobs()[0])))
    title = page.locator(".mvn-app .mvn-title")
    assert "it is not convex in (μ, Σ)" in title.inner_text()
    page.get_by_role("radio", name="Pμ, P").check()
    assert model_get(page, "parameters") == "P mu, P"
    assert "there it is convex" in title.inner_text()
    page.get_by_role("combobox", name="First end").select_option("mean moved, ten times the covariance")
    page.get_by_role("combobox", name="Last end").select_option("a quarter of the covariance")
    assert model_get(page, "ends") == ["mean moved, ten times the covariance", "a quarter of the covariance"]
    page.get_by_role("radio", name="μ, P mean").focus()
    page.keyboard.press("ArrowUp")
    assert model_get(page, "parameters") == "mu, Sigma"
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert model_get(page, "t") == pytest.approx(0.51)
    page.wait_for_function("document.querySelector('[aria-live]').textContent.includes('t = 0.51: J ')")
    for name, value, words in (
        ("t", 2, "t must"),
        ("t", None, "t must"),
        ("ends", ["a"], "ends"),
        ("parameters", "P", "parameters"),
    ):
        before = model_get(page, name)
        model_set(page, name, value)
        assert model_get(page, name) == before
        assert words in page.inner_text(".mvn-problem")


def test_from_a_point_to_itself_there_is_no_segment_and_no_rounding_is_drawn(page, mounted):
    page.goto(mounted(explore_segment(blobs()[0], ends=["mean moved, ten times the covariance"] * 2)))
    title = page.locator(".mvn-app .mvn-title")
    for name in ("μ, Σ", "μ, P mean", "Pμ, P"):
        page.get_by_role("radio", name=name).check()
        assert title.inner_text() == "The two ends are one point: choose another, to have a segment"
        width, height = page.locator(".mvn-app path.mvn-central").evaluate(
            "path => [path.getBBox().width, path.getBBox().height]"
        )
        assert height < 0.1 < 10 < width
    page.get_by_role("combobox", name="Last end").select_option("a quarter of the covariance")
    assert "chord" in title.inner_text()


def test_a_step_and_a_slide_take_less_than_a_frame(page, mounted):
    X, *start = blobs()
    page.goto(mounted(explore_em(X, *start), explore_segment(X)))
    times = page.evaluate(
        """() => {
            const [em, segment] = [...document.querySelectorAll('.mvn-widget')].map((root) => root.model);
            const median = (change) => {
                const times = Array.from({ length: 21 }, (_, k) => {
                    const begun = performance.now();
                    change(k);
                    return performance.now() - begun;
                });
                return times.sort((a, b) => a - b)[10];
            };
            return [median((k) => em.set('iteration', k + 1)), median((k) => segment.set('t', k / 40)),
                median((k) => segment.set('parameters', k % 2 ? 'mu, P' : 'P mu, P'))];
        }"""
    )
    assert max(times) < FRAME


# ---- The same module in Jupyter: the numbers come from Python


ANYWIDGET = """async ([source, state]) => {
    const front = await import(URL.createObjectURL(new Blob([source], { type: 'text/javascript' })));
    const listeners = {}, pending = {};
    const fire = (name) => (listeners['change:' + name] ?? []).forEach((listener) => listener());
    window.model = {
        get: (name) => state[name],
        set(name, value) { state[name] = value; pending[name] = value; fire(name); },
        on(event, listener) { (listeners[event] ??= []).push(listener); },
        off(event, listener) { listeners[event] = listeners[event].filter((l) => l !== listener); },
        async save_changes() {
            if (!Object.keys(pending).length) return;
            const sent = { ...pending };
            for (const name of Object.keys(pending)) delete pending[name];
            const reply = JSON.parse(await window.kernel(JSON.stringify(sent)));
            Object.assign(state, reply);
            Object.keys(reply).forEach(fire);
        },
    };
    window.count = () => Object.values(listeners).flat().length;
    const el = document.body.appendChild(document.createElement('div'));
    window.cleanup = front.default.render({ model: window.model, el });
}"""


def live(page, widget):
    """Mount the ES module on a model that speaks to the Python widget, as anywidget does."""

    def state():
        return {
            name: getattr(widget, name)
            for name in widget.keys
            if not name.startswith("_") and name != "layout"
        }

    def plain_state():
        return {k: v for k, v in state().items() if isinstance(v, str | int | float | list | dict | bool)}

    def kernel(message):
        widget.set_state(json.loads(message))
        return json.dumps(plain_state(), allow_nan=False)

    page.expose_function("kernel", kernel)
    page.goto("about:blank")
    page.evaluate(ANYWIDGET, [module(), json.loads(json.dumps(plain_state(), allow_nan=False))])


def test_in_jupyter_the_numbers_come_from_python(page):
    def twice(S):
        return 2 * mvnlib.ops.logdet(S)

    widget = explore(twice, 2 * np.linalg.inv(S2), at=S2)
    live(page, widget)
    page.get_by_role("spinbutton", name="S₁₁").fill("3")
    page.wait_for_function("Math.abs(model.get('result').value - 2 * Math.log(2.64)) < 1e-12")
    assert widget.point == [[3, 0.6], [0.6, 1]]
    assert f"{2 * np.log(2.64):.5f}" in page.inner_text(".mvn-app .mvn-title")
    page.get_by_role("radio", name="free").check()
    page.wait_for_function("document.querySelector('.mvn-live').textContent.includes('formula')")
    assert widget.convention == "free"
    page.evaluate("document.querySelector('.mvn-widget').model.set('scheme', 'complex')")
    page.wait_for_function("model.get('step') < 1e-15")
    assert widget.scheme == "complex"


def test_in_jupyter_a_bad_point_is_sent_back(page):
    widget = explore("logdet", at=S2)
    live(page, widget)
    page.evaluate("document.querySelector('.mvn-widget').model.set('point', [[1, 2], [2, 1]])")
    page.wait_for_function("document.querySelector('.mvn-problem').textContent.includes('positive definite')")
    page.wait_for_function("model.get('point')[0][0] === 2")
    assert widget.point == S2.tolist()


def test_in_jupyter_the_steps_of_em_come_from_python(page):
    X, *here = blobs()
    widget = explore_em(X, *here)
    live(page, widget)
    page.get_by_role("button", name="Step").click()
    page.wait_for_function("model.get('history').length === 2")
    *here, _ = em_step(X, *here)
    assert widget.iteration == 1
    np.testing.assert_allclose(widget.means, here[1], rtol=1e-12)
    page.get_by_role("button", name="Run").click()
    page.wait_for_function("model.get('history').length > 4")
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Random start").click()
    page.wait_for_function("model.get('history').length === 1")
    assert widget.iteration == 0
    assert all(mean in X.tolist() for mean in widget.means)
    page.evaluate("cleanup()")
    assert page.evaluate("count()") == 0


def test_in_jupyter_the_segment_comes_from_python(page):
    widget = explore_segment(blobs()[0])
    live(page, widget)
    page.get_by_role("radio", name="Pμ, P").check()
    page.wait_for_function("document.querySelector('.mvn-title').textContent.includes('there it is convex')")
    assert widget.parameters == "P mu, P"
    page.get_by_role("slider").fill("0.9")
    page.wait_for_function("Math.abs(model.get('result').value) > 0")
    assert widget.t == 0.9


def test_in_jupyter_the_view_cleans_up(page):
    live(page, explore_neumann(S2, np.eye(2)))
    assert page.evaluate("count()") > 0
    assert page.locator("[data-widget=neumann]").count() == 1
    page.evaluate("cleanup()")
    assert page.evaluate("count()") == 0
    assert page.locator(".mvn-app").count() == 0


# ---- The book


def test_only_pages_with_an_explorer_load_its_script(tmp_path):
    (tmp_path / "conf.py").write_text(
        f"import sys; sys.path.insert(0, {str(REPOSITORY / '_ext')!r})\nextensions = ['widget_host']\n"
    )
    raw = "\n".join("   " + line for line in explore("logdet", at=S2).static_html().splitlines())
    (tmp_path / "index.rst").write_text(f"Live\n====\n\n.. raw:: html\n\n{raw}\n\n.. toctree::\n\n   still\n")
    (tmp_path / "still.rst").write_text("Still\n=====\n\nNothing moves.\n")
    out = tmp_path / "html"
    run = subprocess.run(
        [sys.executable, "-m", "sphinx", "-qW", str(tmp_path), str(out)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert "mvnlib-widgets.js?v=" in (out / "index.html").read_text()
    assert "mvnlib-widgets" not in (out / "still.html").read_text()
    assert "export " not in (out / "_static" / "mvnlib-widgets.js").read_text()


NAMES_OVERLAP = """root => {
    const boxes = [...root.querySelectorAll(".mvn-app text[class*=mvn-name]:not([visibility=hidden])")]
        .map((name) => name.getBBox());
    return boxes.some((a, i) => boxes.slice(i + 1).some((b) => a.x < b.x + b.width && b.x < a.x + a.width
        && Math.abs(a.y - b.y) < 12));
}"""


def test_every_explorer_of_the_book_is_live(page, built_book):
    pages = [
        path
        for path in built_book.rglob("*.html")
        if 'class="mvn-widget"' in path.read_text(encoding="utf-8")
    ]
    assert pages
    for path in pages:
        page.goto(path.as_uri())
        live = ".mvn-widget:has(> script)"
        page.wait_for_function(f"!document.querySelector('{live}:not(.mvn-mounted)')")
        for number, name in enumerate(
            page.eval_on_selector_all(".mvn-mounted", "all => all.map(r => r.dataset.widget)")
        ):
            root = page.locator(".mvn-mounted").nth(number)
            problem = root.evaluate("root => root.model.get('problem')")
            assert problem == "", f"{path.name}: {name}: {problem}"
            assert not root.evaluate(NAMES_OVERLAP), f"{path.name}: {name}: the names of two curves overlap"
            if name in TABLE:
                state = root.evaluate(
                    "r => Object.fromEntries(['point', 'params', 'result'].map(name => [name, r.model.get(name)]))"
                )
                entry = TABLE[name]
                point = {k: np.array(v) for k, v in {**state["params"], entry.wrt: state["point"]}.items()}
                close(state["result"]["value"], entry.value(point))
