"""All rows: run what is asked for, keep what is finished."""

import dataclasses
import hashlib
import json
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from experiments.studies.table2 import (
  claims,
  data_size,
  design,
  features,
  interactions,
  levels,
  missing,
  models,
  work,
)
from fusion_jax.ablation import families, keys
from fusion_jax.core import errors, files

VERSION = 1
ROWS: Mapping[str, Callable[[work.Work], claims.Row]] = {
  claims.MISSING: missing.run,
  claims.INTERACTIONS: interactions.run,
  claims.FEATURES: features.run,
  claims.DATA: data_size.run,
  claims.MODELS: models.run,
  claims.DESIGN: design.run,
  claims.LEVELS: levels.run,
}
_FOLDER = 'rows'
# Of this package: what a row does not depend on.
_NO_CAUSE = ('figure', 'page', 'table')


def check_rows(names: Sequence[str]) -> list[str]:
  """The rows to run, in the table's order; all if none is named.

  Raises:
    UserError: for an unknown name.
  """
  for name in names:
    if name not in ROWS:
      raise errors.unknown_name('row', name, list(ROWS), where='--rows')
  return [x for x in ROWS if not names or x in names]


def build(at: work.Work, rows: Sequence[str]) -> dict[str, Any]:
  """Runs `rows` unless they are finished.

  Returns:
    What review_table.json holds: all rows that are finished in this folder
    with these settings and this code, and the names of those that are not.
  """
  causes = _causes(at.settings)
  for name in rows:
    if _read(at.folder, name, causes) is None:
      start, cpu = time.perf_counter(), time.process_time()
      row = claims.to_json(name, ROWS[name](at))
      row['seconds'] = round(time.perf_counter() - start, 1)
      row['processor_seconds'] = round(time.process_time() - cpu, 1)
      _write(at.folder, name, {'causes': causes, 'row': row})
  found = {name: _read(at.folder, name, causes) for name in ROWS}
  return {
    'version': VERSION,
    'quick': at.settings.quick,
    'settings': dataclasses.asdict(at.settings),
    'rows': {name: row for name, row in found.items() if row},
    'not_measured': [name for name, row in found.items() if not row],
  }


def _causes(settings: work.Settings) -> str:
  """Hash of what determines a row."""
  total = hashlib.sha256(
    json.dumps(dataclasses.asdict(settings), sort_keys=True).encode()
  )
  for arm in families.review(families.USUAL).values():
    total.update(keys.source_digest(arm).encode())
  for path in sorted(pathlib.Path(__file__).parent.glob('*.py')):
    if path.stem not in _NO_CAUSE:
      total.update(path.read_bytes())
  return total.hexdigest()[:24]


def _read(folder, name, causes) -> dict[str, Any] | None:
  path = folder / _FOLDER / f'{name}.json'
  if not path.is_file():
    return None
  found = json.loads(path.read_text(encoding='utf-8'))
  return found['row'] if found['causes'] == causes else None


def _write(folder, name, value) -> None:
  path = folder / _FOLDER / f'{name}.json'
  path.parent.mkdir(parents=True, exist_ok=True)
  with files.saving(path) as part:
    text = json.dumps(value, indent=1, allow_nan=False)
    part.write_text(text + '\n', encoding='utf-8')
