"""Small tables of series, and what is read from them."""

import pathlib

import numpy as np

from fusion_jax.data import series_rows, tables

STUDY = np.array(['a', 'b', 'c'])
HEADER = 'stay,hour,item,value\n'


def columns(**options) -> series_rows.SeriesColumns:
  given = {
    'table': 't.csv',
    'study': ('stay',),
    'time': 'hour',
    'code': 'item',
    'value': 'value',
    'time_unit': 'hours',
    'index': 48.0,
  }
  return series_rows.SeriesColumns(**{**given, **options})


def read(folder, raw, c=None, study=STUDY, index_time=None, **options):
  """Data, notes and findings of a table; `raw` is written before, if any."""
  c = c or columns()
  path = pathlib.Path(folder) / c.table
  if raw is not None:
    path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
  findings = tables.Findings(c.table)
  data, notes = series_rows.read(
    c, path.parent, study, index_time, findings, **options
  )
  data.check('labs', len(study))
  return data, notes, [str(x) for x in findings.finished()]


def listed(data) -> list[list[tuple]]:
  """By study its rows: hours, code and value, None where there is none."""
  return [
    [
      (
        round(float(data.time[k]), 3),
        data.codes[data.code[k]],
        None if np.isnan(data.value[k]) else round(float(data.value[k]), 3),
      )
      for k in range(start, stop)
    ]
    for start, stop in zip(data.start, data.stop, strict=True)
  ]
