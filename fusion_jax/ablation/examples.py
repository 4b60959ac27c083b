"""Studies that fusion repairs or breaks, and what the models look at.

Only on demand, as they show images and records of single patients
(docs/examples.md). What is made is kept in two files of the run folder that
nobody but their owner can read: what the report shows, without ids, and which
study each number is.
"""

import base64
import csv
import io
import json
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from PIL import Image

from fusion_jax.ablation import crossed, explain, external, repairs
from fusion_jax.ablation import store as store_lib
from fusion_jax.core import errors, files, plain, types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import pixels, reader
from fusion_jax.data import splits as splits_lib
from fusion_jax.data.kinds import image, table
from fusion_jax.evaluation import entries, thresholds
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import predictions as predictions_lib

EXAMPLES = 'examples.json'
STUDIES = 'example_studies.csv'

# Columns of the record that are shown of a study.
_COLUMNS = 5
# Images are shown with at most so many pixels a side.
_SIDE = 256
# Thirds of an image, from above and from the left.
_PLACES = ('upper', 'middle', 'lower'), ('left', 'centre', 'right')


def check(count: int) -> None:
  """Checks how many are asked for.

  Raises:
    UserError: for a number below 1.
  """
  if count < 1:
    raise errors.UserError(
      f'--examples={count}: expected how many studies of each kind to show, 1 '
      'or more; leave the flag out for none.'
    )


def remove(folder: str | os.PathLike) -> None:
  """Takes away what an earlier command left."""
  for name in (EXAMPLES, STUDIES):
    (pathlib.Path(folder) / name).unlink(missing_ok=True)


def compared(summary: Mapping[str, Any]) -> tuple[str | None, str | None]:
  """The arm to use, or that of the gain, and the best single modality."""
  arm = next(
    (
      entry['arm']
      for entry in (summary.get(name) or {} for name in ('use', 'gain'))
      if entry.get('arm')
    ),
    None,
  )
  return arm, (summary.get('best_single') or {}).get('arm')


