"""What published studies say together of the gain of fusion, JSON-ready."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.studies.published import reported
from experiments.studies.published import studies as studies_lib
from fusion_jax.evaluation import entries, meta_analysis

VERSION = 2
# Of the paired AUROCs of two models on the same patients, which no paper says.
CORRELATIONS = (0.0, 0.3, 0.6)
DEFAULT_CORRELATION = 0.3

EVENTS_KNOWN = 'events known'
ANY_ERROR = 'events known or interval published'
# The rows of an analysis, and where their standard errors come from: the
# published interval where there is one for both AUROCs, or the counts.
ANALYSES = (
  (EVENTS_KNOWN, 'interval, else counts'),
  (EVENTS_KNOWN, 'counts'),
  (ANY_ERROR, 'interval, else counts'),
)


@dataclasses.dataclass(frozen=True)
class _Row:
  """A study that has a gain with standard errors of both its terms."""

  study: studies_lib.Study
  gain: float
  fusion_se: float
  single_se: float

  def se(self, correlation: float) -> float:
    return reported.difference_se(self.fusion_se, self.single_se, correlation)


def synthesise(studies: Sequence[studies_lib.Study]) -> dict[str, Any]:
  """Per study: gain, interval, risk of bias; over studies: pooled gains.

  A gain is the AUROC of fusion minus that of the best single modality. A row
  that reports one single modality only has a gain over that one: it has its
  interval but is in no pooled gain (`one_single` names these rows). Only rows
  whose numbers of events and non-events are established enter the primary
  analysis. What is unknown is None, with a `reason`.
  """
  pooled = []
  for rows_of, errors_from in ANALYSES:
    rows, _ = _rows(studies, rows_of, errors_from)
    for correlation in CORRELATIONS:
      for estimator in meta_analysis.ESTIMATORS:
        pooled.append(
          {
            'rows': rows_of,
            'errors': errors_from,
            'correlation': correlation,
            **_pooled(rows, correlation, estimator),
          }
        )
  main, left_out = _rows(studies, *ANALYSES[0])
  wide, _ = _rows(studies, *ANALYSES[-1])
  shown, _ = _rows(studies, *ANALYSES[-1], both=False)
  egger = meta_analysis.egger(
    [r.gain for r in main], [r.se(DEFAULT_CORRELATION) for r in main]
  )
  return entries.plain(
    {
      'version': VERSION,
      'studies': [_study(s, shown) for s in studies],
      'counts': _counts(studies, main),
      'primary': {
        'rows': [r.study.text['id'] for r in main],
        'left_out': left_out,
        'correlation': DEFAULT_CORRELATION,
        'estimator': meta_analysis.REML,
      },
      'wider_rows': [r.study.text['id'] for r in wide],
      'one_single': [
        s.text['id']
        for s in studies
        if studies_lib.gain(s).get('both') is False
      ],
      'fewest_for_prediction': meta_analysis.FEWEST_FOR_PREDICTION,
      'pooled': pooled,
      'egger': dataclasses.asdict(egger),
    }
  )


def _errors(study, single, source):
  """((fusion, single) standard errors, reason)."""
  for kind in ('interval', 'counts') if 'interval' in source else ('counts',):
    found = [
      studies_lib.standard_error(study, role, source=kind)
      for role in ('fusion', single)
    ]
    reason = next((r for _, r in found if r), '')
    if not reason:
      return tuple(se for se, _ in found), ''
  return (math.nan, math.nan), reason


def _rows(studies, rows_of, errors_from, *, both=True):
  """The rows of an analysis, and by id why others are left out.

  `both` asks for a result of each single modality.
  """
  rows, left_out = [], {}
  for study in studies:
    found = studies_lib.gain(study)
    name = study.text['id']
    if found['estimate'] is None:
      left_out[name] = found['reason']
      continue
    if both and not found['both']:
      other = 'image' if found['single'] == 'ehr' else 'record'
      left_out[name] = (
        f'no result of the {other} alone: no gain over the best single modality'
      )
      continue
    if study.get('metric') != studies_lib.AUROC:
      left_out[name] = f'the metric is {study.get("metric") or "unknown"}'
      continue
    known = None not in (study.get('events'), study.get('non_events'))
    if rows_of == EVENTS_KNOWN and not known:
      left_out[name] = 'the number of events is unknown'
      continue
    pair, reason = _errors(study, found['single'], errors_from)
    if reason or not min(pair) > 0:
      left_out[name] = reason or 'a standard error is 0'
      continue
    rows.append(_Row(study, found['estimate'], *pair))
  return rows, left_out


def _pooled(rows, correlation, estimator) -> dict[str, Any]:
  if len(rows) < 2:
    empty = {f.name: None for f in dataclasses.fields(meta_analysis.Pooled)}
    return {
      **empty,
      'unmodified': None,
      'estimator': estimator,
      'k': len(rows),
      'reason': f'{len(rows)} studies can be pooled, two are needed',
    }
  se = np.array([r.se(correlation) for r in rows])
  gains = np.array([r.gain for r in rows])
  found = meta_analysis.pool(gains, se**2, estimator)
  plain = meta_analysis.pool(gains, se**2, estimator, modified=False)
  return {
    **dataclasses.asdict(found),
    'unmodified': {x: getattr(plain, x) for x in ('se', 'low', 'high', 'p')},
  }


def _study(study, rows) -> dict[str, Any]:
  row = next((r for r in rows if r.study is study), None)
  gain = studies_lib.gain(study)
  if row is not None:
    se = row.se(DEFAULT_CORRELATION)
    reach = 1.959963984540054 * se
    gain |= {'se': se, 'low': row.gain - reach, 'high': row.gain + reach}
  elif gain['estimate'] is not None:
    reason = _rows([study], *ANALYSES[-1], both=False)[1][study.text['id']]
    gain |= {'se': None, 'low': None, 'high': None, 'reason': reason}
  errors = {}
  for role in studies_lib.ROLES:
    errors[role] = {}
    for source in ('counts', 'interval'):
      se, reason = studies_lib.standard_error(study, role, source=source)
      errors[role][source] = {
        'se': se,
        **({'reason': reason} if reason else {}),
      }
  return {
    'name': study.name,
    'cells': {
      column: {'text': study.text[column], 'state': study.state[column]}
      for column in studies_lib.COLUMNS
    },
    'gain': gain,
    'standard_errors': errors,
    'exact_interval': studies_lib.exact_interval(study),
    'risk_of_bias': studies_lib.risk_of_bias(study),
  }


def _counts(studies, main) -> dict[str, int]:
  def of(column):
    return sum(s.get(column) is not None for s in studies)

  review = [s for s in studies if s.get('in_review')]
  return {
    'studies': len(studies),
    'in_review': len(review),
    'unknown': sum(
      s.text['confidence'] == studies_lib.UNKNOWN for s in studies
    ),
    'from_memory': sum(
      s.text['confidence'] == studies_lib.MEMORY for s in studies
    ),
    'fusion': of('fusion'),
    'both_singles': sum(
      studies_lib.risk_of_bias(s)['both_singles'] is True for s in studies
    ),
    'one_single': sum(
      studies_lib.gain(s).get('both') is False for s in studies
    ),
    'interval': sum(
      s.get('fusion_low') is not None and s.get('fusion_high') is not None
      for s in studies
    ),
    'events': of('events'),
    'pooled': len(main),
  }
