# The script of Cross Validated 27436 (its third answer, by jjet, CC BY-SA), run for several seeds, for
# tests/test_oracles_r.py.  Renew the file with
#     Rscript tests/oracles/paired_shift.R > tests/oracles/paired_shift.csv
# It needs R and the package mvtnorm (on Debian: r-base-core, r-cran-mvtnorm).

library(mvtnorm)  # the post has lost this line

digits <- function(numbers) paste(sprintf("%.17g", numbers), collapse = " ")

cat(sprintf("# R %s.%s, mvtnorm %s; made by tests/oracles/paired_shift.R\n",
            R.version$major, R.version$minor, packageVersion("mvtnorm")))
cat("seed,x,mu,Sigma,f,fin.diff,A * f,B * f\n")
for (seed in c(1:5, 1395)) {  # at the last, some shifted matrices are not positive definite
set.seed(seed, kind = "Mersenne-Twister", normal.kind = "Inversion")

# From here on the post's own lines.

# Generate some parameters
p <- 4
mu <- rnorm(p)
Sigma <- rWishart(1, p, diag(p))[, , 1]

# Generate an observation from the distribution as a reference point
x <- rmvnorm(1, mu, Sigma)[1, ]

# Calculate the density at x
f <- dmvnorm(x, mu, Sigma)

# Choose a sufficiently small step-size
h <- .00001

# Calculate the density at x at each shifted Sigma_ij
f.shift <- matrix(NA, p, p)
for(i in 1:p) {
  for(j in 1:p) {
    zero.one.mat <- matrix(0, p, p)
    zero.one.mat[i, j] <- 1
    zero.one.mat[j, i] <- 1

    Sigma.shift <- Sigma + h * zero.one.mat
    f.shift[i, j] <- dmvnorm(x, mu, Sigma.shift)
}}  # the post has lost these two braces

# Caluclate the finite difference at each shifted Sigma_ij
fin.diff <- (f.shift - f) / h

# Calculate the solution proposed by @Macro and the true solution
A <- -1/2 * (solve(Sigma) - solve(Sigma) %*% (x - mu) %*% t(x - mu) %*% solve(Sigma))
B <- 2 * A - diag(diag(A))

# Verify that the true solution is approximately equal to the finite difference
A * f
B * f

# Up to here.
cat(seed, digits(x), digits(mu), digits(Sigma), digits(f), digits(fin.diff), digits(A * f), digits(B * f), sep = ",")
cat("\n")
}
