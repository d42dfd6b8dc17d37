// A derivative two ways: a formula and a finite difference side by side, at a point that moves.

import {
  brief,
  byIndex,
  each,
  eigenvalues,
  entryOf,
  flat,
  indices,
  largest,
  log10,
  multiply,
  power,
  problemWith,
  replaced,
  shape,
  show,
  transpose,
  zip,
} from "./arrays.js";
import {
  button,
  choice,
  figure,
  mark,
  numbers,
  pointEntries,
  randomPoint,
  set,
  slider,
  stride,
  tag,
} from "./drawing.js";
import { ellipse, hasEllipse } from "./ellipse.js";

export const inputs = ["point", "params", "convention", "scheme", "step", "auto", "direction"];
export const first = "point";

export const refusals = {
  point: ({ constants, wrt, point, start, spaces }) =>
    problemWith(constants, wrt, point, start.point, spaces[wrt]),
  params({ constants, params, start, spaces }) {
    const held = Object.keys(start.params), letters = held.map((name) => constants.letters[name] ?? name);
    if (!params || held.some((name) => params[name] === undefined)) {
      return `Held fixed must be ${letters.join(", ") || "nothing"}`;
    }
    const problems = held.map((p) => problemWith(constants, p, params[p], start.params[p], spaces[p]));
    return problems.find(Boolean) ?? "";
  },
  convention: ({ conventions, convention }) =>
    conventions.includes(convention) ? "" : `No convention “${convention}” here`,
  scheme: ({ constants, scheme }) => (scheme in constants.schemes ? "" : `No scheme “${scheme}”`),
  step: ({ step }) => (step > 0 && Number.isFinite(step) ? "" : "The step must be a positive number"),
  direction: ({ point, direction: entry }) =>
    indices(point).some((index) => index.join() === String(entry)) ? "" : "There is no such entry",
};

/** The state with all that follows from the input `name`. */
export function update(state, name) {
  const next = { ...state };
  if (name === "step") next.auto = false;
  if (next.auto) next.step = defaultStep(next.point, next.scheme);
  next.result = result(next);
  const moved = ["point", "params", "convention", "direction"].includes(name);
  if (!next.curve || moved) next.curve = errorCurve(next);
  return next;
}

// ---- Conventions and differences, as in mvnlib.conventions and mvnlib.differences -----------------------

/** The direction in which an entry moves; its mirror comes along unless the convention is entrywise. */
function direction(point, [i, j], convention) {
  const share = convention === "frobenius" && i !== j ? 0.5 : 1;
  const moves = (k, l) => (k === i && l === j) || (convention !== "entrywise" && k === j && l === i);
  return byIndex(([k, l]) => (moves(k, l) ? share : 0), point);
}

/** An entrywise table in another convention. */
export function convertGradient(G, convention) {
  if (convention === "entrywise" || !Array.isArray(G[0])) return G;
  const half = convention === "frobenius" ? 2 : 1;
  return G.map((row, i) => row.map((g, j) => (i === j ? g : (g + G[j][i]) / half)));
}

const SQUARES = [0, 1, 2, 3, 4].map((level) => 4 ** -level);
const EXTRAPOLATION = SQUARES.map((a) => SQUARES.reduce((w, b) => (b === a ? w : (w * b) / (b - a)), 1));

/** The step for a unit direction: it follows the distance to the nearest singular matrix, not the entries. */
function defaultStep(point, scheme) {
  const size = largest(point) || 1, length = distanceToSingular(point) ?? size;
  const noise = Number.EPSILON * Math.max(size / length, 1);
  const relative = {
    forward: Math.min(noise ** (1 / 2), 1 / 8),
    central: Math.min(noise ** (1 / 3), 1 / 8),
    richardson: 1 / 8,
    complex: 2 ** -64,
  };
  return 2 ** Math.floor(Math.log2(length * relative[scheme]));
}

/** The least singular value of a matrix, or null where there is none to tell from zero. */
function distanceToSingular(point) {
  if (!Array.isArray(point[0]) || Math.min(...shape(point)) === 1) return null;
  const square = point.length === point[0].length;
  const symmetric = square && point.every((row, i) => row.every((v, j) => v === point[j][i]));
  const [A, B] = point.length <= point[0].length ? [point, transpose(point)] : [transpose(point), point];
  const singular = symmetric
    ? eigenvalues(point).map(Math.abs)
    : eigenvalues(multiply(A, B)).map((e) => Math.sqrt(Math.max(e, 0)));
  const least = Math.min(...singular), rounding = Number.EPSILON * Math.max(...singular);
  return least > Math.max(...shape(point)) * rounding ? least : null;
}

