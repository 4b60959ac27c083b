"""Floor 3: combiners, late rules and the fusion model."""
