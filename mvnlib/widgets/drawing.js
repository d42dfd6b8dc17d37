// The second shared part of the front end: nodes, tables, plots, controls, and the stage that all explorers
// enter.

import {
  cholesky,
  copy,
  each,
  eigenvalues,
  entryOf,
  indices,
  largest,
  minus,
  multiply,
  replaced,
  rowsOf,
  short,
  show,
  times,
  transpose,
  written,
  zip,
} from "./arrays.js";

// ---- Nodes ----------------------------------------------------------------------------------------------

const maker = (create) => (kind, attributes = {}, ...children) => {
  const node = create(kind);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
};

/** An element of HTML. */
export const tag = maker((kind) => document.createElement(kind));

/** An element of SVG. */
export const mark = maker((kind) => document.createElementNS("http://www.w3.org/2000/svg", kind));

export function set(node, attributes) {
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
}

// ---- Plots ----------------------------------------------------------------------------------------------

const plainly = (v) => minus(String(v));

/** Numbers from `low` to `high`, so far apart. */
export const stride = ([low, high], every) =>
  Array.from({ length: Math.round((high - low) / every) + 1 }, (_, k) => low + k * every);

/** About `count` round numbers across a range. */
export function ticks([low, high], count = 5) {
  const rough = (high - low) / count, base = 10 ** Math.floor(Math.log10(rough));
  const every = base * [1, 2, 5, 10].find((m) => m * base >= rough * 0.999);
  const first = Math.ceil(low / every - 1e-9), last = Math.floor(high / every + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, k) => Number(((first + k) * every).toPrecision(12)));
}

/** A range a little wider than the values. */
export function padded(values, share) {
  const low = Math.min(...values), high = Math.max(...values);
  const pad = share * (high - low) || share * Math.abs(low) || share;
  return [low - pad, high + pad];
}

/** A plane with axes at the ticks given; `path` takes points in its coordinates, kept within the axes. */
function plot({ width, height, left, right, top, bottom }, { x, y, label, ...axes }) {
  const inside = (v, [low, high]) => Math.min(Math.max(v, low), high);
  const across = (v) => left + ((v - x[0]) / (x[1] - x[0])) * (width - left - right);
  const upward = (v) => height - bottom - ((v - y[0]) / (y[1] - y[0])) * (height - top - bottom);
  const X = (v) => across(inside(v, x)), Y = (v) => upward(inside(v, y));
  const box = { left, top, right: width - right, bottom: height - bottom };
  const svg = mark(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, class: "mvn-plot", role: "img", "aria-label": label },
    ...rules(box, X, Y, axes),
    ...axisNames(box, height, axes),
  );
  const path = (points) => {
    let pen = "M", d = "";
    for (const [u, v] of points) {
      if (Number.isFinite(v)) d += `${pen}${X(u).toFixed(1)} ${Y(v).toFixed(1)}`;
      pen = Number.isFinite(v) ? "L" : "M";
    }
    return d;
  };
  return { svg, X, Y, path, box, place: ([u, v]) => [across(u), upward(v)] };
}

function rules({ left, right, top, bottom }, X, Y, { xticks, yticks, xtext = plainly, ytext = plainly }) {
  const upright = xticks.flatMap((v) => [
    mark("line", { class: "mvn-rule", x1: X(v), x2: X(v), y1: top, y2: bottom }),
    mark("text", { x: X(v), y: bottom + 18, "text-anchor": "middle" }, xtext(v)),
  ]);
  const level = yticks.flatMap((v) => [
    mark("line", { class: "mvn-rule", x1: left, x2: right, y1: Y(v), y2: Y(v) }),
    mark("text", { x: left - 6, y: Y(v) + 4, "text-anchor": "end" }, ytext(v)),
  ]);
  return [...upright, ...level];
}

function axisNames({ left, right, top, bottom }, height, { xlabel, ylabel }) {
  const turned = `translate(12 ${(bottom + top) / 2}) rotate(-90)`;
  return [
    mark("text", { x: (left + right) / 2, y: height - 6, "text-anchor": "middle" }, xlabel),
    mark("text", { transform: turned, "text-anchor": "middle" }, ylabel),
  ];
}

