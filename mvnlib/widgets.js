// The one front end of the explorers: an ES module to the anywidget contract.
//
// In Jupyter the numbers come from Python: `result` and `curve` arrive as traits. In a built page the host of
// _ext/widget_host.js hands over `functions`, printed by mvnlib.symbolic from the table of identities, and calls
// `update` when an input changes. No formula is written here: only differences, conventions and drawing.

// ---- Nested arrays -------------------------------------------------------------------------------------------------

export const copy = (x) => (Array.isArray(x) ? x.map(copy) : x);
const zip = (f, x, y) => (Array.isArray(x) ? x.map((xi, i) => zip(f, xi, y[i])) : f(x, y));
const each = (f, x) => (Array.isArray(x) ? x.map((xi) => each(f, xi)) : f(x));
const flat = (x) => (Array.isArray(x) ? x.flat(Infinity) : [x]);
const largest = (x) => flat(x).reduce((m, v) => Math.max(m, Math.abs(v)), 0);
const finite = (x) => flat(x).every(Number.isFinite);
const shape = (x) => (Array.isArray(x) ? [x.length, ...shape(x[0])] : []);
const sameShape = (x, y) =>
  Array.isArray(x) ? Array.isArray(y) && x.length === y.length && x.every((xi, i) => sameShape(xi, y[i])) : !Array.isArray(y);
const byIndex = (f, x, index = []) => (Array.isArray(x) ? x.map((xi, i) => byIndex(f, xi, [...index, i])) : f(index));
const indices = (x) => { const all = []; byIndex((index) => all.push(index), x); return all; };
const rowsOf = (x) => (!Array.isArray(x) ? [[x]] : Array.isArray(x[0]) ? x : [x]);
const at = (x, index) => index.reduce((value, i) => value[i], x);
const replaced = (x, [i, ...rest], value) => (i === undefined ? value : x.map((xi, k) => (k === i ? replaced(xi, rest, value) : copy(xi))));
const multiply = (A, B) => A.map((row) => B[0].map((_, j) => row.reduce((sum, a, k) => sum + a * B[k][j], 0)));
const transpose = (A) => A[0].map((_, j) => A.map((row) => row[j]));
const norm = (A) => Math.hypot(...flat(A));
const sum = (x) => x.reduce((total, v) => total + v, 0);
const times = (A, x) => A.map((row) => sum(row.map((a, j) => a * x[j])));

/** Lower Cholesky factor, or null where there is none. */
export function cholesky(S) {
  const L = S.map((row) => row.map(() => 0));
  for (let i = 0; i < S.length; i++) {
    for (let j = 0; j <= i; j++) {
      let rest = S[i][j];
      for (let k = 0; k < j; k++) rest -= L[i][k] * L[j][k];
      if (i === j && !(rest > 0)) return null;
      L[i][j] = i === j ? Math.sqrt(rest) : rest / L[j][j];
    }
  }
  return L;
}

/** Eigenvalues of a symmetric matrix, ascending, by Jacobi rotations. */
export function eigenvalues(S) {
  const A = copy(S), d = A.length;
  for (let sweep = 0; sweep < 30; sweep++) {
    let off = 0;
    for (let p = 0; p < d; p++) for (let q = p + 1; q < d; q++) off = Math.max(off, Math.abs(A[p][q]));
    if (!(off > 1e-300)) break;
    for (let p = 0; p < d; p++) {
      for (let q = p + 1; q < d; q++) {
        if (A[p][q] === 0) continue;
        const theta = (A[q][q] - A[p][p]) / (2 * A[p][q]);
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
        const c = 1 / Math.hypot(t, 1), s = t * c;
        for (let k = 0; k < d; k++) [A[k][p], A[k][q]] = [c * A[k][p] - s * A[k][q], s * A[k][p] + c * A[k][q]];
        for (let k = 0; k < d; k++) [A[p][k], A[q][k]] = [c * A[p][k] - s * A[q][k], s * A[p][k] + c * A[q][k]];
      }
    }
  }
  return A.map((row, i) => row[i]).sort((a, b) => a - b);
}

/** Largest |eigenvalue| of any square matrix: the limit of |M^n|^(1/n), taken at n = 2^60 by squaring. */
export function spectralRadius(M) {
  let log = 0, power = M;
  for (let n = 1; n < 2 ** 60; n *= 2) {
    const size = norm(power);
    if (!(size > 0)) return size;
    log += Math.log(size) / n;
    power = each((a) => a / size, power);
    power = multiply(power, power);
  }
  return Math.exp(log);
}

// ---- Conventions and differences (as in mvnlib.conventions and mvnlib.differences) -----------------------------------

/** The direction in which the entry `index` moves; its mirror comes along unless the convention is entrywise. */
export function direction(point, [i, j], convention) {
  const share = convention === "frobenius" && i !== j ? 0.5 : 1;
  return byIndex(([k, l]) => (k === i && l === j) || (convention !== "entrywise" && k === j && l === i) ? share : 0, point);
}

/** An entrywise table in another convention. */
export function convertGradient(G, convention) {
  if (convention === "entrywise" || !Array.isArray(G[0])) return G;
  const half = convention === "frobenius" ? 2 : 1;
  return G.map((row, i) => row.map((g, j) => (i === j ? g : (g + G[j][i]) / half)));
}

const STEPS = Array.from({ length: 41 }, (_, k) => 10 ** (k / 2 - 20));
const CURVES = ["forward", "central", "complex"];
const SQUARES = [0, 1, 2, 3, 4].map((level) => 4 ** -level);
const EXTRAPOLATION = SQUARES.map((a) => SQUARES.reduce((w, b) => (b === a ? w : (w * b) / (b - a)), 1));
const ORDER = { forward: 1, central: 2, richardson: 10, complex: Infinity };

/** The step for a unit direction: it follows the distance to the nearest singular matrix, not the entries. */
export function defaultStep(point, scheme) {
  const size = largest(point) || 1;
  let length = size;
  if (Array.isArray(point[0]) && Math.min(...shape(point)) > 1) {
    const tied = point.length === point[0].length && point.every((row, i) => row.every((v, j) => v === point[j][i]));
    const [A, B] = point.length <= point[0].length ? [point, transpose(point)] : [transpose(point), point];
    const singular = eigenvalues(tied ? point : multiply(A, B)).map((e) => (tied ? Math.abs(e) : Math.sqrt(Math.max(e, 0))));
    const least = Math.min(...singular);
    if (least > Math.max(...shape(point)) * Number.EPSILON * Math.max(...singular)) length = least;
  }
  const noise = Number.EPSILON * Math.max(size / length, 1);
  const relative = scheme === "complex" ? 2 ** -64 : scheme === "richardson" ? 1 / 8 : Math.min(noise ** (1 / (ORDER[scheme] + 1)), 1 / 8);
  return 2 ** Math.floor(Math.log2(length * relative));
}

/** The slope of f when the entry `index` moves by h, in a convention and by a scheme; f0 is f at the point. */
function slope(state, index, scheme, h, f0) {
  const [i, j] = index;
  const { point, params, wrt, functions } = state, tied = state.convention !== "entrywise" && i !== j;
  const x = at(point, index);
  const f = (value) => {
    const P = replaced(point, index, value);
    if (tied) P[j][i] = value;
    return functions.value({ ...params, [wrt]: P });
  };
  // Divided by the increment that floating point made of the step, not by the step.
  const quotient = (up, down, fDown) => (up === down ? each(() => NaN, f0) : zip((a, b) => (a - b) / (up - down), f(up), fDown()));
  const central = (t) => quotient(x + t, x - t, () => f(x - t));
  let dy;
  if (scheme === "complex") {
    const E = each((e) => e * h, direction(point, index, tied ? "free" : "entrywise"));
    dy = each((im) => im / h, functions.complex({ ...params, [wrt]: point }, E).im);
  } else if (scheme === "forward") dy = quotient(x + h, x, () => f0);
  else if (scheme === "central") dy = central(h);
  else dy = EXTRAPOLATION.map((w, level) => each((q) => w * q, central(h / 2 ** level))).reduce((a, b) => zip((p, q) => p + q, a, b));
  return tied && state.convention === "frobenius" ? each((v) => v / 2, dy) : dy;
}

