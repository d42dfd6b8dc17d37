// EM for a mixture of normals in the plane, a step at a time.

import { brief, cholesky, minus, problemWith, sameShape, shape, short, total, written } from "./arrays.js";
import { button, figure, mark, padded, pointEntries, scatter, set, tag, ticks } from "./drawing.js";

export const inputs = ["weights", "means", "covariances", "iteration"];
export const first = "weights";

export const refusals = {
  weights({ constants, weights, start }) {
    const letters = { ...constants.letters, weights: "The weights" };
    const problem = problemWith({ letters }, "weights", weights, start.weights, "vector");
    if (problem) return problem;
    const allowed = weights.every((w) => w >= 0) && total(weights) > 0;
    return allowed ? "" : "The weights must not be negative, nor all zero";
  },
  means: ({ constants, means, start }) => problemWith(constants, "mu", means, start.means, "general"),
  covariances({ constants, covariances, start: { covariances: like } }) {
    if (!sameShape(like, covariances)) {
      return `${written(constants, "Sigma")} must have the shape ${shape(like).join(" × ")}`;
    }
    const problems = covariances.map((S, k) =>
      problemWith(constants, "Sigma", S, like[k], "positive definite")
    );
    return problems.find(Boolean) ?? "";
  },
  iteration({ iteration, constants: { most_steps: most } }) {
    const allowed = Number.isInteger(iteration) && iteration >= 0 && iteration <= most;
    return allowed ? "" : `The iteration must be a whole number from 0 to ${most}`;
  },
};

/** Take EM to the iteration asked for, or start anew where a parameter was set. */
export function update(state, name, before) {
  const step = name === "iteration", onwards = step && state.iteration >= before.iteration;
  const origin = step ? state.origin : parametersOf(state), end = step ? state.iteration : 0;
  let here = onwards ? parametersOf(state) : origin;
  let found = onwards ? state.result : expectation(state, here);
  const history = onwards ? [...state.history] : [found.value];
  while (history.length <= end) {
    here = maximisation(state.X, found.responsibilities, here);
    if (!here.covariances.every(cholesky)) {
      const collapsed =
        "a component has collapsed: its covariance is singular, and the likelihood has no bound";
      return { problem: `After ${history.length} steps ${collapsed}` };
    }
    found = expectation(state, here);
    history.push(found.value);
  }
  return { ...state, ...here, iteration: end, history, result: found, origin };
}

const parametersOf = ({ weights, means, covariances }) => ({ weights, means, covariances });

/** Log-likelihood and responsibilities; logarithms are shifted by their largest, so that no row is 0 / 0. */
function expectation({ functions, X }, { weights, means, covariances }) {
  let value = 0;
  const responsibilities = X.map((x) => {
    const density = (k) => functions.value({ x, mu: means[k], Sigma: covariances[k] });
    const logs = weights.map((w, k) => Math.log(w) + density(k)), top = Math.max(...logs);
    const shares = logs.map((log) => Math.exp(log - top)), all = total(shares);
    value += top + Math.log(all);
    return shares.map((share) => share / all);
  });
  return { value, responsibilities };
}

/** The parameters that maximise Q: weighted counts, means, covariances. Without rows a component stays. */
function maximisation(X, responsibilities, { means, covariances }) {
  const parts = means.map((kept, k) => {
    const r = responsibilities.map((row) => row[k]), n = total(r);
    if (!(n > 0)) return [0, kept, covariances[k]];
    const average = (f) => total(X.map((x, a) => (r[a] / n) * f(x)));
    const mean = kept.map((_, i) => average((x) => x[i]));
    const moment = (i, j) => average((x) => (x[i] - mean[i]) * (x[j] - mean[j]));
    return [n / X.length, mean, mean.map((_, i) => mean.map((_, j) => moment(i, j)))];
  });
  return {
    weights: parts.map(([w]) => w),
    means: parts.map(([, m]) => m),
    covariances: parts.map(([, , S]) => S),
  };
}

// ---- The view -------------------------------------------------------------------------------------------

const three = (v) => minus(Number(v.toPrecision(3)).toString());

export function view(stage) {
  const { app, live, get, on } = stage, X = get("X"), axes = get("axes"), count = get("weights").length;
  const title = tag("p", { class: "mvn-title" }), parameters = tag("div", { class: "mvn-tables" });
  const label = `Scatter plot of ${axes[1]} against ${axes[0]}, with an ellipse for each component`;
  const plane = scatter(stage, X, axes, count, label), rising = tag("figure");
  const walk = walker(stage, () => inWords(stage));
  on(["result"], () => {
    colour(stage, plane);
    title.textContent = headline(stage);
    parameters.replaceChildren(summary(stage));
    const caption = "Log-likelihood at every iteration. It never falls.";
    rising.replaceChildren(curve(stage), tag("figcaption", {}, caption));
    if (!walk.running()) stage.say(inWords(stage));
  });
  const commit = (means, why) => stage.act({ means }, why);
  const grid = pointEntries(stage, "mu", "general", () => get("means"), commit);
  grid.node.addEventListener("input", walk.stop, { capture: true });
  on(["means"], () => grid.draw(get("means")));
  const told = "A point has the shape and colour of its most probable component; the surer, the fuller. ";
  const caption = `${count > 1 ? told : ""}Ellipses at one and two standard deviations.`;
  app.append(
    title,
    walk.buttons,
    live,
    tag("div", { class: "mvn-pair" }, figure(plane.svg, caption), rising),
    parameters,
    tag("details", {}, tag("summary", {}, "Start from other means"), grid.node),
  );
}

/** What the last step gained, or null where there was none. */
function gain({ get }) {
  const values = get("history");
  return values.length > 1 ? values.at(-1) - values.at(-2) : null;
}

