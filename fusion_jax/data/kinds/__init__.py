"""Kinds of modalities, one file each: all that a modality ever needs."""