/** The differences as shown: one for each entry that moves, or, where f is a matrix, one for each entry of f. */
export function differenceTable(state, scheme, h, f0) {
  if (state.functions.differential) return slope(state, state.direction, scheme, h, f0);
  const tied = state.convention !== "entrywise", mirrored = ([i, j]) => tied && j < i;
  const table = byIndex((index) => (mirrored(index) ? 0 : slope(state, index, scheme, h, f0)), state.point);
  return tied ? byIndex((index) => at(table, mirrored(index) ? [...index].reverse() : index), table) : table;
}

export function formulaTable(state) {
  const v = { ...state.params, [state.wrt]: state.point };
  if (state.functions.differential)
    return state.functions.differential(v, direction(state.point, state.direction, state.convention));
  return convertGradient(state.functions.formula(v), state.convention);
}

/** Largest difference from the formula, relative to the formula's largest entry. */
export function relativeError(formula, difference) {
  const scale = largest(formula);
  return largest(zip((a, b) => a - b, difference, formula)) / (scale || 1);
}

export function result(state) {
  const value = state.functions.value({ ...state.params, [state.wrt]: state.point });
  const formula = formulaTable(state);
  const difference = differenceTable(state, state.scheme, state.step, value);
  return { value, formula, difference, error: relativeError(formula, difference), step: state.step };
}

/** The error as a function of the step, for the three schemes of the plot. */
export function errorCurve(state) {
  const value = state.functions.value({ ...state.params, [state.wrt]: state.point });
  const formula = formulaTable(state);
  const curve = { steps: STEPS };
  for (const scheme of CURVES)
    curve[scheme] = STEPS.map((h) => relativeError(formula, differenceTable(state, scheme, h, value)));
  return curve;
}

/** Partial sums of S^-1 sum_k (-t E S^-1)^k against the true inverse of S + t E. */
export function neumann(state) {
  const { functions, point, perturbation, t } = state;
  const inverse = functions.value({ S: point });
  const formula = functions.value({ S: zip((s, e) => s + t * e, point, perturbation) });
  const M = each((x) => t * x, multiply(perturbation, inverse));
  const errors = [];
  let term = inverse, sum = each(() => 0, point);
  for (let terms = 0; terms <= 20; terms++) {
    errors.push(norm(zip((a, b) => a - b, sum, formula)) / norm(formula));
    sum = zip((a, b) => a + b, sum, term);
    term = each((x) => -x, multiply(term, M));
  }
  return { value: formula, errors, radius: spectralRadius(M), rms: norm(M) / point.length };
}

/** Log-likelihood and responsibilities; logarithms are shifted by their largest, so that no row is 0 / 0. */
export function expectation({ functions, X }, { weights, means, covariances }) {
  let value = 0;
  const responsibilities = X.map((x) => {
    const logs = weights.map((w, k) => Math.log(w) + functions.value({ x, mu: means[k], Sigma: covariances[k] }));
    const top = Math.max(...logs), shares = logs.map((log) => Math.exp(log - top)), total = sum(shares);
    value += top + Math.log(total);
    return shares.map((share) => share / total);
  });
  return { value, responsibilities };
}

/** The parameters that maximise Q: weighted counts, means and covariances. A component without rows keeps its place. */
export function maximisation(X, responsibilities, { means, covariances }) {
  const parts = means.map((kept, k) => {
    const r = responsibilities.map((row) => row[k]), n = sum(r);
    if (!(n > 0)) return [0, kept, covariances[k]];
    const mean = kept.map((_, i) => sum(X.map((x, a) => (r[a] / n) * x[i])));
    const covariance = mean.map((m, i) => mean.map((l, j) => sum(X.map((x, a) => (r[a] / n) * (x[i] - m) * (x[j] - l)))));
    return [n / X.length, mean, covariance];
  });
  return { weights: parts.map(([w]) => w), means: parts.map(([, m]) => m), covariances: parts.map(([, , S]) => S) };
}

const PARAMETERS = ["weights", "means", "covariances"];
const parametersOf = (state) => Object.fromEntries(PARAMETERS.map((name) => [name, copy(state[name])]));

/** Take EM to `next.iteration`, or start anew where a parameter was set; the answer says what has failed, or "". */
function runTo(next, name, before) {
  const step = name === "iteration", on = step && next.iteration >= before;
  let here = parametersOf(step && !on ? next.origin : next);
  let at = on ? next.result : expectation(next, here);
  const history = on ? [...next.history] : [at.value], end = step ? next.iteration : 0;
  while (history.length <= end) {
    here = maximisation(next.X, at.responsibilities, here);
    if (!here.covariances.every(cholesky))
      return `After ${history.length} steps a component has collapsed: its covariance is singular, and the likelihood has no bound`;
    at = expectation(next, here);
    history.push(at.value);
  }
  Object.assign(next, here, { iteration: end, history, result: at, origin: step ? next.origin : parametersOf(next) });
  return "";
}

/** The mean and the covariance at t on a segment that is straight in the parameters chosen. */
export function alongSegment({ functions, presets, ends, parameters }, t) {
  const between = (a, b) => zip((x, y) => (1 - t) * x + t * y, a, b);
  const [one, two] = ends.map((end) => presets[end]);
  if (parameters === "mu, Sigma") return { mu: between(one.mu, two.mu), Sigma: between(one.Sigma, two.Sigma) };
  const [P, Q] = [one, two].map(({ Sigma }) => functions.inverse.value({ S: Sigma }));
  const Sigma = functions.inverse.value({ S: between(P, Q) });
  if (parameters === "mu, P") return { mu: between(one.mu, two.mu), Sigma };
  return { mu: times(Sigma, between(times(P, one.mu), times(Q, two.mu))), Sigma };
}

function segment(next, name) {
  const J = (t) => { const at = alongSegment(next, t); return -sum(next.X.map((x) => next.functions.density.value({ x, ...at }))); };
  if (name !== "t" || !next.curve?.J) {
    const t = Array.from({ length: 101 }, (_, k) => k / 100);
    next.curve = { t, J: t.map(J) };
  }
  const { t: ts, J: Js } = next.curve, chord = (t) => (1 - t) * Js[0] + t * Js[100];
  const above = Js.map((v, k) => v - chord(ts[k])), excess = Math.max(...above);
  next.result = { value: J(next.t), chord: chord(next.t), ...alongSegment(next, next.t), excess, where: ts[above.indexOf(excess)] };
}

const MOST_STEPS = 1000;
const SEGMENTS = {
  "mu, Sigma": ["μ, Σ", "mean and covariance"],
  "mu, P": ["μ, P", "mean and precision P = Σ⁻¹"],
  "P mu, P": ["Pμ, P", "the natural parameters"],
};

// ---- The state of a static page --------------------------------------------------------------------------------------

const GREEK = { Sigma: "Σ", mu: "μ", pi: "π", weights: "The weights" };
const letter = (name) => GREEK[name] ?? name;
const entryName = (name, index) => letter(name) + index.map((i) => "₀₁₂₃₄₅₆₇₈₉"[i + 1] ?? `,${i + 1}`).join("");

