"""Runs all arms and the recipe on small draws of a cohort."""

import dataclasses
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import rich.console

from experiments.studies.small import recipe
from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import progress, runner, store
from fusion_jax.core import config as core_config
from fusion_jax.core import errors, files, types
from fusion_jax.data import descriptor as descriptor_lib
from fusion_jax.data import reader, tables
from fusion_jax.data import splits as splits_lib
from fusion_jax.evaluation import predictions as predictions_lib
from fusion_jax.evaluation import summary as summary_lib
from fusion_jax.launch.configs import default

RESULT = 'against_recipe.json'
# Patients drawn; 0 for the whole cohort.
SIZES = (150, 300, 600)


@dataclasses.dataclass(frozen=True)
class Cell:
  """One draw of patients from one cohort.

  Attributes:
    descriptor: the cohort's .toml file, or the name of a shipped one.
    data_root: where its data is.
    patients: how many are drawn; 0 for all.
    draw: number of the draw.
  """

  descriptor: str
  data_root: str
  patients: int
  draw: int

  @property
  def name(self) -> str:
    """What its folder is called."""
    stem = pathlib.Path(self.descriptor).stem
    size = f'{self.patients}_{self.draw}' if self.patients else 'all'
    return f'{stem}_{size}'


def run(cell: Cell, folder: pathlib.Path, overrides: Sequence[str]) -> None:
  """Writes what the arms of one draw come to against the recipe.

  Nothing is done where that is there already.

  Args:
    cell: the draw.
    folder: of all draws; each has a folder of its own.
    overrides: NAME=VALUE of further settings.

  Raises:
    UserError: for a cohort that is not binary or cannot be read.
  """
  out = folder / cell.name
  if (out / RESULT).is_file():
    return
  store.make_folder(out)
  config = _config(cell, out, overrides)
  cohort = reader.open_cohort(config.cohort)
  if cohort.task.kind != types.BINARY:
    raise errors.UserError(f'{cell.name}: only binary cohorts, so far.')
  console = rich.console.Console(stderr=True, quiet=True)
  report = runner.run(
    config, store.Store(out / 'run'), progress.Progress(console)
  )
  if report.summary is None:
    raise errors.UserError(f'{cell.name}: no arm could be trained.')
  splits = splits_lib.make_splits(cohort, config.splits)
  found = predictions_lib.read(out / 'run' / store.PREDICTIONS)
  found = found.take(found.part == predictions_lib.TEST)
  plain = [
    predictions_lib.create(
      task=cohort.task,
      study_id=cohort.study[s.test],
      patient_id=cohort.patient[s.test],
      arm=name,
      repeat=s.repeat,
      fold=s.fold,
      labels=cohort.labels[s.test],
      scores=recipe.scores(cohort, s, name),
      available={m: p[s.test] for m, p in cohort.present.items()},
      subgroup={k: x[s.test] for k, x in cohort.groups.items()},
    )
    for name in recipe.INPUTS
    for s in splits
  ]
  table = predictions_lib.concat([found, *plain])
  rows = []
  for name, inputs in recipe.INPUTS.items():
    seen = tuple(
      m for m, s in zip((types.IMAGE, types.EHR), inputs, strict=True) if s
    )
    arms = [
      a
      for a in report.summary['arms']
      if tuple(report.summary['arms'][a]['modalities']) == seen
    ]
    rows += _against(table, name, arms, config)
  content = {
    'cell': dataclasses.asdict(cell),
    'studies': len(cohort),
    'failures': dict(report.failures),
    'rows': rows,
  }
  with files.saving(out / RESULT) as part:
    part.write_text(json.dumps(content, indent=1), encoding='utf-8')


def _against(table, plain: str, arms, config) -> list[dict[str, Any]]:
  """Each arm's gain over one recipe, corrected for these arms."""
  keep = np.isin(table.arm, [plain, *arms])
  summary = summary_lib.summarise(
    table.take(keep),
    singles=[plain],
    fusions=arms,
    config=config.evaluation,
    reference=plain,
  )
  return [
    {
      'arm': entry['arm'],
      'recipe': plain,
      'auroc': _auroc(summary, entry['arm']),
      'plain': _auroc(summary, plain),
      **{k: entry[k] for k in ('difference', 'low', 'high', 'verdict')},
    }
    for entry in summary['comparisons']
  ]


def _auroc(summary, arm) -> float:
  return summary['arms'][arm]['metrics']['auroc']['estimate']


def _config(cell, out, overrides) -> config_lib.ExperimentConfig:
  base = default.get_config()
  chosen = cell.descriptor
  if cell.patients:
    chosen = str(_drawn(cell, out))
  config = dataclasses.replace(
    base,
    cohort=dataclasses.replace(
      base.cohort, name=chosen, data_root=cell.data_root
    ),
    audits=dataclasses.replace(base.audits, names=('none',)),
  )
  return core_config.apply_overrides(config, overrides, flag='--set')


def _drawn(cell, out) -> pathlib.Path:
  """A descriptor that leaves out all patients but those drawn."""
  path, _ = reader.locate(cell.descriptor, cell.data_root)
  d = descriptor_lib.load(path)
  key = d.patient or d.study
  table = tables.read(pathlib.Path(cell.data_root) / d.table)
  patients = sorted({*table.columns[key[0]]})
  if cell.patients > len(patients):
    raise errors.UserError(
      f'{cell.name}: {path} has {len(patients)} patients, of which '
      f'{cell.patients} cannot be drawn.'
    )
  rng = np.random.default_rng([cell.patients, cell.draw])
  kept = {*rng.permutation(patients)[: cell.patients]}
  left = [x for x in patients if x not in kept]
  lines = [
    path.read_text(encoding='utf-8'),
    '[[exclude]]',
    f'column = {json.dumps(key[0])}',
    f'values = {json.dumps(left)}',
    'reason = "not drawn"',
  ]
  target = out / 'cohort.toml'
  with files.saving(target) as part:
    part.write_text('\n'.join(lines), encoding='utf-8')
  return target
