"""Identifiers that differ only in how they are written."""

import collections
import re
import unicodedata
from collections.abc import Iterable, Sequence

# What `folded` takes no notice of, in words.
FOLDED = "case, blanks, leading zeros, '.0' or the form of accents"

# Marks that are written and not seen, such as a soft hyphen.
_INVISIBLE = ('Cc', 'Cf')
_NUMBERED = re.compile(r'([^0-9]*?)0*([0-9]+)(\.0+)?')


def folded(name: str) -> str:
  """One form of names that are probably one: '00101' is '101.0', 'p 7' 'P7'.

  Case, blanks (but between two digits), invisible marks, the composition of
  accents (NFKC), zeros before a number that ends the name, and '.0' after it.
  Names of several parts, as 'SITE/PATIENT', are folded part by part.
  """
  text = unicodedata.normalize('NFKC', name).casefold()
  text = unicodedata.normalize('NFKC', text)
  text = re.sub(r'(?<=[0-9])\s+(?=[0-9])', '\0', text)
  text = re.sub(r'\s', '', text).replace('\0', ' ')
  text = ''.join(x for x in text if unicodedata.category(x) not in _INVISIBLE)
  parts = []
  for part in text.split('/'):
    found = _NUMBERED.fullmatch(part)
    parts.append(found[1] + found[2] if found else part)
  return '/'.join(parts)


def variants(names: Iterable[str]) -> list[tuple[str, ...]]:
  """Groups of two or more names that `folded` makes one, all sorted."""
  groups = collections.defaultdict(set)
  for name in set(names):
    groups[folded(name)].add(name)
  found = [tuple(sorted(x)) for x in groups.values() if len(x) > 1]
  return sorted(found)


def quoted(names: Sequence[str]) -> list[str]:
  """Names in quotes; with escapes where two of them would look alike."""

  def seen(name):
    return re.sub(r'\s', ' ', unicodedata.normalize('NFKC', name))

  looks = collections.Counter(seen(x) for x in names)
  return [
    ascii(x) if looks[seen(x)] > 1 or not x.isprintable() else f"'{x}'"
    for x in names
  ]
