"""Trials of run folders: kill signals, and damage to every kind of file."""
