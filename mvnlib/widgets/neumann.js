// The Neumann series: its partial sums against the inverse of S + t E.

import { brief, copy, each, log10, multiply, norm, power, problemWith, short, show, zip } from "./arrays.js";
import { figure, mark, set, slider, stride, tag } from "./drawing.js";

export const inputs = ["point", "perturbation", "t"];
export const first = "t";

export const refusals = {
  point: ({ constants, point, start }) =>
    problemWith(constants, "S", point, start.point, "positive definite"),
  perturbation: ({ constants, perturbation, start }) =>
    problemWith(constants, "E", perturbation, start.perturbation, "general"),
  t: ({ t }) => (Number.isFinite(t) ? "" : "t must be a finite number"),
};

/** Partial sums of S^-1 sum_k (-t E S^-1)^k against the true inverse of S + t E. */
export function update(state) {
  const { functions, point, perturbation, t, constants } = state;
  const inverse = functions.value({ S: point });
  const value = functions.value({ S: zip((s, e) => s + t * e, point, perturbation) });
  const M = each((x) => t * x, multiply(perturbation, inverse));
  const errors = [];
  let term = inverse, partial = each(() => 0, point);
  for (let terms = 0; terms <= constants.terms; terms++) {
    errors.push(norm(zip((a, b) => a - b, partial, value)) / norm(value));
    partial = zip((a, b) => a + b, partial, term);
    term = each((x) => -x, multiply(term, M));
  }
  return { ...state, result: { value, errors, radius: spectralRadius(M), rms: norm(M) / point.length } };
}

/** Largest |eigenvalue| of any square matrix: the limit of |M^n|^(1/n), taken at n = 2^60 by squaring. */
export function spectralRadius(M) {
  let log = 0, squared = copy(M);
  for (let n = 1; n < 2 ** 60; n *= 2) {
    const size = norm(squared);
    if (!(size > 0)) return size;
    log += Math.log(size) / n;
    squared = each((a) => a / size, squared);
    squared = multiply(squared, squared);
  }
  return Math.exp(log);
}

// ---- The view -------------------------------------------------------------------------------------------

export function view(stage) {
  const { app, live, get, on } = stage, title = tag("p", { class: "mvn-title" });
  const radius = gauge("spectral radius ρ of tE S⁻¹"), rms = gauge("root mean square of its entries");
  const caption = "Dots: error of the partial sum. Dashed: ρ to the number of terms.";
  const size = slider(stage, "t", {
    caption: "Size ",
    label: "t, the size of the perturbation",
    range: [0, get("t_max")],
    step: get("t_max") / 200,
    text: (t) => `t = ${short(t)}`,
  });
  const chart = errorChart(stage);
  on(["result"], () => {
    const found = get("result"), terms = found.errors.length - 1, verdict = verdictOn(found.radius);
    radius.draw(found.radius);
    rms.draw(found.rms);
    title.textContent = verdict[0].toUpperCase() + verdict.slice(1);
    const error = `relative error after ${terms} terms ${brief(found.errors[terms])}`;
    stage.say(`t = ${short(get("t"))}: ${verdict}; RMS norm ${short(found.rms)}; ${error}`);
  });
  const gauges = tag("table", { class: "mvn-gauges" }, tag("tbody", {}, radius.row, rms.row));
  app.append(title, size, gauges, figure(chart, caption), live);
}

function verdictOn(radius) {
  if (Math.abs(radius - 1) < 1e-9) return "the series does not converge: ρ = 1";
  return radius < 1
    ? `the series converges: ρ = ${short(radius)} < 1`
    : `the series diverges: ρ = ${short(radius)} > 1`;
}

/** A number with a bar that is full at two. */
function gauge(words) {
  const cell = tag("td"), bar = tag("span");
  const row = tag("tr", {}, tag("th", { scope: "row" }, words), cell, tag("td", { class: "mvn-gauge" }, bar));
  const draw = (v) => {
    cell.textContent = show(v);
    bar.style.width = `${Math.min(v / 2, 1) * 100}%`;
    bar.className = v < 1 ? "" : "mvn-over";
  };
  return { row, draw };
}

function errorChart({ get, on, plot, constants: { terms, axis } }) {
  const chart = plot({
    x: [0, terms],
    y: axis,
    xlabel: "number of terms",
    ylabel: "relative error",
    xticks: stride([0, terms], 4),
    yticks: stride(axis, 4),
    ytext: power,
    label: "Relative error of the partial sum of the Neumann series against its number of terms, logarithmic",
  });
  const bound = mark("path", { class: "mvn-curve mvn-forward" });
  const line = mark("path", { class: "mvn-curve mvn-central" });
  const dots = stride([0, terms], 1).map(() => mark("circle", { class: "mvn-dot", r: 3 }));
  chart.svg.append(bound, line, ...dots);
  on(["result"], () => {
    const { errors, radius } = get("result"), log = errors.map(log10);
    line.setAttribute("d", chart.path(log.map((v, k) => [k, v])));
    bound.setAttribute("d", chart.path(log.map((_, k) => [k, k * log10(radius)])));
    dots.forEach((dot, k) => set(dot, { cx: chart.X(k), cy: chart.Y(log[k]) }));
  });
  return chart.svg;
}
