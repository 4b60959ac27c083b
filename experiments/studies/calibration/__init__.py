"""Simulations of what the verdict says where the truth is known."""
