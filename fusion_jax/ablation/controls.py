"""Control predictions: the models of a run under conditions without fusion.

docs/controls.md says what each condition means. What is finished is kept in the
run folder under a key of its own, as nodes are, and is not made again.
"""

import dataclasses
import functools
import hashlib
import json
import pathlib
import time
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from fusion_jax.ablation import arm as arm_lib
from fusion_jax.ablation import changes, ensembles, finished, frozen, pairs
from fusion_jax.core import closure, types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import splits as splits_lib
from fusion_jax.evaluation import conditions as conditions_lib
from fusion_jax.evaluation import predictions as predictions_lib

# Of this package; with a model's own key they determine a control.
SOURCES = ('changes.py', 'controls.py', 'frozen.py', 'pairs.py')

_LOGITS, _ROWS = 'logits', 'rows'
# Distinguishes the choice of EMAP's studies from other draws of a fold.
_EMAP_STREAM = 7


@dataclasses.dataclass(frozen=True)
class _Piece:
  """What one model makes of one condition: a key, and whose it is."""

  arm: str
  place: frozen.Place
  key: str


def make(
  run: finished.Finished, intact: predictions_lib.Predictions
) -> list[predictions_lib.Predictions]:
  """Predictions of test studies under every condition of `run.config`.

  Args:
    run: whose models are used.
    intact: its own predictions; they choose the arms that 'ensemble' is made
      of.

  Returns:
    One table for each condition and model, of all fusion arms that did not
    fail, for 'ensemble' of the best single arm. No table where a
    condition is impossible (`changes.change`).
  """
  found = []
  for condition, arms in _asked(run).items():
    if condition == conditions_lib.ENSEMBLE:
      found += ensembles.make(run, intact)
      continue
    # Of what determines a piece, all that is not in its model's key.
    options = {}
    compute = _changed
    if condition == conditions_lib.EMAP:
      options = {'studies': run.config.controls.emap_studies}
      compute = _emaps
    pieces = [
      _Piece(
        arm, frozen.place_of(entry), _key(condition, [entry['key']], options)
      )
      for arm in arms
      for entry in run.models['arms'][arm]
    ]
    missing = [p for p in pieces if not run.store.has(p.key)]
    if missing:
      run.say(f'Control {condition}: {len(missing)} models')
      compute(run, condition, missing)
    found += _tables(run, condition, pieces)
  return found


def _asked(run) -> dict[str, list[str]]:
  """By condition, the fusion arms that it is made of.

  For Shapley values an arm has no other modalities withheld than it sees.
  """
  known, wanted = run.config.known_arms, run.config.controls
  fusions = [
    a
    for a in run.plan.listed
    if a in run.models['arms']
    and known[a].strategy != arm_lib.SINGLE
    and len(known[a].modalities) > 1
  ]
  if not fusions:
    return {}
  found = {name: [*fusions] for name in wanted.names}
  sides = {side: run.cohort.named(side) for side in types.SIDES}
  for arm in fusions if wanted.shapley else ():
    for name in conditions_lib.of_shapley(known[arm].modalities, sides):
      arms = found.setdefault(name, [])
      if arm not in arms:
        arms.append(arm)
  return found


def _tables(run, condition, pieces: Iterable[_Piece]):
  for piece in pieces:
    arrays = run.store.read(piece.key).arrays
    rows = arrays[_ROWS]
    if not len(rows):
      continue
    yield finished.table(
      run.cohort, piece.arm, piece.place, condition, rows, arrays[_LOGITS]
    )


