"""Floor 2: image and EHR encoders."""