/** Why a value cannot be a point of its space, or "". */
export function problemWith(name, value, like, space) {
  if (!sameShape(like, value)) return `${letter(name)} must have the shape ${shape(like).join(" × ")}`;
  if (!finite(value)) return `Every entry of ${letter(name)} must be a finite number`;
  if (space === "positive" && !(value > 0)) return `${letter(name)} must be positive`;
  if (space !== "symmetric" && space !== "positive definite") return "";
  const gap = largest(value.map((row, i) => row.map((v, j) => v - value[j][i])));
  if (gap > 1e-12 * largest(value)) return `${letter(name)} must be symmetric`;
  if (space !== "positive definite" || cholesky(value)) return "";
  return `${letter(name)} must be positive definite, but its smallest eigenvalue is ${show(eigenvalues(value)[0])}`;
}

function refusal(state, name) {
  const { spaces, wrt, start } = state;
  if (name === "weights")
    return problemWith("weights", state.weights, start.weights, "vector") || (state.weights.every((w) => w >= 0) && sum(state.weights) > 0 ? "" : "The weights must not be negative, nor all zero");
  if (name === "means") return problemWith("mu", state.means, start.means, "general");
  if (name === "covariances")
    return sameShape(start.covariances, state.covariances)
      ? state.covariances.map((S, k) => problemWith("Sigma", S, start.covariances[k], "positive definite")).find(Boolean) ?? ""
      : `Σ must have the shape ${shape(start.covariances).join(" × ")}`;
  if (name === "iteration")
    return Number.isInteger(state.iteration) && state.iteration >= 0 && state.iteration <= MOST_STEPS ? "" : `The iteration must be a whole number from 0 to ${MOST_STEPS}`;
  if (name === "ends") return Array.isArray(state.ends) && state.ends.length === 2 && state.ends.every((end) => Object.hasOwn(state.presets, end)) ? "" : "The ends must be two of the points offered";
  if (name === "parameters") return state.parameters in SEGMENTS ? "" : `No parameters “${state.parameters}”`;
  if (name === "t" && state.kind === "segment") return Number.isFinite(state.t) && state.t >= 0 && state.t <= 1 ? "" : "t must lie between 0 and 1";
  if (name === "point") return problemWith(wrt, state.point, start.point, spaces[wrt]);
  if (name === "params" && (!state.params || Object.keys(start.params).some((p) => state.params[p] === undefined)))
    return `Held fixed must be ${Object.keys(start.params).map(letter).join(", ") || "nothing"}`;
  if (name === "params")
    return Object.keys(start.params).map((p) => problemWith(p, state.params[p], start.params[p], spaces[p])).find(Boolean) ?? "";
  if (name === "perturbation") return problemWith("E", state.perturbation, start.perturbation, "general");
  if (name === "t") return Number.isFinite(state.t) ? "" : "t must be a finite number";
  if (name === "convention") return state.conventions.includes(state.convention) ? "" : `No convention “${state.convention}” here`;
  if (name === "scheme") return state.scheme in ORDER ? "" : `No scheme “${state.scheme}”`;
  if (name === "step") return state.step > 0 && Number.isFinite(state.step) ? "" : "The step must be a positive number";
  if (name === "direction")
    return indices(state.point).some((index) => index.join() === String(state.direction)) ? "" : "There is no such entry";
  return "";
}

/** The input from which a page works out all the rest. */
export const FIRST = { explore: "point", neumann: "t", em: "weights", segment: "ends" };

/** What follows from the input `name` having changed: a patch of the state; a refused input is put back. */
export function update(state, name, before) {
  if (["result", "curve", "history", "origin"].includes(name)) return { [name]: before };
  const problem = refusal(state, name);
  if (problem) return { [name]: before, problem };
  const next = { ...state, problem: "" };
  if (state.kind === "neumann") next.result = neumann(next);
  else if (state.kind === "segment") segment(next, name);
  else if (state.kind === "em") {
    const failed = runTo(next, name, before);
    if (failed) return { [name]: before, problem: failed };
  }
  else {
    if (name === "step") next.auto = false;
    if (next.auto) next.step = defaultStep(next.point, next.scheme);
    next.result = result(next);
    if (!next.curve || ["point", "params", "convention", "direction"].includes(name)) next.curve = errorCurve(next);
  }
  if (!finite(next.result.value) || !finite(next.result.formula ?? 0))
    return { [name]: before, problem: "No value here: the page eliminates without exchanging rows, and met a zero. Move an entry a little" };
  return next;
}

// ---- Drawing ---------------------------------------------------------------------------------------------------------

const maker = (create) => (tag, attributes = {}, ...children) => {
  const node = create(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
};
const h = maker((tag) => document.createElement(tag));
const s = maker((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
const set = (node, attributes) => Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, value));
const log10 = (x) => Math.log10(Math.max(x, 1e-300));
const minus = (text) => text.replace("-", "−").replace("e-", "e−").replace("e+", "e");

/** A number in six digits. */
export function show(x) {
  if (x === null || !Number.isFinite(x)) return "not finite";
  const size = Math.abs(x);
  return size === 0 ? "0" : minus(size < 1e-3 || size >= 1e5 ? x.toExponential(3) : x.toPrecision(6));
}
const short = (x) => minus(String(Number(x.toPrecision(4))));
const brief = (x) => (x === null || !Number.isFinite(x) ? "not finite" : x === 0 ? "0" : minus(x.toExponential(1)));

/** A frame with its axes, each with the ticks given; `path` takes points in its coordinates, kept in the frame. */
function plot({ x, y, xlabel, ylabel, xticks, yticks, xtext = plainly, ytext = plainly, label }) {
  const W = 360, H = 260, left = 66, right = 14, top = 10, bottom = 48;
  const inside = (v, [low, high]) => Math.min(Math.max(v, low), high);
  const X = (v) => left + ((v - x[0]) / (x[1] - x[0])) * (W - left - right);
  const Y = (v) => H - bottom - ((v - y[0]) / (y[1] - y[0])) * (H - top - bottom);
  const svg = s("svg", { viewBox: `0 0 ${W} ${H}`, class: "mvn-plot", role: "img", "aria-label": label });
  for (const v of xticks)
    svg.append(s("line", { class: "mvn-rule", x1: X(v), x2: X(v), y1: top, y2: H - bottom }),
      s("text", { x: X(v), y: H - bottom + 18, "text-anchor": "middle" }, xtext(v)));
  for (const v of yticks)
    svg.append(s("line", { class: "mvn-rule", x1: left, x2: W - right, y1: Y(v), y2: Y(v) }),
      s("text", { x: left - 6, y: Y(v) + 4, "text-anchor": "end" }, ytext(v)));
  svg.append(s("text", { x: (left + W - right) / 2, y: H - 6, "text-anchor": "middle" }, xlabel),
    s("text", { transform: `translate(12 ${(H - bottom + top) / 2}) rotate(-90)`, "text-anchor": "middle" }, ylabel));
  const path = (points) => {
    let pen = "M", d = "";
    for (const [u, v] of points) {
      if (!Number.isFinite(v)) { pen = "M"; continue; }
      d += `${pen}${X(inside(u, x)).toFixed(1)} ${Y(inside(v, y)).toFixed(1)}`;
      pen = "L";
    }
    return d;
  };
  return { svg, X: (v) => X(inside(v, x)), Y: (v) => Y(inside(v, y)), path, place: ([u, v]) => [X(u), Y(v)], box: [left, top, W - left - right, H - top - bottom] };
}
const plainly = (v) => minus(String(v));
const stride = ([low, high], every) => Array.from({ length: Math.round((high - low) / every) + 1 }, (_, k) => low + k * every);

/** About `count` round numbers across a range. */
export function ticks([low, high], count = 5) {
  const rough = (high - low) / count, base = 10 ** Math.floor(Math.log10(rough));
  const every = base * [1, 2, 5, 10].find((m) => m * base >= rough * 0.999);
  const first = Math.ceil(low / every - 1e-9), last = Math.floor(high / every + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, k) => Number(((first + k) * every).toPrecision(12)));
}
/** A range a little wider than the values. */
function around(values, share) {
  const low = Math.min(...values), high = Math.max(...values), pad = share * (high - low) || share * Math.abs(low) || share;
  return [low - pad, high + pad];
}
const power = (v) => (v === 0 ? "1" : "10" + [...String(v)].map((c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]).join(""));

