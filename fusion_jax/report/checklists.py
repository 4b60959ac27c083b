"""Reporting checklists: what a run can answer, and what only authors can.

TRIPOD+AI (Collins et al., 2024), CLAIM (2024 update, Tejani et al.) and
PROBAST+AI (Moons et al., 2025), by own short labels; an item has an answer only
if the summary holds it, and counts as answered only if that is all it asks for.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.report import cohort as cohort_lib
from fusion_jax.report import controls, made_of, prose
from fusion_jax.report import facts as facts_lib

REST = '; the rest is for the authors'


@dataclasses.dataclass(frozen=True)
class Item:
  """One item; `answer` is empty where it is for the authors."""

  number: str
  label: str
  answer: str

  def in_part(self) -> bool:
    """Whether something is left to the authors."""
    return self.answer.endswith(REST)


@dataclasses.dataclass(frozen=True)
class Checklist:
  """A checklist with the answers of one run."""

  name: str
  about: str
  items: Sequence[Item]

  def answered(self) -> int:
    """How many items leave nothing to the authors."""
    return sum(bool(x.answer) and not x.in_part() for x in self.items)


def build(
  summary: Mapping[str, Any], curves: Mapping[str, Any] | None = None
) -> list[Checklist]:
  """All checklists as far as a summary answers them."""
  known = answers(summary, curves)

  def answer(passage: str = '', part: str = '') -> str:
    text = known[passage] if passage else ''
    return text + REST if text and part else text

  return [
    Checklist(
      entry['name'],
      entry['about'],
      [
        Item(number, label, answer(*asked))
        for number, label, *asked in entry['items']
      ],
    )
    for entry in prose.data('checklists')['checklist']
  ]


def answers(
  summary: Mapping[str, Any], curves: Mapping[str, Any] | None = None
) -> dict[str, str]:
  """Every passage of answers.txt; '' where a run does not know."""
  facts = facts_lib.of(summary)
  arms = summary['arms']
  table1 = summary['cohort'].get('table1') or {}
  features = {x['feature'] for x in table1.get('rows') or ()}
  groups = {x['by'] for x in table1['columns']} - {'all'} if features else ()
  needs = (summary.get('question') or {}).get('patients_needed') or {}
  return prose.passages(
    'answers',
    facts,
    rest=REST,
    fitted=made_of.fitted(summary),
    flow=cohort_lib.flow_in_words(summary),
    features=len(features),
    by=sorted(groups),
    patients_needed=(needs.get('superior') or {}).get('patients'),
    late_arms=[a for a, x in arms.items() if x.get('strategy') == 'late'],
    gaps=bool(summary.get('equalised_odds')),
    metrics=list(dict.fromkeys(x.split('/')[0] for x in facts.metrics)),
    curves=bool(curves),
    thresholds_chosen=any(
      'reason' not in place
      for x in arms.values()
      for place in x.get('thresholds') or ()
    ),
    folder=summary['run'].get('folder') or '',
    shapley=bool(controls.shapley(summary)),
    net_benefit=any(
      kind.startswith('decision') for x in (curves or {}).values() for kind in x
    ),
  )
