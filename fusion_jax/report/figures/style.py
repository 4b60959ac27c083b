"""How every figure looks, and how it becomes SVG for a page or a file.

Colours are those of Okabe and Ito (2008), darkened to 3:1 on white; lines also
differ by dash and marker. A figure is drawn once in light colours; the page
replaces them by the variables of its style sheet.
"""

import contextlib
import dataclasses
import functools
import html
import io
import re
import warnings
from collections.abc import Iterator

from matplotlib import figure as figure_lib
from matplotlib import style as matplotlib_style

INK = '#1c2329'
FAINT = '#59646e'
LINE = '#d5dbe0'
SOFT = '#eceff2'
PAGE = '#ffffff'
SERIES = ('#0072b2', '#c65500', '#008f68', '#b04d87', '#8a6100', '#59646e')
GOOD = '#14713d'
BAD = '#b3261e'
DASHES = ('-', '--', '-.', ':', (0, (6, 1, 1, 1, 1, 1)), (0, (2, 2)))
MARKERS = ('o', 's', '^', 'D', 'v', 'P')

# Of a legend, in points: what stands before a name, and one letter of it.
_HANDLE, _LETTER = 45.0, 5.0

_VARIABLES = {
  INK: 'var(--ink)',
  FAINT: 'var(--faint)',
  LINE: 'var(--line)',
  SOFT: 'var(--soft)',
  PAGE: 'var(--page)',
  GOOD: 'var(--good)',
  BAD: 'var(--bad)',
  **{
    color: f'var(--s{i + 1})'
    for i, color in enumerate(SERIES)
    if color != FAINT
  },
}

_SETTINGS = {
  'svg.fonttype': 'none',
  # Images lie over each other at their own resolution.
  'image.composite_image': False,
  'svg.hashsalt': 'fusion_jax',
  'pdf.fonttype': 42,
  'text.parse_math': False,
  'font.size': 9.0,
  'text.color': INK,
  'axes.labelcolor': INK,
  'axes.labelsize': 9.0,
  'axes.titlesize': 9.5,
  'axes.edgecolor': FAINT,
  'axes.spines.top': False,
  'axes.spines.right': False,
  'axes.linewidth': 0.8,
  'axes.grid': True,
  'axes.axisbelow': True,
  'grid.color': LINE,
  'grid.linewidth': 0.6,
  'xtick.color': FAINT,
  'ytick.color': FAINT,
  'xtick.labelcolor': INK,
  'ytick.labelcolor': INK,
  'xtick.labelsize': 8.5,
  'ytick.labelsize': 8.5,
  'legend.frameon': False,
  'legend.fontsize': 8.5,
  'lines.linewidth': 1.6,
  'lines.markersize': 4.5,
  'figure.facecolor': PAGE,
  'axes.facecolor': PAGE,
  'savefig.facecolor': PAGE,
}


