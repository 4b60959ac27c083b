"""Cases of cohort.toml."""

import functools

from tests.malformed import case


def _of(name, outcome, words, descriptor, code):
  return case.Case(
    f'toml_{name}',
    outcome,
    (words,) if isinstance(words, str) else words,
    functools.partial(case.cohort, descriptor=descriptor),
    'prepare',
    ('--cohort=.',),
    code,
  )


def _refused(name, words, descriptor, code=2):
  return _of(name, case.REFUSED, words, descriptor, code)


def _read(name, words, descriptor):
  return _of(name, case.READ, words, descriptor, 0)


def _key(name, words, code=2, **changes):
  """A sound descriptor but for one key."""
  return _refused(name, words, case.toml(**changes), code)


_EVENTS = '12 (50.0%)'

CASES = (
  _refused('empty', "lacks the key 'task'", ''),
  _refused('no_toml', 'is not legal TOML', '{"task": "binary"}'),
  _refused('binary', 'is not legal TOML', bytes(range(256))),
  _refused('utf16', 'is not legal TOML', case.toml().encode('utf-16')),
  _refused('latin1', 'is not legal TOML', 'name = "é"'.encode('latin-1')),
  _refused('nul', 'is not legal TOML', case.toml() + 'a = "\x00"'),
  _refused('twice', 'is not legal TOML', case.toml() + 'task = "binary"'),
  _refused('cut', 'is not legal TOML', case.toml()[:-3]),
  _refused(
    'deep', 'nested too deeply', case.toml(notes='[' * 9999 + ']' * 9999)
  ),
  _refused(
    'deep_tables', 'nested too deeply', case.toml(notes='{a=' * 9999 + '1')
  ),
  _refused('many_digits', 'too many digits', case.toml(image_size='9' * 5000)),
  _refused(
    'bits', 'more than 64 bits', case.toml(image_size=f'0x{"f" * 5000}')
  ),
  _refused('no_floats', 'must be a whole number', case.toml(image_size='8.5')),
  _read('byte_order_mark', _EVENTS, b'\xef\xbb\xbf' + case.toml().encode()),
  _read('windows_lines', _EVENTS, case.toml().replace('\n', '\r\n')),
  _read('markup', '[bold]x[/nope]', case.toml(name='"[bold]x[/nope]"')),
  _read('emoji', 'a :+1: b', case.toml(name='"a :+1: b"')),
  _read('controls', 'a]0;titleb', case.toml(name='"a\\u001b]0;title\\u0007b"')),
  _read('long_name', _EVENTS, case.toml(name=f'"{"x" * 10_000}"')),
  _key('version_3', 'version = 3', version='3'),
  _key('version_text', "version = '1'", version='"1"'),
  _key('version_true', 'version = True', version='true'),
  _key('version_float', 'version = 1.0', version='1.0'),
  _key('misspelt', "unknown key 'lable'", lable='"y"'),
  _key('american', "Did you mean 'licence'", license='"x"'),
  _key('no_task', "lacks the key 'task'", task=None),
  _key('no_table', "lacks the key 'table'", table=None),
  _key('no_study', "lacks the key 'study'", study=None),
  _key('no_patient', "lacks the key 'patient'", patient=None),
  _key('no_label', 'needs the key label', label=None),
  _key('task_number', 'task must be a text', task='1'),
  _key('task_unknown', "Did you mean 'binary'", task='"binery"'),
  _key('task_empty', "Unknown task ''", task='""'),
  _key('table_list', 'table must be a text', table='["t.csv"]'),
  _key('table_empty', 'is a folder', table='""'),
  _key('table_folder', 'is a folder', table='"."'),
  _key('table_absent', 'No table', table='"u.csv"'),
  _key('table_nul', 'No table', table='"t\\u0000.csv"'),
  _key('table_long', 'File name too long', table=f'"{"t" * 5000}.csv"'),
  _key('study_none', 'study must name', study='[]'),
  _key('study_empty', 'not empty', study='[""]'),
  _key('study_number', "Unknown column '5'", study='5'),
  _key('study_table', 'study must be a list of texts', study='{a = 1}'),
  _key('patient_unknown', "Unknown column 'pdi'", patient='"pdi"'),
  _key('patient_no_reason', 'needs a written patient_reason', patient='"none"'),
  _key('patient_reason', 'only for patient = "none"', patient_reason='"x"'),
  _key(
    'constants_of_nobody',
    'means nothing for patient = "none"',
    patient='"none"',
    patient_reason='"x"',
    patient_constants='["sex"]',
  ),
  _key('label_nested', 'label must be a list of texts', label='[["y"]]'),
  _key('label_two', 'takes one label', label='["y", "part"]'),
  _key('label_unknown', "Unknown column 'yy'", label='"yy"'),
  _key('label_is_feature', "'age' is both label and a feature", label='"age"'),
  _key(
    'multilabel_twice',
    'listed twice',
    task='"multilabel"',
    label='["y", "y"]',
  ),
  _key('positive_none', 'no row has a value', 1, positive='["yes"]'),
  _key(
    'positive_regression',
    'positive means nothing',
    task='"regression"',
    label='"amount"',
    positive='["1"]',
  ),
  _key('classes_binary', 'classes is only for', classes='["0", "1"]'),
  _key(
    'classes_twice',
    'listed twice',
    task='"multiclass"',
    label='"part"',
    classes='["0", "0"]',
  ),
  _key(
    'classes_missing',
    'unknown label',
    1,
    task='"multiclass"',
    label='"part"',
    classes='["0", "1"]',
  ),
  _key('time_binary', 'only for survival', time='"age"', event='"y"'),
  _key('time_unit_binary', 'only for survival', time_unit='"days"'),
  _key(
    'survival_no_event',
    'needs time and event',
    task='"survival"',
    label=None,
    time='"amount"',
  ),
  _key(
    'survival_label',
    'and no label',
    task='"survival"',
    time='"amount"',
    event='"y"',
  ),
  _key(
    'features_none',
    'names no images',
    numeric='[]',
    categorical='[]',
    boolean='[]',
  ),
  _key('numeric_text', 'numeric must be a list', numeric='"age"'),
  _key('numeric_nested', 'numeric must be a list', numeric='[["age"]]'),
  _key('numeric_unknown', "Did you mean 'age'", numeric='["aeg"]'),
  _key('numeric_twice', 'listed under', numeric='["age", "age"]'),
  _key('two_kinds', 'listed under', categorical='["age"]'),
  _key(
    'numeric_words', 'is not a number', 1, numeric='["sex"]', categorical='[]'
  ),
  _key(
    'boolean_words',
    'neither true nor false',
    1,
    boolean='["sex"]',
    categorical='[]',
  ),
  _key('categorical_table', 'categorical must be a list', categorical='[{}]'),
  _key(
    'true_is_false',
    'among true_values and false_values',
    true_values='["yes"]',
    false_values='["no", "yes"]',
  ),
  _key('groups_unknown', "Unknown column 'race'", groups='["race"]'),
  _key('site_unknown', "Unknown column 'site'", site='"site"'),
  _key('site_list', 'site must be a text', site='["sex"]'),
  _key('fold_unknown', "Unknown column 'fold'", fold='"fold"'),
  _key('weight_unknown', "Unknown column 'w'", weight='"w"'),
  _key('accept_unknown', "Unknown column 'w'", accept='["w"]'),
  _key('index_time_unknown', "Unknown column 'w'", index_time='"w"'),
  _key('index_time_feature', 'and a feature', index_time='"age"'),
  _key('index_time_words', 'expected an ISO date', 1, index_time='"pid"'),
  _key('weight_dates', "column 'when'", 1, weight='"when"'),
  _key('fold_dates', "column 'when'", 1, fold='"when"'),
  _key('orientation', 'Unknown orientation', orientation='"any"'),
  _key(
    'missing_images',
    'Unknown choice of missing_images',
    missing_images='"maybe"',
  ),
  _key('image_size_negative', 'from 0 to 4096', image_size='-1'),
  _key('image_size_absurd', 'from 0 to 4096', image_size='1000000000'),
  _key('image_size_text', 'must be a whole number', image_size='"big"'),
  _key('image_size_true', 'must be a whole number', image_size='true'),
  _key('image_size_infinite', 'must be a whole number', image_size='inf'),
  _key('encoding_undefined', "encoding 'undefined'", encoding='"undefined"'),
  _key('encoding_unknown', "unknown encoding 'utf8000'", encoding='"utf8000"'),
  _key('encoding_bytes', "unknown encoding 'hex'", encoding='"hex"'),
  _key('encoding_nul', 'encoding', encoding='"utf-8\\u0000"'),
  _key('encoding_number', 'encoding must be a text', encoding='8'),
  _key('exclude_text', 'exclude must be tables', exclude='"x"'),
  _key('exclude_numbers', 'exclude must be tables', exclude='[1]'),
  _key(
    'exclude_no_reason',
    'exclude must be tables',
    exclude='[{column = "sex", values = ["M"]}]',
  ),
  _key(
    'exclude_unknown_key',
    "Did you mean 'column'",
    exclude='[{colum = "sex", values = ["M"], reason = "x"}]',
  ),
  _key(
    'exclude_unknown_column',
    "Unknown column 'w'",
    exclude='[{column = "w", values = ["M"], reason = "x"}]',
  ),
  _key(
    'exclude_all',
    'row',
    exclude='[{column = "sex", values = ["M", "F"], reason = "x"}]',
  ),
  _key('notes_number', 'notes must be', notes='{a = 1}'),
  _key('images_number', "Unknown column '1.5'", images='1.5'),
  _key('images_empty', 'not empty', images='""'),
  _key('images_brace', 'braces', images='"i/{sid.png"'),
  _key('images_no_name', 'braces', images='"i/{}.png"'),
  _key('images_unknown', "Unknown column 'nope'", images='"i/{nope}.png"'),
  _key('images_absent', 'not one image was found', 1, images='"i/{sid}.png"'),
  _key('images_constant', 'i/x.png', images='"i/x.png"'),
)
