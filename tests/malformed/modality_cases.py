"""Cases of descriptors whose modalities have names (version 2)."""

from tests.malformed import case

EVENTS = '12 (50.0%)'
# Of a sound series and its descriptor.
SERIES = {
  'kind': '"series"',
  'table': '"rows.csv"',
  'time': '"hour"',
  'time_unit': '"hours"',
  'code': '"item"',
  'value': '"result"',
  'index': '48',
}
LABS = {'kind': '"table"', 'numeric': '["age"]', 'categorical': '["sex"]'}
_COMMON = {
  'version': '2',
  'numeric': None,
  'categorical': None,
  'boolean': None,
}


def sections(**modalities: dict[str, str | None] | str) -> str:
  """Tables of modalities by name; None leaves a key out, text stands as is."""
  text = ''
  for name, keys in modalities.items():
    if isinstance(keys, str):
      text += f'{keys}\n'
      continue
    text += f'[modalities.{name}]\n'
    text += ''.join(f'{k} = {v}\n' for k, v in keys.items() if v is not None)
  return text


def descriptor(*, keys=None, **modalities) -> str:
  """A sound descriptor of version 2 with these modalities."""
  return case.toml(**{**_COMMON, **(keys or {})}) + sections(**modalities)


def series_rows(n: int = case.STUDIES) -> list[list[str]]:
  """Header and rows of a sound series: three of each study, two codes."""
  rows = [['sid', 'hour', 'item', 'result']]
  for i in range(n):
    for hour, item, result in (
      (2 + i, 'hr', f'{60 + 7 * i % 40}'),
      (30, 'hr', f'{65 + 5 * i % 30}'),
      (40.5, 'temp', f'{36 + i % 5 / 2}'),
    ):
      rows.append([f's{i}', f'{hour}', item, result])
  return rows


def csv(rows) -> str:
  return ''.join(','.join(row) + '\n' for row in rows)


def write(folder, text, *, rows=None) -> None:
  """A cohort with the table, images, volumes and series that cases name."""
  case.cohort(folder, descriptor=text)
  case.write(folder / 'rows.csv', csv(series_rows()) if rows is None else rows)
  for i in range(case.STUDIES):
    case.write(folder / f'i/s{i}.png', case.png(i))


def _of(name, outcome, words, code, text):
  def make(folder):
    write(folder, text)

  words = (words,) if isinstance(words, str) else words
  flags = ('--cohort=.',)
  return case.Case(
    f'modality_{name}', outcome, words, make, 'prepare', flags, code
  )


def _refused(name, words, text, code=2):
  return _of(name, case.REFUSED, words, code, text)


def _labs(name, words, code=2, keys=None, **changes):
  text = descriptor(keys=keys, labs={**LABS, **changes})
  return _refused(f'table_{name}', words, text, code)


def _series(name, words, exits=2, **changes):
  text = descriptor(labs=LABS, vitals={**SERIES, **changes})
  return _refused(f'series_{name}', words, text, exits)


def _image(name, words, code=2, **changes):
  keys = {'kind': '"image"', 'path': '"i/{sid}.png"', **changes}
  return _refused(f'image_{name}', words, descriptor(cxr=keys), code)


def _volume(name, words, code=2, **changes):
  keys = {'kind': '"volume"', 'path': '"v/{sid}.npy"', **changes}
  return _refused(f'volume_{name}', words, descriptor(ct=keys), code)


