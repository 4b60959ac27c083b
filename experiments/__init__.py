"""Floor 7: launchers."""
