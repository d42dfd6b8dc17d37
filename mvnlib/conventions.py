r"""Three tables called "the derivative in a symmetric matrix", and what carries one into another.

Let f be a scalar function of a d x d matrix with entrywise partials G, so that :math:`df(S)[H] = \sum_{ij}
G_{ij} H_{ij}` for every H.  For symmetric S and H the same df is written in three ways.  Here D is the
:func:`~mvnlib.duplication_matrix`, for which :math:`D \operatorname{vech} S = \operatorname{vec} S`, and
:math:`v = \operatorname{vec} G`:

=============  ========================================  ==========================================  ==================
convention     table                                     as a vector                                 pairing with dS
=============  ========================================  ==========================================  ==================
``entrywise``  :math:`G`                                 vec: :math:`v`                              sum over all i, j
``frobenius``  :math:`\tfrac12 (G + G^\top)`             vec: :math:`D (D^\top D)^{-1} D^\top v`     sum over all i, j
``free``       :math:`G + G^\top - \operatorname{diag}   vech: :math:`D^\top v`                      sum over i >= j
               G`
=============  ========================================  ==========================================  ==================

The last is the chain rule through ``S = unvech(s)``: :math:`df/ds = D^\top v`.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._validation import Array, as_dimension, as_real, as_symmetric, one_of, quiet

CONVENTIONS = ("entrywise", "frobenius", "free")


def vec(A: ArrayLike) -> Array:
    """Stack the columns of a matrix into one long vector.

    ``vec(A)[i + m * j] = A[i, j]`` for A of shape (m, n).

    Parameters
    ----------
    A : (..., m, n) array
        A matrix, or a stack of them.

    Returns
    -------
    (..., m n) array

    Raises
    ------
    ValueError, TypeError
        If `A` is not a real, finite array of at least two axes.

    Notes
    -----
    O(m n) time and memory for each matrix: the result is a copy.

    References
    ----------
    Magnus and Neudecker (2019), ch. 2, section 4.

    Examples
    --------
    >>> vec([[1, 2], [3, 4]])
    array([1., 3., 2., 4.])
    """
    A = _matrices("A", A)
    return A.mT.reshape(*A.shape[:-2], -1).copy()


def vech(A: ArrayLike) -> Array:
    r"""Stack the columns of the lower triangle of a square matrix, the diagonal included.

    For d = 3 the order is A11, A21, A31, A22, A32, A33. The upper triangle is not read:
    :math:`\operatorname{vech} A = L \operatorname{vec} A` with L the :func:`elimination_matrix`, symmetric or
    not.

    Parameters
    ----------
    A : (..., d, d) array
        A square matrix, or a stack of them.

    Returns
    -------
    (..., d (d + 1) / 2) array

    Raises
    ------
    ValueError, TypeError
        If `A` is not a real, finite array whose last two axes are equal.

    Notes
    -----
    O(d^2) time and memory for each matrix.

    References
    ----------
    Magnus and Neudecker (2019), ch. 3, section 8.

    Examples
    --------
    >>> vech([[1, 2, 3], [2, 4, 5], [3, 5, 6]])
    array([1., 2., 3., 4., 5., 6.])
    """
    A = _matrices("A", A)
    if A.shape[-1] != A.shape[-2]:
        raise ValueError(f"A must be square, but its shape is {A.shape}; vech takes (d, d)")
    rows, cols = vech_places(A.shape[-1])
    return A[..., rows, cols]


def unvech(v: ArrayLike) -> Array:
    """Build the symmetric matrix whose vech is given: unvech(vech(S)) = S.

    Parameters
    ----------
    v : (..., d (d + 1) / 2) array
        The lower triangle by columns, or a stack of such vectors.

    Returns
    -------
    (..., d, d) array
        Symmetric.

    Raises
    ------
    ValueError, TypeError
        If `v` is not a real, finite array, or its last axis not of triangular length 1, 3, 6, 10, ...

    Notes
    -----
    O(d^2) time and memory for each matrix.

    Examples
    --------
    >>> unvech([1, 2, 3])
    array([[1., 2.],
           [2., 3.]])
    """
    v = as_real("v", v)
    length = v.shape[-1] if v.ndim else 0
    d = (int(np.sqrt(8 * length + 1)) - 1) // 2
    if d < 1 or d * (d + 1) // 2 != length:
        raise ValueError(
            f"v must have length d (d + 1) / 2 = 1, 3, 6, 10, ..., but its shape is {v.shape}; pass vech(S)"
        )
    rows, cols = vech_places(d)
    S = np.empty((*v.shape[:-1], d, d))
    S[..., rows, cols] = v
    S[..., cols, rows] = v
    return S


def duplication_matrix(d: int) -> Array:
    r"""Return D with D vech(S) = vec(S) for every symmetric S.

    :math:`D^\top D` is diagonal with 1 at the diagonal entries of S and 2 at the others, so :math:`D^\top
    \operatorname{vec} G` is the `free` table of the entrywise G, and :math:`(D^\top D)^{-1} D^\top
    \operatorname{vec} G` the `frobenius` one, both as vech.

    Parameters
    ----------
    d : int
        Size of S.

    Returns
    -------
    (d * d, d (d + 1) / 2) array
        One 1 in each row. It is dense: for d beyond about 50 index with `vech` and `unvech` instead.

    Raises
    ------
    TypeError, ValueError
        If `d` is not an integer, or below 1.

    Notes
    -----
    O(d^4) time and memory: 53 MB at d = 60.

    References
    ----------
    Magnus and Neudecker (2019), ch. 3, section 8.

    Examples
    --------
    What moves when a free entry moves, off the diagonal two entries of S:

    >>> duplication_matrix(2)
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    >>> duplication_matrix(2).T @ vec([[1, 2], [3, 4]])
    array([1., 5., 4.])
    """
    d = as_dimension("d", d)
    rows, cols = vech_places(d)
    k = np.arange(rows.size)
    D = np.zeros((d * d, rows.size))
    D[rows + d * cols, k] = 1.0
    D[cols + d * rows, k] = 1.0
    return D


def elimination_matrix(d: int) -> Array:
    """Return L with L vec(A) = vech(A) for every square A.

    :math:`L D = I` with D the duplication matrix; L drops the upper triangle and so is not D's pseudo-inverse,
    which averages the two.

    Parameters
    ----------
    d : int
        Size of A.

    Returns
    -------
    (d (d + 1) / 2, d * d) array

    Raises
    ------
    TypeError, ValueError
        If `d` is not an integer, or below 1.

    Notes
    -----
    O(d^4) time and memory, as :func:`duplication_matrix`.

    References
    ----------
    Magnus and Neudecker (1980).

    Examples
    --------
    >>> elimination_matrix(2) @ vec([[1, 2], [3, 4]])
    array([1., 3., 4.])
    """
    d = as_dimension("d", d)
    rows, cols = vech_places(d)
    L = np.zeros((rows.size, d * d))
    L[np.arange(rows.size), rows + d * cols] = 1.0
    return L


def commutation_matrix(m: int, n: int) -> Array:
    r"""Return K with K vec(A) = vec(A.T) for every m x n matrix A.

    K is a permutation: :math:`K_{mn}^\top = K_{nm} = K_{mn}^{-1}`.

    Parameters
    ----------
    m, n : int
        Shape of A.

    Returns
    -------
    (m n, m n) array

    Raises
    ------
    TypeError, ValueError
        If `m` or `n` is not an integer, or below 1.

    Notes
    -----
    O(m^2 n^2) time and memory: 104 MB at m = n = 60.

    References
    ----------
    Magnus and Neudecker (2019), ch. 3, section 7.

    Examples
    --------
    >>> A = np.array([[1, 2, 3], [4, 5, 6]])
    >>> vec(A)
    array([1., 4., 2., 5., 3., 6.])
    >>> commutation_matrix(2, 3) @ vec(A)
    array([1., 2., 3., 4., 5., 6.])
    """
    m, n = as_dimension("m", m), as_dimension("n", n)
    order = np.arange(m * n).reshape(n, m).T.ravel()  # where vec(A^T) finds its entries in vec(A)
    K = np.zeros((m * n, m * n))
    K[np.arange(m * n), order] = 1.0
    return K


@quiet
def convert_gradient(G: ArrayLike, source: str, target: str) -> Array:
    r"""Write a derivative with respect to a symmetric matrix in another convention.

    ======================  =============================================  ====================================
    from, to                table                                          its vech
    ======================  =============================================  ====================================
    entrywise to frobenius  :math:`\tfrac12 (G + G^\top)`                  :math:`(D^\top D)^{-1} D^\top v`
    entrywise to free       :math:`G + G^\top - \operatorname{diag} G`     :math:`D^\top v`
    frobenius to free       :math:`2A - \operatorname{diag} A`             :math:`D^\top D \operatorname{vech} A`
    free to frobenius       :math:`\tfrac12 (F + \operatorname{diag} F)`   :math:`(D^\top D)^{-1}
                                                                           \operatorname{vech} F`
    ======================  =============================================  ====================================

    with D the :func:`duplication_matrix` and :math:`v = \operatorname{vec} G`. Same to same is a checked copy.
    Nothing leads to `entrywise` from the others: the antisymmetric part of G does not act on symmetric
    directions, both tables have lost it, and only if it is known to be zero is the entrywise table the
    frobenius one.

    Parameters
    ----------
    G : (d, d, ...) array
        The table; further axes are those of the values of a matrix-valued f, as `fd_gradient` returns them.
        In the `frobenius` and `free` conventions it must be symmetric.
    source, target : {"entrywise", "frobenius", "free"}
        What `G` is, and what is wanted.

    Returns
    -------
    array like `G`
        A new array.

    Raises
    ------
    ValueError, TypeError
        If the conversion would have to invent the antisymmetric part, if a symmetric table is not symmetric,
        or `G` is not square, real and finite.

    Notes
    -----
    O(d^2) time and memory for each value of f.

    Examples
    --------
    >>> convert_gradient([[1, 2], [4, 3]], "entrywise", "frobenius")
    array([[1., 3.],
           [3., 3.]])
    >>> convert_gradient([[1, 2], [4, 3]], "entrywise", "free")
    array([[1., 6.],
           [6., 3.]])
    """
    one_of("source", source, CONVENTIONS)
    one_of("target", target, CONVENTIONS)
    table = _table("G", G, source)
    if source == target:
        return table.copy()
    if target == "entrywise":
        raise ValueError(
            f"a {source} table does not determine the entrywise one: it has lost the antisymmetric part "
            "(G - G^T) / 2, which no symmetric direction can feel. If the entrywise table is known to be "
            'symmetric, ask for target="frobenius"; otherwise differentiate with convention="entrywise"'
        )
    result = converted(table, source, target)
    return as_real("the free table of G", result) if target == "free" else result


def converted(table: Array, source: str, target: str) -> Array:
    """:func:`convert_gradient` of a table that is known to be what its convention asks for."""
    if source == target:
        return table
    if target == "free":
        result = table + table.swapaxes(0, 1)
    elif source == "free":
        result = table / 2
    else:
        halves = table / 2
        return halves + halves.swapaxes(0, 1)
    diagonal = np.arange(len(table))
    result[diagonal, diagonal] = table[diagonal, diagonal]
    return result


@quiet
def pair(gradient: ArrayLike, dS: ArrayLike, convention: str) -> float | Array:
    r"""Pair a derivative with a direction: the differential df(S)[dS].

    .. math:: df = \sum_{i,j} G_{ij}\, dS_{ij} \quad\text{or}\quad
        df = \sum_{i \ge j} F_{ij}\, dS_{ij} = (\operatorname{vech} F)^\top \operatorname{vech} dS,

    the first for an `entrywise` or `frobenius` table, the second for a `free` one.  The `frobenius` and `free`
    tables know df on symmetric directions only.

    Parameters
    ----------
    gradient : (d, d) array, or of any shape S.shape + f(S).shape in the `entrywise` convention
        The table; for matrix-valued f its further axes are those of f.
    dS : (d, d) array, or of the shape of S
        The direction; symmetric in the `frobenius` and `free` conventions.
    convention : {"entrywise", "frobenius", "free"}
        How to read `gradient`.

    Returns
    -------
    float, or an array of the shape of f(S)

    Raises
    ------
    ValueError, TypeError
        If the shapes differ, the table or direction is not symmetric where it must be, or not real and
        finite.

    Notes
    -----
    O(S.size) time and memory for each value of f.

    Examples
    --------
    Three tables, one differential:

    >>> G, dS = np.array([[1.0, 2.0], [4.0, 3.0]]), np.array([[0.0, 1.0], [1.0, 5.0]])
    >>> [pair(convert_gradient(G, "entrywise", name), dS, name) for name in CONVENTIONS]
    [21.0, 21.0, 21.0]
    """
    one_of("convention", convention, CONVENTIONS)
    if convention == "entrywise":
        table, direction = as_real("gradient", gradient), as_real("dS", dS)
    else:
        table, direction = _table("gradient", gradient, convention), as_symmetric("dS", dS)
    if table.shape[: direction.ndim] != direction.shape:
        raise ValueError(
            f"gradient of shape {table.shape} does not begin with the shape {direction.shape} of dS; "
            "a gradient has the shape of its variable"
        )
    if convention == "free":
        direction = np.tril(direction)
    df = as_real("df", np.tensordot(direction, table, axes=direction.ndim))
    return float(df) if df.ndim == 0 else df


def _matrices(name: str, value: ArrayLike) -> Array:
    A = as_real(name, value)
    if A.ndim < 2:
        raise ValueError(f"{name} must be a matrix (or a stack of matrices), but its shape is {A.shape}")
    return A


def _table(name: str, value: ArrayLike, convention: str) -> Array:
    """Check a (d, d, ...) table against its convention."""
    table = _matrices(name, value)
    d, cols = table.shape[:2]
    if d != cols:
        raise ValueError(f"{name} must be square in its first two axes, but its shape is {table.shape}")
    if convention == "entrywise":
        return table
    # A gradient is computed, often from an inverse: rounding of eps times the condition number is allowed.
    values = table.reshape(d, d, -1)
    for k in range(values.shape[2]):
        as_symmetric(name, values[:, :, k], rtol=1e-8)
    return table


@lru_cache(maxsize=32)
def vech_places(d: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of the lower triangle, column by column: the one place where vech has its order."""
    cols, rows = np.triu_indices(d)
    rows.flags.writeable = cols.flags.writeable = False
    return rows, cols
