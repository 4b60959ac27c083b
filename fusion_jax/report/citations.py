"""Works that a methods text cites, numbered at their first mention."""

from fusion_jax.report import prose


class Citations:
  """Numbers what is cited, in order; the works are in references.toml."""

  def __init__(self):
    self._works = prose.data('references')
    self._cited: list[str] = []

  def cite(self, *keys: str) -> str:
    """`[1,2]` for works, numbered at their first mention."""
    for key in keys:
      if key not in self._works:
        raise KeyError(f"references.toml has no '{key}'.")
      if key not in self._cited:
        self._cited.append(key)
    return '[{}]'.format(','.join(str(self._cited.index(k) + 1) for k in keys))

  def references(self) -> list[str]:
    """What was cited, as numbered lines."""
    return [
      f'{i}. {self._works[key]}' for i, key in enumerate(self._cited, start=1)
    ]
