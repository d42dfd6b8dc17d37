// The third part of the front end: the explorers themselves, one function each.

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
      const width = 8 * SCHEMES[name][0].length, left = flatLow ? x : x - width;
      while (placed.some(([a, b, other]) => a < left + width && left < b && Math.abs(other - y) < 13)) y -= 13;
      placed.push([left, left + width, y]);
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
  // Between a point and itself J varies by rounding alone.
  const apart = () => new Set(get("ends").map((end) => JSON.stringify(get("presets")[end]))).size > 1;
  let chart, marker, drop;
  view.on(["curve"], () => {
    const { t, J } = get("curve"), y = around(apart() ? J : [J[0]], 0.08);
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
    const over = excess > 1e-9 * largest(J), text = !apart() ? "The two ends are one point: choose another, to have a segment" : over ? `J rises ${short(excess)} above its chord, at t = ${short(where)}: it is not convex in (${name})`
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