/** A table of numbers whose cells are tinted by size and hatched where negative. */
function numbers(caption, like, format, heat) {
  const rows = rowsOf(like);
  const cells = rows.map((row) => row.map(() => h("td")));
  const head = h("tr", {}, h("td"), ...rows[0].map((_, j) => h("th", { scope: "col" }, String(j + 1))));
  const title = h("caption", {}, caption);
  const node = h("table", { class: "mvn-table" }, title, h("thead", {}, head),
    h("tbody", {}, ...cells.map((row, i) => h("tr", {}, h("th", { scope: "row" }, String(i + 1)), ...row))));
  return {
    node,
    draw(values, text) {
      if (text) title.textContent = text;
      const table = rowsOf(values);
      const scale = largest(table) || 1;
      cells.forEach((row, i) => row.forEach((cell, j) => {
        const v = table[i][j];
        cell.textContent = format(v);
        if (!heat) return;
        cell.style.setProperty("--heat", `${Math.round((40 * Math.abs(v)) / scale) || 0}%`);
        cell.classList.toggle("mvn-negative", v < 0);
      }));
    },
  };
}

/** Inputs for the entries of a vector or matrix; `change(index, number)` is called as they are typed. */
function entries(name, value, change) {
  const boxes = indices(value).map((index) => [index, h("input", {
    type: "number", step: "0.1", inputmode: "decimal", "aria-label": entryName(name, index),
    oninput: (event) => change(index, event.target.valueAsNumber, event.target),
    onchange: () => draw(shown, true),
  })]);
  let shown = value;
  function draw(values, force) {
    shown = values;
    for (const [index, box] of boxes) {
      const v = at(values, index);
      if (force || (box !== box.getRootNode().activeElement && box.valueAsNumber !== v)) box.value = Number(v.toPrecision(6));
      if (force || box.valueAsNumber === v) box.removeAttribute("aria-invalid");
    }
  }
  const columns = rowsOf(value)[0].length;
  const node = h("fieldset", { class: "mvn-entries" }, h("legend", {}, letter(name)),
    h("div", { style: `--columns: ${columns}` }, ...boxes.map(([, box]) => box)));
  draw(value, true);
  return { node, draw };
}

/** Radio buttons: `options` maps a value to its label and, if there is one, an explanation. */
function choice(legend, options, pick) {
  const group = `mvn-${Math.random().toString(36).slice(2)}`;
  const inputs = Object.entries(options).map(([value, [label, hint]]) => {
    const input = h("input", { type: "radio", name: group, value, onchange: () => pick(value) });
    return [value, input, h("label", {}, input, h("span", {}, label), ...(hint ? [h("small", {}, hint)] : []))];
  });
  return {
    node: h("fieldset", { class: "mvn-choice" }, h("legend", {}, legend), ...inputs.map(([, , label]) => label)),
    draw: (chosen) => inputs.forEach(([value, input]) => { input.checked = value === chosen; }),
  };
}

/** What both views share: subscriptions that end, words that are spoken, and the message of a refusal. */
function shell({ model, el }) {
  const root = el.matches("[data-widget]") ? el : el.appendChild(h("div", { class: "mvn-widget", role: "group" }));
  root.dataset.widget = model.get("name");
  root.setAttribute("aria-label", model.get("label"));
  root.model = model;
  const app = h("div", { class: "mvn-app" });
  const problem = h("p", { class: "mvn-problem" }), spoken = h("p");
  const live = h("div", { class: "mvn-live", "aria-live": "polite" }, problem, spoken);
  root.append(app);
  root.classList.add("mvn-mounted");
  const subscriptions = [], endings = [];
  let timer, notice = "";
  const complain = () => { problem.textContent = model.get("problem") || notice; };
  const view = {
    model, app, live,
    on(names, draw) {
      const handler = () => draw();
      for (const name of names) {
        model.on(`change:${name}`, handler);
        subscriptions.push([`change:${name}`, handler]);
      }
      draw();
    },
    /** Set inputs as the reader wants them; `why` says what was done to them on the way. */
    act(values, why = "") {
      notice = why;
      for (const [name, value] of Object.entries(values)) model.set(name, value);
      model.save_changes();
      complain();
    },
    /** Put the result in words, once the reader's hand has come to rest. */
    say(text, now = !spoken.textContent) {
      clearTimeout(timer);
      timer = setTimeout(() => { spoken.textContent = text; }, now ? 0 : 250);
    },
    /** What else is to end with the view. */
    leaving(end) { endings.push(end); },
    close() {
      clearTimeout(timer);
      endings.forEach((end) => end());
      subscriptions.forEach(([event, handler]) => model.off(event, handler));
      app.remove();
      root.classList.remove("mvn-mounted");
      delete root.model;
    },
  };
  view.on(["problem"], complain);
  // A reader's script may only say model.set; what it set is sent on to the kernel all the same.
  view.on(["point", "params", "convention", "scheme", "step", "auto", "direction", "t", "perturbation", ...PARAMETERS, "iteration", "ends", "parameters"],
    () => queueMicrotask(() => model.save_changes()));
  return view;
}

/** The last point on the way from one positive definite matrix to `to` that is well inside the cone. */
export function edge(from, to) {
  const ratio = (S) => { const e = eigenvalues(S); return e[0] / e[e.length - 1]; };
  const margin = Math.min(1e-3, ratio(from) / 2);
  let low = 0, high = 1, best = from;
  for (let n = 0; n < 40; n++) {
    const t = (low + high) / 2, S = zip((a, b) => a + t * (b - a), from, to);
    if (ratio(S) > margin) [low, best] = [t, S]; else high = t;
  }
  return best;
}

/** Change an entry as typed: its mirror comes along in a symmetric space, and the cone is not left. */
function typed(view, name, current, space, index, number, box, commit) {
  if (!Number.isFinite(number)) {
    box.setAttribute("aria-invalid", "true");
    return view.act({}, `${entryName(name, index)} is not a number; ${show(at(current, index))} is kept`);
  }
  let next = replaced(current, index, number), why = "";
  if (space === "symmetric" || space === "positive definite") next = replaced(next, [...index].reverse(), number);
  if (space === "positive definite" && !cholesky(next)) {
    next = edge(current, next);
    box.setAttribute("aria-invalid", "true");
    why = `With ${entryName(name, index)} = ${short(number)}, ${letter(name)} would not be positive definite; it is held at the edge, ${show(at(next, index))}`;
  }
  return view.act(commit(next), why);
}

const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
const rounded = (x) => each((v) => Math.round(100 * v) / 100, x);
function randomPoint(like, space) {
  const A = each(normal, like);
  if (space === "positive") return rounded(Math.exp(A)) || 0.1;
  if (space !== "positive definite" && space !== "symmetric") return rounded(A);
  return rounded(multiply(A, transpose(A)).map((row, i) => row.map((v, j) => v / 2 + (i === j ? 0.3 : 0))));
}

// ---- The ellipse of the density, d = 2 -------------------------------------------------------------------------------

