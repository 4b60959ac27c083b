"""The factor that the runs of dependence.py lead to, as a page."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.studies.calibration import cells as cells_lib
from experiments.studies.calibration import dependence, findings
from fusion_jax.evaluation import caveats
from fusion_jax.evaluation import dependence as factor_lib

PAGE = 'dependence.md'

_LEARNERS = {
  dependence.LDA: 'LDA',
  dependence.ELASTIC_NET: 'elastic net',
  dependence.TREES: 'boosted trees',
  dependence.NETWORK: 'small network',
}
_SHOWN = (1.0, 1.1, 1.2, 1.3)


def judge(results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
  """The results of `cells.run` with the factor that they lead to.

  Returns:
    `factor`: the smallest at which no judged cell fails, None if there is none;
    `failing`: by factor, names of the failing cells; `cells`: rows.
  """
  rows = [_row(result) for result in results.values()]
  judged = [r for r in rows if r['judged']]
  failing = {
    f: [r['name'] for r in judged if r['fails'][f]] for f in dependence.FACTORS
  }
  sound = [f for f, names in failing.items() if not names]
  return {
    'factor': min(sound) if sound and judged else None,
    'failing': failing,
    'cells': rows,
  }


def close(judged: Mapping[str, Any]) -> list[str]:
  """Cells that fail at the factor below the one of `judge`, by name.

  Whether they fail at that one too is worth more runs.
  """
  below = [f for f in judged['failing'] if f < (judged['factor'] or 0)]
  return judged['failing'][max(below)] if below else []


def _row(result) -> dict[str, Any]:
  cell, tallies = result['cell'], result['tallies']
  fewest = tallies['fewest'].mean
  return {
    'name': cell.name,
    'cell': cell,
    'runs': tallies['fewest'].runs,
    'fewest': fewest,
    'judged': cell.part in dependence.JUDGED
    and fewest >= caveats.FEWEST_PATIENTS,
    'ratio': math.sqrt(tallies['squared_z'].mean),
    'tallies': tallies,
    'fails': {
      f: [n for n in findings.NOMINAL if _failed(tallies, n, f)]
      for f in dependence.FACTORS
    },
  }


def _failed(tallies, name, factor) -> bool:
  tally = tallies.get(f'{name}@{factor:.2f}', cells_lib.Tally())
  return bool(tally.runs) and findings.fails(name, tally)


def page(results: Mapping[str, Any], *, command: str) -> str:
  """The results of `judge` as Markdown.

  Args:
    results: of `judge`.
    command: what made them.
  """
  factor = results['factor']
  rows = results['cells']
  learners = [n for n in _LEARNERS if any(r['cell'].part == n for r in rows)]
  chosen = (
    f'**The factor is {factor:.2f}**: the smallest of 1.00, 1.05, ... at which '
    'no judged cell fails. Cells that fail at the factor below it were run '
    'more often.'
    if factor
    else '**At no factor tried did every judged cell pass.**'
  )
  used = factor_lib.FACTOR
  if factor != used:
    chosen += f' The library uses {used:.2f}.'
  paragraphs = [
    '# What shared training data cost',
    f'Written by\n\n```sh\n{command}\n```',
    'In cross-validation a tested patient is in the training part of the other '
    "folds' models. So the errors of the folds depend on each other, which a "
    'bootstrap of patients with fixed models does not see (Bates, Hastie and '
    'Tibshirani, 2024, JASA 119, 1434-1445). Standard errors of every bound '
    'are multiplied by a factor ([statistics.md](statistics.md#the-factor)). '
    'This page is where it comes from.',
    'Each run makes a cohort of n patients of whom half have the event, '
    'divides it into K folds, trains image, EHR and fusion models (all '
    'columns; the mean of the two single scores; three parts image to one part '
    'EHR) on the other folds, and asks the verdict on the gain over the best '
    'single modality, at every factor. Columns are normal given the label, so '
    'that the true AUROC of a linear score is known exactly for the very '
    'models of the run; that of '
    f'trees and networks is measured on {dependence.FRESH:,} new patients. '
    '*Copy*: the EHR is a noisy copy of the image, fusion cannot gain. *Tied*: '
    'two independent modalities of AUROC .75. *Noise*: the EHR says nothing. '
    f'Columns: {sum(dependence.FEW)} or {sum(dependence.MANY)}. Learners: '
    'linear discriminant analysis with a ridge; an elastic net (least squares '
    'on the label, a tenth of the penalty that removes every column); '
    'histogram boosting; a network of 16 hidden units.',
    findings.CRITERION + ' LDA and the elastic net are judged; the others are '
    'shown.',
    chosen,
    '\n'.join(_failing(results)),
    'In the tables: *error / SE*, the root mean square of the error of a '
    "difference in the bootstrap's standard errors (1 if these were right, "
    'more where they are too small); the share of *arms* and of *differences* '
    '(fusion - single, one by one) whose interval holds the truth; *gains*, '
    'the share of runs in which all three intervals of the gain do; and wrong '
    'verdicts. Each at the factor of its column. Percentages of n/a: no arm of '
    'that truth in any run.',
  ]
  for learner in learners:
    own = [r for r in rows if r['cell'].part == learner]
    paragraphs += [
      f'## {_LEARNERS[learner].capitalize()}'.replace('Lda', 'LDA'),
      _coverage(own),
      _errors(own, factor or used),
    ]
  return '\n\n'.join(filter(None, paragraphs)) + '\n'


def _failing(results) -> list[str]:
  """A line for every factor at which some cell fails."""
  lines = []
  judged = sum(r['judged'] for r in results['cells'])
  for factor, names in results['failing'].items():
    lines.append(
      f'- {factor:.2f}: {len(names)} of {judged} judged cells fail'
      + (
        f' ({", ".join(names[:4])}{", ..." if names[4:] else ""}).'
        if names
        else '.'
      )
    )
    if not names:
      break
  return lines


def _coverage(rows: Sequence[Mapping[str, Any]]) -> str:
  names = {
    'arm_covered': 'arms',
    'single_covered': 'differences',
    'covered': 'gains',
  }
  header = ['world', 'columns', 'n', 'K', 'runs', 'error / SE']
  header += [f'{title} {f:.2f}' for title in names.values() for f in _SHOWN]
  lines = [header, ['---'] * len(header)]
  for r in rows:
    lines.append(
      [*_start(r), _ratio(r['ratio'])]
      + [_percent(r, name, f) for name in names for f in _SHOWN]
    )
  return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def _errors(rows, factor) -> str:
  names = ('superior', 'inferior', 'equivalent')
  header = ['world', 'columns', 'n', 'K', 'runs']
  header += [
    f'"{name}" wrongly {f:.2f}' for name in names for f in (1.0, factor)
  ]
  header += ['criterion 1.00', f'criterion {factor:.2f}']
  lines = [header, ['---'] * len(header)]
  for r in rows:
    lines.append(
      [*_start(r)]
      + [_percent(r, name, f) for name in names for f in (1.0, factor)]
      + [_state(r, f) for f in (1.0, factor)]
    )
  return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def _start(row) -> list[str]:
  cell = row['cell']
  return [
    cell.layout,
    str(sum(cell.columns)),
    str(cell.n),
    str(cell.folds),
    str(row['runs']),
  ]


def _ratio(value: float) -> str:
  # A difference without bootstrap variance has no ratio.
  return f'{value:.2f}' if math.isfinite(value) else 'n/a'


def _percent(row, name, factor) -> str:
  tally = row['tallies'].get(f'{name}@{factor:.2f}', cells_lib.Tally())
  return f'{100 * tally.mean:.1f}%' if tally.runs else 'n/a'


def _state(row, factor) -> str:
  if not row['judged']:
    return 'shown'
  failed = row['fails'][factor]
  names = ', '.join(findings.NAMES[n] for n in failed)
  return f'{findings.FAIL} ({names})' if failed else findings.PASS
