"""Studies about the tool itself; `python -m experiments.studies.NAME`."""
