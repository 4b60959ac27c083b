"""A methods section ready to paste, written from the facts of a run."""

from collections.abc import Mapping
from typing import Any

from fusion_jax.report import citations, made_of, prose
from fusion_jax.report import cohort as cohort_lib
from fusion_jax.report import content as content_lib
from fusion_jax.report import facts as facts_lib

_NOT_STATED = 'strategy not stated'
_OTHER_TESTS = ('delong', 'corrected_t', 'permutation')


def write(summary: Mapping[str, Any]) -> tuple[list[str], list[str]]:
  """Paragraphs of methods.txt and the references they cite.

  Args:
    summary: what `summary.json` holds; what it does not say is left to the
      authors in brackets.
  """
  cited = citations.Citations()
  paragraphs = prose.passages(
    'methods',
    facts_lib.of(summary),
    cite=cited.cite,
    flow=cohort_lib.flow_in_words(summary),
    strategies=_strategies(summary),
    fitted=made_of.fitted(summary),
    parts_and_settings=made_of.methods(summary),
    unfinished=[
      {'reason': '', **x}
      for x in summary.get('history') or ()
      if x['status'] != 'finished'
    ],
    without_models=facts_lib.without_models(summary),
    other_tests=[
      name
      for name in _OTHER_TESTS
      if any(
        ((x.get('without_factor') or {}).get(name) or {}).get('p') is not None
        for x in summary['comparisons']
      )
    ],
    controls_made=_controls(summary.get('controls') or {}),
    orders_drawn=any(
      'sampling_se' in share for share in _shares(summary.get('controls') or {})
    ),
    interactions=any(
      x.get('p_adjusted') is not None for x in summary.get('interactions') or ()
    ),
    image_value=bool((summary.get('image_value') or {}).get('arms')),
    backend=summary['run'].get('backend') or '',
  )
  return [x for x in paragraphs.values() if x], cited.references()


def _strategies(summary) -> dict[str, list[str]]:
  """Fusion arms by what their strategy is called."""
  by_strategy: dict[str, list[str]] = {}
  for arm, entry in summary['arms'].items():
    if entry['role'] == 'fusion':
      name = content_lib.STRATEGIES.get(entry.get('strategy'), _NOT_STATED)
      by_strategy.setdefault(name, []).append(arm)
  return by_strategy


def _controls(controls) -> list[str]:
  """The kinds of controls that were made for any arm."""
  made = {c for x in controls.values() for c in x.get('conditions') or ()}
  kinds = [
    kind
    for kind in ('permuted', 'noise', 'absent')
    if any(c.endswith(f'_{kind}') for c in made)
  ]
  kinds += [kind for kind in ('emap', 'ensemble') if kind in made]
  if any(x.get('estimate') is not None for x in _shares(controls)):
    kinds.append('shapley')
  return kinds


def _shares(controls) -> list[Mapping[str, Any]]:
  """Shapley values of all arms."""
  return [
    share
    for x in controls.values()
    for share in (x.get('shapley') or {}).values()
    if isinstance(share, Mapping)
  ]
