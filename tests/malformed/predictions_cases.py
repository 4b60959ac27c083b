"""Cases of files of predictions and of the flags that go with them."""

import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet

from tests.malformed import case

_N = 40
_FLAGS = (
  '--reference=a',
  '--out=out',
  '--quiet',
  '--set=evaluation.replicates=50',
)
# What has to come out: the AUROCs of both arms.
_READ = '.500 a -> .750 b'


def _columns() -> dict[str, list[str]]:
  """Two arms on N studies: 'a' is chance, 'b' has an AUROC of .75."""
  label = [i % 2 for i in range(_N)]
  chance = [0.25 + 0.5 * (i // 2 % 2) for i in range(_N)]
  good = [
    0.8 if y else (0.9 if i // 2 % 4 == 0 else 0.1) for i, y in enumerate(label)
  ]
  return {
    'study_id': [f's{i}' for i in range(_N)] * 2,
    'patient_id': [f'p{i}' for i in range(_N)] * 2,
    'arm': ['a'] * _N + ['b'] * _N,
    'label': [str(y) for y in label] * 2,
    'score': [str(x) for x in (*chance, *good)],
  }


def _of(name, outcome, words, code, content, file, flags=()):
  words = (words,) if isinstance(words, str) else words

  def make(folder):
    if content is not None:
      case.write(folder / file, content)

  return case.Case(
    f'predictions_{name}',
    outcome,
    words,
    make,
    'evaluate',
    (f'--predictions={file}', *_FLAGS, *flags),
    code,
  )


def _refused(name, words, content, file='p.csv'):
  return _of(name, case.REFUSED, words, 2, content, file)


def _flag(name, words, *flags):
  return _of(f'flag_{name}', case.REFUSED, words, 2, _TEXT, 'p.csv', flags)


def _cells(name, words, **changes):
  """Columns of which the first cells are changed; None leaves one out."""
  columns = _columns()
  for column, cells in changes.items():
    if cells is None:
      del columns[column]
      continue
    cells = [cells] if isinstance(cells, str) else cells
    rest = columns.get(column, ['0' if column in _ZERO else ''] * 2 * _N)
    columns[column] = [*cells, *rest[len(cells) :]]
  return _refused(name, words, case.text_of(columns))


_ZERO = ('fold', 'seed', 'repeat')
_TEXT = case.text_of(_columns())


def _parquet(name, words, *, metadata=None, columns=(), cut=None, code=2):
  table = pa.table(_columns())
  for column, values in dict(columns).items():
    table = table.append_column(column, pa.array(values))
  for column in ('label', 'score'):
    at = table.column_names.index(column)
    table = table.set_column(at, column, table[column].cast(pa.float64()))
  if metadata is not None:
    table = table.replace_schema_metadata({'fusion_jax': metadata})
  out = io.BytesIO()
  pyarrow.parquet.write_table(table, out)
  outcome = case.REFUSED if code else case.READ
  return _of(
    f'parquet_{name}', outcome, words, code, out.getvalue()[:cut], 'p.parquet'
  )


def _stored(**task) -> str:
  return json.dumps({'version': 1, 'task': task})


def _survival(name, words, **changes):
  """Rows of a survival task with cells changed."""
  columns = _columns()
  del columns['label']
  columns['time'] = [str(1 + i % 7) for i in range(_N)] * 2
  columns['event'] = [str(i % 2) for i in range(_N)] * 2
  for column, cell in changes.items():
    columns[column] = [cell, *columns.get(column, ['0.5'] * 2 * _N)[1:]]
  return _refused(f'survival_{name}', words, case.text_of(columns))


def _classes(name, words, **changes):
  """Rows of a multiclass task with cells changed."""
  columns = _columns()
  columns['label'] = ['x' if y == '1' else 'z' for y in columns['label']]
  columns['score_x'] = columns.pop('score')
  columns['score_z'] = [f'{1 - float(x):.3f}' for x in columns['score_x']]
  for column, cell in changes.items():
    columns[column] = [cell, *columns[column][1:]]
  return _refused(f'classes_{name}', words, case.text_of(columns))


def _many_arms() -> str:
  columns = _columns()
  first = {k: v[:_N] for k, v in columns.items()}
  many = {k: v * 101 for k, v in first.items()}
  many['arm'] = [f'm{i // _N}' for i in range(101 * _N)]
  return case.text_of(many)


CASES = (
  _refused('absent', 'No such file of predictions', None),
  _refused('kind', "not '.txt'", _TEXT, 'p.txt'),
  _refused('no_suffix', 'predictions are read from', _TEXT, 'p'),
  _refused('empty', 'p.csv', ''),
  _refused('header_only', 'p.csv', _TEXT.partition('\n')[0] + '\n'),
  _refused('no_header', 'has no column', _TEXT.partition('\n')[2]),
  _refused('binary', 'p.csv', bytes(range(256)) * 9),
  _refused('latin1', 'p.csv', _TEXT.replace('p1', 'é').encode('latin-1')),
  _refused('nul', 'p.csv', _TEXT.replace('s1,', '\x00,', 1)),
  _refused('short_row', 'p.csv', _TEXT + 's9,p9\n'),
  _refused('long_row', 'p.csv', _TEXT + 's9,p9,a,1,1,1\n'),
  _refused('open_quote', 'p.csv', _TEXT.replace('s3,', '"s3,', 1)),
  _refused('html', 'p.csv', '<!DOCTYPE html>\n<html>\n'),
  _refused(
    'same_name', "several columns 'arm'", _TEXT.replace('score', 'arm', 1)
  ),
  _refused('many_arms', '101 arms; at most 100', _many_arms()),
  _cells('no_study', "no column 'study_id'", study_id=None),
  _cells('no_patient', "no column 'patient_id'", patient_id=None),
  _cells('no_arm', "no column 'arm'", arm=None),
  _cells('no_label', "no column 'label'", label=None),
  _cells('no_score', "no column 'score'", score=None),
  _cells('blank_study', "'study_id' is blank", study_id=''),
  _cells('blank_patient', "'patient_id' is blank", patient_id=''),
  _cells('blank_arm', "'arm' is blank", arm=''),
  _cells('label_2', 'p.csv', label='2'),
  _cells('label_word', 'expected a number', label='yes'),
  _cells('labels_1_2', 'a binary label is 0 or 1', label=['1', '2'] * _N),
  _cells('label_differs', 'different labels', label='1'),
  _cells('score_above', 'probabilities', score='1.5'),
  _cells('score_below', 'probabilities', score='-0.1'),
  _cells('score_nan', 'missing or infinite score', score='nan'),
  _cells('score_infinite', 'missing or infinite score', score='inf'),
  _cells('score_overflow', 'missing or infinite score', score='1e400'),
  _cells('score_blank', 'missing or infinite score', score=''),
  _cells('score_word', "got 'high'", score='high'),
  _cells('score_comma', 'p.csv', score='0,5'),
  _cells('score_digits', 'missing or infinite score', score='9' * 5000),
  _cells('fold_half', 'expected a whole number', fold='1.5'),
  _cells('fold_huge', 'expected a whole number', fold='1e300'),
  _cells('fold_word', "got 'one'", fold='one'),
  _cells('seed_word', "got 'x'", seed='x'),
  _cells('seed_digits', 'p.csv', seed='9' * 5000),
  _cells('part_blank', "'part' is blank", part=['test', '']),
  _cells('part_train', "unknown part 'train'", part=['train'] * 2 * _N),
  _cells('part_valid', "no row has part 'test'", part=['valid'] * 2 * _N),
  _cells(
    'condition',
    "no row has part 'test' and condition",
    condition=['emap'] * 2 * _N,
  ),
  _cells(
    'weight_negative', 'has weight -1', weight=['-1'] + ['1'] * (2 * _N - 1)
  ),
  _cells('weight_huge', 'has weight 1e+308', weight=['1e308'] * 2 * _N),
  _cells('weight_tiny', 'has weight 1e-300', weight=['1e-300'] * 2 * _N),
  _cells('weight_zero', 'every weight is 0', weight=['0'] * 2 * _N),
  _cells('weight_blank', 'has weight nan', weight=['1', '']),
  _cells(
    'weight_differs', 'different weights', weight=['2'] + ['1'] * (2 * _N - 1)
  ),
  _cells('patient_differs', 'different patients', patient_id='p9'),
  _cells(
    'row_twice',
    'occurs more than once',
    study_id=['s1'],
    patient_id=['p1'],
    label=['1'],
  ),
  _cells('other_studies', 'this study is missing for arm', study_id='s99'),
  _cells('available', 'expected', available_image=['maybe'] * 2 * _N),
  _cells('misspelt', "Did you mean 'fold'", Folds=['0'] * 2 * _N),
  _cells('split', 'split', split=['train', 'test'] * _N),
  _survival('time_negative', 'p.csv', time='-1'),
  _survival('time_huge', 'p.csv', time='1e300'),
  _survival('event_2', 'p.csv', event='2'),
  _survival('score_huge', 'at most 1e+15', score='1e300'),
  _survival('curve_word', "got 'x'", survival_3='x'),
  _classes('sum', 'sum to', score_x='0.9'),
  _classes('unknown', "Unknown class 'w'", label='w'),
  _classes('negative', 'p.csv', score_x='-0.5'),
  _parquet('cut', 'cannot be read', cut=-9),
  _parquet('empty', 'cannot be read', cut=0),
  _parquet('metadata_text', 'is not legal JSON', metadata='junk'),
  _parquet('metadata_deep', 'nested too deeply', metadata='[' * 99_999),
  _parquet('metadata_list', 'version None', metadata='[]'),
  _parquet('metadata_version', 'version 99', metadata='{"version": 99}'),
  _parquet('metadata_no_task', 'expected a task', metadata='{"version": 1}'),
  _parquet(
    'metadata_kind', 'expected a task', metadata=_stored(kind='x', names=['y'])
  ),
  _parquet(
    'metadata_names',
    'expected a task',
    metadata=_stored(kind='binary', names=3),
  ),
  _parquet('nested_unused', _READ, columns={'deep': [[1]] * 2 * _N}, code=0),
  _parquet('nested_used', "'fold'", columns={'fold': [[1]] * 2 * _N}),
  _parquet('bytes_used', 'seed', columns={'seed': [b'\xff'] * 2 * _N}),
  _of('plain', case.READ, _READ, 0, _TEXT, 'p.csv'),
  _of('utf16', case.READ, _READ, 0, _TEXT.encode('utf-16'), 'p.csv'),
  _of(
    'semicolons', case.READ, _READ, 0, case.text_of(_columns(), ';'), 'p.csv'
  ),
  _of('gzip', case.READ, _READ, 0, gzip.compress(_TEXT.encode()), 'p.csv'),
  _of('byte_order_mark', case.READ, _READ, 0, '\ufeff' + _TEXT, 'p.csv'),
  _flag('single', 'Unknown', '--singles=ct'),
  _flag('reference', 'Unknown', '--reference=ct'),
  _flag('both', 'b', '--singles=b', '--fusions=b'),
  _flag('margin_zero', 'expected a positive number', '--margin=0'),
  _flag('margin_negative', 'expected a positive number', '--margin=-1'),
  _flag('margin_nan', 'expected a positive number', '--margin=nan'),
  _flag('margin_word', 'margin', '--margin=small'),
  _flag('metric', 'Unknown', '--metric=acuracy'),
  _flag('metric_of_another_task', 'Unknown', '--metric=c_index'),
  _flag('interval', 'Unknown interval', '--interval=exact'),
  _flag('few', 'needs at least 39', '--set=evaluation.replicates=10'),
  _flag('many', 'at most 100000', f'--set=evaluation.replicates={10**12}'),
  _flag('digits', '64 bits', f'--set=evaluation.seed={10**30}'),
  _flag('permutations', 'from 0 to', f'--set=evaluation.permutations={10**12}'),
  _flag('other_setting', 'Unknown setting', '--set=training.epochs=1'),
  _flag('horizon', 'horizons', '--set=evaluation.horizons=-1'),
  _flag('unknown_flag', "Did you mean '--margin'", '--margn=1'),
  _flag('out_file', 'p.csv', '--out=p.csv'),
)
