"""Applies a run's frozen arms to another cohort (external validation).

  fusion-jax predict --run=RUN --cohort=DIR_OR_TOML
  fusion-jax predict --run=RUN --cohort=DIR_OR_TOML --arms=joint

Nothing is trained: the models of all folds and seeds predict every study.
Patients of the run's own cohort are refused; docs/external.md says how they
are known.
"""

import dataclasses
import pathlib

from absl import flags

from fusion_jax.ablation import external
from fusion_jax.core import config as core_config
from fusion_jax.core import errors
from fusion_jax.launch import loudness, output, terminal
from fusion_jax.parallel import cache

_RUN = flags.DEFINE_string('run', '', 'The folder of a finished run.')
_COHORT = flags.DEFINE_string(
  'cohort',
  '',
  'A built-in world, a shipped descriptor, a folder with cohort.toml, or a '
  '.toml file.',
)
_DATA_ROOT = flags.DEFINE_string(
  'data_root', '', "Where a descriptor's table and images are."
)
_OUT = flags.DEFINE_string(
  'out', '', 'Where the results go; empty for a folder in RUN/external.'
)
_ARMS = flags.DEFINE_list('arms', [], 'Arms to apply; all if empty.')
_SET = flags.DEFINE_multi_string(
  'set', [], 'NAME=VALUE of a cohort, evaluation or parallel setting.'
)
# What does not touch the frozen models.
_SETTABLE = ('cohort', 'evaluation', 'parallel')


def run() -> int:
  """Does it; returns the exit code."""
  cache.keep_compiled_programs()
  loudness.chosen()
  if not _RUN.value or not _COHORT.value:
    raise errors.UserError('Give both --run=DIR and --cohort=... (see --help).')
  run = external.open_run(_RUN.value)
  cohort = external.cohort_config(
    run, name=_COHORT.value, data_root=_DATA_ROOT.value
  )
  for override in _SET.value:
    group = override.partition('.')[0]
    if group not in _SETTABLE:
      raise errors.unknown_name(
        'setting of frozen models',
        group,
        _SETTABLE,
        where=f'--set={override}',
      )
  # What was registered was registered for the cohort of the run.
  config = dataclasses.replace(
    run.config,
    cohort=cohort,
    evaluation=dataclasses.replace(run.config.evaluation, registered=''),
  )
  config = core_config.apply_overrides(config, _SET.value, flag='--set')
  folder = pathlib.Path(
    _OUT.value or external.default_folder(run, config, _ARMS.value)
  )
  console = terminal.Console()
  console.print(
    f"Applying '{run.path}' to cohort '{cohort.name}'",
    soft_wrap=True,
  )
  summary = external.apply(run, config, folder, arms=_ARMS.value)
  output.show(
    summary, output.write(summary, folder), console, level=loudness.chosen()
  )
  console.print(f'Results: {folder}', soft_wrap=True)
  return 0