function converged(stage) {
  const last = gain(stage);
  return last !== null && last < 1e-8 * stage.get("X").length;
}

function headline(stage) {
  const up = gain(stage), { get } = stage;
  const gained = up === null ? "" : `, gained ${up > 1e-3 ? short(up) : brief(Math.max(up, 0))}`;
  const value = minus(get("result").value.toFixed(3)), end = converged(stage) ? "; converged" : "";
  return `Iteration ${get("iteration")}: log-likelihood ${value}${gained}${end}`;
}

function inWords(stage) {
  const { get } = stage, names = get("axes").map((axis) => axis.replace(/\s*\(.*\)$/, ""));
  const mean = (k) => names.map((name, j) => `${name} ${three(get("means")[k][j])}`).join(", ");
  const parts = get("weights").map((w, k) => `Component ${k + 1}: weight ${three(w)}, mean ${mean(k)}`);
  return `${headline(stage)}. ${parts.join("; ")}.`;
}

/** Give every point the shape and colour of its most probable component, and draw the ellipses. */
function colour({ get, constants }, plane) {
  const means = get("means"), covariances = get("covariances"), count = means.length;
  get("result").responsibilities.forEach((row, a) => {
    const most = row.indexOf(Math.max(...row));
    const sure = count > 1 ? (row[most] - 1 / count) / (1 - 1 / count) : 1;
    const opacity = (0.8 * sure).toFixed(2), d = constants.shapes[most];
    set(plane.spots[a], { d, class: `mvn-spot mvn-c${most + 1}`, "fill-opacity": opacity });
  });
  means.forEach((mean, k) => plane.ring(k, mean, covariances[k], String(k + 1)));
}

/** The parameters in a table. */
function summary({ get }) {
  const weights = get("weights"), means = get("means"), covariances = get("covariances"), axes = get("axes");
  const rows = [
    ["weight", ...weights.map(three)],
    ...axes.map((axis, j) => [`mean ${axis}`, ...means.map((mean) => three(mean[j]))]),
    ...axes.map((axis, j) => [`s.d. ${axis}`, ...covariances.map((S) => three(Math.sqrt(S[j][j])))]),
  ];
  const head = ["", ...weights.map((_, k) => String(k + 1))].map((text) => tag("th", { scope: "col" }, text));
  const body = rows.map(([name, ...rest]) =>
    tag("tr", {}, tag("th", { scope: "row" }, name), ...rest.map((text) => tag("td", {}, text)))
  );
  const parts = [tag("thead", {}, tag("tr", {}, ...head)), tag("tbody", {}, ...body)];
  return tag("table", { class: "mvn-summary" }, tag("caption", {}, "Components"), ...parts);
}

/** The log-likelihood so far. */
function curve({ get, plot }) {
  const values = get("history"), last = values.length - 1, x = [0, Math.max(10, last)];
  const y = padded(last ? values : [values[0] - 10, values[0] + 10], 0.08);
  const ends = `from ${minus(values[0].toFixed(1))} to ${minus(values[last].toFixed(1))}`;
  const chart = plot({
    x,
    y,
    xlabel: "iteration",
    ylabel: "log-likelihood",
    xticks: ticks(x).filter(Number.isInteger),
    yticks: ticks(y, 4),
    label: `Log-likelihood against iteration: ${ends} in ${last} steps`,
  });
  const dot = (v, k) => mark("circle", { class: "mvn-dot", r: 2.5, cx: chart.X(k), cy: chart.Y(v) });
  chart.svg.append(
    mark("path", { class: "mvn-curve mvn-central", d: chart.path(values.map((v, k) => [k, v])) }),
    ...(values.length < 40 ? values.map(dot) : []),
    mark("circle", { class: "mvn-marker", r: 5, cx: chart.X(last), cy: chart.Y(values[last]) }),
  );
  return chart.svg;
}

// ---- Steps, one at a time or until nothing is gained ----------------------------------------------------

function walker(stage, words) {
  const { get, act, say, constants } = stage;
  const quick = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let timer = null;
  const running = () => timer !== null;
  const run = button("Run", () => (running() ? stop() : go()));
  const label = (text, pressed) => {
    run.textContent = text;
    run.setAttribute("aria-pressed", String(pressed));
  };
  const stop = () => {
    if (running()) say(words());
    clearTimeout(timer);
    timer = null;
    label("Run", false);
  };
  const go = () => {
    say("Running", true);
    label("Pause", true);
    advance();
  };
  const advance = () => {
    const to = get("iteration") + (quick ? 25 : 1);
    if (converged(stage) || get("problem") || to > constants.most_steps) return stop();
    timer = setTimeout(advance, 150);
    return act({ iteration: to });
  };
  stop();
  stage.leaving(stop);
  return { running, stop, buttons: walkButtons(stage, run, stop) };
}

function walkButtons({ get, act }, run, stop) {
  const start = get("start");
  const halted = (text, values) =>
    button(text, () => {
      stop();
      act(values());
    });
  return tag(
    "div",
    { class: "mvn-buttons" },
    halted("Step", () => ({ iteration: get("iteration") + 1 })),
    run,
    halted("Reset", () => start),
    halted("Random start", () => randomStart(get("X"), start.weights.length)),
  );
}

/** Some of the points for means, and the covariance of all of them for each component. */
function randomStart(X, count) {
  const rows = new Set();
  while (rows.size < count) rows.add(Math.floor(Math.random() * X.length));
  const everyone = { means: [X[0]], covariances: [null] };
  const { covariances: [all] } = maximisation(X, X.map(() => [1]), everyone);
  const means = [...rows].map((a) => X[a]);
  return { weights: means.map(() => 1 / count), means, covariances: means.map(() => all) };
}