CASES = (
  _of('sound', case.READ, EVENTS, 0, descriptor(labs=LABS, vitals=SERIES)),
  _of(
    'views',
    case.READ,
    EVENTS,
    0,
    descriptor(
      cxr={
        'kind': '"image"',
        'views': '{front = "i/{sid}.png", side = "i/{sid}.png"}',
      }
    ),
  ),
  _refused('none', 'version 2 names modalities, each in a table', descriptor()),
  _refused(
    'number',
    'modalities must be tables such as',
    descriptor(keys={'modalities': '3'}),
  ),
  _refused(
    'list',
    'modalities must be tables such as',
    descriptor(keys={'modalities': '[]'}),
  ),
  _refused(
    'array',
    'modalities must be tables such as',
    descriptor(x='[[modalities]]\nkind = "table"'),
  ),
  _refused(
    'empty', 'modalities must be tables such as', descriptor(x='[modalities]')
  ),
  _refused(
    'no_table', 'expected a table', descriptor(x='[modalities]\nlabs = "table"')
  ),
  _refused(
    'many',
    '40 modalities, at most 20',
    descriptor(**{f'm{i}': LABS for i in range(40)}),
  ),
  _refused(
    'twice', 'is not legal TOML', descriptor(labs=LABS, x=sections(labs=LABS))
  ),
  _refused(
    'name_blank',
    'a modality is named by a letter and then',
    descriptor(x='[modalities.""]\nkind = "table"'),
  ),
  _refused(
    'name_dots',
    "lacks the key 'kind'",
    descriptor(x='[modalities.a.b]\nkind = "table"'),
  ),
  _refused(
    'name_path',
    'a modality is named by a letter and then',
    descriptor(x='[modalities."../a"]\nkind="table"'),
  ),
  _refused(
    'name_emoji',
    'a modality is named by a letter and then',
    descriptor(x='[modalities."😀"]\nkind = "table"'),
  ),
  _refused(
    'name_reserved',
    'a modality is named by a letter and then',
    descriptor(both=LABS),
  ),
  _refused(
    'name_long',
    'a modality is named by a letter and then',
    descriptor(**{'m' * 99: LABS}),
  ),
  _refused(
    'version_3',
    'version = 3 is not known',
    descriptor(keys={'version': '3'}, labs=LABS),
  ),
  _refused(
    'version_text',
    "version = '2' is not known",
    descriptor(keys={'version': '"2"'}, labs=LABS),
  ),
  _refused(
    'version_1',
    "unknown key 'modalities'",
    descriptor(keys={'version': '1'}, labs=LABS),
  ),
  _of(
    'no_version',
    case.READ,
    EVENTS,
    0,
    descriptor(keys={'version': None}, labs=LABS),
  ),
  _refused(
    'old_keys',
    "in version 2 the key 'numeric' belongs to a",
    descriptor(keys={'numeric': '["age"]'}, labs=LABS),
  ),
  _refused(
    'old_images',
    "in version 2 the key 'images' belongs to a",
    descriptor(keys={'images': '"i/{sid}.png"'}, labs=LABS),
  ),
  _labs('no_kind', "lacks the key 'kind'", kind=None),
  _labs('kind_unknown', "Unknown kind 'tabel'", kind='"tabel"'),
  _labs('kind_number', "Unknown kind '3'", kind='3'),
  _labs('kind_list', "Unknown kind '['table']'", kind='["table"]'),
  _labs('side_unknown', "Unknown side 'images'", side='"images"'),
  _labs('side_number', "Unknown side '1'", side='1'),
  _labs('side_list', "Unknown side '['record']'", side='["record"]'),
  _labs('key_unknown', "Unknown key 'numerc'", numerc='["age"]'),
  _labs('key_of_another_kind', "Unknown key 'window'", window='"48h"'),
  _labs(
    'no_columns',
    "kind 'table' needs numeric, categorical or",
    numeric='[]',
    categorical=None,
  ),
  _labs('column_number', "Unknown column '3'", numeric='[3]'),
  _labs(
    'column_nested', 'numeric must be a list of texts', numeric='[["age"]]'
  ),
  _labs('column_blank', 'numeric must be a list of texts', numeric='[""]'),
  _labs(
    'column_table', 'numeric must be a list of texts', numeric='{a = "age"}'
  ),
  _labs('column_unknown', "Unknown column 'agee'", numeric='["agee"]'),
  _labs(
    'column_twice',
    "column 'age' is listed under numeric twice",
    numeric='["age", "age"]',
  ),
  _labs(
    'column_of_two_types',
    "column 'sex' is listed under categorical",
    boolean='["sex"]',
  ),
  _labs(
    'label', "column 'y' is both label and a feature", numeric='["age", "y"]'
  ),
  _labs(
    'key_study',
    "column 'sid' is both study and a feature",
    categorical='["sid"]',
  ),
  _refused(
    'column_of_two',
    "column 'age' is listed under numeric twice",
    descriptor(labs=LABS, more=LABS),
  ),
  _image('no_path', "kind 'image' needs path or views", path=None),
  _image('path_number', "Unknown column '3'", path='3'),
  _image('path_blank', 'path must be a list of texts', path='""'),
  _image('path_unknown_column', "Unknown column 'side'", path='"i/{side}.png"'),
  _image(
    'path_and_views',
    'needs path or views, got both',
    views='{front = "i/{sid}.png"}',
  ),
  _image(
    'views_list',
    'views must be patterns by name such as',
    path=None,
    views='["i/{sid}.png"]',
  ),
  _image(
    'views_empty',
    'views must be patterns by name such as',
    path=None,
    views='{}',
  ),
  _image(
    'views_number',
    'views must be one pattern for each view',
    path=None,
    views='{front = 3}',
  ),
  _image(
    'views_blank',
    'views must be one pattern for each view',
    path=None,
    views='{front = ""}',
  ),
  _image(
    'view_absent',
    "no such image 'i/s0_f.png'",
    1,
    path=None,
    views='{f = "i/{sid}_f.png"}',
  ),
  _image(
    'missing_unknown', "Unknown choice of missing 'ignore'", missing='"ignore"'
  ),
  _image('missing_boolean', "Unknown choice of missing 'True'", missing='true'),
  _image(
    'size_text', 'size must be a whole number from 0 to 4096', size='"64"'
  ),
  _image('size_half', 'size must be a whole number from 0 to 4096', size='8.5'),
  _image(
    'size_negative', 'size must be a whole number from 0 to 4096', size='-8'
  ),
  _image(
    'size_huge', 'size must be a whole number from 0 to 4096', size='100000'
  ),
  _image('orientation_unknown', "Unknown orientation 'up'", orientation='"up"'),
  _image('window', "Unknown key 'window'", window='[0, 255]'),
  _volume(
    'window_order',
    'window must be two numbers in order, such as',
    window='[400, -1000]',
  ),
  _volume(
    'window_one', 'window must be two numbers in order, such as', window='[400]'
  ),
  _volume(
    'window_text',
    'window must be two numbers in order, such as',
    window='"wide"',
  ),
  _volume(
    'window_nan',
    'window must be two numbers in order, such as',
    window='[nan, 1.0]',
  ),
  _volume(
    'window_infinite',
    'window must be two numbers in order, such as',
    window='[-inf, inf]',
  ),
  _volume(
    'window_hours',
    'window must be two numbers in order, such as',
    window='"48h"',
  ),
  _volume(
    'classes_one', 'classes must be a whole number from 2 to 64', classes='1'
  ),
  _volume(
    'classes_text', 'classes must be a whole number from 2 to 64', classes='"3"'
  ),
  _volume(
    'classes_many',
    'classes must be a whole number from 2 to 64',
    classes='1000',
  ),
  _volume('views', "Unknown key 'views'", views='{a = "v/{sid}.npy"}'),
  _volume(
    'size_huge', 'size must be a whole number from 0 to 4096', size='100000'
  ),
  _series('no_table', "kind 'series' needs the key 'table'", table=None),
  _series('no_time', "kind 'series' needs the key 'time'", time=None),
  _series('no_code', "kind 'series' needs the key 'code'", code=None),
  _series('no_value', "kind 'series' needs the key 'value'", value=None),
  _series('table_number', 'table must be a text in quotes', table='3'),
  _series('table_list', 'table must be a text in quotes', table='["rows.csv"]'),
  _series('table_absent', "No table 'other.csv'", table='"other.csv"'),
  _series('table_outside', "No table '../rows.csv'", table='"../rows.csv"'),
  _series('table_folder', "'i' is a folder", table='"i"'),
  _series('time_unknown', "Unknown column 'hours'", time='"hours"'),
  _series('code_unknown', "Unknown column 'items'", code='"items"'),
  _series('value_unknown', "Unknown column 'results'", value='"results"'),
  _series('study_unknown', "Unknown column 'stay'", study='"stay"'),
  _series('study_number', "Unknown column '3'", study='3'),
  _series('time_is_code', "'hr' is not a number of hours", 1, time='"item"'),
  _series('time_unit_unknown', "Unknown time_unit 'hour'", time_unit='"hour"'),
  _series('time_unit_number', "Unknown time_unit '60'", time_unit='60'),
  _series('no_time_unit', 'so times must be numbers too', time_unit=None),
  _series('no_index', 'when is the prediction made?', index=None),
  _series('index_text', 'index must be a number', index='"48"'),
  _series('index_nan', 'index must be a number', index='nan'),
  _series('index_boolean', 'index must be a number', index='true'),
  _series('window_number', 'window must be a time such as', window='48'),
  _series('window_unit', 'window must be a time such as', window='"48"'),
  _series('window_weeks', 'window must be a time such as', window='"2w"'),
  _series('window_zero', 'expected a number of hours above 0', window='"0h"'),
  _series(
    'window_negative',
    'window must be a time such as',
    window='"-4h"',
  ),
  _series(
    'window_of_volume',
    'window must be a time such as "48h"',
    window='[0, 48]',
  ),
  _series(
    'after_index_unknown',
    "Unknown choice of after_index 'keep'",
    after_index='"keep"',
  ),
  _series('length_zero', 'length must be a whole number from 1 to', length='0'),
  _series(
    'length_text', 'length must be a whole number from 1 to', length='"256"'
  ),
  _series(
    'length_huge', 'length must be a whole number from 1 to', length='10000000'
  ),
  _series('codes_number', 'codes must be a list of texts', 2, codes='{hr = 1}'),
  _series('codes_unknown', 'no row is left', 1, codes='["heart"]'),
  _series(
    'plausible_list',
    'plausible must be a table by column such as',
    plausible='[0, 1]',
  ),
  _series(
    'plausible_order',
    "plausible of 'hr' must be the least and the",
    plausible='{hr = [200, 0]}',
  ),
  _series(
    'plausible_text',
    "plausible of 'hr' must be the least and the",
    plausible='{hr = "all"}',
  ),
  _series(
    'unknown_nested', 'unknown must be a list of texts', unknown='[[-1]]'
  ),
  _series('path', "Unknown key 'path'", path='"rows.csv"'),
)
