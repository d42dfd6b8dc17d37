// The ellipse of a density in the plane, with handles that move its covariance, its mean or a point.

import { show } from "./arrays.js";
import { figure, mark, set } from "./drawing.js";

/** Whether there is one: of a covariance that moves, or about a mean or a point that does. */
export function hasEllipse({ get }) {
  const wrt = get("wrt"), point = get("point");
  if (point.length !== 2) return false;
  if (!Array.isArray(point[0])) return "Sigma" in get("params");
  return get("spaces")[wrt] === "positive definite" && ["S", "Sigma"].includes(wrt);
}

/** Handles on the semi-axes change the matrix and cannot leave the cone; a vector is a handle itself. */
export function ellipse(stage) {
  const { get, on, written } = stage, wrt = get("wrt"), matrix = Array.isArray(get("point")[0]);
  const letter = written(wrt), covariance = matrix ? letter : written("Sigma");
  const svg = mark("svg", {
    viewBox: "-100 -100 200 200",
    class: "mvn-ellipse",
    role: "group",
    "aria-label": `Density with covariance ${covariance}`,
  });
  const where = (name) => (wrt === name ? get("point") : get("params")[name]);
  /** `unit` is the scale of the drawing, `axes` the semi-axes that the handles hold. */
  const picture = { svg, where, matrix, origin: where("mu") ?? [0, 0], unit: undefined, axes: undefined };
  const redraw = () => {
    picture.axes = semiAxes(matrix ? get("point") : get("params").Sigma, picture.axes);
    if (!picture.dragging) rescale(picture);
    drawDensity();
    drawHandles();
  };
  const drawDensity = density(picture);
  const drawHandles = matrix ? axisHandles(stage, picture, redraw) : pointHandle(stage, picture, redraw);
  on(["point", "params"], redraw);
  const centre = matrix && wrt !== "Sigma" ? "0" : written("mu");
  const contours = `Density contours of N(${centre}, ${covariance}).`;
  const help = matrix
    ? "Drag a handle, or focus it: up and down change the length, left and right turn."
    : `Drag ${letter}, or focus it and use the arrow keys.`;
  return figure(svg, `${contours} ${help}`);
}

/** Lengths and angles of the two semi-axes; each keeps its number: the labelling nearest to the last one. */
function semiAxes(S, last) {
  const mean = (S[0][0] + S[1][1]) / 2, half = Math.hypot((S[0][0] - S[1][1]) / 2, S[0][1]);
  const least = (S[0][0] * S[1][1] - S[0][1] ** 2) / (mean + half);
  const lengths = [Math.sqrt(mean + half), Math.sqrt(Math.max(least, 0))];
  const angle = Math.atan2(2 * S[0][1], S[0][0] - S[1][1]) / 2;
  const turns = last ? Math.round((last[0].angle - angle) / (Math.PI / 2)) : 0, swap = Math.abs(turns % 2);
  const turned = angle + (turns * Math.PI) / 2;
  return [0, 1].map((k) => ({ length: lengths[(swap + k) % 2], angle: turned + (k * Math.PI) / 2 }));
}

/** Choose the scale anew where the picture has become too large or too small. */
function rescale(picture) {
  const { axes, where, origin, unit } = picture, longest = Math.max(axes[0].length, axes[1].length);
  const away = (p) => Math.hypot(p[0] - origin[0], p[1] - origin[1]);
  const x = where("x"), reach = longest + Math.max(away(where("mu") ?? [0, 0]), x ? away(x) - longest : 0);
  if (!unit || reach * unit > 49 || reach * unit < 18) picture.unit = 44 / reach;
}

const placed = ({ origin, unit }, p) => [(p[0] - origin[0]) * unit, -(p[1] - origin[1]) * unit];

/** The contours at one and two standard deviations, the mean, and x. */
function density(picture) {
  const { svg, where } = picture;
  const far = mark("ellipse", { class: "mvn-far" }), near = mark("ellipse", { class: "mvn-near" });
  const centre = mark("circle", { r: 2.5, class: "mvn-dot" });
  const spot = mark("circle", { r: 3.5, class: "mvn-dot" });
  const name = mark("text", { class: "mvn-halo" }, "x");
  svg.append(
    mark("line", { class: "mvn-rule", x1: -100, x2: 100, y1: 0, y2: 0 }),
    mark("line", { class: "mvn-rule", y1: -100, y2: 100, x1: 0, x2: 0 }),
    far,
    near,
    centre,
    ...(where("x") ? [spot, name] : []),
  );
  return () => {
    const { axes, unit } = picture, [cx, cy] = placed(picture, where("mu") ?? [0, 0]);
    const transform = `translate(${cx} ${cy}) rotate(${(-axes[0].angle * 180) / Math.PI})`;
    for (const [node, r] of [[near, 1], [far, 2]]) {
      set(node, { rx: r * axes[0].length * unit, ry: r * axes[1].length * unit, transform });
    }
    set(centre, { cx, cy });
    if (!where("x")) return;
    const [px, py] = placed(picture, where("x"));
    set(spot, { cx: px, cy: py });
    set(name, { x: px + 6, y: py - 6 });
  };
}

