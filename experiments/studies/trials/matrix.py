"""Damage to every kind of file of a run folder, and what becomes of it.

Each case is a copy of one finished run in which one file is damaged. Then the
run is resumed, and, in another copy, its models are applied to other patients.
"""

import dataclasses
import os
import pathlib
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence

from experiments.studies.trials import small
from fusion_jax.ablation import store as store_lib
from fusion_jax.core import errors

RESUME, PREDICT = 'resume', 'predict'
ACTIONS = (RESUME, PREDICT)

# What a case can come to. Sound:
SAME = 'same'  # Nothing said, and the result of the undamaged run.
AGAIN = 'made again'  # The file is named, and the result is the same.
REFUSED = 'refused'  # In one line that names the file.
# The file is named and what it holds is left out; a command makes it again.
LEFT = 'left out'
# And faults:
UNNAMED = 'not named'
DIFFERENT = 'DIFFERENT'
TRACEBACK = 'TRACEBACK'
SOUND = (SAME, AGAIN, REFUSED, LEFT)

# Pages, figures and tables are not read again.
_LEFT_OUT = ('report', 'figures', 'tables', 'model_cards')


@dataclasses.dataclass(frozen=True)
class Case:
  """One file, what is done to it and what is asked then.

  Attributes:
    kind: what the file is, the same in all runs.
    path: where it is in the run folder.
    damage: a key of DAMAGES.
    action: one of ACTIONS.
  """

  kind: str
  path: str
  damage: str
  action: str


@dataclasses.dataclass(frozen=True)
class Outcome:
  """What a case came to.

  Attributes:
    case: the case.
    state: SAME, AGAIN ... TRACEBACK.
    said: the line about the file, or the traceback.
  """

  case: Case
  state: str
  said: str


