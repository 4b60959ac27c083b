"""Floor 7: the console command `fusion-jax`, one module a command."""