/** Data in the plane, and the ellipses of `count` normal distributions over them, in standard deviations. */
export function scatter(view, X, axes, count, label) {
  const [x, y] = [0, 1].map((j) => padded(X.map((point) => point[j]), 0.07));
  const chart = view.plot({
    x,
    y,
    xlabel: axes[0],
    ylabel: axes[1],
    xticks: ticks(x),
    yticks: ticks(y),
    label,
  });
  const pair = (point) => chart.place(point).map((v) => v.toFixed(1)).join(" ");
  const d = view.constants.shapes[0];
  const spots = X.map((point) =>
    mark("path", { class: "mvn-spot", d, "fill-opacity": 0.3, transform: `translate(${pair(point)})` })
  );
  const rings = Array.from({ length: count }, (_, k) => [
    mark("path", { class: `mvn-ring mvn-c${k + 1}` }),
    mark("path", { class: `mvn-ring mvn-c${k + 1}` }),
    mark("text", { class: "mvn-halo", "text-anchor": "middle" }),
  ]);
  chart.svg.append(mark("g", {}, ...spots), ...clipped(chart.box, rings.flat()));
  /** Put the kth ellipses where they belong. */
  const ring = (k, mu, Sigma, name = "", sizes = [1, 2]) => {
    const L = cholesky(Sigma), [near, far, text] = rings[k], [cx, cy] = chart.place(mu);
    sizes.forEach((size, r) => {
      const around = stride([0, 59], 1).map((n) => times(L, circle((n * Math.PI) / 30)));
      const points = around.map((end) => pair(zip((m, v) => m + size * v, mu, end)));
      [near, far][r].setAttribute("d", `M${points.join("L")}Z`);
    });
    set(text, { x: cx, y: cy + 5 });
    text.textContent = name;
  };
  return { svg: chart.svg, spots, ring };
}

const circle = (angle) => [Math.cos(angle), Math.sin(angle)];

/** What may reach beyond the axes is cut off there. */
function clipped({ left, right, top, bottom }, nodes) {
  const id = freshName();
  const rect = mark("rect", { x: left, y: top, width: right - left, height: bottom - top });
  return [mark("clipPath", { id }, rect), mark("g", { "clip-path": `url(#${id})` }, ...nodes)];
}

const freshName = () => `mvn-${Math.random().toString(36).slice(2)}`;

export const figure = (svg, caption) => tag("figure", {}, svg, tag("figcaption", {}, caption));

// ---- Tables and controls --------------------------------------------------------------------------------

/** A table of numbers; with `heat`, its cells are tinted by size and hatched where negative. */
export function numbers(caption, like, format, heat) {
  const rows = rowsOf(like);
  const cells = rows.map((row) => row.map(() => tag("td")));
  const head = tag("tr", {}, tag("td"), ...rows[0].map((_, j) => tag("th", { scope: "col" }, String(j + 1))));
  const body = cells.map((row, i) => tag("tr", {}, tag("th", { scope: "row" }, String(i + 1)), ...row));
  const title = tag("caption", {}, caption);
  const parts = [title, tag("thead", {}, head), tag("tbody", {}, ...body)];
  const tint = (cell, v, scale) => {
    cell.style.setProperty("--heat", `${Math.round((40 * Math.abs(v)) / scale) || 0}%`);
    cell.classList.toggle("mvn-negative", v < 0);
  };
  return {
    node: tag("table", { class: "mvn-table" }, ...parts),
    draw(values, text) {
      if (text) title.textContent = text;
      const scale = largest(values) || 1;
      zip(
        (cell, v) => {
          cell.textContent = format(v);
          if (heat) tint(cell, v, scale);
        },
        cells,
        rowsOf(values),
      );
    },
  };
}

export const button = (text, click) => tag("button", { type: "button", onclick: click }, text);

