"""EHR encoders, one file each."""
