r"""Holds every arm against a plain recipe, on small draws of a cohort.

  python -m experiments.studies.small_cohorts --cohort=NAME --data_root=DIR \
    --out=DIR
  python -m experiments.studies.small_cohorts --cohort=... --sizes=150 --out=DIR

The recipe is a logistic regression on principal components and the record
(small/recipe.py). The same command goes on where it stopped.
"""

import pathlib

from absl import flags

from experiments.studies.small import page, study
from fusion_jax.core import errors
from fusion_jax.launch import launch
from fusion_jax.parallel import cache

_COHORT = flags.DEFINE_string(
  'cohort', '', 'A shipped descriptor or a .toml, binary.'
)
_DATA_ROOT = flags.DEFINE_string('data_root', '', 'Where its data is.')
_SIZES = flags.DEFINE_list(
  'sizes', [str(x) for x in study.SIZES], 'Patients drawn; 0 for all.'
)
_DRAWS = flags.DEFINE_integer('draws', 5, 'Of each size.')
_OUT = flags.DEFINE_string('out', '', 'Folder of the runs and the page.')
_SET = flags.DEFINE_multi_string('set', [], 'NAME=VALUE of any setting.')


def _run() -> int:
  cache.keep_compiled_programs()
  if not (_COHORT.value and _DATA_ROOT.value and _OUT.value):
    raise errors.UserError('Give --cohort=NAME, --data_root=DIR and --out=DIR.')
  if not all(x.isdecimal() for x in _SIZES.value) or _DRAWS.value < 1:
    raise errors.UserError(
      f'--sizes={",".join(_SIZES.value)}, --draws={_DRAWS.value}: expected '
      'numbers of patients and at least one draw.'
    )
  folder = pathlib.Path(_OUT.value)
  for size in map(int, _SIZES.value):
    for draw in range(_DRAWS.value if size else 1):
      cell = study.Cell(_COHORT.value, _DATA_ROOT.value, size, draw)
      print(f'{cell.name}', flush=True)
      study.run(cell, folder, _SET.value)
  text = page.table(page.read(folder))
  print(text)
  (folder / 'small_cohorts.md').write_text(text, encoding='utf-8')
  return 0


if __name__ == '__main__':
  launch.main(_run)
