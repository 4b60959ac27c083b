"""The trials' outcomes as a page."""

import collections
import dataclasses
import json
import pathlib
from collections.abc import Sequence

from experiments.studies.trials import matrix, soak
from fusion_jax.core import errors, files

PAGE = 'robust_runs.md'
MATRIX, SOAK = 'matrix.json', 'soak.json'

_INTRODUCTION = """# Run folders under kill signals and damage

    {command}

On a small run of six arms, two of them neural, in two folds. A run folder must
come to the same result whatever happens to the process that makes it, and
nothing damaged in it may be used without a word.
"""
_KILLED = """## Killed and resumed

{folders} run folders, each made by processes that were sent SIGKILL or SIGTERM
at random moments, four of five of them inside the training of a neural arm, and
then resumed to the end. The result (summary, predictions, keys of the models,
arrays of every node) was that of an undisturbed run in **{same} of {folders}**;
of {kills} signals {hit} met a process that had not finished.

"""
_DAMAGED = """## Damaged files

One file of a finished run is damaged: cut to half its size, zeros over its
second half, one flipped bit, deleted, or replaced by that of another fold. Then
the run is resumed / its models predict other patients. Of {cases} cases {bad}
ended in a traceback, another result or a refusal that does not name the file.

- *same*: what was asked does not read the file, or the other fold has the same
  one, and the result is the same;
- *made again*: a line names the file, what it held is trained or made again,
  and the result is the same;
- *left out*: a line names the file, and says how to make its curves again;
- *refused*: one line names the file; nothing is read from it.

Nodes stand for all with the same kinds of files; `#` is a name that is a hash.
A damaged `config.json` is refused because nothing else knows all that the
folder was asked for, and no arm may drop out of a comparison. Pages, figures
and tables are written anew by every command and never read.

"""


def keep(outcomes: Sequence, path: pathlib.Path) -> None:
  """Writes outcomes of a trial as JSON.

  Raises:
    UserError: if that cannot be done.
  """
  text = json.dumps([dataclasses.asdict(x) for x in outcomes], indent=1)
  with files.saving(path) as part:
    part.write_text(text + '\n', encoding='utf-8')


def kept_matrix(path: pathlib.Path) -> list[matrix.Outcome]:
  """What `keep` wrote; empty if there is none.

  Raises:
    UserError: if it cannot be read.
  """
  return [
    matrix.Outcome(**{**x, 'case': matrix.Case(**x['case'])})
    for x in _read(path)
  ]


def kept_soak(path: pathlib.Path) -> list[soak.Folder]:
  """Likewise."""
  return [
    soak.Folder(
      **{
        **x,
        'kills': tuple(soak.Kill(**k) for k in x['kills']),
        'differs': tuple(x['differs']),
      }
    )
    for x in _read(path)
  ]


def _read(path: pathlib.Path) -> list[dict]:
  if not path.is_file():
    return []
  try:
    return json.loads(path.read_text(encoding='utf-8'))
  except ValueError as e:
    raise errors.UserError(f"'{path}' is not JSON: {e}.") from None


def page(
  outcomes: Sequence[matrix.Outcome],
  folders: Sequence[soak.Folder],
  *,
  command: str,
) -> str:
  """The page, in Markdown; a trial without outcomes is left out."""
  parts = [_INTRODUCTION.format(command=command)]
  if folders:
    kills = [k for f in folders for k in f.kills]
    parts.append(
      _KILLED.format(
        folders=len(folders),
        same=sum(not soak.unexpected(f) for f in folders),
        kills=len(kills),
        hit=sum(k.during != soak.FINISHED for k in kills),
      )
      + _markdown(_killed(folders))
    )
    parts += [
      f'- folder {f.number}: {line}'
      for f in folders
      for line in soak.unexpected(f)
    ]
  if outcomes:
    bad = [x for x in outcomes if x.state not in matrix.SOUND]
    parts.append(
      _DAMAGED.format(cases=len(outcomes), bad=len(bad) or 'none')
      + _markdown(matrix.table(outcomes))
      + '\n'
      + _markdown(_totals(outcomes))
    )
  return '\n'.join(parts)


def _killed(folders) -> list[list[str]]:
  names = sorted({k.signal for f in folders for k in f.kills})
  rows = [['a process was killed during', *names]]
  for during, counts in soak.counts(folders).items():
    rows.append([during, *(str(counts.get(x, 0)) for x in names)])
  return rows


def _totals(outcomes) -> list[list[str]]:
  counts = collections.Counter((x.state, x.case.action) for x in outcomes)
  rows = [['outcome', *matrix.ACTIONS]]
  for state in dict.fromkeys(x.state for x in outcomes):
    rows.append(
      [state, *(str(counts.get((state, a), 0)) for a in matrix.ACTIONS)]
    )
  return rows


def _markdown(rows: list[list[str]]) -> str:
  lines = [f'| {" | ".join(row)} |' for row in rows]
  lines.insert(1, '|---' * len(rows[0]) + '|')
  return '\n'.join(lines) + '\n'
