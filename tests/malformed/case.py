"""What a case of the corpus is, and the sound inputs that cases damage."""

import csv
import dataclasses
import io
import pathlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from PIL import Image

REFUSED = 'refused'
WARNED = 'warned'
READ = 'read'

STUDIES = 24
# What inputs make that would run code of their own.
RUN = 'was_run'

Make = Callable[[pathlib.Path], None]


@dataclasses.dataclass(frozen=True)
class Case:
  """One malformed input, or one that only looks malformed.

  Attributes:
    name: unique in the corpus.
    outcome: REFUSED, WARNED or READ.
    words: what its output has to say; of what is read, the right values.
    make: writes the input into an empty folder, in which the launcher runs.
    module: the command, or the dotted name of a study.
    flags: of the launcher.
    code: the exit code.
    limits: of resources, by number.
    environment: variables to change.
  """

  name: str
  outcome: str
  words: tuple[str, ...]
  make: Make
  module: str
  flags: tuple[str, ...]
  code: int
  limits: Mapping[int, int] = dataclasses.field(default_factory=dict)
  environment: Mapping[str, str] = dataclasses.field(default_factory=dict)


def write(path: pathlib.Path, content: str | bytes) -> None:
  """Writes a file and makes its folder."""
  path.parent.mkdir(parents=True, exist_ok=True)
  if isinstance(content, str):
    content = content.encode()
  path.write_bytes(content)


def rows() -> dict[str, list[str]]:
  """The columns of a sound table of STUDIES rows."""
  n = STUDIES
  return {
    'sid': [f's{i}' for i in range(n)],
    'pid': [f'p{i // 2}' for i in range(n)],
    'y': [str(i // 2 % 2) for i in range(n)],
    'age': [str(40 + 7 * i % 31) for i in range(n)],
    'sex': ['MFF'[i % 3] for i in range(n)],
    'smoker': [('yes', 'no')[i % 5 % 2] for i in range(n)],
    'part': [str(i // 2 % 3) for i in range(n)],
    'when': [f'2024-01-{i // 2 + 1:02d}' for i in range(n)],
    'amount': [str(1 + i % 4) for i in range(n)],
  }


def text_of(columns: Mapping[str, Sequence[str]], delimiter: str = ',') -> str:
  """CSV of columns by name."""
  out = io.StringIO()
  writer = csv.writer(out, delimiter=delimiter, lineterminator='\n')
  writer.writerow(columns)
  writer.writerows(zip(*columns.values(), strict=True))
  return out.getvalue()


KEYS = {
  'name': '"small"',
  'task': '"binary"',
  'table': '"t.csv"',
  'study': '"sid"',
  'patient': '"pid"',
  'label': '"y"',
  'numeric': '["age"]',
  'categorical': '["sex"]',
  'boolean': '["smoker"]',
}


def toml(**changes: str | None) -> str:
  """A sound descriptor with keys changed, added, or (None) left out."""
  keys = {**KEYS, **changes}
  return ''.join(f'{k} = {v}\n' for k, v in keys.items() if v is not None)


def cohort(
  folder: pathlib.Path,
  *,
  table: str | bytes | None = None,
  descriptor: str | bytes | None = None,
  name: str = 't.csv',
) -> None:
  """Writes a sound cohort, or one with another table or descriptor."""
  write(folder / name, text_of(rows()) if table is None else table)
  write(folder / 'cohort.toml', toml() if descriptor is None else descriptor)


def pixels(seed: int = 0, size: int = 8) -> np.ndarray:
  """(size, size) uint8."""
  rng = np.random.default_rng(seed)
  return rng.integers(0, 255, (size, size), dtype=np.uint8)


def encoded(image: Image.Image, kind: str = 'PNG', **options) -> bytes:
  """An image as the bytes of a file."""
  out = io.BytesIO()
  image.save(out, kind, **options)
  return out.getvalue()


def png(seed: int = 0, size: int = 8) -> bytes:
  """A grey PNG."""
  return encoded(Image.fromarray(pixels(seed, size)))
