"""Ids of a cohort that differ only in how they are written."""

from fusion_jax.core import identifiers, words
from fusion_jax.data import records as records_lib


def check(records: records_lib.Records) -> None:
  """Warns of patients and studies that may be one; none is ever merged."""
  d = records.descriptor
  if d.patient:
    _check(records, records.patient, 'patient', d.patient)
  if d.study != d.patient:
    _check(records, records.study, 'study', d.study)


def _check(records, names, noun, columns) -> None:
  table = records.table
  found = identifiers.variants(names.tolist())
  if not found:
    return
  first = dict(zip(names[::-1].tolist(), table.lines[::-1], strict=True))
  for group in found:
    group = sorted(group, key=first.get)
    one, *others = zip(identifiers.quoted(group), group, strict=True)
    for shown, name in others:
      records.findings.warn(
        f'{noun} {shown} is written like {one[0]} on {table.unit} '
        f'{first[one[1]]} but for {identifiers.FOLDED}: they count as '
        f'different {words.plural(noun)}; if they are one, write them alike.',
        line=first[name],
        column='/'.join(columns),
        kind=f'{noun} written in two ways',
      )
