"""Floor 0: types, registry, configuration and errors."""
