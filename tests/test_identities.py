"""Every entry of the table against independent witnesses; and the witnesses against planted errors."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import autodiff
from tolerances import DIFFERENCES, assert_close, is_close, rounding

from mvnlib import ops, spaces
from mvnlib.checking import MISTAKES, Mistake, check_gradient
from mvnlib.conventions import CONVENTIONS, convert_gradient, pair
from mvnlib.differences import fd_differential, fd_gradient
from mvnlib.identities import TABLE, Differentiable, Differential, Equality, Gradient, Identity
from mvnlib.symbolic import prove

DIFFERENTIABLE = [entry for entry in TABLE.values() if isinstance(entry, Differentiable)]
GRADIENTS = [entry for entry in DIFFERENTIABLE if isinstance(entry, Gradient)]
DIFFERENTIALS = [entry for entry in DIFFERENTIABLE if isinstance(entry, Differential)]
EQUALITIES = [entry for entry in TABLE.values() if isinstance(entry, Equality)]
OF_A_SQUARE_MATRIX = [entry for entry in DIFFERENTIABLE if entry.where[entry.wrt].shape == ("d", "d")]

#: Entries in L see S = L L^T, whose condition number is the square.
SQUARED = {"logdet_gram", "quadratic_gram"}
#: Functions whose value needs one point at a time.
ONE_POINT_ONLY = {"hessian_mu", "hessian_mu_Sigma", "hessian_Sigma", "heat"}


def keys(entries: list[Any]) -> Any:
    return pytest.mark.parametrize("entry", entries, ids=[entry.key for entry in entries])


def at(entry: Identity, d: int, seed: int = 0, space: Any = None, condition: float = 10.0) -> dict[str, Any]:
    """A point of the entry; ``condition`` is that of the matrix whose inverse the formula takes."""
    rng = np.random.default_rng(seed)
    if entry.key in SQUARED:
        condition = condition**0.5
    return entry.draw(rng, d, space, condition)


def own_and_positive_definite(entries: list[Any]) -> Any:
    cases = [(entry, None) for entry in entries]
    cases += [(entry, spaces.positive_definite) for entry in entries if entry in OF_A_SQUARE_MATRIX]
    names = [f"{entry.key}-{space.name if space else 'own space'}" for entry, space in cases]
    return pytest.mark.parametrize(("entry", "space"), cases, ids=names)


# Proof


@pytest.mark.parametrize("d", [1, 2, 3])
@own_and_positive_definite(list(TABLE.values()))
def test_is_proved(entry: Identity, space: Any, d: int) -> None:
    """On the positive definite matrices the directions are E_ij + E_ji, so there it is the free table."""
    proof = prove(entry, d, space)
    assert proof.holds, proof
    variable = entry.domain(space)[entry.wrt] if isinstance(entry, Differentiable) else None
    if variable is not None:
        assert len(proof.rows) == len(variable.basis(d))


# Automatic differentiation

SIZES = pytest.mark.parametrize(("d", "condition"), [(1, 10.0), (3, 10.0), (3, 1e6)])


def test_every_entry_has_a_formulation_of_its_own_to_be_compared_with() -> None:
    assert set(autodiff.FUNCTIONS) == {entry.key for entry in DIFFERENTIABLE}
    assert set(autodiff.SIDES) == {entry.key for entry in EQUALITIES}


@SIZES
@keys(DIFFERENTIABLE)
def test_value_and_derivative_agree_with_automatic_differentiation_of_another_formulation(
    entry: Differentiable, d: int, condition: float
) -> None:
    tolerance = rounding(condition)
    assert condition > 10 or tolerance < 1e-10
    point = at(entry, d, condition=condition)
    E = entry.where[entry.wrt].direction(np.random.default_rng(1), d)
    values, n = list(point.values()), list(point).index(entry.wrt)

    def oracle(variable: Any) -> Any:
        return autodiff.FUNCTIONS[entry.key](*values[:n], variable, *values[n + 1 :])

    value, differential = jax.jvp(oracle, (jnp.asarray(point[entry.wrt]),), (jnp.asarray(E),))
    assert_close(entry.value(point), value, tolerance, "value")
    assert_close(entry.differential(point, E), differential, tolerance, "differential")
    if isinstance(entry, Gradient):
        gradient = jax.grad(oracle)(jnp.asarray(point[entry.wrt]))
        assert_close(entry.gradient(point), gradient, tolerance, "gradient")


@keys(DIFFERENTIABLE)
def test_the_very_function_of_the_table_can_be_differentiated_by_jax(entry: Differentiable) -> None:
    point = {name: jnp.asarray(value) for name, value in at(entry, 3, seed=2).items()}
    E = jnp.asarray(entry.where[entry.wrt].direction(np.random.default_rng(3), 3))
    _, differential = jax.jvp(entry.along(point), (point[entry.wrt],), (E,))
    assert_close(entry.differential(point, E), differential, rounding(10))


@SIZES
@keys(EQUALITIES)
def test_both_sides_agree_with_each_other_and_with_a_third_formulation(
    entry: Equality, d: int, condition: float
) -> None:
    point = at(entry, d, condition=condition).values()
    third = autodiff.SIDES[entry.key](*map(jnp.asarray, point))
    for side in (entry.lhs(*point), entry.rhs(*point)):
        assert_close(side, third, rounding(condition))


@pytest.mark.parametrize("key", ["normal_logpdf_Sigma", "normal_pdf_Sigma", "mixture_Sigma"])
def test_the_frobenius_table_is_what_a_symmetric_reading_of_Sigma_gives(key: str) -> None:
    entry = TABLE[key]
    point = at(entry, 3, space=spaces.positive_definite)

    def symmetric(Sigma: Any) -> Any:
        log_f = autodiff.symmetric_logpdf(point["x"], point["mu"], Sigma)
        if key == "mixture_Sigma":
            return jnp.log(point["pi"] * jnp.exp(log_f) + point["c"])
        return jnp.exp(log_f) if "pdf_" in key and "log" not in key else log_f

    assert_close(entry.gradient(point, "frobenius"), jax.grad(symmetric)(point["Sigma"]), rounding(10))


# Differences, in every convention


@pytest.mark.parametrize("scheme", DIFFERENCES)
@pytest.mark.parametrize("convention", CONVENTIONS)
@keys([entry for entry in GRADIENTS if entry in OF_A_SQUARE_MATRIX])
def test_gradient_agrees_with_differences_in_each_convention(
    entry: Gradient, convention: str, scheme: str
) -> None:
    for d in (1, 2, 4):
        point = at(entry, d, seed=d, space=spaces.positive_definite)
        table = fd_gradient(entry.along(point), point[entry.wrt], convention, scheme)
        assert_close(entry.gradient(point, convention), table, DIFFERENCES[scheme], f"d = {d}")


@keys(GRADIENTS)
def test_gradient_agrees_with_differences_on_its_own_space(entry: Gradient) -> None:
    for d in (1, 2, 3):
        point = at(entry, d, seed=10 + d)
        table = fd_gradient(entry.along(point), point[entry.wrt], scheme="complex")
        assert_close(entry.gradient(point), table, DIFFERENCES["complex"], f"d = {d}")


@pytest.mark.parametrize("scheme", DIFFERENCES)
@keys(DIFFERENTIALS)
def test_differential_agrees_with_differences_entry_by_entry(entry: Differential, scheme: str) -> None:
    for space in [None, spaces.positive_definite] if entry in OF_A_SQUARE_MATRIX else [None]:
        point = at(entry, 3, seed=4, space=space)
        S = point[entry.wrt]
        convention = "free" if space else "entrywise"
        table = fd_gradient(entry.along(point), S, convention, scheme)
        for E in entry.domain(space)[entry.wrt].basis(3):
            claimed = entry.differential(point, E)
            moved = table[tuple(np.argwhere(E)[0])]
            assert claimed.shape == moved.shape
            assert np.abs(claimed - moved).max() <= DIFFERENCES[scheme] * np.abs(table).max()
        E = entry.domain(space)[entry.wrt].direction(np.random.default_rng(5), 3)
        along = fd_differential(entry.along(point), S, E, scheme)
        assert_close(entry.differential(point, E), along, DIFFERENCES[scheme])


@pytest.mark.parametrize("condition", [1e3, 1e6])
@keys([entry for entry in GRADIENTS if entry in OF_A_SQUARE_MATRIX])
def test_gradient_agrees_with_the_complex_step_at_ill_conditioned_points(
    entry: Gradient, condition: float
) -> None:
    point = at(entry, 3, seed=6, space=spaces.positive_definite, condition=condition)
    for convention in CONVENTIONS:
        table = fd_gradient(entry.along(point), point[entry.wrt], convention, "complex")
        assert_close(entry.gradient(point, convention), table, rounding(condition), convention)


@keys(GRADIENTS)
def test_each_table_pairs_with_a_direction_to_the_differential(entry: Gradient) -> None:
    if entry not in OF_A_SQUARE_MATRIX:
        point, E = at(entry, 3), entry.where[entry.wrt].direction(np.random.default_rng(7), 3)
        assert_close(entry.differential(point, E), (entry.gradient(point) * E).sum(), rounding())
        return
    point = at(entry, 3, space=spaces.positive_definite)
    E = spaces.symmetric.direction(np.random.default_rng(7), 3)
    for convention in CONVENTIONS:
        df = pair(entry.gradient(point, convention), E, convention)
        assert_close(df, entry.differential(point, E), rounding(10))


@keys(DIFFERENTIALS)
def test_differential_is_linear_in_its_direction(entry: Differential) -> None:
    rng = np.random.default_rng(8)
    point, space = at(entry, 3), entry.where[entry.wrt]
    E, F = space.direction(rng, 3), space.direction(rng, 3)
    both = 2 * entry.differential(point, E) - entry.differential(point, F)
    assert_close(entry.differential(point, 2 * E - F), both, rounding(10))


# Planted errors: what is wrong must be seen to be wrong


def spoiled(entry: Gradient, mistake: Mistake) -> Gradient:
    n = list(entry.where).index(entry.wrt)
    return dataclasses.replace(entry, grad=lambda *p: mistake.plant(entry.grad(*p), p[n]))


def planted_in_gradients() -> Iterator[Any]:
    for entry in GRADIENTS:
        square = entry in OF_A_SQUARE_MATRIX
        for mistake in MISTAKES if square else [m for m in MISTAKES if m.key in {"sign", "double", "half"}]:
            yield pytest.param(entry, mistake, id=f"{entry.key}-{mistake.key}")


def is_visible(entry: Gradient, mistake: Mistake) -> bool:
    """Whether the mistake changes the table at all: transposing a symmetric one does not."""
    point = at(entry, 3, seed=9)
    G = np.asarray(entry.gradient(point))
    if not mistake.applies(G, point[entry.wrt]):
        return False  # as of a table of rank one, which has no inverse
    return not is_close(mistake.plant(G, point[entry.wrt]), G, 1e-6)


@pytest.mark.parametrize(("entry", "mistake"), list(planted_in_gradients()))
def test_a_planted_mistake_is_refuted_by_proof_and_by_differences_and_by_the_oracle(
    entry: Gradient, mistake: Mistake
) -> None:
    if not is_visible(entry, mistake) and mistake.needs in ("inverse", "symmetric table"):
        return
    wrong, visible = spoiled(entry, mistake), is_visible(entry, mistake)
    point = at(entry, 3, seed=9)
    S = point[entry.wrt]
    table = fd_gradient(entry.along(point), S, scheme="complex")
    assert is_close(wrong.gradient(point), table, DIFFERENCES["complex"]) is not visible
    if entry in OF_A_SQUARE_MATRIX:
        assert check_gradient(entry.along(point), wrong.gradient(point), S).correct is not visible
    # Inverting a table of symbols is a matter of seconds at d = 3 and says no more than d = 2.
    assert prove(wrong, 2).holds is not visible


def test_every_mistake_of_the_catalogue_shows_in_some_entry_and_every_entry_shows_most() -> None:
    square = [entry for entry in GRADIENTS if entry in OF_A_SQUARE_MATRIX]
    seen = {(m.key, entry.key) for m in MISTAKES for entry in square if is_visible(entry, m)}
    assert {mistake for mistake, _ in seen} == {mistake.key for mistake in MISTAKES}
    for entry in square:
        assert sum(key == entry.key for _, key in seen) >= len(MISTAKES) - 4, entry.key


@pytest.mark.parametrize("key", ["sign", "double", "half"])
@keys(DIFFERENTIALS)
def test_a_factor_planted_in_a_differential_is_refuted(entry: Differential, key: str) -> None:
    planted = {mistake.key: mistake.plant for mistake in MISTAKES}[key]
    wrong = dataclasses.replace(entry, D=lambda *p: planted(np.asarray(entry.D(*p)), p[-1]))
    point, E = at(entry, 3), entry.where[entry.wrt].direction(np.random.default_rng(0), 3)
    truth = fd_differential(entry.along(point), point[entry.wrt], E, "complex")
    assert not is_close(wrong.differential(point, E), truth, 1e-3)
    assert not prove(wrong, 2).holds


@keys(DIFFERENTIALS)
def test_a_transposed_direction_in_a_differential_is_refuted(entry: Differential) -> None:
    if entry not in OF_A_SQUARE_MATRIX:
        return
    wrong = dataclasses.replace(entry, D=lambda *p: entry.D(*p[:-1], p[-1].mT))
    point, E = at(entry, 3), entry.where[entry.wrt].direction(np.random.default_rng(0), 3)
    truth = fd_differential(entry.along(point), point[entry.wrt], E, "complex")
    assert not is_close(wrong.differential(point, E), truth, 1e-3)
    assert not prove(wrong, 2).holds
    # On symmetric directions nobody can tell: this is why the space matters.
    assert prove(wrong, 2, spaces.positive_definite).holds


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("inv", lambda S, E: -ops.inv(S) @ E),
        ("inv", lambda S, E: -E @ ops.inv(S) @ ops.inv(S)),
        ("inv", lambda S, E: -ops.inv(S).mT @ E @ ops.inv(S)),
        ("sandwich", lambda B, A, E: A @ E @ A.mT),
        ("sandwich", lambda B, A, E: E @ A + A @ E),
    ],
)
def test_a_lost_or_misplaced_factor_is_refuted(key: str, wrong: Any) -> None:
    entry = dataclasses.replace(TABLE[key], D=wrong)
    assert not prove(entry, 2).holds
    assert not prove(entry, 3).holds


@pytest.mark.parametrize("change", [lambda A: -A, lambda A: 2 * A, lambda A: A + A * A])
@keys(EQUALITIES)
def test_a_planted_difference_between_two_sides_is_refuted(entry: Equality, change: Any) -> None:
    wrong = dataclasses.replace(entry, rhs=lambda *p: change(entry.rhs(*p)))
    assert not prove(wrong, 2).holds
    point = at(entry, 3).values()
    assert not is_close(wrong.rhs(*point), wrong.lhs(*point), 1e-3)


def test_a_derivative_of_another_shape_is_refuted() -> None:
    inverse = TABLE["inv"]
    assert not prove(dataclasses.replace(inverse, D=lambda S, E: ops.tr(E)), 2).holds
    assert not prove(dataclasses.replace(inverse, D=lambda S, E: inverse.D(S, E).reshape(-1)), 2).holds


# Stacks


@keys([entry for entry in DIFFERENTIABLE if entry.key not in ONE_POINT_ONLY])
def test_f_takes_stacks_in_its_variable_and_a_batch_is_a_loop(entry: Differentiable) -> None:
    for d in (1, 3):
        point = at(entry, d)
        if not np.ndim(point[entry.wrt]):
            continue
        f = entry.along(point)
        E = entry.where[entry.wrt].direction(np.random.default_rng(1), d)
        moved = point[entry.wrt] + 0.01 * np.arange(6).reshape(2, 3, *[1] * E.ndim) * E
        for stack in (moved, moved + 1e-9j):
            loop = [[f(one) for one in row] for row in stack]
            assert_close(f(stack), np.array(loop), rounding(100))


# What an entry says of itself


@keys(list(TABLE.values()))
def test_entry_describes_itself(entry: Identity) -> None:
    assert entry.key.isidentifier()
    assert TABLE[entry.key] is entry
    for text in (entry.statement, entry.source, entry.reading):
        assert text.strip() == text != ""
    assert entry.statement.count("{") == entry.statement.count("}")
    assert entry.statement.count(r"\left") == entry.statement.count(r"\right")


@keys(DIFFERENTIABLE)
def test_statement_names_the_variable_of_differentiation(entry: Differentiable) -> None:
    letter = {"mu": r"\mu", "Sigma": r"\Sigma", "pi": r"\pi"}.get(entry.wrt, entry.wrt)
    assert letter in entry.statement


@keys(list(TABLE.values()))
def test_where_is_in_the_order_of_the_arguments(entry: Identity) -> None:
    names = list(entry.where)
    sides = {
        Equality: lambda e: [(e.lhs, names), (e.rhs, names)],
        Gradient: lambda e: [(e.f, names), (e.grad, names)],
        Differential: lambda e: [(e.f, names), (e.D, [*names, "E"])],
    }[type(entry)](entry)
    for side, expected in sides:
        if side.__module__ == ops.__name__:  # one word of the vocabulary, with its own name for its argument
            assert len(expected) == 1
        else:
            assert list(inspect.signature(side).parameters) == expected


@keys(DIFFERENTIABLE)
def test_methods_agree_with_the_functions_of_the_entry(entry: Differentiable) -> None:
    point = at(entry, 2)
    assert_close(entry.value(point), entry.f(*point.values()), 0)
    assert_close(entry.along(point)(point[entry.wrt]), entry.value(point), 0)
    shuffled = dict(reversed(point.items()))
    assert_close(entry.value(shuffled), entry.value(point), 0)
    assert set(entry.symbols(2)) == set(point)
    for name, value in point.items():
        assert entry.where[name].contains(value)
        assert entry.symbols(2)[name].shape == np.shape(value)


def test_draw_replaces_the_space_of_the_differentiated_variable_only() -> None:
    point = TABLE["bilinear_inv"].draw(np.random.default_rng(0), 3, spaces.positive_definite, condition=50)
    assert spaces.positive_definite.contains(point["S"])
    assert np.isclose(np.linalg.cond(point["S"]), 50)
    again = TABLE["bilinear_inv"].draw(np.random.default_rng(0), 3, spaces.positive_definite, condition=50)
    assert all((point[name] == again[name]).all() for name in point)


def test_a_space_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="space must hold what x is"):
        TABLE["normal_logpdf_x"].draw(np.random.default_rng(0), 2, spaces.positive_definite)
    with pytest.raises(ValueError, match="space must hold"):
        prove("normal_logpdf_mu", 2, "symmetric")


def test_an_equality_has_no_space_to_replace() -> None:
    with pytest.raises(ValueError, match="'adjugate' differentiates no variable"):
        prove("adjugate", 2, "positive_definite")


def test_a_point_is_read_from_lists_and_what_it_lacks_is_named() -> None:
    entry, S = TABLE["logdet"], [[2.0, 1.0], [1.0, 3.0]]
    assert np.array_equal(entry.gradient({"S": S}), entry.gradient({"S": np.array(S)}))
    assert entry.value({"S": S}) == entry.value({"S": np.array(S)})
    with pytest.raises(ValueError, match=r"^point must give x, M of 'quadratic_x', but there is no M$"):
        TABLE["quadratic_x"].gradient({"x": [1.0, 2.0]})


def test_an_unknown_convention_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^convention must be one of"):
        TABLE["logdet"].gradient({"S": np.eye(2)}, "paired")


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        TABLE["det"] = TABLE["logdet"]  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        TABLE["det"].key = "other"  # type: ignore[misc]


# The claims about conventions on which the chapters rest


def test_dropping_the_transpose_of_the_log_determinant_is_wrong_off_the_symmetric_matrices() -> None:
    """S0-e: relative error of 2 for a skew matrix, none for a symmetric one."""
    S = np.array([[0.0, 3.0], [-3.0, 0.0]])
    right, wrong = TABLE["logdet"].gradient({"S": S}), np.linalg.inv(S)
    assert_close(np.linalg.norm(wrong - right) / np.linalg.norm(right), 2.0, rounding())
    assert is_close(right, fd_gradient(ops.logdet, S, scheme="richardson"), 1e-9)


def test_the_free_table_is_twice_A_less_its_diagonal() -> None:
    """S1-B."""
    point = at(TABLE["normal_logpdf_Sigma"], 4, space=spaces.positive_definite)
    A = TABLE["normal_logpdf_Sigma"].gradient(point, "frobenius")
    assert_close(
        TABLE["normal_logpdf_Sigma"].gradient(point, "free"), 2 * A - np.diag(np.diag(A)), rounding()
    )


@pytest.mark.parametrize("variable", ["x", "mu", "Sigma"])
def test_the_gradient_of_the_density_is_the_density_times_the_score(variable: str) -> None:
    log_entry, entry = TABLE[f"normal_logpdf_{variable}"], TABLE[f"normal_pdf_{variable}"]
    point = at(entry, 3)
    assert_close(entry.value(point), np.exp(log_entry.value(point)), rounding())
    assert_close(entry.gradient(point), entry.value(point) * log_entry.gradient(point), rounding(10))


def test_bilinear_table_is_not_symmetric_so_its_frobenius_table_differs() -> None:
    point = at(TABLE["bilinear_inv"], 3, space=spaces.positive_definite)
    G = TABLE["bilinear_inv"].gradient(point)
    assert not is_close(G, G.T, 1e-3)
    assert_close(TABLE["bilinear_inv"].gradient(point, "frobenius"), (G + G.T) / 2, rounding())
    assert_close(convert_gradient(G, "entrywise", "free"), G + G.T - np.diag(np.diag(G)), rounding())
