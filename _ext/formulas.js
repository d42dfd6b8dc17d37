// Run once for each formula while the book is built, after KaTeX and in the same engine: see formulas.py.
// Widths are in em of the formula, added up from the metrics that KaTeX has set it with.

const SIZES = [0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.44, 1.728, 2.074, 2.488]; // of KaTeX's classes size1, size2, ...
const PADDING = { boxpad: 0.6, "cancel-pad": 0.4, "cancel-lap": -0.4, nulldelimiter: 0.12 };
const WITHOUT_WIDTH = ["vlist-s", "llap", "rlap", "clap", "strut", "pstrut"];
const LINE = 18; // a longer piece may break within its parentheses: on a line of its own, where even that is too short

const tree = (tex, display, macros) =>
  katex.__renderToDomTree(tex, { displayMode: display, throwOnError: true, strict: "error", macros: { ...macros } });
const has = (node, name) => (node.classes ?? []).includes(name);
const em = (length) => parseFloat(length ?? 0);
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
const most = (numbers) => numbers.reduce((a, b) => Math.max(a, b), 0);

// KaTeX joins neighbouring letters and keeps the width of the first alone.
const letters = new Map();
function letter(character, font) {
  const key = font + character;
  if (!letters.has(key)) {
    const tex = character === "′" ? "\\prime" : /[#$%&_{}]/.test(character) ? `\\${character}` : character;
    const [inner] = symbols(tree(`\\${font}{${tex}}`, false, {}));
    letters.set(key, inner?.width ?? 0.5);
  }
  return letters.get(key);
}
const symbols = (node) => (node.text !== undefined && node.width ? [node] : (node.children ?? []).flatMap(symbols));

function textWidth(node) {
  if (node.text.length < 2) return node.width;
  const font = { textbf: "mathbf", textit: "mathit" };
  const named = node.classes.map((name) => font[name] ?? name).find((name) => /^(math(bf|it|normal)|boldsymbol)$/.test(name));
  return sum([...node.text].map((character) => (/\s/.test(character) ? 0.25 : letter(character, named ?? "mathrm"))));
}

function width(node) {
  const classes = node.classes ?? [], style = node.style ?? {}, children = node.children ?? [];
  if (WITHOUT_WIDTH.some((name) => classes.includes(name))) return 0;
  if (classes.includes("accent-body") && !classes.includes("accent-full")) return 0;
  let inner;
  if (node.text !== undefined) inner = textWidth(node) + Math.max(node.italic, 0);
  else if (classes.includes("vlist") || classes.includes("vlist-t")) inner = most(children.map(width));
  else inner = sum(children.map(width));
  if (/em$/.test(style.width ?? "")) inner = em(style.width);
  inner = Math.max(inner, em(style.minWidth)) + sum(classes.map((name) => PADDING[name] ?? 0));
  inner += em(style.marginLeft) + em(style.marginRight) + em(style.paddingLeft);
  const size = (pattern) => SIZES[classes.map((name) => name.match(pattern)?.[1]).find(Boolean) - 1];
  return inner * (size(/^size(\d+)$/) / size(/^reset-size(\d+)$/) || 1);
}

const copy = (node, changes) => Object.assign(Object.create(Object.getPrototypeOf(node)), node, changes);

// A piece is what no line break divides: a strut that gives it height, then its symbols.
function piece(like, parts) {
  const height = most(parts.map((part) => part.height ?? 0)), depth = most(parts.map((part) => part.depth ?? 0));
  const style = { height: `${+(height + depth).toFixed(4)}em` };
  if (depth) style.verticalAlign = `${+(-depth).toFixed(4)}em`;
  return copy(like, { height, depth, children: [copy(like.children[0], { style }), ...parts] });
}

// Whether a symbol, perhaps with an index or exponent, closes a parenthesis.
const last = (node) => {
  if (["mclose", "mopen", "minner", "msupsub"].some((kind) => has(node, kind))) return node.classes[0];
  const inner = (node.children ?? []).filter((child) => !has(child, "msupsub"));
  return inner.length === 1 ? last(inner[0]) : undefined;
};

// A displayed line breaks before a relation or a sign, as a printed one does, or after the wide space between two
// statements; within parentheses only where what they hold is too long for a line of its own.
function divide(like, parts, depth = 0) {
  const pieces = [[]];
  let open = 0;
  for (const [i, part] of parts.entries()) {
    const operator = has(part, "mrel") || has(part, "mbin");
    const apart = i > 0 && has(parts[i - 1], "mspace") && em(parts[i - 1].style.marginRight) >= 1;
    if ((operator || apart) && open <= depth && pieces.at(-1).some((before) => !has(before, "mspace"))) pieces.push([]);
    pieces.at(-1).push(part);
    if (has(part, "mopen")) open += 1;
    else if (last(part) === "mclose") open -= 1;
  }
  return pieces.map((some) => {
    if (depth > 2 || sum(some.map(width)) < LINE) return piece(like, some);
    const inner = divide(like, some, depth + 1);
    return inner.length > 1 ? copy(like, { classes: ["group"], children: inner }) : inner[0];
  });
}

function setFormula(tex, display, macros) {
  const set = tree(tex, display, macros);
  const html = (display ? set.children[0] : set).children[1];
  const plain = html.children.every((child) => has(child, "base"));
  if (display && plain && html.children.length > 1) {
    const parts = html.children.flatMap((base) => base.children.slice(1));
    html.children = divide(html.children[0], parts);
  }
  const pieces = (node) => (has(node, "group") ? node.children.flatMap(pieces) : [node]);
  return JSON.stringify({
    markup: set.toMarkup(),
    width: sum(html.children.map(width)),
    widest: most(html.children.flatMap(pieces).map(width)),
  });
}
