# The log density of the normal distribution by mvtnorm's dmvnorm, for tests/test_oracles_r.py.
# Renew the file with
#     Rscript tests/oracles/dmvnorm.R > tests/oracles/dmvnorm.csv
# It needs R and the package mvtnorm (on Debian: r-base-core, r-cran-mvtnorm).

library(mvtnorm)
set.seed(1, kind = "Mersenne-Twister", normal.kind = "Inversion")

digits <- function(numbers) paste(sprintf("%.17g", numbers), collapse = " ")

# Symmetric, with eigenvalues from 1 up to the condition number and random axes.
covariance <- function(d, condition) {
  Q <- qr.Q(qr(matrix(rnorm(d * d), d)))
  S <- Q %*% diag(condition^((seq_len(d) - 1) / max(d - 1, 1)), d) %*% t(Q)
  (S + t(S)) / 2
}

cat(sprintf("# R %s.%s, mvtnorm %s; made by tests/oracles/dmvnorm.R\n",
            R.version$major, R.version$minor, packageVersion("mvtnorm")))
cat("d,condition,x,mu,Sigma,log density\n")
for (d in c(1, 2, 3, 5)) {
  for (condition in c(1, 1e2, 1e4, 1e6)) {
    Sigma <- if (d == 1) matrix(condition) else covariance(d, condition)
    mu <- rnorm(d)
    root <- t(chol(Sigma))
    points <- list(mu, mu + root %*% rnorm(d), mu + root %*% rnorm(d), mu + 30 * root %*% rnorm(d))
    for (x in points) {
      value <- dmvnorm(as.vector(x), mu, Sigma, log = TRUE)
      cat(d, sprintf("%g", condition), digits(x), digits(mu), digits(Sigma), digits(value), sep = ",")
      cat("\n")
    }
  }
}
