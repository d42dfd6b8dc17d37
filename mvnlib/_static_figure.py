"""The figure an explorer shows where no script runs: in print, without JavaScript, before the page is alive.

Tables are tables; curves are SVG, in the colours of the page. The class names are those of the front end, so
that one style sheet serves both.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_WIDTH, _HEIGHT = 360, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 14, 10, 48
_NAMES = {"forward": "forward", "central": "central", "richardson": "Richardson", "complex": "complex step"}
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
LETTERS = {"Sigma": "Σ", "mu": "μ", "pi": "π"}


def explorer(state: Mapping[str, Any]) -> str:
    """The figure of :class:`mvnlib.widgets.Explorer`: its tables and the curve of error against step."""
    result, scheme = state["result"], _NAMES[state["scheme"]]
    scalar = not isinstance(result["value"], list)
    letter = LETTERS.get(state["wrt"], state["wrt"])
    moves = "" if scalar else f" ∂/∂{letter}{_place(state['direction'])}"
    claimed = "Your table" if state["candidate"] else "Formula"
    tables = [] if scalar else [_table(state["title"], result["value"])]
    if result["formula"] is not None:
        tables.append(_table(f"{claimed}{moves}", result["formula"]))
    tables.append(_table(f"{scheme.capitalize()} difference{moves}", result["difference"]))
    value = f" = {_number(result['value'])}" if scalar else ""
    where = f"at {letter} = {_matrix(state['point'])}"
    words = f"{state['title']}{value} {where}, {state['convention']} convention, step {result['step']:.1e}"
    if result["error"] is not None:
        words += f"; relative error {result['error']:.1e}"
    return (
        f'<figure class="mvn-static"><div class="{"mvn-evidence" if scalar else "mvn-stack"}">'
        f'<div class="mvn-tables">{"".join(tables)}</div>{_error_curve(state)}</div>'
        f"<figcaption>{escape(words)}.</figcaption></figure>"
    )


def neumann(state: Mapping[str, Any]) -> str:
    """The figure of :class:`mvnlib.widgets.NeumannExplorer`: the error against the number of terms."""
    result = state["result"]
    errors, radius = [_log10(e) for e in result["errors"]], result["radius"]
    verdict = f"spectral radius {radius:.4g}: the series " + (
        "converges" if radius < 1 else "does not converge"
    )
    frame = _Frame((0, 20), (-16, 4))
    bound = [(k, k * _log10(radius)) for k in range(len(errors))]
    body = frame.axes("number of terms", "relative error", 4, 4, str)
    body += frame.line(bound, "mvn-curve mvn-forward") + frame.line(
        list(enumerate(errors)), "mvn-curve mvn-central"
    )
    body += "".join(
        f'<circle class="mvn-dot" r="3" cx="{frame.x(k):.1f}" cy="{frame.y(e):.1f}"/>'
        for k, e in enumerate(errors)
    )
    alt = (
        f"Relative error of the partial sums of the Neumann series against the number of terms, logarithmic; "
        f"{verdict}; after 20 terms the error is {result['errors'][-1]:.1e}."
    )
    words = f"t = {state['t']:.4g}, {verdict}; root mean square of the entries {result['rms']:.4g}. "
    words += "Dashed: the radius to the number of terms."
    return f'<figure class="mvn-static">{frame.svg(body, alt)}<figcaption>{words}</figcaption></figure>'


#: The shapes of the front end: one for each component, all of about the same area.
_SHAPES = (
    "M-3.1 0a3.1 3.1 0 1 0 6.2 0a3.1 3.1 0 1 0-6.2 0Z",
    "M0-3.9L3.9 2.9H-3.9Z",
    "M-2.8-2.8H2.8V2.8H-2.8Z",
    "M0-4L4 0L0 4L-4 0Z",
)


def mixture(state: Mapping[str, Any]) -> str:
    """The figure of :class:`mvnlib.widgets.MixtureExplorer`: the points and the ellipses of the components."""
    axes, weights, means, value = state["axes"], state["weights"], state["means"], state["result"]["value"]
    rows = state["result"]["responsibilities"]
    spread = 1 - 1 / len(weights) or 1.0
    spots = ""
    frame = _around_points(state["X"])
    for point, row in zip(state["X"], rows, strict=True):
        most = row.index(max(row))
        sure = (row[most] - 1 / len(row)) / spread if len(row) > 1 else 1
        spots += frame.spot(point, f"mvn-spot mvn-c{most + 1}", _SHAPES[most], 0.8 * sure)
    rings = ""
    for k, (mean, covariance) in enumerate(zip(means, state["covariances"], strict=True), 1):
        rings += frame.rings(mean, covariance, f"mvn-ring mvn-c{k}")
        rings += f'<text class="mvn-halo" x="{frame.x(mean[0]):.1f}" y="{frame.y(mean[1]) + 5:.1f}" '
        rings += f'text-anchor="middle">{k}</text>'
    counts = [sum(1 for row in rows if row.index(max(row)) == k) for k in range(len(weights))]
    alt = f"Scatter plot of {axes[1]} against {axes[0]}, {len(rows)} points, with an ellipse for each component. "
    parts = [
        f"Component {k + 1}: weight {weights[k]:.3g}, mean ({means[k][0]:.3g}, {means[k][1]:.3g}), "
        f"the most probable for {counts[k]} points"
        for k in range(len(weights))
    ]
    alt += "; ".join(parts) + "."
    words = f"Iteration {state['iteration']}: log-likelihood {_minus(f'{value:.3f}')}. {'; '.join(parts)}."
    drawing = frame.axes_at(axes[0], axes[1]) + spots + frame.clipped(rings)
    return (
        f'<figure class="mvn-static">{frame.svg(drawing, alt)}'
        f"<figcaption>{escape(words)}</figcaption></figure>"
    )


def segment(state: Mapping[str, Any]) -> str:
    """The figure of :class:`mvnlib.widgets.SegmentExplorer`: J along the segment, and its chord."""
    ts, J, result = state["curve"]["t"], state["curve"]["J"], state["result"]
    first, last = (state["presets"][end] for end in state["ends"])
    # Between a point and itself J varies by rounding alone.
    frame = _Frame((0, 1), _range(J if first != last else J[:1], 0.08))
    ends = [(0, J[0]), (1, J[-1])]
    body = frame.axes_at("t", "J, negative log-likelihood")
    body += frame.line(ends, "mvn-curve mvn-forward")
    body += frame.line(list(zip(ts, J, strict=True)), "mvn-curve mvn-central")
    x, y = frame.x(state["t"]), frame.y(result["value"])
    body += f'<circle class="mvn-marker" r="5" cx="{x:.1f}" cy="{y:.1f}"/>'
    names = state["parameters"].replace("Sigma", "Σ").replace("P mu", "Pμ").replace("mu", "μ")
    over = result["excess"] > 1e-9 * max(map(abs, J))
    verdict = (
        "The two ends are one point: there is no segment"
        if first == last
        else f"J rises {result['excess']:.4g} above its chord, at t = {result['where']:.4g}: not convex in ({names})"
        if over
        else f"J stays below its chord on this segment, straight in ({names})"
    )
    alt = f"The negative log-likelihood J along a segment from {state['ends'][0]} to {state['ends'][1]}, "
    alt += f"and its chord. {verdict}."
    words = f"From {state['ends'][0]} to {state['ends'][1]}. {verdict}. Solid: J. Dashed: its chord."
    return (
        f'<figure class="mvn-static">{frame.svg(body, alt)}<figcaption>{escape(words)}</figcaption></figure>'
    )


def _error_curve(state: Mapping[str, Any]) -> str:
    curve, result = state["curve"], state["result"]
    frame = _Frame((-20, 0), (-17, 1))
    body = frame.axes("step h", "relative error", 4, 3, _power)
    steps = [math.log10(h) for h in curve["steps"]]
    best: list[str] = []
    placed: list[tuple[float, float, float]] = []
    for scheme in ("forward", "central", "complex"):
        errors = [math.nan if e is None else _log10(e) for e in curve[scheme]]
        known = [k for k, e in enumerate(errors) if not math.isnan(e)]
        if not known:
            continue
        body += frame.line(list(zip(steps, errors, strict=True)), f"mvn-curve mvn-{scheme}")
        low = min(known, key=lambda k: errors[k])
        best.append(f"{_NAMES[scheme]} {10 ** errors[low]:.0e} at step {curve['steps'][low]:.0e}")
        flat = scheme == "complex"
        x = frame.x(-19.6) if flat else frame.x(steps[low]) - 5
        height = max(errors[k] for k in known[:12]) if flat else errors[low]
        y = min(frame.y(height) + (-8 if flat else 13), frame.y(-17) - 4)
        width = 8 * len(_NAMES[scheme])
        left = x if flat else x - width
        while any(a < left + width and left < b and abs(other - y) < 13 for a, b, other in placed):
            y -= 13
        placed.append((left, left + width, y))
        anchor = "start" if flat else "end"
        body += f'<text class="mvn-halo mvn-name-{scheme}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
        body += f"{_NAMES[scheme]}</text>"
    if result["error"] is not None:
        x, y = frame.x(math.log10(result["step"])), frame.y(_log10(result["error"]))
        body += f'<circle class="mvn-marker" r="5" cx="{x:.1f}" cy="{y:.1f}"/>'
    alt = f"Relative error of the differences of {state['title']} against the step, logarithmic; smallest: "
    alt += f"{', '.join(best)}."
    return frame.svg(body, alt)


def _range(values: Sequence[float], share: float) -> tuple[float, float]:
    """A range a little wider than the values."""
    low, high = min(values), max(values)
    pad = share * (high - low) or share * abs(low) or share
    return low - pad, high + pad


def _ticks(low: float, high: float, count: int) -> list[float]:
    """About ``count`` round numbers across a range."""
    rough = (high - low) / count
    base = 10.0 ** math.floor(math.log10(rough))
    every = base * next(m for m in (1, 2, 5, 10) if m * base >= rough * 0.999)
    first, last = math.ceil(low / every - 1e-9), math.floor(high / every + 1e-9)
    return [float(f"{k * every:.12g}") for k in range(first, last + 1)]


def _around_points(X: Sequence[Sequence[float]]) -> _Frame:
    return _Frame(_range([x[0] for x in X], 0.07), _range([x[1] for x in X], 0.07))


class _Frame:
    """A plane with axes."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        self.across, self.up = x, y

    def x(self, v: float) -> float:
        return self.unclipped_x(min(max(v, self.across[0]), self.across[1]))

    def y(self, v: float) -> float:
        return self.unclipped_y(min(max(v, self.up[0]), self.up[1]))

    def unclipped_x(self, v: float) -> float:
        low, high = self.across
        return _LEFT + (v - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    def unclipped_y(self, v: float) -> float:
        low, high = self.up
        return _HEIGHT - _BOTTOM - (v - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    def line(self, points: Sequence[tuple[float, float]], css: str) -> str:
        pen, path = "M", ""
        for u, v in points:
            if math.isnan(v):
                pen = "M"
                continue
            path += f"{pen}{self.x(u):.1f} {self.y(v):.1f}"
            pen = "L"
        return f'<path class="{css}" d="{path}"/>'

    def axes(self, xlabel: str, ylabel: str, xevery: int, yevery: int, tick: Any) -> str:
        base, body = _HEIGHT - _BOTTOM, ""
        for v in range(int(self.across[0]), int(self.across[1]) + 1, xevery):
            x = f"{self.x(v):.1f}"
            body += f'<line class="mvn-rule" x1="{x}" x2="{x}" y1="{_TOP}" y2="{base}"/>'
            body += f'<text x="{x}" y="{base + 18}" text-anchor="middle">{tick(v)}</text>'
        for v in range(int(self.up[0]), int(self.up[1]) + 1, yevery):
            y = self.y(v)
            body += f'<line class="mvn-rule" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            body += f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_power(v)}</text>'
        return body + self.names(xlabel, ylabel)

    def axes_at(self, xlabel: str, ylabel: str) -> str:
        """Axes in plain numbers, with round ticks."""
        base, body = _HEIGHT - _BOTTOM, ""
        for v in _ticks(*self.across, 5):
            x = f"{self.x(v):.1f}"
            body += f'<line class="mvn-rule" x1="{x}" x2="{x}" y1="{_TOP}" y2="{base}"/>'
            body += f'<text x="{x}" y="{base + 18}" text-anchor="middle">{_plain(v)}</text>'
        for v in _ticks(*self.up, 5):
            y = self.y(v)
            body += f'<line class="mvn-rule" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            body += f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_plain(v)}</text>'
        return body + self.names(xlabel, ylabel)

    def names(self, xlabel: str, ylabel: str) -> str:
        centre, middle = (_LEFT + _WIDTH - _RIGHT) / 2, (_HEIGHT - _BOTTOM + _TOP) / 2
        body = f'<text x="{centre}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(xlabel)}</text>'
        turned = f"translate(12 {middle}) rotate(-90)"
        return body + f'<text transform="{turned}" text-anchor="middle">{escape(ylabel)}</text>'

    def spot(self, point: Sequence[float], css: str, shape: str, opacity: float) -> str:
        place = f"{self.x(point[0]):.1f} {self.y(point[1]):.1f}"
        return (
            f'<path class="{css}" d="{shape}" transform="translate({place})" fill-opacity="{opacity:.2f}"/>'
        )

    def rings(self, mean: Sequence[float], covariance: Sequence[Sequence[float]], css: str) -> str:
        """The ellipses at one and two standard deviations."""
        a = math.sqrt(covariance[0][0])
        b = covariance[1][0] / a
        c = math.sqrt(max(covariance[1][1] - b * b, 0.0))
        body = ""
        for r in (1, 2):
            turn = [k * math.pi / 30 for k in range(60)]
            around = [
                (mean[0] + r * a * math.cos(t), mean[1] + r * (b * math.cos(t) + c * math.sin(t)))
                for t in turn
            ]
            path = "L".join(f"{self.unclipped_x(u):.1f} {self.unclipped_y(v):.1f}" for u, v in around)
            body += f'<path class="{css}" d="M{path}Z"/>'
        return body

    def clipped(self, body: str) -> str:
        """What may reach beyond the axes is cut off there."""
        width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        box = f'x="{_LEFT}" y="{_TOP}" width="{width}" height="{height}"'
        name = f"mvn-clip-{zlib.crc32(body.encode()):x}"
        return f'<clipPath id="{name}"><rect {box}/></clipPath><g clip-path="url(#{name})">{body}</g>'

    def svg(self, body: str, alt: str) -> str:
        label = escape(alt, quote=True)
        box = f"0 0 {_WIDTH} {_HEIGHT}"
        return f'<svg class="mvn-plot" viewBox="{box}" role="img" aria-label="{label}">{body}</svg>'


def _table(caption: str, values: Any) -> str:
    rows = [[values]] if not isinstance(values, list) else values if isinstance(values[0], list) else [values]
    scale = max((abs(v) for row in rows for v in row if v is not None), default=0) or 1
    body = ""
    for i, row in enumerate(rows, 1):
        body += f'<tr><th scope="row">{i}</th>' + "".join(_cell(v, scale) for v in row) + "</tr>"
    head = "".join(f'<th scope="col">{j}</th>' for j in range(1, len(rows[0]) + 1))
    title = f'<table class="mvn-table"><caption>{escape(caption)}</caption>'
    return f"{title}<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(v: float | None, scale: float) -> str:
    if v is None:
        return "<td>not finite</td>"
    negative = ' class="mvn-negative"' if v < 0 else ""
    return f'<td{negative} style="--heat: {round(40 * abs(v) / scale)}%">{_number(v)}</td>'


def _plain(v: float) -> str:
    return _minus(f"{v:.12g}")


def _minus(text: str) -> str:
    return text.replace("-", "−")


def _number(v: float) -> str:
    small = v != 0 and not 1e-3 <= abs(v) < 1e5
    return _minus(f"{v:.3e}" if small else f"{v:#.6g}")


def _matrix(point: Any) -> str:
    if not isinstance(point, list):
        return f"{point:.4g}"
    if isinstance(point[0], list):
        return "[" + ", ".join(map(_matrix, point)) + "]"
    return "[" + ", ".join(f"{v:.4g}" for v in point) + "]"


def _place(direction: Sequence[int]) -> str:
    return "".join("₀₁₂₃₄₅₆₇₈₉"[i + 1] for i in direction)


def _log10(x: float) -> float:
    return math.log10(max(x, 1e-300))


def _power(v: int) -> str:
    return "1" if v == 0 else "10" + str(v).translate(_SUPERSCRIPTS)
