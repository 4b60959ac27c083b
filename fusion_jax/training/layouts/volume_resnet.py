"""ResNets for volumes: 2-D ones of Hugging Face, inflated, and 3-D ones of CT.

He et al. 2016, inflated as Carreira and Zisserman 2017, "Quo vadis, action
recognition?", CVPR, section 2.4, have it. The 3-D ones are inflated ResNets
that were trained on CT: Merlin (Blankemeier et al. 2024, "Merlin: a vision
language foundation model for 3D computed tomography") and those that start from
it.
"""

from collections.abc import Callable

import numpy as np

from fusion_jax.training import pretrained

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_STAGES = 4
# Of the convolutions of a block; the last one is the shortcut's.
_BLOCKS = {'Block': 2, 'Bottleneck': 3}
# Parameters and statistics of a norm, and what PyTorch calls them.
_NORM = {
  'scale': 'weight',
  'bias': 'bias',
  'mean': 'running_mean',
  'var': 'running_var',
}

Turned = Callable[[np.ndarray, tuple[int, ...]], np.ndarray]


def _unit(path: str, place: str, conv: str, norm: str, turned: Turned):
  """Rules of a convolution and its norm, the `place`-th ones of `path`."""
  r = pretrained.Rule
  return (
    r(f'{path}/Conv_{place}/kernel', f'{conv}.weight', turned),
    *(
      r(f'{path}/BatchNorm_{place}/{x}', f'{norm}.{y}', pretrained.same)
      for x, y in _NORM.items()
    ),
  )


def _rules(
  stem: tuple[str, str],
  block: Callable[[int], str],
  units: Callable[[int], tuple[str, str]],
  shortcut: tuple[str, str],
  turned: Turned,
) -> tuple[pretrained.Rule, ...]:
  """Rules of all layers.

  Args:
    stem: names of its convolution and its norm.
    block: the name of a block of a stage from 0, with {0} for its number.
    units: the names of a block's convolution and norm, from 0.
    shortcut: likewise, of the shortcut.
    turned: what is made of kernels.
  """
  found = [*_unit('first', '0', *stem, turned)]
  for stage in range(_STAGES):
    for kind, count in _BLOCKS.items():
      path = rf'stages_{stage}/{kind}_(\d+)'
      for k in range(count + 1):
        names = shortcut if k == count else units(k)
        names = (f'{block(stage)}.{x}' for x in names)
        found += _unit(path, str(k), *names, turned)
  return tuple(found)


def _across(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
  """A kernel whose second and third axis of space change places."""
  return pretrained.convolution(array, shape).swapaxes(1, 2)


@pretrained.LAYOUTS.register(
  'resnet_inflated', summary='2-D ResNet of Hugging Face, inflated for volumes'
)
def resnet_inflated() -> pretrained.Layout:
  """Wants norm=batch and stem=pooled, and the blocks of the file."""
  embedder = 'embedder.embedder'
  return pretrained.Layout(
    encoders=('deep_resnet',),
    marker=r'embedder\.embedder\.convolution\.weight',
    rules=_rules(
      stem=(f'{embedder}.convolution', f'{embedder}.normalization'),
      block=lambda stage: f'encoder.stages.{stage}.layers.{{0}}',
      units=lambda k: (f'layer.{k}.convolution', f'layer.{k}.normalization'),
      shortcut=('shortcut.convolution', 'shortcut.normalization'),
      turned=pretrained.inflated,
    ),
    others=r'classifier|.*num_batches_tracked',
    prefix=r'resnet\.',
    mean=_IMAGENET[0],
    std=_IMAGENET[1],
  )


@pretrained.LAYOUTS.register(
  'i3_resnet', summary='3-D ResNet inflated and trained on CT (Merlin, Astra)'
)
def i3_resnet() -> pretrained.Layout:
  """Wants norm=batch and stem=pooled, and the blocks of the file.

  Values are from 0 to 1, of a window that the cohort has to have: from -1000 to
  1000 Hounsfield units for Merlin, to 200 for Astra. Within
  a slice their first axis goes from left to right and their second from back to
  front; volumes have them in the other order here, and so get the kernels.
  """
  return pretrained.Layout(
    encoders=('deep_resnet',),
    marker=r'layer1\.0\.conv1\.weight',
    rules=_rules(
      stem=('conv1', 'bn1'),
      block=lambda stage: f'layer{stage + 1}.{{0}}',
      units=lambda k: (f'conv{k + 1}', f'bn{k + 1}'),
      shortcut=('downsample.0', 'downsample.1'),
      turned=_across,
    ),
    others=r'fc\.|classifier|contrastive_head|.*num_batches_tracked',
    prefix=r'(?:visual_encoder\.model\.)?encode_image\.i3_resnet\.',
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
  )
