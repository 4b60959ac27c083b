"""Floor 5: arms, plan, store and runner."""
