// The one front end of the explorers: an ES module to the anywidget contract, kept in three files that
// mvnlib/_front.py joins: numbers.js (this one), drawing.js and views.js.
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