/** Inputs for the entries of a vector or matrix; `change(index, box)` is called as they are typed. */
export function entries(view, name, value, change) {
  const boxes = indices(value).map((index) => {
    const box = tag("input", {
      type: "number",
      step: "0.1",
      inputmode: "decimal",
      "aria-label": view.written(name, index),
      oninput: () => change(index, box),
      onchange: () => draw(shown, true),
    });
    return [index, box];
  });
  let shown = value;
  function draw(values, force) {
    shown = values;
    for (const [index, box] of boxes) {
      const v = entryOf(values, index), same = box.valueAsNumber === v;
      if (force || (box !== box.getRootNode().activeElement && !same)) box.value = Number(v.toPrecision(6));
      if (force || box.valueAsNumber === v) box.removeAttribute("aria-invalid");
    }
  }
  const grid = { style: `--columns: ${rowsOf(value)[0].length}` };
  draw(value, true);
  return {
    node: tag(
      "fieldset",
      { class: "mvn-entries" },
      tag("legend", {}, view.written(name)),
      tag("div", grid, ...boxes.map(([, box]) => box)),
    ),
    draw,
  };
}

/** Radio buttons for an input: `options` maps each value to its label and perhaps an explanation. */
export function choice(view, name, legend, options) {
  const group = freshName();
  const buttons = Object.entries(options).map(([value, [label, hint]]) => {
    const input = tag("input", {
      type: "radio",
      name: group,
      value,
      onchange: () => view.act({ [name]: value }),
    });
    const explained = hint ? [tag("small", {}, hint)] : [];
    return { value, input, node: tag("label", {}, input, tag("span", {}, label), ...explained) };
  });
  view.on([name], () => {
    for (const { value, input } of buttons) input.checked = value === view.get(name);
  });
  return tag(
    "fieldset",
    { class: "mvn-choice" },
    tag("legend", {}, legend),
    ...buttons.map(({ node }) => node),
  );
}

/** A slider for an input; `there` and `back` lead from its value to the slider's and back, `text` says it. */
export function slider(view, name, { caption, label, range, step, text, spoken = text, ...ways }) {
  const { there = (v) => v, back = (v) => v, beside = [] } = ways;
  const input = tag("input", {
    type: "range",
    min: range[0],
    max: range[1],
    step,
    "aria-label": label,
    oninput: () => view.act({ [name]: back(input.valueAsNumber) }),
  });
  const size = tag("output");
  view.on([name], () => {
    const value = view.get(name), place = there(value);
    // The slider rounds to its steps: what was set elsewhere moves it, its own rounding does not.
    if (Math.abs(input.valueAsNumber - place) > 0.51 * step) input.value = place;
    input.setAttribute("aria-valuetext", spoken(value));
    size.textContent = text(value);
  });
  return tag("div", { class: "mvn-step" }, tag("label", {}, caption, size), input, ...beside);
}

// ---- Points that are typed or drawn by lot --------------------------------------------------------------

/** The last point on the way from one positive definite matrix to `to` that is well inside the cone. */
export function edge(from, to) {
  const ratio = (S) => {
    const all = eigenvalues(S);
    return all[0] / all[all.length - 1];
  };
  const margin = Math.min(1e-3, ratio(from) / 2);
  let low = 0, high = 1, best = from;
  for (let n = 0; n < 40; n++) {
    const t = (low + high) / 2, S = zip((a, b) => a + t * (b - a), from, to);
    if (ratio(S) > margin) [low, best] = [t, S];
    else high = t;
  }
  return best;
}