def make(
  run: external.Run,
  count: int,
  say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
  """Explains a run's arm to use on `count` studies of each kind.

  Writes the files of `remove` into the run folder.

  Args:
    run: finished.
    count: how many studies of each kind.
    say: told what is being worked on.

  Returns:
    What examples.json holds (docs/examples.md); it names no study or patient.

  Raises:
    UserError: for a wrong count, or a run that is in use.
  """
  check(count)
  store = store_lib.Store(run.path)
  with store.alone():
    return _make(external.open_run(run.path), store, count, say)


def _make(run, store, count, say) -> dict[str, Any]:
  arm, single = compared(run.summary)
  result: dict[str, Any] = {
    'asked': count,
    'arm': arm or single,
    'single': single,
    'task': run.summary['task'],
    'importance': None,
    'groups': [],
    'examples': [],
    'reasons': [],
  }
  studies: list[tuple] = []
  if result['arm'] is None:
    result['reasons'].append('No arm was evaluated that could be explained.')
  else:
    work = _Work(run, store, result['arm'], single)
    say(f"Permuting record columns for '{work.arm}'")
    result['importance'] = work.importance()
    if arm is None or single is None or arm == single:
      result['reasons'].append(
        'Nothing was compared, so that there is nothing that fusion repairs or '
        f"breaks; '{work.arm}' is the best single modality."
      )
    elif work.cohort.task.kind == types.SURVIVAL:
      result['reasons'].append(
        'Examples are not offered for survival: a log relative hazard is right '
        'or wrong only beside that of other studies, and one study may stand '
        'right to some and wrong to others.'
      )
    else:
      say(f"Hiding image areas for '{work.arm}'")
      work.examples(count, result, studies)
  result = entries.plain(result)
  _write(store.path / EXAMPLES, json.dumps(result, allow_nan=False) + '\n')
  text = io.StringIO()
  writer = csv.writer(text, lineterminator='\n')
  writer.writerow(('number', 'kind', 'label', 'study_id'))
  for row in studies:
    writer.writerow([plain.in_sheet(str(x)) for x in row])
  _write(store.path / STUDIES, text.getvalue())
  return result


def _write(path, text) -> None:
  with files.saving(path, mode=files.PRIVATE) as part:
    part.write_text(text, encoding='utf-8')


class _Work:
  """What the parts of one explanation share."""

  def __init__(self, run, store, arm, single):
    self.arm, self.single = arm, single
    self._config = run.config
    self._metric = run.summary['evaluation']['metric']
    self.cohort: cohort_lib.Cohort = reader.open_cohort(run.config.cohort)
    self._splits = {
      (s.repeat, s.fold): s
      for s in splits_lib.make_splits(self.cohort, run.config.splits)
    }
    table = predictions_lib.read(run.path / store_lib.PREDICTIONS)
    table = table.take(
      np.isin(table.arm, [x for x in (arm, single) if x is not None])
    )
    self._folds = thresholds.attach(
      self.cohort.task,
      folds_lib.arrange(table),
      folds_lib.arrange(table, predictions_lib.VALID),
    )
    self._models = crossed.Crossed(
      run.config, run.models, store, self.cohort.task
    )
    self._telling: list[str] = []

  def importance(self) -> dict[str, Any]:
    """Of the record's columns, with the reason where there is none."""
    metric = explain.metric_of(self.cohort.task, self._metric)
    found = {'arm': self.arm, 'metric': metric, 'columns': []}
    seen = self._config.known_arms[self.arm].modalities
    if not set(self.cohort.of_kind(table.NAME)) & set(seen):
      return {**found, 'reason': f"'{self.arm}' does not see the record."}
    found['columns'] = explain.importance(
      self._models,
      self.cohort,
      self._folds,
      arm=self.arm,
      metric=metric,
      seed=self._config.evaluation.seed,
    )
    self._telling = [x['column'] for x in found['columns'][:_COLUMNS]]
    return {**found, 'note': explain.intervals_note()}

  def examples(self, count, result, studies) -> None:
    """Adds groups and their examples, and which studies they are."""
    task = self.cohort.task
    models = explain.models_of(self._folds, self.arm)
    row_of = {s: i for i, s in enumerate(self.cohort.study)}
    for group in repairs.select(
      task, self._folds, arm=self.arm, single=self.single, count=count
    ):
      label = task.names[group.output]
      label = label if task.kind == types.MULTILABEL else None
      numbers = []
      for k, study in enumerate(group.study):
        numbers.append(len(studies) + 1)
        row = row_of[study]
        studies.append((numbers[-1], group.kind, label or '', study))
        result['examples'].append(
          {
            'number': numbers[-1],
            'truth': self._truth(row, group.output),
            'scores': {a: x[k] for a, x in group.scores.items()},
            'thresholds': {a: x[k] for a, x in group.thresholds.items()},
            'models': group.models[k],
            'record': self._record(row, models[study][0][:2]),
            **self._image(row, models[study], group.output),
          }
        )
      result['groups'].append(
        {
          'kind': group.kind,
          'label': label,
          'total': group.total,
          'numbers': numbers,
        }
      )

  def _truth(self, row, output) -> str | float:
    task, labels = self.cohort.task, self.cohort.labels[row]
    if task.kind == types.MULTICLASS:
      return task.names[int(labels[0])]
    if task.kind == types.REGRESSION:
      return float(labels[0])
    return f'{task.names[output]} = {labels[output]:g}'

  def _record(self, row, cell) -> list[dict[str, Any]]:
    """The telling columns, beside the training part of the fold's models."""
    train = self._splits[cell].train
    found = []
    columns = {x.name: x for x in explain.columns(self.cohort)}
    for name in self._telling:
      shown = self.cohort.modalities[columns[name].modality]
      at, width = columns[name].number, len(shown.data.numeric_names)
      numeric = at < width
      column = (
        table.numeric(shown)[:, at]
        if numeric
        else table.categorical(shown)[:, at - width]
      )
      seen = column[train]
      if numeric:
        seen = seen[np.isfinite(seen)]
        value = float(column[row]) if np.isfinite(column[row]) else None
        beside = {
          'mean': float(seen.mean()) if len(seen) else None,
          'sd': float(seen.std()) if len(seen) else None,
        }
        beside['z'] = (
          (value - beside['mean']) / beside['sd']
          if value is not None and beside['sd']
          else None
        )
      else:
        seen = seen[np.not_equal(seen, None)]
        value = column[row]
        share = float(np.mean(seen == value)) if len(seen) else None
        beside = {'share': None if value is None else share}
      missing = 1 - len(seen) / len(train)
      found.append(
        {'column': name, 'value': value, **beside, 'missing': missing}
      )
    return found

  def _image(self, row, places, output) -> dict[str, Any]:
    """The image as the models saw it, and the map of what it tells them."""
    pictures = self.cohort.of_kind(image.NAME)
    there = {m: x for m, x in pictures.items() if x.present[row]}
    if not there:
      return {'image': None, 'map': None, 'images': 0}
    known = self._config.known_arms[self.arm].modalities
    # The first that the arm sees, if it sees any.
    modality = min(there, key=lambda m: m not in known)
    shown = there[modality].take(np.array([row]))
    mask = image.mask(shown)[0]
    first = shown.given(shown.data.images)[0][np.flatnonzero(mask)[0]]
    found = {'image': _png(first), 'map': None, 'images': int(mask.sum())}
    found['height'], found['width'] = first.shape[:2]
    if modality in known:
      made = explain.occlusion(
        self._models,
        self.cohort,
        arm=self.arm,
        row=row,
        places=places,
        output=self._output(row, output),
        modality=modality,
      )
      found['map'] = {
        'values': [[float(f'{x:.4g}') for x in line] for line in made.values],
        'cell': made.cell,
        'patch': made.patch,
        'highest': _extreme(made.values, np.argmax(made.values)),
        'lowest': _extreme(made.values, np.argmin(made.values)),
      }
    return found

  def _output(self, row, output) -> int:
    if self.cohort.task.kind == types.MULTICLASS:
      return int(self.cohort.labels[row, 0])
    return output


def _extreme(values: np.ndarray, at: int) -> dict[str, Any]:
  """A cell's value and where it is, in words."""
  place = [
    names[3 * i // n]
    for i, n, names in zip(
      np.unravel_index(at, values.shape), values.shape, _PLACES, strict=True
    )
  ]
  return {'value': float(values.flat[at]), 'place': ' '.join(place)}


def _png(x: np.ndarray) -> str:
  """(h, w, c) pixels as a PNG file in base64, smaller if they are many."""
  scaled = np.rint(x / pixels.full_scale(x.dtype)[1] * 255).astype(np.uint8)
  if scaled.shape[-1] not in (1, 3):
    scaled = scaled[..., :1]
  picture = Image.fromarray(scaled[..., 0] if scaled.shape[-1] == 1 else scaled)
  picture.thumbnail((_SIDE, _SIDE))
  out = io.BytesIO()
  picture.save(out, format='PNG')
  return base64.b64encode(out.getvalue()).decode()
