# Writes proc.json: inputs, and what R's pROC says about them.
#
#   Rscript proc.R proc.json
#
# Needs R with the packages pROC and jsonlite.

suppressPackageStartupMessages(library(pROC))

area <- function(y, s) {
  roc(y, s, levels = c(0, 1), direction = "<", quiet = TRUE)
}

one_case <- function(name, y, first, second) {
  a <- area(y, first)
  b <- area(y, second)
  two_sided <- roc.test(a, b, method = "delong", paired = TRUE)
  greater <- roc.test(
    a, b, method = "delong", paired = TRUE, alternative = "greater"
  )
  partial <- function(range, corrected) {
    as.numeric(auc(
      a, partial.auc = range, partial.auc.focus = "specificity",
      partial.auc.correct = corrected
    ))
  }
  list(
    name = name,
    label = y,
    first = first,
    second = second,
    auroc = c(as.numeric(auc(a)), as.numeric(auc(b))),
    variance = c(
      var(a, method = "delong"), var(b, method = "delong")
    ),
    covariance = cov(a, b, method = "delong"),
    interval = as.numeric(ci.auc(a, method = "delong"))[c(1, 3)],
    z = as.numeric(two_sided$statistic),
    p_two_sided = two_sided$p.value,
    p_greater = greater$p.value,
    partial = partial(c(1, 0.8), FALSE),
    partial_corrected = partial(c(1, 0.8), TRUE),
    partial_inner = partial(c(0.9, 0.65), FALSE)
  )
}

made <- function(name, n, share, digits, shared = 0.5, gain = 0.8) {
  y <- as.integer(seq_len(n) <= ceiling(share * n))[sample.int(n)]
  common <- rnorm(n)
  score <- function(gain) {
    round(gain * y + shared * common + (1 - shared) * rnorm(n), digits)
  }
  one_case(name, y, score(gain), score(0.5))
}

set.seed(20240229)
cases <- list(
  made("random", 60, 0.4, 6),
  made("tied", 80, 0.5, 0),
  made("few levels", 50, 0.3, 0, shared = 0.9, gain = 1.2),
  made("imbalanced", 150, 0.06, 4),
  made("small", 12, 0.4, 3, gain = 1.4)
)
holm <- c(0.01, 0.04, 0.03, 0.005, 0.04, 0.6)
jsonlite::write_json(
  list(
    made_by = list(
      R = as.character(getRversion()),
      pROC = as.character(packageVersion("pROC"))
    ),
    cases = cases,
    holm = list(p = holm, adjusted = p.adjust(holm, "holm"))
  ),
  commandArgs(trailingOnly = TRUE)[1],
  auto_unbox = TRUE, digits = 15, null = "null"
)
