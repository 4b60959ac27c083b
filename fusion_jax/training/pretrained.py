"""Encoders that start from published weights.

A file of weights is read as arrays and nothing in it is executed. Which array
becomes which parameter says a layout, one for each family of models: rules from
the path of a parameter to the name of an array, as those of groups and cuts are
from a path to a rate or an axis. Every parameter and every array has to be
accounted for: half a model loaded in silence is worse than none.
"""

import dataclasses
import hashlib
import importlib.util
import pathlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from fusion_jax.core import errors, files, registry, spec
from fusion_jax.training import optimizers, torch_file

LAYOUTS = registry.Registry('layout', package='fusion_jax.training.layouts')
# Stands for the file of the package that a layout's weights come in.
PACKAGE = 'package'
# Mean and deviation of ImageNet's pixels, from 0 to 1.
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# The module that pools a study's images, which no published network has.
_POOL = 'pool'
# Names that a message lists.
_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class Rule:
  """Where a parameter comes from.

  Attributes:
    path: regular expression of the whole path of a variable in its encoder.
    array: name of an array, with the expression's groups as {0}, {1}, ..., with
      {next[0]}, {next[1]}, ... where those that are numbers count from 1, and
      with {block} (`Layout.blocks`).
    turned: (array, shape of the parameter) -> array.
    scaled_by: name of an array (c,) that multiplies the outputs, so that a
      model without such a factor computes the same; '' for none.
  """

  path: str
  array: str
  turned: Callable[[np.ndarray, tuple[int, ...]], np.ndarray]
  scaled_by: str = ''


@dataclasses.dataclass(frozen=True)
class Package:
  """A package that weights of a layout come in.

  Attributes:
    name: of the package.
    module: whose folder holds the file; it is not imported.
    file: path of it in that folder.
    extra: of fusion_jax, which brings the package.
    encoder: spec of the encoder that they are for.
  """

  name: str
  module: str
  file: str
  extra: str
  encoder: str

  def path(self) -> pathlib.Path:
    """Where the file is.

    Raises:
      MissingPackageError: if the package is not installed.
    """
    module = importlib.util.find_spec(self.module)
    for folder in (module and module.submodule_search_locations) or ():
      return pathlib.Path(folder) / self.file
    raise errors.MissingPackageError(
      'training.init', self.name, extra=self.extra
    )


@dataclasses.dataclass(frozen=True)
class Layout:
  """A family of weights.

  Attributes:
    encoders: names of the encoders that it is for.
    marker: regular expression of a name that only this family has.
    rules: the first that fits a parameter counts.
    others: regular expression of names that no encoder has, such as heads.
    prefix: regular expression of what names may begin with.
    renamed: (regular expression, replacement) of names of former versions.
    mean: (3,) of the pixels, from 0 to 1, that the weights were trained on.
    std: (3,) likewise.
    needs: by name, arguments that the encoder has to have.
    blocks: regular expression of what the path of a variable of a block begins
      with, its groups numbers; blocks are counted over all stages.
    package: that brings weights; None if there is none.
  """

  encoders: tuple[str, ...]
  marker: str
  rules: tuple[Rule, ...]
  others: str
  prefix: str
  mean: tuple[float, ...]
  std: tuple[float, ...]
  renamed: tuple[str, str] = ('', '')
  needs: Mapping[str, str] = dataclasses.field(default_factory=dict)
  blocks: str = ''
  package: Package | None = None

  def with_needs(self, encoder: str) -> str:
    """Spec of one of the encoders that has what it needs."""
    needs = ','.join(f'{k}={x}' for k, x in self.needs.items())
    return f'{encoder}({needs})' if needs else encoder


