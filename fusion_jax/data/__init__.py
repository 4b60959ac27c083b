"""Floor 1: cohorts, splits, preprocessing and synthetic worlds."""