/** Inputs for a point of a space: a mirror comes along, the cone is not left; `commit` takes the point. */
export function pointEntries(view, name, space, current, commit) {
  const symmetric = space === "symmetric" || space === "positive definite";
  return entries(view, name, current(), (index, box) => {
    const number = box.valueAsNumber, entry = view.written(name, index);
    if (!Number.isFinite(number)) {
      box.setAttribute("aria-invalid", "true");
      return view.act({}, `${entry} is not a number; ${show(entryOf(current(), index))} is kept`);
    }
    let next = replaced(current(), index, number);
    if (symmetric) next = replaced(next, [...index].reverse(), number);
    if (space !== "positive definite" || cholesky(next)) return commit(next, "");
    next = edge(current(), next);
    box.setAttribute("aria-invalid", "true");
    const outside = `With ${entry} = ${short(number)}, ${view.written(name)} would not be positive definite`;
    return commit(next, `${outside}; it is held at the edge, ${show(entryOf(next, index))}`);
  });
}

const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
const rounded = (x) => each((v) => Math.round(100 * v) / 100, x);

/** A point of a space, drawn by lot. */
export function randomPoint(like, space) {
  const A = each(normal, like);
  if (space === "positive") return rounded(Math.exp(A)) || 0.1;
  if (space !== "positive definite" && space !== "symmetric") return rounded(A);
  return rounded(multiply(A, transpose(A)).map((row, i) => row.map((v, j) => v / 2 + (i === j ? 0.3 : 0))));
}

// ---- The stage ------------------------------------------------------------------------------------------

/** Show an explorer; the answer takes it away again. */
export function render(explorers, { model, el }) {
  const explorer = explorers[model.get("kind")];
  const view = stage(model, el, explorer.inputs);
  explorer.view(view);
  return () => view.close();
}

/** What all views share: subscriptions that end, words that are spoken, and the message of a refusal. */
function stage(model, el, inputs) {
  const root = el.matches("[data-widget]") ? el : tag("div", { class: "mvn-widget", role: "group" });
  if (root !== el) el.append(root);
  root.dataset.widget = model.get("name");
  root.setAttribute("aria-label", model.get("label"));
  root.model = model;
  const app = tag("div", { class: "mvn-app" });
  root.append(app);
  root.classList.add("mvn-mounted");
  const constants = model.get("constants"), { on, release } = subscriptions(model);
  const { live, act, say, hush } = speaker(model, on);
  const endings = [hush, release];
  // A reader's script may only say model.set; what it set is sent on to the kernel all the same.
  on(inputs, () => queueMicrotask(() => model.save_changes()));
  return {
    app,
    live,
    constants,
    on,
    act,
    say,
    get: (name) => model.get(name),
    written: (name, index) => written(constants, name, index),
    plot: (axes) => plot(constants.frame, axes),
    /** What else is to end with the view. */
    leaving: (end) => endings.unshift(end),
    close() {
      for (const end of endings) end();
      app.remove();
      root.classList.remove("mvn-mounted");
      delete root.model;
    },
  };
}

/** `on(names, draw)` draws at once and at every change of the names, until `release()`. */
function subscriptions(model) {
  const kept = [];
  const on = (names, draw) => {
    const handler = () => draw();
    for (const name of names) {
      model.on(`change:${name}`, handler);
      kept.push([`change:${name}`, handler]);
    }
    draw();
  };
  return { on, release: () => kept.forEach(([event, handler]) => model.off(event, handler)) };
}

/** The live region: why a change was refused, and the result in words. */
function speaker(model, on) {
  const problem = tag("p", { class: "mvn-problem" }), spoken = tag("p");
  let timer, notice = "";
  const complain = () => {
    problem.textContent = model.get("problem") || notice;
  };
  on(["problem"], complain);
  return {
    live: tag("div", { class: "mvn-live", "aria-live": "polite" }, problem, spoken),
    /** Set inputs as the reader wants them; `why` says what was done to them on the way. */
    act(values, why = "") {
      notice = why;
      for (const [name, value] of Object.entries(values)) model.set(name, copy(value));
      model.save_changes();
      complain();
    },
    /** Put the result in words, once the reader's hand has come to rest. */
    say(text, now = !spoken.textContent) {
      clearTimeout(timer);
      timer = setTimeout(() => {
        spoken.textContent = text;
      }, now ? 0 : 250);
    },
    hush: () => clearTimeout(timer),
  };
}
