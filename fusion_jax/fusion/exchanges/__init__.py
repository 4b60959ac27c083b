"""Exchanges between encoders, one file each."""
