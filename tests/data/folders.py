"""Small cohorts written to a folder, for tests of what reads them."""

import csv
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image

TOML = """
task = "binary"
table = "table.csv"
study = "study"
patient = "patient"
images = "images/{study}.png"
label = "label"
numeric = ["age"]
categorical = ["region"]
boolean = ["smokes"]
unknown_codes = ["UNK"]
"""


def rows(n: int = 24) -> list[dict[str, str]]:
  """Rows of two studies a patient, one cell blank; line i + 2 holds row i."""
  rng = np.random.default_rng(0)
  found = []
  for i in range(n):
    found.append(
      {
        'study': f's{i:03d}',
        'patient': f'p{i // 2:03d}',
        'age': '' if i == 3 else str(int(rng.integers(20, 90))),
        'region': str(rng.choice(['arm', 'leg', 'back'])),
        'smokes': str(rng.choice(['True', 'False', 'UNK'])),
        'label': str(int(rng.integers(0, 2)) if i > 1 else i),
        'fold': str(i // 2 % 3),
      }
    )
  return found


def write_table(path, table, *, delimiter=',', encoding='utf-8') -> None:
  """Writes dicts of text as a delimited file."""
  with open(path, 'w', newline='', encoding=encoding) as f:
    writer = csv.DictWriter(f, list(table[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(table)


def write(folder, *, table=None, toml=TOML, images=True) -> pathlib.Path:
  """Writes a cohort folder: table.csv, cohort.toml and 9 x 7 RGB images."""
  folder = pathlib.Path(folder)
  folder.mkdir(parents=True, exist_ok=True)
  table = rows() if table is None else table
  write_table(folder / 'table.csv', table)
  (folder / 'cohort.toml').write_text(toml, encoding='utf-8')
  if images:
    (folder / 'images').mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    for row in table:
      pixels = rng.integers(0, 256, (9, 7, 3), dtype=np.uint8)
      Image.fromarray(pixels).save(folder / f'images/{row["study"]}.png')
  return folder


def png16(pixels: np.ndarray) -> bytes:
  """An unfiltered 16-bit PNG of (h, w, c) uint16: grey, + alpha, RGB, RGBA."""
  h, w, c = pixels.shape
  kind = {1: 0, 2: 4, 3: 2, 4: 6}[c]

  def chunk(name, data):
    body = name + data
    check = struct.pack('>I', zlib.crc32(body))
    return struct.pack('>I', len(data)) + body + check

  lines = b''.join(b'\0' + x.astype('>u2').tobytes() for x in pixels)
  return b''.join(
    [
      b'\x89PNG\r\n\x1a\n',
      chunk(b'IHDR', struct.pack('>IIBBBBB', w, h, 16, kind, 0, 0, 0)),
      chunk(b'IDAT', zlib.compress(lines)),
      chunk(b'IEND', b''),
    ]
  )