/** Handles on the semi-axes change the matrix and cannot leave the cone; where a vector moves, the handle is its tip. */
function ellipse(view) {
  const { model } = view, wrt = model.get("wrt"), params = () => model.get("params");
  const matrix = Array.isArray(model.get("point")[0]);
  const S = () => (matrix ? model.get("point") : params().Sigma);
  const where = (name) => (wrt === name ? model.get("point") : params()[name]);
  const origin = where("mu") ?? [0, 0];
  let axes, unit, dragging = false;
  const svg = s("svg", { viewBox: "-100 -100 200 200", class: "mvn-ellipse", role: "group", "aria-label": `Density with covariance ${matrix ? letter(wrt) : "Σ"}` });
  const far = s("ellipse", { class: "mvn-far" }), near = s("ellipse", { class: "mvn-near" });
  const centre = s("circle", { r: 2.5, class: "mvn-dot" }), spot = s("circle", { r: 3.5, class: "mvn-dot" }), spotName = s("text", { class: "mvn-halo" }, "x");
  const handle = (grab, keys, name) => {
    const node = s("g", { class: "mvn-handle", tabindex: 0, role: "slider", "aria-label": name },
      s("circle", { r: 18, class: "mvn-reach" }), s("circle", { r: 5.5 }));
    const move = (event) => {
      const p = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      grab(p.x / unit, -p.y / unit);
    };
    node.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      node.focus();
      node.setPointerCapture(event.pointerId);
      dragging = true;
    });
    node.addEventListener("pointermove", (event) => dragging && node.hasPointerCapture(event.pointerId) && move(event));
    for (const end of ["pointerup", "pointercancel"]) node.addEventListener(end, () => { dragging = false; draw(); });
    node.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!way) return;
      event.preventDefault();
      keys(...way, event.shiftKey ? 5 : 1);
    });
    svg.append(node);
    return node;
  };
  /** Put semi-axis `which` to a length and an angle; the other keeps its length and stays perpendicular. */
  function turn(which, length, angle) {
    const other = axes[1 - which].length, least = other / 30, held = length < least;
    const a = Math.max(length, least) ** 2, b = other ** 2, c = Math.cos(angle), q = Math.sin(angle);
    const cross = (a - b) * c * q;
    axes = which ? [{ length: other, angle: angle - Math.PI / 2 }, { length: Math.sqrt(a), angle }]
      : [{ length: Math.sqrt(a), angle }, { length: other, angle: angle + Math.PI / 2 }];
    view.act({ point: [[a * c * c + b * q * q, cross], [cross, a * q * q + b * c * c]] },
      held ? `The ellipse would become a line and ${letter(wrt)} singular; the axis is held at ${show(Math.sqrt(a))}` : "");
  }
  const shift = (x, y) => view.act({ point: [x, y] });
  let handles = [];
  const build = () => {
    svg.append(s("line", { class: "mvn-rule", x1: -100, x2: 100, y1: 0, y2: 0 }), s("line", { class: "mvn-rule", y1: -100, y2: 100, x1: 0, x2: 0 }),
      far, near, centre);
    if (where("x")) svg.append(spot, spotName);
    if (matrix) {
      handles = [0, 1].map((k) => handle((x, y) => turn(k, Math.hypot(x, y), Math.atan2(y, x)),
        (dx, dy, times) => turn(k, axes[k].length * 1.05 ** (dy * times), axes[k].angle - dx * times * (Math.PI / 60)),
        `Semi-axis ${k + 1}: up and down change its length, left and right turn it`));
    } else {
      handles = [handle((x, y) => shift(x + origin[0], y + origin[1]),
        (dx, dy, times) => shift(model.get("point")[0] + (dx * times * 5) / unit, model.get("point")[1] + (dy * times * 5) / unit),
        `${letter(wrt)}: arrow keys move it`)];
    }
  };
  function draw() {
    const M = S(), mean = (M[0][0] + M[1][1]) / 2, half = Math.hypot((M[0][0] - M[1][1]) / 2, M[0][1]);
    const lengths = [Math.sqrt(mean + half), Math.sqrt(Math.max((M[0][0] * M[1][1] - M[0][1] ** 2) / (mean + half), 0))];
    let angle = Math.atan2(2 * M[0][1], M[0][0] - M[1][1]) / 2, swap = 0;
    if (axes) {  // each handle keeps its own semi-axis: take the labelling nearest to the last one
      const turns = Math.round((axes[0].angle - angle) / (Math.PI / 2));
      swap = Math.abs(turns % 2);
      angle += (turns * Math.PI) / 2;
    }
    axes = [{ length: lengths[swap], angle }, { length: lengths[1 - swap], angle: angle + Math.PI / 2 }];
    const mu = where("mu") ?? [0, 0], x = where("x");
    const reach = lengths[0] + Math.max(Math.hypot(mu[0] - origin[0], mu[1] - origin[1]), x ? Math.hypot(x[0] - origin[0], x[1] - origin[1]) - lengths[0] : 0);
    if (!dragging && (!unit || reach * unit > 49 || reach * unit < 18)) unit = 44 / reach;
    const place = (p) => [(p[0] - origin[0]) * unit, -(p[1] - origin[1]) * unit];
    const [cx, cy] = place(mu);
    for (const [node, r] of [[near, 1], [far, 2]])
      set(node, { rx: r * axes[0].length * unit, ry: r * axes[1].length * unit, transform: `translate(${cx} ${cy}) rotate(${(-angle * 180) / Math.PI})` });
    set(centre, { cx, cy });
    if (x) { const [px, py] = place(x); set(spot, { cx: px, cy: py }); set(spotName, { x: px + 6, y: py - 6 }); }
    handles.forEach((node, k) => {
      const tip = matrix ? [mu[0] + axes[k].length * Math.cos(axes[k].angle), mu[1] + axes[k].length * Math.sin(axes[k].angle)] : model.get("point");
      const [px, py] = place(tip);
      const degrees = Math.round((axes[k].angle * 180) / Math.PI);
      set(node, { transform: `translate(${px} ${py})`, "aria-valuenow": Number((matrix ? axes[k].length : tip[0]).toPrecision(4)),
        "aria-valuetext": matrix ? `length ${show(axes[k].length)}, angle ${degrees} degrees` : `${show(tip[0])}, ${show(tip[1])}` });
    });
  }
  build();
  view.on(["point", "params"], draw);
  return h("figure", {}, svg, h("figcaption", {}, matrix
    ? `Density contours of N(${wrt === "Sigma" ? "μ" : "0"}, ${letter(wrt)}). Drag a handle, or focus it: up and down change the length, left and right turn.`
    : `Density contours of N(μ, Σ). Drag ${letter(wrt)}, or focus it and use the arrow keys.`));
}

// ---- The explorer of a derivative ------------------------------------------------------------------------------------

const SCHEMES = { forward: ["forward"], central: ["central"], richardson: ["Richardson"], complex: ["complex step"] };

