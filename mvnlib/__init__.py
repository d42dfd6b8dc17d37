"""Matrix calculus for the multivariate normal: every derivative checked, and its convention named.

What is small and needs only NumPy is here at once.  What needs SymPy or ipywidgets (``symbolic``, ``explore`` ...), and
what is large (``checking``, ``mixture``), is loaded when it is first used, so that importing the package costs little
more than importing NumPy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mvnlib import identities, ops, spaces
from mvnlib.conventions import (
    CONVENTIONS,
    commutation_matrix,
    convert_gradient,
    duplication_matrix,
    elimination_matrix,
    pair,
    unvech,
    vec,
    vech,
)
from mvnlib.differences import SCHEMES, default_step, fd_differential, fd_gradient, step_sweep
from mvnlib.information import (
    Laplace,
    fisher_information,
    fisher_information_inverse,
    fisher_information_product,
    laplace,
    loglik_hessian,
    loglik_hessian_operator,
    natural_gradient,
)
from mvnlib.normal import fit_normal, loglik, loglik_and_gradient, loglik_gradient, logpdf
from mvnlib.parameters import (
    cholesky_differential,
    cholesky_pullback,
    from_log_cholesky,
    log_cholesky,
    loglik_and_gradient_factor,
    loglik_and_gradient_precision,
    loglik_gradient_factor,
    loglik_gradient_precision,
)
from mvnlib.statistics import NormalStatistics
from mvnlib.updates import loglik_differences

if TYPE_CHECKING:
    from mvnlib import symbolic, widgets
    from mvnlib.checking import MISTAKES, StepError, Verdict, check_gradient, check_steps
    from mvnlib.mixture import (
        Mixture,
        MixtureStatistics,
        em_step,
        fit_mixture,
        mixture_gradient,
        mixture_loglik,
        responsibilities,
    )
    from mvnlib.symbolic import derivative, javascript, latex, numpy_function, prove, symbols
    from mvnlib.widgets import explore, explore_em, explore_neumann, explore_segment

__version__ = "0.1.0"

#: Large, and so loaded when first used.
_LARGE = {
    "checking": ("MISTAKES", "StepError", "Verdict", "check_gradient", "check_steps"),
    "mixture": (
        "Mixture",
        "MixtureStatistics",
        "em_step",
        "fit_mixture",
        "mixture_gradient",
        "mixture_loglik",
        "responsibilities",
    ),
}
#: And these need more than NumPy.
_LATER = {
    "symbolic": ("derivative", "javascript", "latex", "numpy_function", "prove", "symbols"),
    "widgets": ("explore", "explore_em", "explore_neumann", "explore_segment"),
}

__all__ = [
    "CONVENTIONS",
    "MISTAKES",
    "SCHEMES",
    "Laplace",
    "Mixture",
    "MixtureStatistics",
    "NormalStatistics",
    "StepError",
    "Verdict",
    "check_gradient",
    "check_steps",
    "cholesky_differential",
    "cholesky_pullback",
    "commutation_matrix",
    "convert_gradient",
    "default_step",
    "derivative",
    "duplication_matrix",
    "elimination_matrix",
    "em_step",
    "explore",
    "explore_em",
    "explore_neumann",
    "explore_segment",
    "fd_differential",
    "fd_gradient",
    "fisher_information",
    "fisher_information_inverse",
    "fisher_information_product",
    "fit_mixture",
    "fit_normal",
    "from_log_cholesky",
    "identities",
    "javascript",
    "laplace",
    "latex",
    "log_cholesky",
    "loglik",
    "loglik_and_gradient",
    "loglik_and_gradient_factor",
    "loglik_and_gradient_precision",
    "loglik_differences",
    "loglik_gradient",
    "loglik_gradient_factor",
    "loglik_gradient_precision",
    "loglik_hessian",
    "loglik_hessian_operator",
    "logpdf",
    "mixture_gradient",
    "mixture_loglik",
    "natural_gradient",
    "numpy_function",
    "ops",
    "pair",
    "prove",
    "responsibilities",
    "spaces",
    "step_sweep",
    "symbolic",
    "symbols",
    "unvech",
    "vec",
    "vech",
    "widgets",
]


def __getattr__(name: str) -> Any:
    for module, names in (_LARGE | _LATER).items():
        if name == module or name in names:
            try:
                found = import_module(f"mvnlib.{module}")
            except ModuleNotFoundError as error:
                raise ModuleNotFoundError(
                    f"mvnlib.{name} needs {error.name}: pip install 'mvnlib[{module}]'", name=error.name
                ) from error
            return found if name == module else getattr(found, name)
    raise AttributeError(f"module 'mvnlib' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
