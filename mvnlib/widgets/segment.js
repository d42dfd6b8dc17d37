// The negative log-likelihood J along a segment of parameters, and its chord.

import { largest, short, show, times, total, zip } from "./arrays.js";
import { choice, figure, mark, padded, scatter, set, slider, stride, tag, ticks } from "./drawing.js";

export const inputs = ["ends", "parameters", "t"];
export const first = "ends";

export const refusals = {
  ends({ ends, presets }) {
    const two = Array.isArray(ends) && ends.length === 2 && ends.every((end) => Object.hasOwn(presets, end));
    return two ? "" : "The ends must be two of the points offered";
  },
  parameters: ({ parameters, constants }) =>
    Object.hasOwn(constants.segments, parameters) ? "" : `No parameters “${parameters}”`,
  t: ({ t }) => (Number.isFinite(t) && t >= 0 && t <= 1 ? "" : "t must lie between 0 and 1"),
};

export function update(state, name) {
  const { t, constants } = state;
  const J = (u) => {
    const density = state.functions.density, { mu, Sigma } = alongSegment(state, u);
    return -total(state.X.map((x) => density.value({ x, mu, Sigma })));
  };
  let { curve } = state;
  if (name !== "t" || !curve?.J) {
    const places = stride([0, constants.curve - 1], 1).map((k) => k / (constants.curve - 1));
    curve = { t: places, J: places.map(J) };
  }
  const chord = (u) => (1 - u) * curve.J[0] + u * curve.J.at(-1);
  const above = curve.J.map((v, k) => v - chord(curve.t[k])), excess = Math.max(...above);
  const where = curve.t[above.indexOf(excess)];
  const result = { value: J(t), chord: chord(t), ...alongSegment(state, t), excess, where };
  return { ...state, curve, result };
}

/** The mean and the covariance at t on a segment that is straight in the parameters chosen. */
function alongSegment({ functions, presets, ends, parameters }, t) {
  const between = (a, b) => zip((x, y) => (1 - t) * x + t * y, a, b);
  const inverse = (S) => functions.inverse.value({ S });
  const [one, two] = ends.map((end) => presets[end]);
  if (parameters === "mu, Sigma") {
    return { mu: between(one.mu, two.mu), Sigma: between(one.Sigma, two.Sigma) };
  }
  const P = inverse(one.Sigma), Q = inverse(two.Sigma), Sigma = inverse(between(P, Q));
  if (parameters === "mu, P") return { mu: between(one.mu, two.mu), Sigma };
  return { mu: times(Sigma, between(times(P, one.mu), times(Q, two.mu))), Sigma };
}

// ---- The view -------------------------------------------------------------------------------------------

export function view(stage) {
  const { app, live, get, on } = stage, title = tag("p", { class: "mvn-title" });
  const kind = choice(stage, "parameters", "Straight in", stage.constants.segments);
  const place = slider(stage, "t", {
    caption: "Where on the segment: ",
    label: "t, from one end to the other",
    range: [0, 1],
    step: 0.01,
    text: (t) => `t = ${short(t)}`,
  });
  const figures = [chordFigure(stage), ...densities(stage)];
  on(["result"], () => {
    const { value, chord } = get("result"), verdict = verdictOn(stage);
    title.textContent = verdict;
    stage.say(`t = ${short(get("t"))}: J ${show(value)}, chord ${show(chord)}. ${verdict}.`);
  });
  const left = tag("div", {}, endChooser(stage, 0), endChooser(stage, 1), kind);
  app.append(
    title,
    tag("div", { class: "mvn-columns" }, left, tag("div", {}, place, live)),
    tag("div", { class: "mvn-pair" }, ...figures),
  );
}

function endChooser({ get, act, on }, which) {
  const options = Object.keys(get("presets")).map((name) => tag("option", { value: name }, name));
  const label = ["First end", "Last end"][which];
  const pick = () => act({ ends: get("ends").map((end, k) => (k === which ? select.value : end)) });
  const select = tag("select", { "aria-label": label, onchange: pick }, ...options);
  on(["ends"], () => {
    select.value = get("ends")[which];
  });
  return tag("label", { class: "mvn-field" }, ["From ", "to "][which], select);
}

/** Whether the two ends are one point: then J varies by rounding alone. */
function isOnePoint({ get }) {
  const [one, two] = get("ends").map((end) => JSON.stringify(get("presets")[end]));
  return one === two;
}

function verdictOn(stage) {
  const { get, constants } = stage, { excess, where } = get("result"), parameters = get("parameters");
  const [name] = constants.segments[parameters];
  if (isOnePoint(stage)) return "The two ends are one point: choose another, to have a segment";
  if (excess > constants.flat * largest(get("curve").J)) {
    return `J rises ${short(excess)} above its chord, at t = ${short(where)}: it is not convex in (${name})`;
  }
  if (parameters === "P mu, P") {
    return "J stays below its chord, as on every segment that is straight in (Pμ, P): there it is convex";
  }
  return `J stays below its chord on this segment; of other segments in (${name}) that says nothing`;
}

function chordFigure(stage) {
  const { get, on } = stage;
  const caption = "Solid: J. Dashed: its chord. A convex function is nowhere above a chord.";
  const node = tag("figure"), marker = mark("circle", { class: "mvn-marker", r: 5 });
  const drop = mark("line", { class: "mvn-guide" });
  let chart;
  on(["curve"], () => {
    chart = chordChart(stage);
    chart.svg.append(drop, marker);
    node.replaceChildren(chart.svg, tag("figcaption", {}, caption));
  });
  on(["result"], () => {
    const { value, chord } = get("result"), x = chart.X(get("t"));
    set(drop, { x1: x, x2: x, y1: chart.Y(value), y2: chart.Y(chord) });
    set(marker, { cx: x, cy: chart.Y(value) });
  });
  return node;
}

/** J, its chord, and what lies between them. */
function chordChart(stage) {
  const { t, J } = stage.get("curve"), y = padded(isOnePoint(stage) ? [J[0]] : J, 0.08);
  const chart = stage.plot({
    x: [0, 1],
    y,
    xlabel: "t",
    ylabel: "J, negative log-likelihood",
    xticks: [0, 0.2, 0.4, 0.6, 0.8, 1],
    yticks: ticks(y, 4),
    label: "J along the segment, and its chord",
  });
  const points = t.map((u, k) => [u, J[k]]), ends = [[0, J[0]], [1, J.at(-1)]];
  chart.svg.append(
    mark("path", { class: "mvn-between", d: `${chart.path([...points, ...[...ends].reverse()])}Z` }),
    mark("path", { class: "mvn-curve mvn-forward", d: chart.path(ends) }),
    mark("path", { class: "mvn-curve mvn-central", d: chart.path(points) }),
  );
  return chart;
}

/** The data with the density at t and those of the two ends, where the data lie in the plane. */
function densities(stage) {
  const { get, on } = stage, X = get("X"), axes = get("axes");
  if (X[0].length !== 2) return [];
  const ends = "with the ellipse of the density at t and, dashed and dotted, those of the two ends";
  const plane = scatter(stage, X, axes, 3, `Scatter plot of ${axes[1]} against ${axes[0]}, ${ends}`);
  on(["result"], () => {
    const { mu, Sigma } = get("result"), presets = get("presets");
    plane.ring(0, mu, Sigma, "", [1]);
    get("ends").forEach((end, k) => plane.ring(k + 1, presets[end].mu, presets[end].Sigma, "", [1]));
  });
  const caption =
    "Ellipses at one standard deviation. Solid: the density at t. Dashed and dotted: the two ends.";
  return [figure(plane.svg, caption)];
}
