"""When, how and with what a run was made, as (name, text) pairs."""

from collections.abc import Mapping
from typing import Any

from fusion_jax.report import text as text_lib

_SHORT = 12


def facts(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
  """What the page's box of a run shows; only what the summary knows."""
  run, cohort = summary['run'], summary['cohort']
  rows = [
    ('date', _date(run)),
    ('took', text_lib.duration(run.get('seconds'))),
    ('command', run.get('command')),
    ('library', library(run)),
    ('versions', software(run)),
    ('hardware', hardware(run)),
    ('run folder', run.get('folder')),
    ('predictions', run.get('predictions')),
    ('configuration', run.get('config_digest')),
    ('cohort digest', cohort.get('digest')),
    ('licence', cohort.get('licence')),
    ('citation', cohort.get('citation')),
  ]
  return [(name, text_lib.of_value(text)) for name, text in rows if text]


def _date(run) -> str:
  """'2026-11-26 21:04 UTC'."""
  started = run.get('started') or ''
  return started.replace('T', ' ').removesuffix('+00:00')[:16] + (
    ' UTC' if started.endswith('+00:00') else ''
  )


def library(run: Mapping[str, Any]) -> str:
  """'fusion_jax 0.1.0, commit 0123456789ab'; '' if the run does not say."""
  version = (run.get('versions') or {}).get('fusion_jax')
  pieces = [f'fusion_jax {version}'] if version else []
  if run.get('commit'):
    changed = ', with changes' if run.get('changed') else ''
    pieces.append(f'commit {run["commit"][:_SHORT]}{changed}')
  return ', '.join(pieces)


def software(run: Mapping[str, Any]) -> str:
  """Versions of what the library stands on: 'Python 3.12, jax 0.5'."""
  python = f'Python {run["python"]}' if run.get('python') else ''
  others = [
    f'{name} {version}'
    for name, version in (run.get('versions') or {}).items()
    if name not in ('fusion_jax', 'backend') and version
  ]
  return ', '.join(x for x in (python, *others) if x)


def hardware(run: Mapping[str, Any]) -> str:
  """'Some CPU (2 processors), Linux x86_64; networks on cpu'."""
  pieces = []
  if run.get('processor'):
    count = run.get('processors')
    cores = f' ({count} logical processors)' if count else ''
    pieces.append(f'{run["processor"]}{cores}')
  if run.get('platform'):
    pieces.append(run['platform'])
  text = ', '.join(pieces)
  if run.get('device'):
    count = run.get('devices') or 1
    many = f'{count} x ' if count > 1 else ''
    text = f'{text}; networks on {many}{run["device"]}'.lstrip('; ')
  return text
