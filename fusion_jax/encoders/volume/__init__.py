"""Volume encoders, one file each."""