function explorer(view) {
  const { model, app, live } = view, wrt = model.get("wrt"), spaces = model.get("spaces");
  const get = (name) => model.get(name);
  const start = get("start"), matrix = Array.isArray(start.point[0]), d = start.point.length;
  const first = get("result"), scalar = !Array.isArray(first.value), L = letter(wrt);
  const conventions = get("conventions"), pair = [`${L}₁₂`, `${L}₂₁`];

  // The point, and what is held fixed
  const point = entries(wrt, get("point"), (index, number, box) =>
    typed(view, wrt, get("point"), spaces[wrt], index, number, box, (next) => ({ point: next })));
  view.on(["point"], () => point.draw(get("point")));
  const names = Object.keys(get("params"));
  const fixed = names.map((name) => {
    const grid = entries(name, get("params")[name], (index, number, box) =>
      typed(view, name, get("params")[name], spaces[name], index, number, box, (next) => ({ params: { ...get("params"), [name]: next } })));
    view.on(["params"], () => grid.draw(get("params")[name]));
    return grid.node;
  });
  const button = (text, click) => h("button", { type: "button", onclick: click }, text);
  const buttons = h("div", { class: "mvn-buttons" },
    button("Reset", () => view.act({ params: copy(start.params), point: copy(start.point) })),
    button("Random example", () => view.act({ point: randomPoint(start.point, spaces[wrt]) })),
    button(`Copy ${L}`, async (event) => {
      const text = `np.array(${JSON.stringify(get("point")).replaceAll(",", ", ")})`, area = h("textarea", {}, text);
      try { await navigator.clipboard.writeText(text); } catch {  // a page from disk may have no clipboard API
        app.append(area);
        area.select();
        document.execCommand("copy");
        area.remove();
      }
      view.say(`Copied ${text}`);
      event.target?.focus?.();
    }));
  const positive = spaces[wrt] === "positive definite";
  const drawn = d === 2 && (matrix ? positive && (L === "Σ" || L === "S") : names.includes("Sigma"));
  const left = h("div", {}, point.node, ...(drawn ? [ellipse(view)] : []), buttons,
    ...(fixed.length ? [h("details", {}, h("summary", {}, `Held fixed: ${names.map(letter).join(", ")}`), ...fixed)] : []));

  // What moves, and how
  const controls = [];
  if (conventions.length > 1) {
    const hints = { entrywise: `${pair[0]} alone`, frobenius: `${pair.join(" and ")} together, half the slope to each`, free: `${pair.join(" and ")} together` };
    const names = Object.fromEntries(conventions.map((name) => [name, [name, hints[name]]]));
    const chooser = choice("Convention: what moves", names, (convention) => view.act({ convention }));
    view.on(["convention"], () => chooser.draw(get("convention")));
    controls.push(chooser.node);
  }
  if (!scalar) {
    const options = indices(start.point).map((index) => h("option", { value: index.join() }, entryName(wrt, index)));
    const select = h("select", { onchange: () => view.act({ direction: select.value.split(",").map(Number) }) }, ...options);
    controls.push(h("label", { class: "mvn-field" }, "Entry that moves ", select));
    view.on(["direction"], () => { select.value = get("direction").join(); });
  }
  const schemes = choice("Difference", SCHEMES, (scheme) => view.act({ scheme }));
  view.on(["scheme"], () => schemes.draw(get("scheme")));
  const slider = h("input", { type: "range", min: -20, max: 0, step: 0.1, "aria-label": "Step h, logarithmic", oninput: () => view.act({ step: 10 ** slider.valueAsNumber }) });
  const step = h("output"), auto = h("button", { type: "button", onclick: () => view.act({ auto: true }) }, "Auto");
  view.on(["step", "auto"], () => {
    const h = get("step");
    if (Math.abs(slider.valueAsNumber - log10(h)) > 0.051) slider.value = log10(h);
    slider.setAttribute("aria-valuetext", `h = ${h.toExponential(1)}`);
    step.textContent = `h = ${brief(h)}`;
    auto.setAttribute("aria-pressed", String(get("auto")));
  });
  controls.push(schemes.node, h("div", { class: "mvn-step" }, h("label", {}, "Step ", step), slider, auto));

  // What comes out
  const word = () => ({ complex: "complex-step", richardson: "Richardson" })[get("scheme")] ?? get("scheme");
  const value = scalar ? h("output") : numbers(get("title"), first.value, show, true);
  const table = first.difference;
  const formula = first.formula && numbers(get("candidate") ? "Your table" : "Formula", table, show, true);
  const difference = numbers("Difference", table, show, true), gap = numbers("Difference − formula", table, brief, false);
  const tables = h("div", { class: "mvn-tables" }, ...[!scalar && value, formula, difference, formula && gap].filter(Boolean).map((t) => t.node));
  const name = (index) => (scalar ? `∂/∂${entryName(wrt, index)}` : `Entry ${index.map((i) => i + 1).join(", ")}`);
  view.on(["result"], () => {
    const { value: f, formula: F, difference: D, error } = get("result");
    if (scalar) value.textContent = show(f); else value.draw(f);
    const partial = scalar ? "" : ` ∂/∂${entryName(wrt, get("direction"))}`;
    difference.draw(D, `${word()[0].toUpperCase()}${word().slice(1)} difference${partial}`);
    if (!F) return view.say(`${word()} difference ${flat(D).map(show).join(", ")}`);
    formula.draw(F, `${get("candidate") ? "Your table" : "Formula"}${partial}`);
    const E = zip((a, b) => (a === null || b === null ? null : a - b), D, F);
    gap.draw(E);
    const worst = indices(E).reduce((a, b) => (Math.abs(at(E, b)) > Math.abs(at(E, a)) ? b : a));
    return view.say(`${name(worst)}: ${word()} difference ${show(at(D, worst))}, formula ${show(at(F, worst))}; relative error of the table ${brief(error)}`);
  });

  // Error against step
  const chart = plot({ x: [-20, 0], y: [-17, 1], xlabel: "step h", ylabel: "relative error", xticks: stride([-20, 0], 4), yticks: stride([-17, 1], 3), xtext: power, ytext: power,
    label: "Relative error against step, logarithmic, for the forward and central difference and the complex step" });
  const lines = Object.fromEntries(CURVES.map((name) => [name, [s("path", { class: `mvn-curve mvn-${name}` }), s("text", { class: `mvn-halo mvn-name-${name}` }, SCHEMES[name][0])]]));
  chart.svg.append(...CURVES.map((name) => lines[name][0]), ...CURVES.map((name) => lines[name][1]));
  const guide = s("line", { class: "mvn-guide", y1: chart.Y(1), y2: chart.Y(-17) }), marker = s("circle", { class: "mvn-marker", r: 5 });
  chart.svg.append(guide, marker);
  view.on(["curve"], () => {
    const curve = get("curve"), placed = [];
    if (!curve?.steps) return;
    const u = curve.steps.map(log10);
    for (const name of CURVES) {
      const v = (curve[name] ?? []).map((e) => (Number.isFinite(e) && e !== null ? log10(e) : NaN));
      const [line, label] = lines[name];
      line.setAttribute("d", chart.path(u.map((x, k) => [x, v[k]])));
      const low = v.reduce((best, y, k) => (y < v[best] || !Number.isFinite(v[best]) ? k : best), 0);
      const flatLow = name === "complex", x = chart.X(flatLow ? -19.6 : u[low]) - (flatLow ? 0 : 5);
      let y = chart.Y(flatLow ? Math.max(...v.slice(0, 12)) : v[low]) + (flatLow ? -8 : 13);
      y = Math.min(y, chart.Y(-17) - 4);
      while (placed.some(([px, py]) => Math.abs(px - x) < 70 && Math.abs(py - y) < 13)) y -= 13;
      placed.push([x, y]);
      set(label, { x, y, "text-anchor": flatLow ? "start" : "end", visibility: Number.isFinite(y) ? "visible" : "hidden" });
    }
  });
  view.on(["result", "step"], () => {
    const x = chart.X(log10(get("step"))), error = get("result").error;
    set(guide, { x1: x, x2: x });
    set(marker, { cx: x, cy: Number.isFinite(error) && error !== null ? chart.Y(log10(error)) : -20 });
  });

  const heading = h("p", { class: "mvn-title" }, scalar ? `${get("title")} = ` : get("title"), ...(scalar ? [value] : []));
  app.append(heading, h("div", { class: "mvn-columns" }, left, h("div", { class: "mvn-controls" }, ...controls)),
    live, h("div", { class: scalar ? "mvn-evidence" : "mvn-stack" }, tables,
      h("figure", {}, chart.svg, h("figcaption", {}, "Error of each difference against its step; the circle is the step in use."))));
}

// ---- The Neumann series ----------------------------------------------------------------------------------------------