def _truncate(path: pathlib.Path, other: pathlib.Path | None) -> None:
  del other
  os.truncate(path, path.stat().st_size // 2)


def _zero(path: pathlib.Path, other: pathlib.Path | None) -> None:
  """Zeros over the second half, as a lost block leaves them."""
  del other
  data = path.read_bytes()
  half = len(data) // 2
  path.write_bytes(data[:half] + bytes(len(data) - half))


def _flip(path: pathlib.Path, other: pathlib.Path | None) -> None:
  del other
  data = bytearray(path.read_bytes())
  data[len(data) // 2] ^= 1
  path.write_bytes(data)


def _delete(path: pathlib.Path, other: pathlib.Path | None) -> None:
  del other
  path.unlink()


def _swap(path: pathlib.Path, other: pathlib.Path | None) -> None:
  """The same file of the node of another fold."""
  assert other is not None
  shutil.copy(other, path)


DAMAGES: dict[str, Callable[[pathlib.Path, pathlib.Path | None], None]] = {
  'truncate': _truncate,
  'zero': _zero,
  'flip': _flip,
  'delete': _delete,
  'other fold': _swap,
}
_SWAP = 'other fold'


def kinds(folder: pathlib.Path) -> dict[str, str]:
  """By kind, one file of a run folder; of nodes, one for each set of files."""
  found = {}
  for path in sorted(x for x in folder.iterdir() if x.is_file()):
    if not path.name.startswith(_LEFT_OUT):
      found[path.name] = path.name
  nodes = small.arms_of_nodes(folder)
  seen = set()
  for arm in sorted(nodes, key=small.ARMS.index):
    node = folder / 'nodes' / nodes[arm][0]
    names: dict[str, pathlib.Path] = {}
    for path in sorted(x for x in node.rglob('*') if x.is_file()):
      names.setdefault(_nameless(path.relative_to(node)), path)
    if frozenset(names) in seen:
      continue
    seen.add(frozenset(names))
    for name, path in names.items():
      found[f'{arm}: {name}'] = path.relative_to(folder).as_posix()
  return found


def _nameless(path: pathlib.Path) -> str:
  """A path in which names that are hashes are one letter."""
  return '/'.join('#' if len(x) == 32 else x for x in path.parts)


def cases(
  folder: pathlib.Path, chosen: Callable[[Case], bool] | None = None
) -> Iterator[Case]:
  """All cases of a finished run, or those that `chosen` accepts."""
  for kind, path in kinds(folder).items():
    for damage in DAMAGES:
      if damage == _SWAP and _other(folder, path) is None:
        continue
      if damage != 'delete' and not (folder / path).stat().st_size:
        continue
      for action in ACTIONS:
        case = Case(kind, path, damage, action)
        if chosen is None or chosen(case):
          yield case


def _other(folder: pathlib.Path, path: str) -> pathlib.Path | None:
  """The same file of the node of another fold."""
  parts = pathlib.PurePosixPath(path).parts
  if parts[0] != 'nodes':
    return None
  for keys in small.arms_of_nodes(folder).values():
    if parts[1] in keys:
      rest = [x for x in keys if x != parts[1]]
      found = folder.joinpath('nodes', rest[0], *parts[2:])
      return found if found.is_file() else None
  return None


def run(
  folder: pathlib.Path,
  wanted: Iterable[Case],
  on_outcome: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
  """What each case comes to.

  Args:
    folder: a finished run (`make`), which is left as it is.
    wanted: the cases.
    on_outcome: told of each outcome.
  """
  found = []
  with tempfile.TemporaryDirectory(dir=folder.parent) as place:
    base = pathlib.Path(place)
    small.predict(folder, base / 'expected')
    expected = {
      RESUME: small.results(folder),
      PREDICT: small.results(base / 'expected'),
    }
    for case in wanted:
      copy = base / 'copy'
      shutil.copytree(folder, copy)
      other = _other(copy, case.path) if case.damage == _SWAP else None
      DAMAGES[case.damage](copy / case.path, other)
      outcome = _outcome(case, copy, base / 'out', expected[case.action])
      for rest in (copy, base / 'out'):
        shutil.rmtree(rest, ignore_errors=True)
      found.append(outcome)
      on_outcome(outcome)
  return found


def _outcome(case, copy, out, expected) -> Outcome:
  try:
    if case.action == RESUME:
      said, after = small.run(copy), copy
    else:
      small.predict(copy, out)
      said, after = '', out
  except errors.UserError as e:
    said = str(e)
    named = case.path in said and '\n' not in said
    return Outcome(case, REFUSED if named else UNNAMED, said)
  except Exception:
    return Outcome(case, TRACEBACK, traceback.format_exc())
  lines = [x for x in said.splitlines() if case.path in x]
  if small.results(after) != expected:
    if case.path == store_lib.ROBUSTNESS and lines:
      make(copy)
      if small.results(copy) == expected:
        return Outcome(case, LEFT, '\n'.join(lines))
    return Outcome(case, DIFFERENT, said)
  return Outcome(case, AGAIN if lines else SAME, '\n'.join(lines))


def make(folder: pathlib.Path) -> None:
  """The finished run whose copies are damaged; goes on where it stopped."""
  small.run(folder)
  small.extend(folder)
  # Its results are those of a run that was resumed.
  small.run(folder)


def table(outcomes: Sequence[Outcome]) -> list[list[str]]:
  """Rows of a table: kind of file, then what became of it by damage."""
  by_kind: dict[str, dict[tuple[str, str], str]] = {}
  for x in outcomes:
    cells = by_kind.setdefault(x.case.kind, {})
    cells[x.case.damage, x.case.action] = x.state
  rows = [['file', *DAMAGES]]
  for kind, cells in by_kind.items():
    rows.append(
      [
        f'`{kind}`',
        *(
          ' / '.join(cells.get((d, a), '') for a in ACTIONS).strip(' /')
          for d in DAMAGES
        ),
      ]
    )
  return rows
