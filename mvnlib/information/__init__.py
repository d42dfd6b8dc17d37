"""Second derivatives of the log-likelihood: Hessian, Fisher information, the Laplace approximation."""

from mvnlib.information.fisher import (
    Laplace,
    fisher_information,
    fisher_information_inverse,
    fisher_information_product,
    laplace,
    loglik_hessian,
    loglik_hessian_operator,
    natural_gradient,
)

__all__ = [
    "Laplace",
    "fisher_information",
    "fisher_information_inverse",
    "fisher_information_product",
    "laplace",
    "loglik_hessian",
    "loglik_hessian_operator",
    "natural_gradient",
]
