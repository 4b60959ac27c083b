"""English plurals, for messages and reports."""


def plural(noun: str) -> str:
  """'arms', 'studies', 'keys', 'classes'."""
  if noun.endswith('y') and noun[-2:-1] not in 'aeiou':
    return f'{noun[:-1]}ies'
  return f'{noun}es' if noun.endswith('s') else f'{noun}s'


def counted(number: int, noun: str) -> str:
  """'1 arm', '2 arms', '0 studies'."""
  return f'{number} {noun if number == 1 else plural(noun)}'
