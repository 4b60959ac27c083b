"""Series encoders, one file each."""
