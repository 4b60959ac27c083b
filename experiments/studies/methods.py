r"""Measures what every registered fusion part can do, on worlds with an answer.

  python -m experiments.studies.methods --out=DIR
  python -m experiments.studies.methods --out=DIR --rows=combiner:gated,rule
  python -m experiments.studies.methods --out=DIR --small
  python -m experiments.studies.methods --out=DIR \
    --record=docs/methods.md
  python -m experiments.studies.methods --out=DIR --curves \
    --rows=combiner:moe --modality=image --mechanism=informative

Three tests (docs/methods.md): interactions on the world `synergy`, modalities
that are absent in training or test on `complementary`, and the world of five
modalities. Each row is kept, and the same command goes on where it stopped.
With --record they are added to the table of that page. With
--curves, AUROC by how many studies lack a modality in training and in the test
is measured instead, as a table and a picture.
"""

import pathlib
import sys
import time

from absl import flags

from experiments.studies.zoo import curves, grounds, page, quick, subjects, work
from fusion_jax.ablation import store
from fusion_jax.core import errors, files, registry
from fusion_jax.launch import launch
from fusion_jax.parallel import cache

_OUT = flags.DEFINE_string('out', '', 'Folder of what is measured.')
_ROWS = flags.DEFINE_list(
  'rows', [], 'Parts, as KIND or KIND:NAME; all if empty.'
)
_TESTS = flags.DEFINE_list(
  'tests',
  list(work.EXPERIMENTS),
  'two (interactions and absent modalities), five (five modalities).',
)
_MINUTES = flags.DEFINE_float(
  'minutes', 0.0, 'After these no other row is begun; 0: never.'
)
_RECORD = flags.DEFINE_string(
  'record', '', 'A page, docs/methods.md, to whose table the rows are added.'
)
_SMALL = flags.DEFINE_bool(
  'small', False, 'In the form that the tests run: seconds a part.'
)
_CURVES = flags.DEFINE_bool('curves', False, 'Measures curves over rates.')
_MODALITY = flags.DEFINE_string('modality', 'image', 'That curves are about.')
_MECHANISM = flags.DEFINE_string(
  'mechanism', grounds.RANDOM, 'Of curves: random or informative.'
)
_IMPORT = flags.DEFINE_multi_string(
  'import', [], 'A module that registers parts of its own.'
)


def _run() -> int:
  cache.keep_compiled_programs()
  registry.import_parts(_IMPORT.value)
  for name in _TESTS.value:
    if name not in work.EXPERIMENTS:
      raise errors.unknown_name('test', name, work.EXPERIMENTS, where='--tests')
  if not _OUT.value:
    raise errors.UserError('Say where the rows should go with --out=DIR.')
  chosen = subjects.chosen(_ROWS.value)
  folder = pathlib.Path(_OUT.value)
  store.make_folder(folder)
  setting = quick.SETTING if _SMALL.value else grounds.Setting()
  at = work.Work(folder, setting, _tell, small=_SMALL.value)
  with launch.resumable(folder):
    if _CURVES.value:
      return _curves(at, chosen)
    failed = _measure(at, chosen)
  alone = {x.key: x for test in work.EXPERIMENTS for x in at.alone(test)}
  known = [*alone.values(), *subjects.every()]
  measured = at.merged(known)
  text = page.markdown(page.table(measured, known))
  with files.saving(folder / 'methods.md') as part:
    part.write_text(text, encoding='utf-8')
  print(text)
  if _RECORD.value:
    page.record(measured, pathlib.Path(_RECORD.value))
  return 1 if failed else 0


def _measure(at: work.Work, chosen) -> int:
  """Measures rows as far as the time goes; returns how many failed."""
  until = time.time() + 60 * _MINUTES.value if _MINUTES.value else None
  failed = 0
  for experiment in _TESTS.value:
    for subject in [*at.alone(experiment), *chosen]:
      if until and time.time() > until:
        _tell(f'{experiment}: {subject.key} is left for another time')
        continue
      try:
        at.row(subject, experiment)
      except errors.UserError as e:
        failed += 1
        _tell(f'{experiment}: {subject.key}: {e}')
  return failed


def _curves(at: work.Work, chosen) -> int:
  for subject in chosen:
    found = curves.measure(
      subject,
      at.setting,
      modality=_MODALITY.value,
      mechanism=_MECHANISM.value,
    )
    for path in curves.write(found, at.folder):
      print(path)
    print(curves.table(found))
  return 0


def _tell(line: str) -> None:
  print(line, file=sys.stderr, flush=True)


if __name__ == '__main__':
  launch.main(_run)
