"""Malformed inputs of every kind: refused, warned of or rightly read.

Never a traceback, a hang, or a wrong result without a word.
"""

import pathlib
import re

import pytest
from absl.testing import absltest, parameterized

from tests.launch import server
from tests.malformed import (
  case,
  descriptor_cases,
  image_cases,
  launcher_cases,
  league_cases,
  modality_cases,
  nifti_cases,
  predictions_cases,
  series_cases,
  settings_cases,
  table_cases,
  vector_cases,
  volume_cases,
)

ALL = (
  *descriptor_cases.CASES,
  *table_cases.CASES,
  *image_cases.CASES,
  *modality_cases.CASES,
  *series_cases.CASES,
  *volume_cases.CASES,
  *vector_cases.CASES,
  *nifti_cases.CASES,
  *predictions_cases.CASES,
  *settings_cases.CASES,
  *launcher_cases.CASES,
  *league_cases.CASES,
)

_LIMIT = 60.0
# So many lines of one kind are listed before they are summed up.
_MOST_LINES = 30
# Of each class of tests, so that several processes share the corpus.
_SHARE = 60


class CorpusTest(absltest.TestCase):
  def test_there_are_enough_and_their_names_differ(self):
    names = [x.name for x in ALL]
    self.assertLen(set(names), len(names))
    self.assertGreaterEqual(len(names), 500)


class _CasesTest(parameterized.TestCase):
  """Runs the cases of one share."""

  def check(self, x: case.Case) -> None:
    folder = pathlib.Path(self.create_tempdir().full_path) / 'work'
    folder.mkdir()
    x.make(folder)
    aside = folder.parent / 'aside'
    aside.mkdir()
    code, out, err = server.started().run(
      x.module,
      x.flags,
      folder=folder,
      aside=aside,
      limit=_LIMIT,
      limits=x.limits,
      environment={'XDG_CACHE_HOME': f'{aside}/cache', **x.environment},
    )
    said = f'{x.name}: {code}\n{out[-3000:]}\n{err[-3000:]}'
    self.assertIsNotNone(code, f'{x.name} hangs')
    self.assertNotIn('Traceback', out + err)
    # What an input tried to run.
    self.assertEmpty([*folder.rglob(case.RUN)], said)
    self.assertEmpty([*folder.parent.rglob('fault-*.txt')], said)
    self.assertEqual(code, x.code, said)
    self.assertNotRegex(out + err, '[\x00-\x08\x0b-\x1f\x7f]')
    text = ' '.join((out + err).split())
    for word in x.words:
      self.assertIn(' '.join(word.split()), text, said)
    self.assertLess(max(map(len, (out + err).split('\n'))), 2500)
    if x.outcome == case.REFUSED and code == 2:
      lines = err.strip().split('\n')
      self.assertBetween(len(lines), 1, _MOST_LINES, said)
    elif x.outcome == case.REFUSED:
      found = re.findall('^error: ', out, re.M)
      self.assertBetween(len(found), 1, _MOST_LINES, said)
      self.assertNotIn('\n0 errors', out)
    elif x.module == 'prepare':
      warned = x.outcome == case.WARNED
      self.assertEqual('warning: ' in out, warned, said)
      self.assertIn('\n0 errors', out)


def _share(cases):
  @parameterized.named_parameters((x.name, x) for x in cases)
  def test(self, x):
    self.check(x)

  return type('CasesTest', (_CasesTest,), {'test': test})


for _at in range(0, len(ALL), _SHARE):
  _name = f'Cases{_at // _SHARE}Test'
  globals()[_name] = pytest.mark.slow(
    type(_name, (_share(ALL[_at : _at + _SHARE]),), {'__module__': __name__})
  )


if __name__ == '__main__':
  absltest.main()
