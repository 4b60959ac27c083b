"""Rows, each measured once and kept."""

import dataclasses
import datetime
import hashlib
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from experiments.studies.zoo import grounds, quick, scores, subjects, trials
from fusion_jax.ablation import keys, provenance
from fusion_jax.core import files
from fusion_jax.training import config as training_config

# The two experiments: worlds of two modalities and the world of five.
TWO, FIVE = 'two', 'five'
EXPERIMENTS = (TWO, FIVE)
# Of this package: what no number depends on.
_NO_CAUSE = ('curves', 'page', 'work')
_WHOLE = (grounds.WHOLE,)


def gaps(setting: grounds.Setting) -> dict[str, list[grounds.Gap]]:
  """By world, what is trained on in the worlds of two modalities."""
  withheld = [
    grounds.Gap(m, setting.share, x)
    for m in grounds.TWO
    for x in (grounds.RANDOM, grounds.INFORMATIVE)
  ]
  return {
    grounds.SYNERGY: [grounds.WHOLE],
    grounds.COMPLEMENTARY: [grounds.WHOLE, *withheld],
  }


def with_nothing_left(
  trained: Mapping[str, Sequence[grounds.Gap]],
) -> dict[str, list[grounds.Gap]]:
  """The same and, where something is withheld, studies without a modality."""
  found = {}
  for world, own in trained.items():
    lacking = dict.fromkeys(x.modality for x in own if x.modality)
    found[world] = [*own, *(grounds.Gap(m, 1.0) for m in lacking)]
  return found


