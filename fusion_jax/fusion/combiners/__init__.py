"""Combiners, one file each."""