@dataclasses.dataclass(frozen=True)
class Weights:
  """What a file holds.

  Attributes:
    where: the file.
    layout: of its arrays.
    arrays: by name without the prefix.
  """

  where: str
  layout: Layout
  arrays: Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Source:
  """Where the weights of an encoder are.

  Attributes:
    layout: name of their layout.
    path: of the file; PACKAGE for that of the layout's package.
  """

  layout: str
  path: str

  def scale(self, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """(c,) float32 mean and deviation of the pixels they were trained on.

    Other numbers of channels than 3 have the mean of both.
    """
    known = LAYOUTS.build(self.layout)
    mean, std = (
      np.asarray(
        x if channels == len(x) else [np.mean(x)] * channels, np.float32
      )
      for x in (known.mean, known.std)
    )
    return mean, std

  def digest(self) -> str:
    """Hex hash of the file.

    Raises:
      UserError: if it is not there.
    """
    with open(self._file(), 'rb') as f:
      return hashlib.file_digest(f, 'sha256').hexdigest()

  def _file(self) -> pathlib.Path:
    if self.path == PACKAGE:
      package = LAYOUTS.build(self.layout).package
      if package is None:
        raise errors.UserError(
          f"training.init: weights of the layout '{self.layout}' come in no "
          'package: give the path of a file.'
        )
      return package.path()
    file = files.regular(pathlib.Path(self.path).expanduser())
    if not file.is_file():
      raise errors.UserError(f"training.init: there is no file '{self.path}'.")
    return file

  def arrays(self) -> dict[str, np.ndarray]:
    """What is in the file, by name.

    Raises:
      UserError: for a file that cannot be read.
      MissingPackageError: without the package of its format.
    """
    file = self._file()
    if file.suffix == '.safetensors':
      return _safetensors(file)
    return torch_file.read(str(file))


def parse(texts: Sequence[str]) -> dict[str, Source]:
  """By modality where its weights are, of texts MODALITY=LAYOUT:PATH.

  Raises:
    UserError: naming the one that is malformed.
  """
  found: dict[str, Source] = {}
  for text in texts:
    modality, _, rest = text.partition('=')
    layout, _, path = rest.partition(':')
    if not modality or not path or modality in found:
      raise errors.UserError(
        f"training.init: '{errors.brief(text)}' is no source of weights such "
        "as 'image=vit:DIR/model.safetensors', one for each modality."
      )
    LAYOUTS.get(layout, where='training.init')
    found[modality] = Source(layout, path)
  return found


def of_encoders(
  texts: Sequence[str], encoders: Mapping[str, str]
) -> dict[str, Source]:
  """By modality where the weights of a model's encoders are.

  Args:
    texts: as `parse` takes them; modalities that the model does not encode are
      left out.
    encoders: by modality the spec of its encoder.

  Raises:
    UserError: for weights that are of another encoder.
  """
  found = {m: x for m, x in parse(texts).items() if m in encoders}
  for m, source in found.items():
    layout = LAYOUTS.build(source.layout)
    part = spec.parse(encoders[m])
    given = {k: spec.text(x) for k, x in part.arguments.items()}
    lacking = [k for k, x in layout.needs.items() if given.get(k) != x]
    if part.name not in layout.encoders or lacking:
      legal = map(layout.with_needs, layout.encoders)
      raise errors.UserError(
        f"training.init: weights of the layout '{source.layout}' are for the "
        f"encoder {' or '.join(legal)}; '{m}' has {part}."
      )
  return found


def read(source: Source) -> Weights:
  """The weights in a file.

  Raises:
    UserError: for a file that cannot be read or is of another layout.
    MissingPackageError: without the package of its format.
  """
  arrays = source.arrays()
  layout = LAYOUTS.build(source.layout)
  found = bare(arrays, layout)
  if any(re.fullmatch(layout.marker, k) for k in found):
    return Weights(source.path, layout, found)
  others = {name: LAYOUTS.build(name) for name in LAYOUTS.names()}
  fits = [
    name
    for name, other in others.items()
    if any(re.fullmatch(other.marker, k) for k in bare(arrays, other))
  ]
  hint = f"; they are of '{fits[0]}'" if fits else ''
  raise errors.UserError(
    f"training.init: the {len(arrays)} arrays of '{source.path}' "
    f"({_some(sorted(arrays))}) are not of the layout '{source.layout}'{hint}."
  )


def bare(
  arrays: Mapping[str, np.ndarray], layout: Layout
) -> dict[str, np.ndarray]:
  """Arrays under the names that a layout's rules have."""
  former, now = layout.renamed

  def name(text):
    text = re.sub(f'^(?:{layout.prefix})', '', text)
    return re.sub(former, now, text) if former else text

  return {name(k): x for k, x in arrays.items()}


def _safetensors(path: pathlib.Path) -> dict[str, np.ndarray]:
  try:
    import safetensors
    import safetensors.numpy
  except ImportError:
    raise errors.MissingPackageError(
      'training.init', 'safetensors', extra='pretrained'
    ) from None
  try:
    return safetensors.numpy.load_file(path)
  except (OSError, ValueError, safetensors.SafetensorError) as e:
    raise errors.UserError(
      f"training.init: '{path}' cannot be read as safetensors: "
      f'{errors.brief(str(e))}.'
    ) from None


def initial(weights: Weights, variables: Any) -> Any:
  """The variables of an encoder, as the weights have them.

  Args:
    weights: of its family.
    variables: by collection ('params', 'batch_stats'), trees of arrays, or of
      their shapes, float32.

  Returns:
    Trees of float32 arrays of the same shapes, without what pools a study's
    images: that is learnt from nothing.

  Raises:
    UserError: listing parameters without an array, arrays that are left over
      and those of another shape.
  """
  lost, odd, used = [], [], set()
  number = _blocks(weights.layout.blocks, variables)

  def one(keys, leaf):
    # No two collections use one path: statistics have names of their own.
    path = optimizers.path_of(keys[1:])
    for rule in weights.layout.rules:
      if match := re.fullmatch(rule.path, path):
        return made(path, rule, match.groups(), leaf.shape)
    lost.append(path)
    return leaf

  def made(path, rule, groups, shape):
    block = re.match(weights.layout.blocks, path)
    counted = {
      'next': [int(x) + 1 if x.isdecimal() else 0 for x in groups],
      'block': number.get(block[0]) if block else None,
    }
    name = rule.array.format(*groups, **counted)
    if name not in weights.arrays:
      lost.append(f'{path} ({name})')
      return np.zeros(shape, np.float32)
    used.add(name)
    array = np.asarray(weights.arrays[name], np.float32)
    try:
      value = rule.turned(array, shape)
    except ValueError:
      value = array
    if value.shape != shape:
      odd.append(f'{name} {array.shape} for {path} {shape}')
      return np.zeros(shape, np.float32)
    if rule.scaled_by:
      factor = rule.scaled_by.format(*groups, **counted)
      used.add(factor)
      value = value * np.asarray(weights.arrays[factor], np.float32)
    return value

  found = jax.tree_util.tree_map_with_path(
    one,
    {
      collection: {k: x for k, x in tree.items() if k != _POOL}
      for collection, tree in variables.items()
    },
  )
  others = re.compile(weights.layout.others)
  left = [
    k for k in sorted(weights.arrays) if k not in used and not others.match(k)
  ]
  for what, names in (
    ('have no array', lost),
    ('have another shape', odd),
    ('belong to no parameter', left),
  ):
    if names:
      raise errors.UserError(
        f"training.init: '{weights.where}' does not fit the encoder: "
        f'{len(names)} {what} ({_some(names)}).'
      )
  return found


def _blocks(pattern: str, variables: Any) -> dict[str, int]:
  """By what paths of a block begin with, its number over all stages."""
  found = {}
  for keys, _ in jax.tree_util.tree_leaves_with_path(variables):
    if match := re.match(pattern, optimizers.path_of(keys[1:])):
      found[match[0]] = tuple(map(int, match.groups()))
  return {k: n for n, k in enumerate(sorted(found, key=found.get))}


def _some(names: Sequence[str]) -> str:
  rest = f' and {len(names) - _SHOWN} more' if len(names) > _SHOWN else ''
  return ', '.join(names[:_SHOWN]) + rest


def same(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
  """The array itself, axes of one entry aside."""
  return array.reshape(shape)


def linear(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
  """(out, in) as a kernel (in, out), either side of which may be cut."""
  return array.T.reshape(shape)


def convolution(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
  """(out, in, ...) as a kernel (..., in, out).

  Of colour images to other numbers of channels: all channels have the mean of
  the three, times 3 over their number, so that a grey image, whatever its
  channels, gives what it gave in colour.
  """
  kernel = np.moveaxis(array, (1, 0), (-2, -1))
  channels = shape[-2]
  if kernel.shape[-2] == 3 != channels:
    kernel = kernel.mean(axis=-2, keepdims=True) * (3 / channels)
    kernel = np.repeat(kernel, channels, axis=-2)
  return kernel