function series(view) {
  const { model, app, live } = view, get = (name) => model.get(name);
  const end = get("t_max");
  const slider = h("input", { type: "range", min: 0, max: end, step: end / 200, "aria-label": "t, the size of the perturbation", oninput: () => view.act({ t: slider.valueAsNumber }) });
  const size = h("output");
  view.on(["t"], () => {
    if (Math.abs(slider.valueAsNumber - get("t")) > end / 300) slider.value = get("t");
    slider.setAttribute("aria-valuetext", `t = ${short(get("t"))}`);
    size.textContent = `t = ${short(get("t"))}`;
  });
  const chart = plot({ x: [0, 20], y: [-16, 4], xlabel: "number of terms", ylabel: "relative error", xticks: stride([0, 20], 4), yticks: stride([-16, 4], 4), ytext: power,
    label: "Relative error of the partial sum of the Neumann series against its number of terms, logarithmic" });
  const bound = s("path", { class: "mvn-curve mvn-forward" }), line = s("path", { class: "mvn-curve mvn-central" });
  const dots = get("result").errors.map(() => s("circle", { class: "mvn-dot", r: 3 }));
  chart.svg.append(bound, line, ...dots);
  const gauge = (words) => {
    const cell = h("td"), bar = h("span");
    return { row: h("tr", {}, h("th", { scope: "row" }, words), cell, h("td", { class: "mvn-gauge" }, bar)), draw(v) {
      cell.textContent = show(v);
      bar.style.width = `${Math.min(v / 2, 1) * 100}%`;
      bar.className = v < 1 ? "" : "mvn-over";
    } };
  };
  const radius = gauge("spectral radius ρ of tE S⁻¹"), rms = gauge("root mean square of its entries");
  const verdict = h("p", { class: "mvn-title" });
  view.on(["result"], () => {
    const r = get("result"), n = r.errors.length - 1;
    const log = r.errors.map(log10);
    line.setAttribute("d", chart.path(log.map((v, k) => [k, v])));
    bound.setAttribute("d", chart.path(log.map((_, k) => [k, k * log10(r.radius)])));
    dots.forEach((dot, k) => set(dot, { cx: chart.X(k), cy: chart.Y(log[k]) }));
    radius.draw(r.radius);
    rms.draw(r.rms);
    const way = Math.abs(r.radius - 1) < 1e-9 ? "the series does not converge: ρ = 1" : r.radius < 1 ? `the series converges: ρ = ${short(r.radius)} < 1` : `the series diverges: ρ = ${short(r.radius)} > 1`;
    verdict.textContent = way[0].toUpperCase() + way.slice(1);
    view.say(`t = ${short(get("t"))}: ${way}; RMS norm ${short(r.rms)}; relative error after ${n} terms ${brief(r.errors[n])}`);
  });
  app.append(verdict, h("div", { class: "mvn-step" }, h("label", {}, "Size ", size), slider),
    h("table", { class: "mvn-gauges" }, h("tbody", {}, radius.row, rms.row)),
    h("figure", {}, chart.svg, h("figcaption", {}, "Dots: error of the partial sum. Dashed: ρ to the number of terms.")), live);
}

// ---- Data in the plane, and the components of a mixture ---------------------------------------------------------------

/** A shape for each component, all of about the same area; the nth component has the nth line style too. */
const SHAPES = ["M-3.1 0a3.1 3.1 0 1 0 6.2 0a3.1 3.1 0 1 0-6.2 0Z", "M0-3.9L3.9 2.9H-3.9Z", "M-2.8-2.8H2.8V2.8H-2.8Z", "M0-4L4 0L0 4L-4 0Z"];

/** Points, and the ellipses of some normal distributions over them, at sizes counted in standard deviations. */
function scatter(X, axes, count, label) {
  const [x, y] = [0, 1].map((j) => around(X.map((point) => point[j]), 0.07));
  const chart = plot({ x, y, xlabel: axes[0], ylabel: axes[1], xticks: ticks(x), yticks: ticks(y), label });
  const [left, top, width, height] = chart.box, id = `mvn-${Math.random().toString(36).slice(2)}`;
  const spots = X.map((point) => s("path", { class: "mvn-spot", d: SHAPES[0], "fill-opacity": 0.3, transform: `translate(${chart.place(point).map((v) => v.toFixed(1)).join(" ")})` }));
  const rings = Array.from({ length: count }, (_, k) => [s("path", { class: `mvn-ring mvn-c${k + 1}` }), s("path", { class: `mvn-ring mvn-c${k + 1}` }), s("text", { class: "mvn-halo", "text-anchor": "middle" })]);
  chart.svg.append(s("clipPath", { id }, s("rect", { x: left, y: top, width, height })), s("g", {}, ...spots), s("g", { "clip-path": `url(#${id})` }, ...rings.flat()));
  return {
    svg: chart.svg,
    spots,
    ring(k, mu, Sigma, name = "", sizes = [1, 2]) {
      const L = cholesky(Sigma), [near, far, text] = rings[k];
      sizes.forEach((size, r) => {
        const turn = Array.from({ length: 60 }, (_, n) => (n * Math.PI) / 30);
        const points = turn.map((a) => chart.place(zip((m, v) => m + size * v, mu, times(L, [Math.cos(a), Math.sin(a)]))));
        [near, far][r].setAttribute("d", `M${points.map((p) => p.map((v) => v.toFixed(1)).join(" ")).join("L")}Z`);
      });
      const [cx, cy] = chart.place(mu);
      set(text, { x: cx, y: cy + 5 });
      text.textContent = name;
    },
  };
}

const table = (caption, head, rows) => h("table", { class: "mvn-summary" }, h("caption", {}, caption),
  h("thead", {}, h("tr", {}, ...head.map((text) => h("th", { scope: "col" }, text)))),
  h("tbody", {}, ...rows.map(([first, ...rest]) => h("tr", {}, h("th", { scope: "row" }, first), ...rest.map((text) => h("td", {}, text))))));