/** The slope of f as the entry `index` moves by h, in the convention, by a scheme; f0 is f at the point. */
function slope(state, index, scheme, h, f0) {
  const { point, params, wrt, functions, convention } = state, [i, j] = index;
  const tied = convention !== "entrywise" && i !== j;
  const share = tied && convention === "frobenius" ? 1 / 2 : 1;
  if (scheme === "complex") {
    const E = each((e) => e * h, direction(point, index, tied ? "free" : "entrywise"));
    return each((im) => (im / h) * share, functions.complex({ ...params, [wrt]: point }, E).im);
  }
  const f = (value) => {
    const moved = replaced(point, index, value);
    if (tied) moved[j][i] = value;
    return functions.value({ ...params, [wrt]: moved });
  };
  return each((v) => v * share, differenceQuotient(f, entryOf(point, index), scheme, h, f0));
}

/** The slope of a function of one number. */
function differenceQuotient(f, x, scheme, h, f0) {
  // Divided by the increment that floating point made of the step, not by the step.
  const quotient = (up, down, lower) => {
    if (up === down) return each(() => NaN, f0);
    return zip((a, b) => (a - b) / (up - down), f(up), lower());
  };
  const central = (t) => quotient(x + t, x - t, () => f(x - t));
  if (scheme === "forward") return quotient(x + h, x, () => f0);
  if (scheme === "central") return central(h);
  const levels = EXTRAPOLATION.map((w, level) => each((q) => w * q, central(h / 2 ** level)));
  return levels.reduce((a, b) => zip((p, q) => p + q, a, b));
}

const variables = ({ params, wrt, point }) => ({ ...params, [wrt]: point });

/** The differences: one for each entry that moves, or, where f is a matrix, one for each entry of f. */
function differenceTable(state, scheme, h, f0) {
  if (state.functions.differential) return slope(state, state.direction, scheme, h, f0);
  const tied = state.convention !== "entrywise", mirrored = ([i, j]) => tied && j < i;
  const half = byIndex((index) => (mirrored(index) ? 0 : slope(state, index, scheme, h, f0)), state.point);
  if (!tied) return half;
  return byIndex((index) => entryOf(half, mirrored(index) ? [...index].reverse() : index), half);
}

function formulaTable(state) {
  const { functions, convention, point } = state;
  if (!functions.differential) return convertGradient(functions.formula(variables(state)), convention);
  return functions.differential(variables(state), direction(point, state.direction, convention));
}

/** Largest difference from the formula, relative to the formula's largest entry. */
function relativeError(formula, difference) {
  return largest(zip((a, b) => a - b, difference, formula)) / (largest(formula) || 1);
}

function result(state) {
  const value = state.functions.value(variables(state)), formula = formulaTable(state);
  const difference = differenceTable(state, state.scheme, state.step, value);
  return { value, formula, difference, error: relativeError(formula, difference), step: state.step };
}

/** The error as a function of the step, for the schemes of the plot. */
function errorCurve(state) {
  const { steps, curves } = state.constants;
  const value = state.functions.value(variables(state)), formula = formulaTable(state);
  const errors = (scheme) =>
    steps.map((h) => relativeError(formula, differenceTable(state, scheme, h, value)));
  return { steps, ...Object.fromEntries(curves.map((scheme) => [scheme, errors(scheme)])) };
}

// ---- The view -------------------------------------------------------------------------------------------

export function view(stage) {
  const { app, live, get } = stage;
  const scalar = !Array.isArray(get("result").value);
  const { value, tables } = outcome(stage, scalar);
  const heading = scalar ? [`${get("title")} = `, value] : [get("title")];
  const caption = "Error of each difference against its step; the circle is the step in use.";
  app.append(
    tag("p", { class: "mvn-title" }, ...heading),
    tag(
      "div",
      { class: "mvn-columns" },
      tag("div", {}, ...pointPanel(stage)),
      tag("div", { class: "mvn-controls" }, ...controls(stage, scalar)),
    ),
    live,
    tag("div", { class: scalar ? "mvn-evidence" : "mvn-stack" }, tables, figure(errorChart(stage), caption)),
  );
}