/** The two semi-axes, which change the matrix. */
function axisHandles({ act, written, get }, picture, redraw) {
  /** Put semi-axis `which` to a length and an angle; the other keeps its length and stays perpendicular. */
  const turn = (which, length, angle) => {
    const other = picture.axes[1 - which].length, least = other / 30, kept = Math.max(length, least);
    const a = kept ** 2, b = other ** 2, c = Math.cos(angle), q = Math.sin(angle);
    const cross = (a - b) * c * q;
    const moved = { length: kept, angle };
    const beside = { length: other, angle: angle + (which ? -1 : 1) * (Math.PI / 2) };
    picture.axes = which ? [beside, moved] : [moved, beside];
    const line = `The ellipse would become a line and ${written(get("wrt"))} singular`;
    const why = length < least ? `${line}; the axis is held at ${show(kept)}` : "";
    act({ point: [[a * c * c + b * q * q, cross], [cross, a * q * q + b * c * c]] }, why);
  };
  const handles = [0, 1].map((k) =>
    handle(picture, redraw, {
      name: `Semi-axis ${k + 1}: up and down change its length, left and right turn it`,
      drag: (x, y) => turn(k, Math.hypot(x, y), Math.atan2(y, x)),
      step: (dx, dy, count) => {
        const { length, angle } = picture.axes[k];
        turn(k, length * 1.05 ** (dy * count), angle - dx * count * (Math.PI / 60));
      },
    })
  );
  return () =>
    handles.forEach((node, k) => {
      const { length, angle } = picture.axes[k], mu = picture.where("mu") ?? [0, 0];
      const tip = [mu[0] + length * Math.cos(angle), mu[1] + length * Math.sin(angle)];
      const words = `length ${show(length)}, angle ${Math.round((angle * 180) / Math.PI)} degrees`;
      placeHandle(node, placed(picture, tip), length, words);
    });
}

/** The vector that moves. */
function pointHandle({ act, written, get }, picture, redraw) {
  const { origin } = picture;
  const node = handle(picture, redraw, {
    name: `${written(get("wrt"))}: arrow keys move it`,
    drag: (x, y) => act({ point: [x + origin[0], y + origin[1]] }),
    step: (dx, dy, count) => {
      const [x, y] = get("point"), far = (count * 5) / picture.unit;
      act({ point: [x + dx * far, y + dy * far] });
    },
  });
  return () => {
    const tip = get("point");
    placeHandle(node, placed(picture, tip), tip[0], `${show(tip[0])}, ${show(tip[1])}`);
  };
}

function placeHandle(node, [x, y], value, words) {
  const now = Number(value.toPrecision(4));
  set(node, { transform: `translate(${x} ${y})`, "aria-valuenow": now, "aria-valuetext": words });
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/** Something to be dragged, or stepped by the arrow keys, further with Shift. */
function handle(picture, redraw, { name, drag, step }) {
  const { svg } = picture;
  const node = mark(
    "g",
    { class: "mvn-handle", tabindex: 0, role: "slider", "aria-label": name },
    mark("circle", { r: 18, class: "mvn-reach" }),
    mark("circle", { r: 5.5 }),
  );
  node.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    node.focus();
    node.setPointerCapture(event.pointerId);
    picture.dragging = true;
  });
  node.addEventListener("pointermove", (event) => {
    if (!picture.dragging || !node.hasPointerCapture(event.pointerId)) return;
    const p = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    drag(p.x / picture.unit, -p.y / picture.unit);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    node.addEventListener(end, () => {
      picture.dragging = false;
      redraw();
    });
  }
  node.addEventListener("keydown", (event) => {
    const way = ARROWS[event.key];
    if (!way) return;
    event.preventDefault();
    step(...way, event.shiftKey ? 5 : 1);
  });
  svg.append(node);
  return node;
}
