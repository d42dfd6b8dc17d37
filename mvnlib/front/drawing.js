// The second part of the front end: nodes, tables, plots, and the view that every explorer starts from.

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
