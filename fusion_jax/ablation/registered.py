"""Whether a registration came before results, by the log of the run folder."""

import datetime
import json
from collections.abc import Iterator
from typing import Any

from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import store as store_lib
from fusion_jax.core import errors
from fusion_jax.evaluation import registration

_END = 'end'
_SHA = 'registered'


def logged(
  config: config_lib.ExperimentConfig, *, results: bool
) -> dict[str, Any]:
  """Facts for the line of the log with which a run ends.

  Args:
    config: of the run.
    results: whether it came to a summary.
  """
  return {_SHA: _sha256(config), 'results': results}


def after(store: store_lib.Store, config: config_lib.ExperimentConfig) -> str:
  """When results were seen that a registration did not come before; else ''.

  The first results of a folder decide: a registration that was given with them
  stays one, also if a later command leaves it out. Folders whose log is of a
  time when this was not logged are judged by the summary that lies in them.

  Args:
    store: the run folder, before anything is evaluated anew.
    config: whose registration is asked about; '' without one.
  """
  fixed = _sha256(config)
  if not fixed:
    return ''
  for line in _ends(store):
    if line.get('results') and _SHA in line:
      return '' if line[_SHA] == fixed else _day(line.get('time'))
  try:
    found = store.read_json(store_lib.SUMMARY)
  except errors.UserError:
    return ''
  given = (found.get('registration') or {}).get('sha256', '')
  if not found or given == fixed:
    return ''
  return 'an earlier day'


def _sha256(config) -> str:
  path = config.evaluation.registered
  return registration.load(path).sha256 if path else ''


def _day(seconds) -> str:
  if not isinstance(seconds, int | float):
    return 'an earlier day'
  moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
  return moment.date().isoformat()


def _ends(store) -> Iterator[dict[str, Any]]:
  """The readable lines of the log with which runs ended, oldest first."""
  path = store.path / store_lib.LOG
  if path.is_symlink() or not path.is_file():
    return
  for line in path.read_text(encoding='utf-8', errors='replace').splitlines():
    try:
      found = json.loads(line)
    except (ValueError, RecursionError):
      continue
    if isinstance(found, dict) and found.get('event') == _END:
      yield found
