"""The rows of a series, in a table of their own."""

import dataclasses
import math
import re
from collections.abc import Mapping

from fusion_jax.data import keys, sections, series_rows, tables
from fusion_jax.data.kinds import series

AFTER_INDEX = ('error', 'drop')
_WINDOW = re.compile(r'(\d+(?:\.\d+)?) ?(h|d)')
_MOST_LENGTH = 100_000


def _window(name, given, where) -> float:
  """Hours of "48h" or "7d"."""
  match = _WINDOW.fullmatch(given) if isinstance(given, str) else None
  if not match:
    raise sections.fail(name, where, 'a time such as "48h" or "7d"', given)
  return float(match[1]) * (24 if match[2] == 'd' else 1)


def _plausible(name, given, where) -> Mapping[str, tuple[float, float]]:
  del name
  # The file is quoted again.
  return keys.plausible(given, where.replace("'", ''))


@sections.SECTIONS.register(series.NAME, summary='rows of irregular series')
@dataclasses.dataclass(frozen=True)
class Section(sections.Section):
  """Rows of a time, a code and a value.

  Attributes:
    table: path of its table.
    study: its columns that name a study; () for the cohort's.
    time: column of the time of a row.
    code: column of what was measured or noted.
    value: column of the value.
    time_unit: of times that are numbers.
    index: the time of the prediction where it is one for all.
    window: hours; rows older than this are left out.
    after_index: what a row at or after the prediction is.
    length: most rows of a study that models are given.
    codes: those to use; () for all.
    unknown: values that mean unknown.
    plausible: by code, the least and the largest value.
  """

  table: str = sections.key(sections.text, '', needed=True)
  study: tuple[str, ...] = sections.key(sections.texts)
  time: str = sections.key(sections.text, '', needed=True)
  code: str = sections.key(sections.text, '', needed=True)
  value: str = sections.key(sections.text, '', needed=True)
  time_unit: str = sections.key(sections.choice(*series_rows.HOURS), '')
  index: float | None = sections.key(sections.number, None)
  window: float = sections.key(_window, math.inf)
  after_index: str = sections.key(sections.choice(*AFTER_INDEX), 'error')
  length: int = sections.key(sections.whole(1, _MOST_LENGTH), series.LENGTH)
  codes: tuple[str, ...] = sections.key(sections.texts)
  unknown: tuple[str, ...] = sections.key(sections.texts)
  plausible: Mapping[str, tuple[float, float]] = sections.key(_plausible, dict)

  def read(self, records, *, image_size=0, cache_dir='', on_progress=None):
    del image_size, cache_dir, on_progress
    d, findings = records.descriptor, tables.Findings(self.table)
    data, notes = series_rows.read(
      series_rows.SeriesColumns(
        table=self.table,
        study=self.study or d.study,
        time=self.time,
        code=self.code,
        value=self.value,
        time_unit=self.time_unit,
        index=self.index,
        window=self.window,
        after_index=self.after_index,
        length=self.length,
        unknown=self.unknown,
        plausible=self.plausible,
        codes=self.codes,
        encoding=d.encoding,
      ),
      records.root,
      records.study,
      records.index_time,
      findings,
      index_is_date=records.index_is_date,
    )
    records.notes += tuple(f"Series '{self.name}': {x}." for x in notes)
    return data if data.present.any() else None, findings.finished()