/** The point, its picture, and what is held fixed. */
function pointPanel(stage) {
  const { get, act, on } = stage, wrt = get("wrt"), space = get("spaces")[wrt];
  const held = Object.keys(get("params"));
  const current = () => get("point");
  const point = pointEntries(stage, wrt, space, current, (moved, why) => act({ point: moved }, why));
  on(["point"], () => point.draw(get("point")));
  const parts = [point.node];
  if (hasEllipse(stage)) parts.push(ellipse(stage));
  parts.push(pointButtons(stage, space));
  if (held.length) {
    const names = held.map((name) => stage.written(name)).join(", ");
    const fields = held.map((name) => heldEntries(stage, name));
    parts.push(tag("details", {}, tag("summary", {}, `Held fixed: ${names}`), ...fields));
  }
  return parts;
}

function heldEntries(stage, name) {
  const { get, act, on } = stage;
  const current = () => get("params")[name];
  const commit = (moved, why) => act({ params: { ...get("params"), [name]: moved } }, why);
  const grid = pointEntries(stage, name, get("spaces")[name], current, commit);
  on(["params"], () => grid.draw(current()));
  return grid.node;
}

function pointButtons(stage, space) {
  const { get, act, app, say } = stage, start = get("start");
  const copyPoint = async (event) => {
    const text = `np.array(${JSON.stringify(get("point")).replaceAll(",", ", ")})`;
    const area = tag("textarea", {}, text);
    try {
      await navigator.clipboard.writeText(text);
    } catch { // a page from disk may have no clipboard API
      app.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    say(`Copied ${text}`);
    event.target?.focus?.();
  };
  return tag(
    "div",
    { class: "mvn-buttons" },
    button("Reset", () => act({ params: start.params, point: start.point })),
    button("Random example", () => act({ point: randomPoint(start.point, space) })),
    button(`Copy ${stage.written(get("wrt"))}`, copyPoint),
  );
}

/** What moves, and how. */
function controls(stage, scalar) {
  const { get, constants } = stage, parts = [];
  if (get("conventions").length > 1) parts.push(conventionChooser(stage));
  if (!scalar) parts.push(entryChooser(stage));
  const labels = Object.entries(constants.schemes).map(([name, [label]]) => [name, [label]]);
  return [...parts, choice(stage, "scheme", "Difference", Object.fromEntries(labels)), stepSlider(stage)];
}

function conventionChooser(stage) {
  const wrt = stage.get("wrt"), one = stage.written(wrt, [0, 1]), two = stage.written(wrt, [1, 0]);
  const hints = {
    entrywise: `${one} alone`,
    frobenius: `${one} and ${two} together, half the slope to each`,
    free: `${one} and ${two} together`,
  };
  const options = stage.get("conventions").map((name) => [name, [name, hints[name]]]);
  return choice(stage, "convention", "Convention: what moves", Object.fromEntries(options));
}

function entryChooser({ get, act, on, written }) {
  const options = indices(get("point")).map((index) =>
    tag("option", { value: index.join() }, written(get("wrt"), index))
  );
  const pick = () => act({ direction: select.value.split(",").map(Number) });
  const select = tag("select", { onchange: pick }, ...options);
  on(["direction"], () => {
    select.value = get("direction").join();
  });
  return tag("label", { class: "mvn-field" }, "Entry that moves ", select);
}

function stepSlider(stage) {
  const auto = button("Auto", () => stage.act({ auto: true }));
  stage.on(["auto"], () => auto.setAttribute("aria-pressed", String(stage.get("auto"))));
  return slider(stage, "step", {
    caption: "Step ",
    label: "Step h, logarithmic",
    range: stage.constants.axes[0],
    step: 0.1,
    there: log10,
    back: (v) => 10 ** v,
    text: (h) => `h = ${brief(h)}`,
    spoken: (h) => `h = ${h.toExponential(1)}`,
    beside: [auto],
  });
}

// ---- What comes out -------------------------------------------------------------------------------------

/** The value, and the tables of formula, difference and what is between them. */
function outcome(stage, scalar) {
  const { get, on } = stage, found = get("result"), like = found.difference;
  const value = scalar ? tag("output") : numbers(get("title"), found.value, show, true);
  const claimed = get("candidate") ? "Your table" : "Formula";
  const formula = found.formula && numbers(claimed, like, show, true);
  const difference = numbers("Difference", like, show, true);
  const gap = found.formula && numbers("Difference − formula", like, brief, false);
  on(["result"], () => {
    const { value: f, formula: F, difference: D } = get("result");
    const partial = scalar ? "" : ` ∂/∂${stage.written(get("wrt"), get("direction"))}`;
    const word = schemeWord(stage);
    if (scalar) value.textContent = show(f);
    else value.draw(f);
    difference.draw(D, `${word[0].toUpperCase()}${word.slice(1)} difference${partial}`);
    if (F) {
      formula.draw(F, `${claimed}${partial}`);
      gap.draw(gapBetween(D, F));
    }
    stage.say(inWords(stage, scalar));
  });
  const shown = [scalar ? null : value, formula, difference, gap].filter(Boolean);
  return { value, tables: tag("div", { class: "mvn-tables" }, ...shown.map(({ node }) => node)) };
}

const schemeWord = ({ constants, get }) => constants.schemes[get("scheme")][1];
const gapBetween = (D, F) => zip((a, b) => (a === null || b === null ? null : a - b), D, F);

/** The result in a sentence: the entry that is worst, and the error of the table. */
function inWords(stage, scalar) {
  const { formula: F, difference: D, error } = stage.get("result"), word = schemeWord(stage);
  if (!F) return `${word} difference ${flat(D).map(show).join(", ")}`;
  const gap = gapBetween(D, F), size = (index) => Math.abs(entryOf(gap, index));
  const worst = indices(gap).reduce((a, b) => (size(b) > size(a) ? b : a));
  const name = scalar
    ? `∂/∂${stage.written(stage.get("wrt"), worst)}`
    : `Entry ${worst.map((i) => i + 1).join(", ")}`;
  const both = `${word} difference ${show(entryOf(D, worst))}, formula ${show(entryOf(F, worst))}`;
  return `${name}: ${both}; relative error of the table ${brief(error)}`;
}

// ---- Error against step ---------------------------------------------------------------------------------

function errorChart({ get, on, plot, constants: { curves, schemes, axes } }) {
  const label = "Relative error against step, logarithmic, for the forward and central difference " +
    "and the complex step";
  const chart = plot({
    x: axes[0],
    y: axes[1],
    xlabel: "step h",
    ylabel: "relative error",
    xticks: stride(axes[0], 4),
    yticks: stride(axes[1], 3),
    xtext: power,
    ytext: power,
    label,
  });
  const lines = curves.map((name) => mark("path", { class: `mvn-curve mvn-${name}` }));
  const names = curves.map((name) => mark("text", { class: `mvn-halo mvn-name-${name}` }, schemes[name][0]));
  const guide = mark("line", { class: "mvn-guide", y1: chart.box.top, y2: chart.box.bottom });
  const marker = mark("circle", { class: "mvn-marker", r: 5 });
  chart.svg.append(...lines, ...names, guide, marker);
  on(["curve"], () => {
    const curve = get("curve"), taken = [];
    if (!curve?.steps) return;
    const u = curve.steps.map(log10);
    curves.forEach((scheme, k) => {
      const v = (curve[scheme] ?? []).map((e) => (Number.isFinite(e) ? log10(e) : NaN));
      lines[k].setAttribute("d", chart.path(u.map((x, n) => [x, v[n]])));
      placeName(names[k], scheme, chart, u, v, taken);
    });
  });
  on(["result", "step"], () => {
    const x = chart.X(log10(get("step"))), { error } = get("result");
    set(guide, { x1: x, x2: x });
    set(marker, { cx: x, cy: Number.isFinite(error) ? chart.Y(log10(error)) : -20 });
  });
  return chart.svg;
}

/** Put the name of a curve by its lowest point, or above it where another name has taken the place. */
function placeName(node, scheme, chart, u, v, taken) {
  const low = v.reduce((best, y, k) => (y < v[best] || !Number.isFinite(v[best]) ? k : best), 0);
  const isFlat = scheme === "complex"; // for small steps: its name stands above the left end
  const x = isFlat ? chart.box.left + 5.6 : chart.X(u[low]) - 5;
  let y = isFlat ? chart.Y(Math.max(...v.slice(0, 12))) - 8 : chart.Y(v[low]) + 13;
  y = Math.min(y, chart.box.bottom - 4);
  const width = 8 * node.textContent.length, left = isFlat ? x : x - width;
  while (taken.some(([a, b, other]) => a < left + width && left < b && Math.abs(other - y) < 13)) y -= 13;
  taken.push([left, left + width, y]);
  const visibility = Number.isFinite(y) ? "visible" : "hidden";
  set(node, { x, y, "text-anchor": isFlat ? "start" : "end", visibility });
}
