"""Vector encoders, one file each."""