def _changed(run, condition, missing) -> None:
  """Lands predictions of studies of which one modality is changed."""
  for group in changes.together(run.splits):
    cells = {(s.repeat, s.fold) for s in group}
    pieces = [p for p in missing if p.place[:2] in cells]
    if not pieces:
      continue
    start = time.perf_counter()
    cohort, done = changes.change(
      run.cohort, condition, group, seed=run.config.seed
    )
    rows = {(s.repeat, s.fold): np.zeros(0, np.int64) for s in group}
    rows.update({(s.repeat, s.fold): s.test for s in done})
    able = {x for x in _fleet(run, pieces) if len(rows[x[:2]])}
    work = frozen.Frozen(
      run.config,
      run.models,
      run.store,
      cohort,
      places=able,
      rows=lambda place, rows=rows: rows[place[:2]],
    )
    for arm in dict.fromkeys(p.arm for p in pieces):
      logits = work.logits(arm) if able else {}
      seconds, start = time.perf_counter() - start, time.perf_counter()
      for p in pieces:
        if p.arm != arm:
          continue
        at = rows[p.place[:2]]
        values = np.zeros((0, run.cohort.task.num_outputs))
        if p.place in able:
          values = logits[p.place][at]
        _land(run, condition, p, at, values, seconds)


def _fleet(run, pieces) -> set[frozen.Place]:
  """All places of the pieces' folds and seeds, also those that are finished.

  How models are laid out on devices then does not depend on where a run was
  interrupted.
  """
  return {
    (*cell, seed)
    for cell in {p.place[:2] for p in pieces}
    for seed in {p.place[2] for p in pieces}
  }


def emap_rows(
  cohort: cohort_lib.Cohort, split: splits_lib.Split, studies: int, seed: int
) -> np.ndarray:
  """Sorted test rows with both modalities, of at most `studies` studies.

  Whole patients are taken in random order, each one who still fits.
  """
  complete = np.all(list(cohort.present.values()), axis=0)
  rows = split.test[complete[split.test]]
  if len(rows) > studies:
    rng = np.random.default_rng([seed, split.repeat, split.fold, _EMAP_STREAM])
    _, inverse, counts = np.unique(
      cohort.patient[rows], return_inverse=True, return_counts=True
    )
    kept, left = [], studies
    for number in rng.permutation(len(counts)):
      if counts[number] <= left:
        kept.append(number)
        left -= counts[number]
    rows = rows[np.isin(inverse, kept)]
  return np.sort(rows)


def _emaps(run, condition, missing) -> None:
  """Lands EMAPs of the studies that `emap_rows` names."""
  for split in run.splits:
    cell = split.repeat, split.fold
    pieces = [p for p in missing if p.place[:2] == cell]
    if not pieces:
      continue
    rows = emap_rows(
      run.cohort, split, run.config.controls.emap_studies, run.config.seed
    )
    work = frozen.Frozen(
      run.config,
      run.models,
      run.store,
      run.cohort.subset(rows),
      places=_fleet(run, pieces),
    )
    for arm in dict.fromkeys(p.arm for p in pieces):
      start = time.perf_counter()
      loaded = work.load(arm) if len(rows) else None
      for p in pieces:
        if p.arm != arm:
          continue
        values = np.zeros((0, run.cohort.task.num_outputs))
        if loaded:
          k = loaded.places.index(p.place)
          grid = pairs.logits(
            loaded.learner, loaded.trained[k], loaded.inputs[k]
          )
          values = pairs.project(grid)
        seconds, start = time.perf_counter() - start, time.perf_counter()
        _land(run, condition, p, rows, values, seconds)


def _land(run, condition, piece, rows, logits, seconds) -> None:
  # Arms made of the same parts share their models.
  if run.store.has(piece.key):
    return
  repeat, fold, seed = piece.place
  record = {
    'control': condition,
    'arm': piece.arm,
    'repeat': repeat,
    'fold': fold,
    'seed': seed,
    'seconds': seconds,
  }
  run.store.write(
    piece.key, record=record, arrays={_ROWS: rows, _LOGITS: logits}
  )
  run.store.log('control', key=piece.key, **record)


@functools.cache
def _source_digest() -> str:
  here = pathlib.Path(__file__).parent
  return closure.digest_of([here / name for name in SOURCES])


def _key(condition: str, models: Sequence[str], options: Mapping) -> str:
  causes = {
    'control': condition,
    'models': list(models),
    'options': dict(options),
    'source': _source_digest(),
  }
  text = json.dumps(causes, sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()[:24]
