// The first shared part of the front end: nested arrays, a little linear algebra, and numbers in words.
//
// Of the files in this folder, front.py makes one module for Jupyter and one script for pages. In Jupyter
// the numbers come from Python: `result` and `curve` arrive as traits. In a page they come from `functions`,
// which mvnlib.symbolic prints from the table of identities. No formula is written here by hand.

// ---- Nested arrays: a number, a vector, a matrix, a stack of matrices -----------------------------------

export const copy = (x) => (Array.isArray(x) ? x.map(copy) : x);
export const zip = (f, x, y) => (Array.isArray(x) ? x.map((xi, i) => zip(f, xi, y[i])) : f(x, y));
export const each = (f, x) => (Array.isArray(x) ? x.map((xi) => each(f, xi)) : f(x));
export const flat = (x) => (Array.isArray(x) ? x.flat(Infinity) : [x]);
export const largest = (x) => flat(x).reduce((most, v) => Math.max(most, Math.abs(v)), 0);
export const finite = (x) => flat(x).every(Number.isFinite);
export const shape = (x) => (Array.isArray(x) ? [x.length, ...shape(x[0])] : []);

export function sameShape(x, y) {
  if (!Array.isArray(x)) return !Array.isArray(y);
  return Array.isArray(y) && x.length === y.length && x.every((xi, i) => sameShape(xi, y[i]));
}

/** An array like x, of what `f` says of the index of each entry. */
export const byIndex = (f, x, index = []) =>
  Array.isArray(x) ? x.map((xi, i) => byIndex(f, xi, [...index, i])) : f(index);

export function indices(x) {
  const all = [];
  byIndex((index) => all.push(index), x);
  return all;
}

/** A number, a vector or a matrix as the rows of a table. */
export function rowsOf(x) {
  if (!Array.isArray(x)) return [[x]];
  return Array.isArray(x[0]) ? x : [x];
}

export const entryOf = (x, index) => index.reduce((value, i) => value[i], x);

/** x with another value at an index. */
export function replaced(x, [i, ...rest], value) {
  if (i === undefined) return value;
  return x.map((xi, k) => (k === i ? replaced(xi, rest, value) : copy(xi)));
}

// ---- Linear algebra -------------------------------------------------------------------------------------

export const total = (x) => x.reduce((sum, v) => sum + v, 0);
export const norm = (A) => Math.hypot(...flat(A));
export const transpose = (A) => A[0].map((_, j) => A.map((row) => row[j]));
export const times = (A, x) => A.map((row) => total(row.map((a, j) => a * x[j])));
export const multiply = (A, B) =>
  A.map((row) => B[0].map((_, j) => row.reduce((sum, a, k) => sum + a * B[k][j], 0)));

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
  const above = (i) => A[i].slice(i + 1);
  for (let sweep = 0; sweep < 30 && largest(A.map((_, i) => above(i))) > 1e-300; sweep++) {
    for (let p = 0; p < d; p++) {
      for (let q = p + 1; q < d; q++) if (A[p][q] !== 0) rotate(A, p, q);
    }
  }
  return A.map((row, i) => row[i]).sort((a, b) => a - b);
}

/** Turn the plane of two axes so that the entry between them becomes zero, in place. */
function rotate(A, p, q) {
  const theta = (A[q][q] - A[p][p]) / (2 * A[p][q]);
  const tangent = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const c = 1 / Math.hypot(tangent, 1), s = tangent * c;
  for (const row of A) [row[p], row[q]] = [c * row[p] - s * row[q], s * row[p] + c * row[q]];
  for (let k = 0; k < A.length; k++) {
    [A[p][k], A[q][k]] = [c * A[p][k] - s * A[q][k], s * A[p][k] + c * A[q][k]];
  }
}

// ---- Numbers and names in words -------------------------------------------------------------------------

const isNumber = (x) => x !== null && Number.isFinite(x);
export const log10 = (x) => Math.log10(Math.max(x, 1e-300));
export const minus = (text) => text.replace("-", "−").replace("e-", "e−").replace("e+", "e");

/** A number in six digits. */
export function show(x) {
  if (!isNumber(x)) return "not finite";
  const size = Math.abs(x);
  if (size === 0) return "0";
  return minus(size < 1e-3 || size >= 1e5 ? x.toExponential(3) : x.toPrecision(6));
}

/** A number in four digits. */
export const short = (x) => minus(String(Number(x.toPrecision(4))));

/** A number in two digits and its power of ten. */
export function brief(x) {
  if (!isNumber(x)) return "not finite";
  return x === 0 ? "0" : minus(x.toExponential(1));
}

/** Ten to a power, as the label of a tick. */
export function power(v) {
  const raised = [...String(v)].map((c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]);
  return v === 0 ? "1" : `10${raised.join("")}`;
}

/** A variable, or the entry of one, as it is written. */
export function written({ letters }, name, index = []) {
  return (letters[name] ?? name) + index.map((i) => "₀₁₂₃₄₅₆₇₈₉"[i + 1] ?? `,${i + 1}`).join("");
}

/** Why a value cannot be a point of its space, or "". */
export function problemWith(constants, name, value, like, space) {
  const letter = written(constants, name);
  if (!sameShape(like, value)) return `${letter} must have the shape ${shape(like).join(" × ")}`;
  if (!finite(value)) return `Every entry of ${letter} must be a finite number`;
  if (space === "positive" && !(value > 0)) return `${letter} must be positive`;
  if (space !== "symmetric" && space !== "positive definite") return "";
  const gap = largest(zip((a, b) => a - b, value, transpose(value)));
  if (gap > 1e-12 * largest(value)) return `${letter} must be symmetric`;
  if (space !== "positive definite" || cholesky(value)) return "";
  const least = show(eigenvalues(value)[0]);
  return `${letter} must be positive definite, but its smallest eigenvalue is ${least}`;
}
