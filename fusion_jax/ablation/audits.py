"""Arms that should not work: what predicts the label without meaning it.

Each audit fits cheap learners to facts that carry no medicine (data/facts.py)
on the cohort's own splits and evaluates them as arms are, with the patient
resamples of the summary. docs/audits.md explains how to read them.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.ablation import audit_config as config_lib
from fusion_jax.ablation import audit_controls, audit_shortcuts
from fusion_jax.ablation import audit_work as work_lib
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import config as data_config
from fusion_jax.data import splits as splits_lib
from fusion_jax.evaluation import config as evaluation_config


def run(
  cohort: cohort_lib.Cohort,
  splits: Sequence[splits_lib.Split],
  *,
  config: config_lib.AuditsConfig,
  evaluation: evaluation_config.EvaluationConfig,
  preprocessing: data_config.PreprocessConfig,
  seed: int = 0,
  folder: str | os.PathLike | None = None,
) -> dict[str, dict[str, Any]]:
  """Makes the audits of a cohort.

  Args:
    cohort: n studies.
    splits: the folds that arms are trained and tested on.
    config: which audits, and when they alarm.
    evaluation: replicates and seed, so that resamples are the summary's.
    preprocessing: as arms use it.
    seed: of the permutations.
    folder: where near duplicates are listed, by study; None for nowhere.

  Returns:
    By audit: metric, estimate, low, high, chance, margin, learner, features,
    alarm and sentence. Numbers that are not known are None, with a `reason`.
  """
  config_lib.check(config)
  wanted = config.wanted
  work = work_lib.Work(cohort, splits, config, evaluation, preprocessing, seed)
  found = audit_shortcuts.shortcuts(
    work, [x for x in wanted if x in audit_shortcuts.SHORTCUTS]
  )
  if config_lib.LABEL_PERMUTATION in wanted:
    found[config_lib.LABEL_PERMUTATION] = audit_controls.permutation(work)
  if config_lib.DUPLICATES in wanted:
    found[config_lib.DUPLICATES] = audit_controls.duplicates(work, folder)
  return found


def warnings(audits: Mapping[str, Mapping[str, Any]]) -> list[str]:
  """The sentences of audits that alarm, in the audits' order."""
  return [
    f'Audit {name}: {x["sentence"]}'
    for name, x in audits.items()
    if x.get('alarm')
  ]
