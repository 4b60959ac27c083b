"""What published studies show of the gain of fusion, computed anew.

  python -m experiments.evidence --out=DIR
  python -m experiments.evidence --studies=FILE --out=DIR

Exact intervals from counts, standard errors from events or intervals, pooled
gains, forest and funnel plot. What is unknown stays unknown.
"""

import pathlib

from absl import flags

from experiments import launch
from fusion_jax.core import errors
from fusion_jax.evaluation import published, synthesis
from fusion_jax.report import evidence

STUDIES = pathlib.Path(__file__).parent / 'published' / 'studies.csv'

_STUDIES = flags.DEFINE_string(
  'studies', '', 'A table of studies; empty for the one of this project.'
)
_OUT = flags.DEFINE_string('out', '', 'Folder of evidence.json and the rest.')
_DOCS = flags.DEFINE_string(
  'docs', '', 'Folder to write evidence.md and its SVG figures to as well.'
)


def _run() -> int:
  if not (_OUT.value or _DOCS.value):
    raise errors.UserError('Say where the results should go with --out=DIR.')
  studies = published.read(_STUDIES.value or STUDIES)
  result = synthesis.synthesise(studies)
  written = evidence.write(result, _OUT.value) if _OUT.value else []
  if _DOCS.value:
    written += evidence.write_docs(result, _DOCS.value)
  count = result['counts']
  print(
    f'{count["studies"]} studies, {count["fusion"]} with a checked result of '
    f'fusion, {count["events"]} with a known number of events.'
  )
  for path in written:
    print(path)
  return 0


if __name__ == '__main__':
  launch.main(_run)