function mixture(view) {
  const { model, app, live } = view, get = (name) => model.get(name);
  const X = get("X"), axes = get("axes"), K = get("weights").length, start = get("start");
  const limit = 1e-8 * X.length, quick = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const names = axes.map((axis) => axis.replace(/\s*\(.*\)$/, "")), three = (v) => minus(Number(v.toPrecision(3)).toString());
  const gain = () => { const values = get("history"); return values.length > 1 ? values.at(-1) - values.at(-2) : null; };
  const settled = () => gain() !== null && gain() < limit;
  const headline = () => {
    const up = gain(), gained = up === null ? "" : `, gained ${up > 1e-3 ? short(up) : brief(Math.max(up, 0))}`;
    return `Iteration ${get("iteration")}: log-likelihood ${minus(get("result").value.toFixed(3))}${gained}${settled() ? "; converged" : ""}`;
  };
  const words = () => `${headline()}. ${get("weights").map((w, k) =>
    `Component ${k + 1}: weight ${three(w)}, mean ${names.map((a, j) => `${a} ${three(get("means")[k][j])}`).join(", ")}`).join("; ")}.`;

  const plane = scatter(X, axes, K, `Scatter plot of ${axes[1]} against ${axes[0]}, with an ellipse for each component`);
  const title = h("p", { class: "mvn-title" }), summary = h("div", { class: "mvn-tables" }), rising = h("figure");
  let timer = null;
  view.on(["result"], () => {
    const [weights, means, covariances] = PARAMETERS.map(get);
    get("result").responsibilities.forEach((row, a) => {
      const most = row.indexOf(Math.max(...row)), sure = K > 1 ? (row[most] - 1 / K) / (1 - 1 / K) : 1;
      set(plane.spots[a], { d: SHAPES[most], class: `mvn-spot mvn-c${most + 1}`, "fill-opacity": (0.8 * sure).toFixed(2) });
    });
    means.forEach((mean, k) => plane.ring(k, mean, covariances[k], String(k + 1)));
    title.textContent = headline();
    summary.replaceChildren(table("Components", ["", ...weights.map((_, k) => String(k + 1))], [["weight", ...weights.map(three)],
      ...axes.map((axis, j) => [`mean ${axis}`, ...means.map((mean) => three(mean[j]))]),
      ...axes.map((axis, j) => [`s.d. ${axis}`, ...covariances.map((S) => three(Math.sqrt(S[j][j])))])]));
    rising.replaceChildren(curve().svg, h("figcaption", {}, "Log-likelihood at every iteration. It never falls."));
    if (timer === null) view.say(words());
  });
  /** The log-likelihood so far. */
  function curve() {
    const values = get("history"), x = [0, Math.max(10, values.length - 1)], y = around(values.length > 1 ? values : [values[0] - 10, values[0] + 10], 0.08);
    const chart = plot({ x, y, xlabel: "iteration", ylabel: "log-likelihood", xticks: ticks(x).filter(Number.isInteger), yticks: ticks(y, 4),
      label: `Log-likelihood against iteration: from ${minus(values[0].toFixed(1))} to ${minus(values.at(-1).toFixed(1))} in ${values.length - 1} steps` });
    chart.svg.append(s("path", { class: "mvn-curve mvn-central", d: chart.path(values.map((v, k) => [k, v])) }),
      ...(values.length < 40 ? values.map((v, k) => s("circle", { class: "mvn-dot", r: 2.5, cx: chart.X(k), cy: chart.Y(v) })) : []),
      s("circle", { class: "mvn-marker", r: 5, cx: chart.X(values.length - 1), cy: chart.Y(values.at(-1)) }));
    return chart;
  }

  // Steps, one at a time or until nothing is gained
  const button = (text, click) => h("button", { type: "button", onclick: click }, text);
  const stop = () => {
    if (timer !== null) view.say(words());
    clearTimeout(timer);
    timer = null;
    run.textContent = "Run";
    run.setAttribute("aria-pressed", "false");
  };
  const advance = () => {
    const to = get("iteration") + (quick ? 25 : 1);
    if (settled() || get("problem") || to > MOST_STEPS) return stop();
    timer = setTimeout(advance, 150);
    return view.act({ iteration: to });
  };
  const run = button("Run", () => {
    if (timer !== null) return stop();
    view.say("Running", true);
    run.textContent = "Pause";
    run.setAttribute("aria-pressed", "true");
    return advance();
  });
  stop();
  view.leaving(stop);
  const begin = (parameters, why) => { stop(); view.act(parameters, why); };
  const random = () => {
    const rows = new Set();
    while (rows.size < K) rows.add(Math.floor(Math.random() * X.length));
    const { covariances: [all] } = maximisation(X, X.map(() => [1]), { means: [X[0]], covariances: [null] });
    begin({ weights: start.weights.map(() => 1 / K), means: [...rows].map((a) => copy(X[a])), covariances: start.weights.map(() => copy(all)) });
  };
  const grid = entries("mu", get("means"), (index, number, box) => {
    stop();
    typed(view, "mu", get("means"), "general", index, number, box, (means) => ({ means }));
  });
  view.on(["means"], () => grid.draw(get("means")));
  const buttons = h("div", { class: "mvn-buttons" }, button("Step", () => { stop(); view.act({ iteration: get("iteration") + 1 }); }), run,
    button("Reset", () => begin(copy(start))), button("Random start", random));
  const shapes = K > 1 ? "A point has the shape and colour of its most probable component; the surer, the fuller. " : "";
  app.append(title, buttons, live, h("div", { class: "mvn-pair" },
    h("figure", {}, plane.svg, h("figcaption", {}, `${shapes}Ellipses at one and two standard deviations.`)), rising),
    summary, h("details", {}, h("summary", {}, "Start from other means"), grid.node));
}

// ---- A segment of parameters, and its chord --------------------------------------------------------------------------

function chords(view) {
  const { model, app, live } = view, get = (name) => model.get(name);
  const X = get("X"), axes = get("axes"), presets = Object.keys(get("presets"));
  const select = (text, which) => {
    const node = h("select", { "aria-label": which ? "Last end" : "First end", onchange: () => view.act({ ends: get("ends").map((end, k) => (k === which ? node.value : end)) }) }, ...presets.map((name) => h("option", { value: name }, name)));
    view.on(["ends"], () => { node.value = get("ends")[which]; });
    return h("label", { class: "mvn-field" }, text, node);
  };
  const kind = choice("Straight in", SEGMENTS, (parameters) => view.act({ parameters }));
  view.on(["parameters"], () => kind.draw(get("parameters")));
  const slider = h("input", { type: "range", min: 0, max: 1, step: 0.01, "aria-label": "t, from one end to the other", oninput: () => view.act({ t: slider.valueAsNumber }) }), size = h("output");
  view.on(["t"], () => {
    if (Math.abs(slider.valueAsNumber - get("t")) > 0.006) slider.value = get("t");
    slider.setAttribute("aria-valuetext", `t = ${short(get("t"))}`);
    size.textContent = `t = ${short(get("t"))}`;
  });
  const figure = h("figure"), title = h("p", { class: "mvn-title" });
  const plane = X[0].length === 2 ? scatter(X, axes, 3, `Scatter plot of ${axes[1]} against ${axes[0]}, with the ellipse of the density at t and, dashed and dotted, those of the two ends`) : null;
  let chart, marker, drop;
  view.on(["curve"], () => {
    const { t, J } = get("curve"), y = around(J, 0.08);
    chart = plot({ x: [0, 1], y, xlabel: "t", ylabel: "J, negative log-likelihood", xticks: [0, 0.2, 0.4, 0.6, 0.8, 1], yticks: ticks(y, 4), label: "J along the segment, and its chord" });
    const ends = [[0, J[0]], [1, J[100]]];
    marker = s("circle", { class: "mvn-marker", r: 5 });
    drop = s("line", { class: "mvn-guide" });
    chart.svg.append(s("path", { class: "mvn-between", d: `${chart.path([...t.map((u, k) => [u, J[k]]), ...ends.reverse()])}Z` }),
      s("path", { class: "mvn-curve mvn-forward", d: chart.path(ends) }), s("path", { class: "mvn-curve mvn-central", d: chart.path(t.map((u, k) => [u, J[k]])) }), drop, marker);
    figure.replaceChildren(chart.svg, h("figcaption", {}, "Solid: J. Dashed: its chord. A convex function is nowhere above a chord."));
  });
  view.on(["result"], () => {
    const { value, chord, mu, Sigma, excess, where } = get("result"), t = get("t"), name = SEGMENTS[get("parameters")][0], J = get("curve").J;
    set(drop, { x1: chart.X(t), x2: chart.X(t), y1: chart.Y(value), y2: chart.Y(chord) });
    set(marker, { cx: chart.X(t), cy: chart.Y(value) });
    const over = excess > 1e-9 * largest(J), text = over ? `J rises ${short(excess)} above its chord, at t = ${short(where)}: it is not convex in (${name})`
      : get("parameters") === "P mu, P" ? "J stays below its chord, as on every segment that is straight in (Pμ, P): there it is convex"
        : `J stays below its chord on this segment; of other segments in (${name}) that says nothing`;
    title.textContent = text;
    if (plane) {
      plane.ring(0, mu, Sigma, "", [1]);
      get("ends").forEach((end, k) => plane.ring(k + 1, get("presets")[end].mu, get("presets")[end].Sigma, "", [1]));
    }
    view.say(`t = ${short(t)}: J ${show(value)}, chord ${show(chord)}. ${text}.`);
  });
  app.append(title, h("div", { class: "mvn-columns" }, h("div", {}, select("From ", 0), select("to ", 1), kind.node), h("div", {}, h("div", { class: "mvn-step" }, h("label", {}, "Where on the segment: ", size), slider), live)),
    h("div", { class: "mvn-pair" }, figure, ...(plane ? [h("figure", {}, plane.svg, h("figcaption", {}, "Ellipses at one standard deviation. Solid: the density at t. Dashed and dotted: the two ends."))] : [])));
}

export default {
  render({ model, el }) {
    const view = shell({ model, el });
    ({ explore: explorer, neumann: series, em: mixture, segment: chords })[model.get("kind")](view);
    return () => view.close();
  },
};
