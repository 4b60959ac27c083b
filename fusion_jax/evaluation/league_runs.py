"""What finished runs say of the gain of fusion, for a league of them."""

import collections
import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.core import errors, words
from fusion_jax.evaluation import pilot, registration

# Of the studies of the smaller of two runs: if more have the id of a study of
# the other, both are taken to be of one cohort.
_SHARED = 0.5
# What of `made_of` is the method, whatever was done to fit it.
_PARTS = ('learner', 'combiner', 'rule', 'exchanges')
_INPUTS = ('modality', 'encoder', 'view')


@dataclasses.dataclass(frozen=True)
class Gain:
  """What one fusion arm of one run gained over the best single modality.

  Attributes:
    arm: its name, which is that of the method.
    strategy: 'early', 'joint', 'late'; empty where the run does not say.
    single: the best single modality.
    difference: the gain; positive is better.
    se: its standard error, the factor for shared training data included.
    low: simultaneous 95% bounds within the run.
    high: the upper one.
    verdict: of the run.
    parts: what the arm is made of, as text that can be compared.
  """

  arm: str
  strategy: str
  single: str
  difference: float
  se: float
  low: float
  high: float
  verdict: str
  parts: str


@dataclasses.dataclass(frozen=True)
class Run:
  """One finished run.

  Attributes:
    folder: its name as given.
    cohort: the name of its cohort.
    digest: of the cohort's content; empty where the run does not say.
    label: what is predicted.
    metric: of comparison.
    studies: that were tested.
    patients: that were tested.
    single: the best single modality.
    single_estimate: its metric.
    verdict: of the run's question, and in words.
    words: the same as the run says it.
    headline: the arm of the run's one gain; empty if there is none.
    gains: of its fusion arms.
    left_out: by arm, why its gain cannot be pooled.
    study_ids: of the tested studies; None where predictions are gone.
  """

  folder: str
  cohort: str
  digest: str
  label: str
  metric: str
  studies: int
  patients: int
  single: str
  single_estimate: float | None
  verdict: str
  words: str
  headline: str
  gains: tuple[Gain, ...]
  left_out: Mapping[str, str]
  study_ids: frozenset[str] | None


def read(folders: Sequence[str]) -> list[Run]:
  """The runs of a league.

  Args:
    folders: of finished runs, or of `evaluate`.

  Raises:
    UserError: for fewer than two folders, one that is named twice, that holds
      no summary or one of another version, that compares with one named arm or
      compares nothing; and if they compare by different metrics.
  """
  if len(folders) < 2:
    raise errors.UserError(
      f'--runs names {words.counted(len(folders), "run")}: a league pools two '
      'or more, --runs=A,B.'
    )
  places = collections.Counter(pathlib.Path(x).resolve() for x in folders)
  for folder in folders:
    if places[pathlib.Path(folder).resolve()] > 1:
      raise errors.UserError(f"--runs names '{folder}' more than once.")
  runs = [_read(x) for x in folders]
  first = runs[0]
  for run in runs[1:]:
    if run.metric != first.metric:
      raise errors.UserError(
        f"'{first.folder}' compares arms by {words.metric(first.metric)} and "
        f"'{run.folder}' by {words.metric(run.metric)}: only gains in one "
        'metric can be pooled. Make leagues of their own of them.'
      )
  return runs


def cohorts(runs: Sequence[Run], *, by_ids: bool = True) -> list[list[int]]:
  """Places of the runs of each cohort, in order of the first of each.

  Runs are of one cohort where their content is the same, or where more than
  half of the studies of the smaller one have ids of the other's. Only
  cohorts are independent of each other.

  Args:
    runs: of the league.
    by_ids: whether ids count.
  """
  found: list[list[int]] = []
  for i, run in enumerate(runs):
    same = [
      group
      for group in found
      if any(_of_one_cohort(runs[j], run, by_ids) for j in group)
    ]
    merged = sorted([i, *(j for group in same for j in group)])
    found = [g for g in found if g not in same] + [merged]
  return sorted(found)


def shared_ids(a: Run, b: Run) -> int | None:
  """How many studies of two runs have the same id; None where unknown."""
  if a.study_ids is None or b.study_ids is None:
    return None
  return len(a.study_ids & b.study_ids)


def _of_one_cohort(a: Run, b: Run, by_ids: bool) -> bool:
  if a.digest and a.digest == b.digest:
    return True
  shared = shared_ids(a, b) if by_ids else None
  if shared is None:
    return False
  return shared > _SHARED * min(len(a.study_ids), len(b.study_ids))


def _read(folder: str) -> Run:
  path = pathlib.Path(folder)
  summary = pilot.summary_of(path)
  reference = summary['evaluation']['reference']
  if reference != registration.BEST_SINGLE:
    raise errors.UserError(
      f"'{folder}' compares arms with '{reference}' and not with the best "
      'single modality: evaluate its predictions without --reference.'
    )
  if not summary['comparisons']:
    raise errors.UserError(
      f"'{folder}': no fusion arm was compared with a single modality."
    )
  arms, gains, left_out = summary['arms'], [], {}
  for entry in summary['comparisons']:
    arm = entry['arm']
    if entry['difference'] is None or not (entry['se'] or 0) > 0:
      left_out[arm] = entry.get('reason') or 'it has no standard error above 0'
      continue
    gains.append(
      Gain(
        arm=arm,
        strategy=arms[arm].get('strategy') or '',
        single=entry['single'],
        difference=entry['difference'],
        se=entry['se'],
        low=entry['low'],
        high=entry['high'],
        verdict=entry['verdict'],
        parts=_parts(arms[arm].get('made_of')),
      )
    )
  if not gains:
    raise errors.UserError(
      f"'{folder}': no gain can be pooled: {next(iter(left_out.values()))}."
    )
  best = summary['best_single']
  return Run(
    folder=folder,
    cohort=summary['cohort'].get('name') or path.name,
    digest=summary['cohort'].get('digest') or '',
    label=', '.join(summary['task']['names']),
    metric=summary['evaluation']['metric'],
    studies=summary['cohort']['studies'],
    patients=summary['cohort']['patients'],
    single=best['arm'] or '',
    single_estimate=best['estimate'],
    verdict=summary['question']['verdict'],
    words=summary['question']['words'],
    headline=(summary.get('gain') or {}).get('arm') or '',
    gains=tuple(gains),
    left_out=left_out,
    study_ids=_ids(path, summary),
  )


def _parts(made_of: Mapping[str, Any] | None) -> str:
  """Which parts an arm has; empty where the run does not say."""
  if not made_of:
    return ''
  inputs = [{k: x.get(k) for k in _INPUTS} for x in made_of.get('inputs', ())]
  found = {k: made_of.get(k) for k in _PARTS} | {'inputs': inputs}
  return json.dumps(found, sort_keys=True)


def _ids(path: pathlib.Path, summary: Mapping[str, Any]) -> frozenset | None:
  found = pilot.predictions_of(path, summary)
  return None if found is None else frozenset(found.study_id.tolist())
