"""Cases of image files."""

import os
import struct
import zlib

import numpy as np
from PIL import Image

from tests.malformed import case

_EVENTS = '12 (50.0%)'


def _of(name, outcome, words, code, first, *, file='i/s0.png', **keys):
  """A sound cohort with images, of which the first is `first`.

  Args:
    name: of the case.
    outcome: of the case.
    words: of the case.
    code: of the case.
    first: bytes, or a function that puts something at the path it is given.
    file: path of the first image.
    **keys: of the descriptor.
  """

  def make(folder):
    keys_here = {'images': '"i/{sid}.png"', **keys}
    case.cohort(folder, descriptor=case.toml(**keys_here))
    for i in range(case.STUDIES):
      case.write(folder / f'i/s{i}.png', case.png(i))
    path = folder / file
    path.unlink(missing_ok=True)
    if callable(first):
      first(path)
    else:
      case.write(path, first)

  words = (words,) if isinstance(words, str) else words
  return case.Case(
    f'image_{name}', outcome, words, make, 'prepare', ('--cohort=.',), code
  )


def _refused(name, words, first, **rest):
  return _of(name, case.REFUSED, words, 1, first, **rest)


def _read(name, first, words=_EVENTS, **rest):
  return _of(name, case.READ, words, 0, first, **rest)


def _chunk(kind: bytes, data: bytes) -> bytes:
  check = struct.pack('>I', zlib.crc32(kind + data))
  return struct.pack('>I', len(data)) + kind + data + check


def _header_only(width: int, height: int) -> bytes:
  """A PNG whose header says so and which has next to no pixels."""
  size = struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0)
  return (
    b'\x89PNG\r\n\x1a\n'
    + _chunk(b'IHDR', size)
    + _chunk(b'IDAT', zlib.compress(bytes(100)))
    + _chunk(b'IEND', b'')
  )


def _grey(mode: str = 'L') -> Image.Image:
  return Image.fromarray(case.pixels()).convert(mode)


def _deep() -> Image.Image:
  return Image.fromarray(case.pixels().astype(np.uint16) * 257)


_PNG = case.png(0, 32)
_JPEG = case.encoded(Image.fromarray(case.pixels(0, 64)), 'JPEG')


def _column(name, outcome, words, code, cell, place=None):
  """A cohort whose first study names its image in a column."""

  def make(folder):
    columns = case.rows()
    columns['file'] = [f'i/s{i}.png' for i in range(case.STUDIES)]
    columns['file'][0] = cell
    case.cohort(
      folder,
      table=case.text_of(columns),
      descriptor=case.toml(images='"file"'),
    )
    for i in range(case.STUDIES):
      case.write(folder / f'i/s{i}.png', case.png(i))
    if place:
      place(folder)

  words = (words,) if isinstance(words, str) else words
  return case.Case(
    f'path_{name}', outcome, words, make, 'prepare', ('--cohort=.',), code
  )


def _outside(folder):
  case.write(folder.parent / 'outside.png', case.png(99))


def _link_out(folder):
  _outside(folder)
  (folder / 'i/link.png').symlink_to(folder.parent / 'outside.png')


def _starred(folder):
  case.write(folder / 'i/s[0].png', case.png(98))


CASES = (
  _refused('missing', 'no such image', lambda path: None),
  _refused('empty', 'the file is empty', b''),
  _refused('text', 'i/s0.png', b'hello'),
  _refused('html', 'i/s0.png', b'<!DOCTYPE html><html></html>'),
  _refused('pointer', 'i/s0.png', b'version https://git-lfs.github.com/spec'),
  _refused('signature_only', 'i/s0.png', _PNG[:8]),
  _refused('cut', 'i/s0.png', _PNG[: len(_PNG) // 2]),
  _refused('cut_header', 'i/s0.png', _PNG[:20]),
  _refused('zeros', 'i/s0.png', _PNG[:60] + bytes(len(_PNG) - 60)),
  _refused('flipped', 'i/s0.png', _PNG[:70] + b'\xff\xff' + _PNG[72:]),
  _refused('jpeg_cut', 'i/s0.png', _JPEG[: len(_JPEG) // 2]),
  _refused('jpeg_start', 'i/s0.png', _JPEG[:4]),
  _refused('bomb', 'i/s0.png', _header_only(100_000, 100_000)),
  _refused('most_pixels', 'i/s0.png', _header_only(2**31 - 1, 2**31 - 1)),
  _refused('no_pixels', 'i/s0.png', _header_only(0, 0)),
  _refused('short_pixels', 'i/s0.png', _header_only(64, 64)),
  _refused('no_end', 'i/s0.png', _header_only(8, 8)[:33]),
  _refused('dicom', 'i/s0.png', bytes(128) + b'DICM' + bytes(64)),
  _refused('gif', 'i/s0.png', case.encoded(_grey('P'), 'GIF')),
  _refused('folder', 'i/s0.png', os.mkdir),
  _refused('loop', 'i/s0.png', lambda path: path.symlink_to(path)),
  _refused('dangling', 'i/s0.png', lambda path: path.symlink_to('nowhere')),
  _refused('pipe', 'i/s0.png', os.mkfifo),
  _refused('endless', 'i/s0.png', lambda path: path.symlink_to('/dev/zero')),
  _read('one_pixel', case.png(0, 1)),
  _read('wide', case.encoded(Image.new('L', (20_000, 1), 9))),
  _read('large', case.encoded(Image.new('L', (3000, 3000), 9))),
  _read('jpeg_called_png', _JPEG),
  _read('bits_1', case.encoded(_grey('1'))),
  _read('bits_16', case.encoded(_deep()), 'uint16'),
  _read('palette', case.encoded(_grey('P')), '8 x 8 x 3'),
  _read('alpha', case.encoded(_grey('LA')), '8 x 8 x 1'),
  _read('colour', case.encoded(_grey('RGB')), '8 x 8 x 3'),
  _read('transparent', case.encoded(_grey('RGBA')), '8 x 8 x 3'),
  _read('cmyk', case.encoded(_grey('CMYK'), 'JPEG'), '8 x 8 x 3'),
  _read('progressive', case.encoded(_grey(), 'JPEG', progressive=True)),
  _read('bad_exif', case.encoded(_grey(), 'JPEG', exif=b'Exif\x00\x00junk')),
  _read('bytes_after', case.png() + b'junk' * 100),
  _of(
    'of_another_patient',
    case.WARNED,
    'is identical to',
    0,
    case.png(9),
  ),
  _of(
    'absent',
    case.WARNED,
    '1 of 24 named images are not there',
    0,
    lambda path: None,
    missing_images='"absent"',
  ),
  _column(
    'absent', case.REFUSED, "no such image 'i/none.png'", 1, 'i/none.png'
  ),
  _column('nul', case.REFUSED, 'no such image', 1, 'i/\x00.png'),
  _column('long', case.REFUSED, 'no such image', 1, 'i/' + 'x' * 9999),
  _column('folder', case.REFUSED, 'i', 1, 'i'),
  _column('blank', case.READ, '23 of 8 x 8 x 1', 0, ''),
  _column(
    'upwards', case.REFUSED, 'outside.png', 1, '../outside.png', _outside
  ),
  _column('link_out', case.REFUSED, 'link.png', 1, 'i/link.png', _link_out),
  _column('absolute', case.REFUSED, '/etc/passwd', 1, '/etc/passwd'),
  _column('windows', case.READ, _EVENTS, 0, 'i\\s0.png'),
  _column('brackets', case.READ, _EVENTS, 0, 'i/s[0].png', _starred),
)
