"""How a cohort is divided into folds: which scheme it is, and in words."""

import numpy as np

from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import config as config_lib


def chosen(cohort: cohort_lib.Cohort, config: config_lib.SplitConfig) -> str:
  """The scheme that `config` names; 'column' or 'kfold' where it is 'auto'."""
  if config.scheme != 'auto':
    return config.scheme
  given = _supplied(cohort)
  return 'column' if given and config.folds in (0, given) else 'kfold'


def described(cohort: cohort_lib.Cohort, config: config_lib.SplitConfig) -> str:
  """How folds are made, in words that follow 'folds were'."""
  scheme = chosen(cohort, config)
  if scheme != 'kfold':
    return {
      'file': 'read from a file',
      'site': 'made of one site each',
      'column': "those of the cohort's fold column",
      'time': 'cut by index time, each later than its training part',
    }[scheme]
  text = 'drawn at random by patient, with like shares of each outcome'
  given = _supplied(cohort)
  if given:
    text += (
      f"; the {given} folds of the cohort's fold column were not used "
      "(splits.scheme='column' uses them)"
    )
  return text


def _supplied(cohort) -> int:
  """How many folds a cohort brings along."""
  return 0 if cohort.fold is None else len(np.unique(cohort.fold))
