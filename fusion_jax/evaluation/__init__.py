"""Floor 4: metrics, resampling and comparisons of predictions."""
