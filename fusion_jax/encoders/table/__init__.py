"""Table encoders, one file each."""
