"""What published studies show of the gain of fusion, computed anew.

  python -m experiments.studies.evidence --out=DIR
  python -m experiments.studies.evidence --studies=FILE --out=DIR

Exact intervals from counts, standard errors from events or intervals, pooled
gains, forest and funnel plot. What is unknown stays unknown.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

import rich.text
from absl import flags

from experiments.studies.published import page, synthesis
from experiments.studies.published import studies as studies_lib
from fusion_jax.core import errors
from fusion_jax.launch import launch, output, terminal
from fusion_jax.report import tables
from fusion_jax.report import text as text_lib

STUDIES = pathlib.Path(__file__).parent / 'published' / 'studies.csv'

_STUDIES = flags.DEFINE_string(
  'studies', '', 'A table of studies; empty for the one of this project.'
)
_OUT = flags.DEFINE_string('out', '', 'Folder of evidence.json and the rest.')
_DOCS = flags.DEFINE_string(
  'docs', '', 'Folder to write evidence.md and its SVG figures to as well.'
)


def _pooled(result: Mapping[str, Any]) -> tables.Table:
  """The pooled gain of the primary and the wider choice of studies."""
  errors_from = result['pooled'][0]['errors']
  primary = {**result['primary'], 'errors': errors_from}
  rows = []
  for p in result['pooled']:
    if all(p[x] == primary[x] for x in ('correlation', 'estimator', 'errors')):
      rows.append(
        [
          tables.word(p['rows']),
          tables.count(p['k']),
          _cell(p, 'low', 'high'),
          _new_study(p),
        ]
      )
  return tables.plain_table(
    'pooled',
    'Pooled gain over the best single modality, random effects',
    [
      tables.Column('studies with', word=True),
      tables.Column('studies'),
      tables.Column('gain [95%]', interval=True),
      tables.Column('a new study [95%]', interval=True),
    ],
    rows,
    note=f'{primary["estimator"].upper()}; Hartung and Knapp with max(1, q); '
    'the better single is taken as fixed; a correlation of '
    f'{primary["correlation"]} between two AUROCs on the same patients is '
    f'assumed; standard errors from {errors_from}.',
  )


def _cell(pooled: Mapping[str, Any], low: str, high: str) -> tables.Cell:
  number = text_lib.Number(
    pooled['estimate'], pooled[low], pooled[high], pooled.get('reason', '')
  )
  return tables.Cell(number=number, signed=True)


def _new_study(pooled: Mapping[str, Any]) -> tables.Cell:
  if pooled['prediction_low'] is not None or pooled.get('reason'):
    return _cell(pooled, 'prediction_low', 'prediction_high')
  number = text_lib.Number(None, None, None, pooled['prediction_reason'])
  return tables.Cell(number=number, signed=True)


def _run() -> int:
  if not (_OUT.value or _DOCS.value):
    raise errors.UserError('Say where the results should go with --out=DIR.')
  studies = studies_lib.read(_STUDIES.value or STUDIES)
  result = synthesis.synthesise(studies)
  written = page.write(result, _OUT.value) if _OUT.value else []
  if _DOCS.value:
    written += page.write_docs(result, _DOCS.value)
  count = result['counts']
  console = terminal.Console()
  console.print(
    f'{count["studies"]} studies, {count["fusion"]} with a checked result of '
    f'fusion, {count["both_singles"]} also of each single modality, '
    f'{count["one_single"]} of one only (in no pooled gain), '
    f'{count["events"]} with a known number of events.'
  )
  console.print()
  output.print_table(_pooled(result), console)
  console.print(rich.text.Text(page.egger(result['egger'])))
  for path in written:
    console.print(rich.text.Text(f'Wrote {path}'), soft_wrap=True)
  return 0


if __name__ == '__main__':
  launch.main(_run)
