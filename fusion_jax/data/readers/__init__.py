"""What descriptors say of each kind of modality, and its files."""