class Work:
  """Measures rows in a folder; what is there is not measured again."""

  def __init__(
    self,
    folder: pathlib.Path,
    setting: grounds.Setting,
    tell: Callable[[str], None] = lambda line: None,
    *,
    small: bool = False,
  ):
    """Where it lies, how large all is, and whether trials are in small."""
    self.folder = folder
    self.setting = setting
    self.small = small
    self._tell = tell
    self._grounds: dict[str, grounds.Ground] = {}
    self._singles: dict[str, dict[str, trials.Trial]] = {}
    self._trainers: dict[str, quick.Trainer] = {}

  def row(self, subject: subjects.Subject, experiment: str) -> dict[str, Any]:
    """What one experiment says of a subject, measured now or before.

    Raises:
      UserError: where it cannot be trained.
    """
    if (kept := self.kept(subject, experiment)) is not None:
      return kept
    if subject.kind == subjects.SINGLE:
      trial = self.singles(experiment)[subject.name]
    else:
      self._tell(f'{experiment}: {subject.key}')
      trial = self.trial(subject, experiment)
    row = {
      **self._measured(subject, trial, experiment),
      'parameters': trial.parameters,
      'processor_seconds': round(trial.seconds, 1),
      'date': datetime.date.today().isoformat(),
      'versions': provenance.versions(),
      'small': self.small,
    }
    causes = self._causes(subject, experiment)
    _write(self._path(subject, experiment), {'causes': causes, 'row': row})
    # As it is read: JSON has no tuples.
    return json.loads(json.dumps(row))

  def kept(
    self, subject: subjects.Subject, experiment: str
  ) -> dict[str, Any] | None:
    """What was measured before, by this code; None if nothing was."""
    path = self._path(subject, experiment)
    return _read(path, self._causes(subject, experiment))

  def merged(
    self, known: Sequence[subjects.Subject]
  ) -> dict[str, dict[str, Any]]:
    """By key of a subject, what all experiments say of it, as far as kept."""
    found = {}
    for subject in known:
      rows = [self.kept(subject, x) for x in EXPERIMENTS]
      rows = [x for x in rows if x is not None]
      if rows:
        whole = {k: v for row in reversed(rows) for k, v in row.items()}
        seconds = sum(x['processor_seconds'] for x in rows)
        found[subject.key] = {**whole, 'processor_seconds': round(seconds, 1)}
    return found

  def alone(self, experiment: str) -> list[subjects.Subject]:
    """The single modalities of an experiment."""
    return [
      subjects.Subject(subjects.SINGLE, m)
      for m in self.ground(experiment).cohort.modalities
    ]

  def _path(self, subject, experiment) -> pathlib.Path:
    return self.folder / experiment / f'{subject.kind}-{subject.name}.json'

  def ground(self, experiment: str) -> grounds.Ground:
    """The cohort of an experiment."""
    if experiment not in self._grounds:
      whole = with_nothing_left(self._trained_on(experiment))
      self._grounds[experiment] = grounds.make(self.setting, whole)
    return self._grounds[experiment]

  def singles(
    self, experiment: str, *, keep: bool = True
  ) -> dict[str, trials.Trial]:
    """By modality, the trial of its own arm, run once.

    Args:
      experiment: one of EXPERIMENTS.
      keep: whether they are read from the folder and kept there.
    """
    if experiment not in self._singles:
      self._singles[experiment] = {
        m: self._single(m, experiment, keep)
        for m in self.ground(experiment).cohort.modalities
      }
    return self._singles[experiment]

  def trial(self, subject: subjects.Subject, experiment: str) -> trials.Trial:
    """Trains a subject on all of an experiment."""
    rule = subject.kind == subjects.RULE
    ground, cells = self.ground(experiment), self._cells(experiment)
    singles = self.singles(experiment) if rule else {}
    if not self.small:
      return trials.run(subject, ground, self.setting, cells, singles)
    if experiment not in self._trainers:
      self._trainers[experiment] = quick.Trainer(ground, self.setting)
    return self._trainers[experiment].run(subject, cells, singles)

  def _trained_on(self, experiment):
    return gaps(self.setting) if experiment == TWO else {grounds.FIVE: _WHOLE}

  def _cells(self, experiment) -> list[trials.Cell]:
    s = self.setting
    seeds = {
      grounds.SYNERGY: s.seeds,
      grounds.COMPLEMENTARY: s.seeds_missing,
      grounds.FIVE: s.seeds_five,
    }
    return trials.cells(self._trained_on(experiment), seeds)

  def _measured(self, subject, trial, experiment) -> dict[str, Any]:
    ground = self.ground(experiment)
    if experiment == FIVE:
      found = scores.synergy(ground, trial, grounds.FIVE)
      return {'five': dataclasses.asdict(found)}
    found = scores.synergy(ground, trial)
    row = {'synergy': {**dataclasses.asdict(found), 'share': found.share}}
    if subject.kind != subjects.SINGLE:
      gained = scores.gained(
        ground, trial, self.singles(experiment), share=self.setting.share
      )
      row['gained'] = [dataclasses.asdict(x) for x in gained]
    return row

  def _single(self, modality, experiment, keep) -> trials.Trial:
    subject = subjects.Subject(subjects.SINGLE, modality)
    if not keep:
      return self.trial(subject, experiment)
    path = self.folder / experiment / f'{modality}.npz'
    facts = path.with_suffix('.json')
    causes, cells = self._causes(subject, experiment), self._cells(experiment)
    kept = _read(facts, causes)
    if kept is not None and path.is_file():
      with np.load(path, allow_pickle=False) as f:
        logits = dict(zip(cells, f['logits'], strict=True))
      return trials.Trial(logits, kept['parameters'], kept['seconds'])
    self._tell(f'{experiment}: {subject.key}')
    trial = self.trial(subject, experiment)
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.saving(path) as part, open(part, 'wb') as f:
      np.savez(f, logits=np.stack([trial.logits[c] for c in cells]))
    row = {'parameters': trial.parameters, 'seconds': trial.seconds}
    _write(facts, {'causes': causes, 'row': row})
    return trial

  def _causes(self, subject, experiment) -> str:
    """Hash of what determines a row."""
    arms = [subject]
    cohort = self.ground(experiment).cohort
    if subject.kind != subjects.SINGLE:
      # Beside which it is put.
      arms += [subjects.Subject(subjects.SINGLE, m) for m in cohort.modalities]
    total = hashlib.sha256(
      json.dumps([self.setting.to_json(), self.small]).encode()
    )
    for x in arms:
      made = subjects.arm(x, cohort, dict(self.setting.encoders))
      group = None
      if subject.kind == subjects.METHOD:
        group = training_config.TrainingConfig(methods=(subject.name,))
      total.update(keys.source_digest(made, group).encode())
    for path in sorted(pathlib.Path(__file__).parent.glob('*.py')):
      if path.stem not in _NO_CAUSE:
        total.update(path.read_bytes())
    total.update(cohort.digest.encode())
    return total.hexdigest()[:24]


def _read(path: pathlib.Path, causes: str) -> dict[str, Any] | None:
  if not path.is_file():
    return None
  kept = json.loads(path.read_text(encoding='utf-8'))
  return kept['row'] if kept['causes'] == causes else None


def _write(path: pathlib.Path, value: Mapping[str, Any]) -> None:
  path.parent.mkdir(parents=True, exist_ok=True)
  with files.saving(path) as part:
    text = json.dumps(value, indent=1, allow_nan=False)
    part.write_text(text + '\n', encoding='utf-8')
