"""Delimited text as people save it: encodings, compression, delimiters."""

import csv
import io
import pathlib
import re
import zlib

from fusion_jax.core import errors

UTF8 = 'utf-8'
DELIMITERS = (',', ';', '\t', '|')
# Of a compressed table; what unpacks to more is no table one can work with.
MAX_BYTES = 4 * 2**30

_GZIP = b'\x1f\x8b'
_MARKS = (
  (b'\xef\xbb\xbf', UTF8),
  (b'\xff\xfe\x00\x00', 'utf-32'),
  (b'\x00\x00\xfe\xff', 'utf-32'),
  (b'\xff\xfe', 'utf-16'),
  (b'\xfe\xff', 'utf-16'),
)
_OTHERS = {b'PAR1': 'a Parquet file', b'PK\x03\x04': 'an Excel or zip file'}
_CHUNK = 2**20


def decode(
  path: pathlib.Path,
  encoding: str = UTF8,
  *,
  what: str = 'Table',
  remedy: str = 'save it as UTF-8.',
) -> str:
  """The text of a file, unpacked if it is gzip, whatever its name.

  Text may start with a byte order mark; UTF-16 is known by it or by its zeros
  where `encoding` is the default.

  Args:
    path: the file.
    encoding: of the text.
    what: the file is, to begin messages with.
    remedy: what to do about text in another encoding.

  Raises:
    UserError: if it cannot be read or unpacked, is not in `encoding`, or is no
      text at all.
  """
  try:
    raw = path.read_bytes()
  except OSError as e:
    raise errors.UserError(
      f"{what} '{path}' cannot be read: {e.strerror}."
    ) from None
  if raw.startswith(_GZIP):
    raw = _unpack(raw, f"{what} '{path}'")
  for magic, kind in _OTHERS.items():
    if raw.startswith(magic):
      raise errors.UserError(
        f"{what} '{path}' is {kind}, not text: rename it to what it is."
      )
  if encoding.lower().replace('_', '-') in (UTF8, 'utf8'):
    encoding = _detected(raw)
  try:
    text = raw.decode(encoding)
  except (LookupError, ValueError) as e:  # ValueError: 'undefined', 'punycode'
    name = f"{what} '{path}'"
    raise _not_decoded(e, raw, name, encoding, remedy) from None
  return text.removeprefix('\ufeff')


def _not_decoded(e, raw, name, encoding, remedy) -> errors.UserError:
  if isinstance(e, UnicodeDecodeError):
    line = raw[: e.start].count(b'\n') + 1
    return errors.UserError(
      f'{name}, line {line}, is not {encoding} (byte '
      f'0x{raw[e.start]:02x}): {remedy}'
    )
  if isinstance(e, LookupError):
    return errors.UserError(
      f"{name}: unknown encoding '{encoding}'; legal are utf-8, "
      'utf-16, cp1252, latin-1 and what else Python knows.'
    )
  return errors.UserError(
    f"{name} cannot be read with the encoding '{encoding}': {e}."
  )


def _unpack(raw: bytes, name: str) -> bytes:
  """All members of a gzip file."""
  parts, size = [], 0
  try:
    while raw:
      stream = zlib.decompressobj(wbits=31)
      data = stream.decompress(raw, _CHUNK)
      while data or not stream.eof:
        if not data and not stream.unconsumed_tail:
          raise zlib.error('it ends too early')
        parts.append(data)
        size += len(data)
        if size > MAX_BYTES:
          raise errors.UserError(
            f'{name} unpacks to more than {MAX_BYTES / 2**30:g} GiB.'
          )
        data = stream.decompress(stream.unconsumed_tail, _CHUNK)
      raw = stream.unused_data if stream.unused_data[:2] == _GZIP else b''
  except zlib.error as e:
    raise errors.UserError(f'{name} is a damaged gzip file: {e}.') from None
  return b''.join(parts)


def _detected(raw: bytes) -> str:
  for mark, encoding in _MARKS:
    if raw.startswith(mark):
      return encoding
  start = raw[:400]
  if len(start) >= 4:
    # Mostly ASCII in UTF-16 without a mark: every other byte is zero.
    for zeros, encoding in (
      (start[1::2], 'utf-16-le'),
      (start[::2], 'utf-16-be'),
    ):
      if zeros.count(0) > 0.7 * len(zeros):
        return encoding
  return UTF8


def delimited(text: str, *, tabs: bool = False) -> tuple[str, str, int]:
  """What separates the cells of a table.

  A first line `sep=;`, which spreadsheets write and hide, is obeyed.

  Args:
    text: the table, header first.
    tabs: whether the name of the file promises tabs.

  Returns:
    The text from the header on, the delimiter, and the number of lines that
    stood before the header.
  """
  first, _, rest = text.partition('\n')
  named = re.fullmatch(r'"?sep=(.|\\t)"?\r?', first, re.IGNORECASE)
  if named:
    mark = named.group(1)
    return rest, '\t' if mark == '\\t' else mark, 1
  if tabs:
    return text, '\t', 0
  bare = re.sub(r'"[^"]*"', '', first)
  return text, max(DELIMITERS, key=bare.count), 0


def header(text: str, delimiter: str) -> list[str]:
  """The cells of the first line; [] where there is none."""
  reader = csv.reader(io.StringIO(text, newline=''), delimiter=delimiter)
  try:
    return next(reader, [])
  except csv.Error:
    return []