@dataclasses.dataclass(frozen=True)
class Drawn:
  """A figure with what stands for it where it cannot be seen.

  Attributes:
    name: of its files: lower case, no blanks.
    title: one line.
    caption: how to read it; stands beside it.
    canvas: the drawing.
    wide: whether it takes the page's whole width.
    details: what it shows, for those who cannot see it.
  """

  name: str
  title: str
  caption: str
  canvas: figure_lib.Figure
  wide: bool = False
  details: str = ''

  @functools.cached_property
  def svg(self) -> str:
    """A file of its own."""
    return self._saved('svg', Date=None).decode()

  def pdf(self) -> bytes:
    """A file of its own, laid out like the SVG."""
    assert self.svg
    self.canvas.set_layout_engine('none')
    return self._saved('pdf', CreationDate=None, Producer=None, Creator=None)

  def inline(self) -> str:
    """An `svg` element for the page; ids begin with the figure's name."""
    text = self.svg
    box = re.search(r'viewBox="([^"]+)"', text)[1]
    inner = text[text.index('>', text.index('<svg')) + 1 : text.rindex('</svg')]
    for dropped in (
      '<metadata>.*?</metadata>',
      '<style.*?</style>',
      '<!--.*?-->',
    ):
      inner = re.sub(dropped, '', inner, flags=re.DOTALL)
    inner = _ARM.sub(_of_arm, inner)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', inner))
    inner = re.sub(
      r' id="([^"]*)"',
      lambda m: f' id="{self.name}-{m[1]}"' if m[1] in used else '',
      inner,
    )
    inner = re.sub(
      r'(url\(#|href="#)', lambda m: f'{m[1]}{self.name}-', inner
    ).replace('xlink:href', 'href')
    # The page sets the font, in one place.
    inner = re.sub(r'font-family: [^;"]*;? ?', '', inner)
    # Hundredths of a point are enough for a path.
    inner = re.sub(
      r' d="[^"]*"',
      lambda m: re.sub(r'(\.\d\d)\d+', r'\1', m[0]).replace('\n', ' '),
      inner,
    )
    for color, variable in _VARIABLES.items():
      inner = inner.replace(color, variable)
    head = ''.join(
      f'<{tag} id="{self.name}-{tag}">{html.escape(words)}</{tag}>'
      for tag, words in (
        ('title', self.title),
        ('desc', f'{self.details} {self.caption}'.strip()),
      )
    )
    inner = re.sub(r'\n\s*', '\n', inner).strip()
    return (
      f'<svg viewBox="{box}" role="img" aria-labelledby="{self.name}-title '
      f'{self.name}-desc">{head}\n{inner}\n</svg>'
    )

  def _saved(self, kind: str, **metadata) -> bytes:
    out = io.BytesIO()
    with context():
      self.canvas.savefig(out, format=kind, metadata=metadata)
    return out.getvalue()


@contextlib.contextmanager
def context() -> Iterator[None]:
  """Everything is drawn and saved in here, whatever a user's matplotlibrc."""
  with warnings.catch_warnings():
    # Names in scripts without a glyph are set by the browser's font.
    warnings.filterwarnings('ignore', 'Glyph .* missing')
    with matplotlib_style.context(['default', _SETTINGS]):
      yield


def arm_id(arm: str, kind: str = 'line') -> str:
  """The gid of what is drawn for an arm, so that a page can hide it.

  Args:
    arm: its name, in any letters.
    kind: what is drawn; ids of one figure differ.
  """
  return f'arm-{arm.encode().hex()}-{kind}'


_ARM = re.compile(r'<g id="arm-([0-9a-f]*)-\w+">')


def _of_arm(match: re.Match) -> str:
  """The same group with the arm's name, which is shown to who points at it."""
  arm = html.escape(bytes.fromhex(match[1]).decode())
  return f'<g data-arm="{arm}"><title>{arm}</title>'


def new(width: float, height: float) -> figure_lib.Figure:
  """An empty figure of `width` x `height` inches."""
  return figure_lib.Figure(figsize=(width, height), layout='constrained')


def label(text: str) -> str:
  """A name as a legend takes it: it drops those that begin with '_'."""
  return f' {text}' if text.startswith('_') else text


def look(number: int) -> dict[str, object]:
  """Colour, dash and marker of the n-th series."""
  k = number % len(SERIES)
  return {'color': SERIES[k], 'linestyle': DASHES[k], 'marker': MARKERS[k]}


def shortened(name: str, letters: int) -> str:
  """A name of at most so many letters, without its middle if it is longer."""
  if len(name) <= letters:
    return name
  return f'{name[: letters // 2]}…{name[len(name) - (letters - 1) // 2 :]}'


def legend(canvas: figure_lib.Figure, axes) -> None:
  """One legend below the plot, in two columns if they have room."""
  handles, labels = axes.get_legend_handles_labels()
  room = 72 * canvas.get_figwidth()
  half = -(-len(labels) // 2)
  wanted = sum(
    _HANDLE + _LETTER * max(map(len, part), default=0)
    for part in (labels[:half], labels[half:])
  )
  if handles:
    canvas.legend(
      handles,
      [shortened(x, int((room - _HANDLE) / _LETTER)) for x in labels],
      loc='outside lower center',
      ncols=2 if wanted <= room else 1,
      handlelength=3.2,
      columnspacing=1.2,
    )


def values(numbers) -> list[float]:
  """Numbers with None as NaN, which leaves a gap."""
  return [float('nan') if x is None else float(x) for x in numbers]
