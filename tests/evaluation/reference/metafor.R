# Writes what metafor says of fixed and random data sets to metafor.json:
#   Rscript metafor.R > metafor.json
# Needs R with the packages metafor and (for its own JSON) nothing else.
suppressMessages(library(metafor))
set.seed(20)
digits <- function(x) paste0(
  "[", paste(sprintf("%.15g", x), collapse = ", "), "]")
number <- function(x) sprintf("%.15g", x)

sets <- list()
add <- function(name, yi, vi) sets[[name]] <<- list(yi = yi, vi = vi)
add("three", c(0.07, 0.01, 0.03), c(0.0017, 0.0003, 0.0012))
add("two", c(0.05, -0.02), c(0.0004, 0.0009))
add("homogeneous", c(0.030, 0.031, 0.029, 0.030), c(0.001, 0.002, 0.0015, 0.003))
add("spread", c(0.2, -0.1, 0.15, 0.02, 0.3), c(0.0004, 0.0005, 0.0003, 0.0006, 0.0002))
add("tied", rep(c(0.02, 0.04), 6), rep(c(0.0004, 0.0016, 0.0009), 4))
for (i in 1:6) {
  k <- c(5, 10, 12, 15, 25, 40)[i]
  vi <- runif(k, 0.0002, 0.004)
  add(paste0("random", k), rnorm(k, 0.03, sqrt(vi + c(0, 0.0004, 0.002)[i %% 3 + 1])), vi)
}

# test "knha" is Hartung and Knapp's, "adhoc" the one with max(1, q).
model <- function(s, method, test) {
  r <- rma(s$yi, s$vi, method = method, test = test,
           control = list(threshold = 1e-14, maxiter = 10000, tol = 1e-14))
  p <- predict(r)
  sprintf(paste0('{"estimate": %s, "se": %s, "low": %s, "high": %s, "p": %s, ',
                 '"prediction_low": %s, "prediction_high": %s, "tau2": %s, ',
                 '"q": %s, "q_p": %s, "i2": %s}'),
          number(r$beta), number(r$se), number(r$ci.lb), number(r$ci.ub),
          number(r$pval), number(p$pi.lb), number(p$pi.ub), number(r$tau2),
          number(r$QE), number(r$QEp), number(r$I2 / 100))
}
egger <- function(s) {
  if (length(s$yi) < 10) return("null")
  t <- regtest(x = s$yi, vi = s$vi, model = "lm")
  sprintf('{"t": %s, "df": %d, "p": %s, "limit": %s}', number(t$zval),
          as.integer(t$dfs), number(t$pval), number(t$est))
}
cat("{\n", sprintf('"R": "%s",\n"metafor": "%s",\n"sets": {\n',
    paste(R.version$major, R.version$minor, sep = "."),
    packageVersion("metafor")), sep = "")
cat(paste(vapply(names(sets), function(name) {
  s <- sets[[name]]
  sprintf('"%s": {"effects": %s, "variances": %s,\n "dl": %s,\n "pm": %s,\n "reml": %s,\n "dl_modified": %s,\n "pm_modified": %s,\n "reml_modified": %s,\n "egger": %s}',
          name, digits(s$yi), digits(s$vi), model(s, "DL", "knha"),
          model(s, "PM", "knha"), model(s, "REML", "knha"),
          model(s, "DL", "adhoc"), model(s, "PM", "adhoc"),
          model(s, "REML", "adhoc"), egger(s))
}, ""), collapse = ",\n"), "\n}\n}\n")
