"""Published studies of fusion: a table of them, and their meta-analysis."""
