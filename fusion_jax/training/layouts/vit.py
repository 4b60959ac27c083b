"""Vision transformers, as Hugging Face stores ViT and DINOv2.

Dosovitskiy et al. 2021; Oquab et al. 2024, "DINOv2: learning robust visual
features without supervision". DINOv2 scales the outputs of attention and MLP by
learnt factors, which the last layers of either take up here.
"""

import math

import jax
import numpy as np

from fusion_jax.training import pretrained

_HALF = (0.5, 0.5, 0.5)


def _positions(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
  """(1, 1 + s s, c) positions of a class token and a square of patches.

  On a grid of another size they are interpolated (Dosovitskiy et al. 2021,
  section 3.2).
  """
  array = array[0]
  if array.shape == shape:
    return array
  old, new = (math.isqrt(n - 1) for n in (len(array), shape[0]))
  if old * old != len(array) - 1 or new * new != shape[0] - 1:
    return array
  width = array.shape[1]
  grid = array[1:].reshape(old, old, width)
  grid = jax.image.resize(grid, (new, new, width), 'cubic', antialias=False)
  return np.concatenate([array[:1], np.asarray(grid).reshape(-1, width)])


def _rules(layer, attention, norms, out, mlp, scales=('', '')):
  """Rules of all but the first and the last layer.

  `attention`, `out` and the two of `mlp` are names of linear layers within
  `layer`, `norms` of the two norms, `scales` of factors.
  """
  r = pretrained.Rule
  block = r'stages_(\d+)/'
  found = []
  for flax, name, scale in (
    *((f'LayerNorm_{k}', norms[k], '') for k in range(2)),
    *(
      (rf'MultiHeadDotProductAttention_0/{x}', f'{attention}.{x}', '')
      for x in ('query', 'key', 'value')
    ),
    (r'MultiHeadDotProductAttention_0/out', out, scales[0]),
    ('Dense_0', mlp[0], ''),
    ('Dense_1', mlp[1], scales[1]),
  ):
    scale = f'{layer}.{scale}' if scale else ''
    name = f'{layer}.{name}'
    found += [
      r(f'{block}{flax}/scale', f'{name}.weight', pretrained.same),
      r(f'{block}{flax}/kernel', f'{name}.weight', pretrained.linear, scale),
      r(f'{block}{flax}/bias', f'{name}.bias', pretrained.same, scale),
    ]
  return tuple(found)


def _ends(last: str):
  """Rules of the first and the last layer."""
  r, patches = pretrained.Rule, 'embeddings.patch_embeddings.projection'
  return (
    r('patches/class', 'embeddings.cls_token', pretrained.same),
    r('patches/positions', 'embeddings.position_embeddings', _positions),
    r('patches/embed/kernel', f'{patches}.weight', pretrained.convolution),
    r('patches/embed/bias', f'{patches}.bias', pretrained.same),
    r('last/scale', f'{last}.weight', pretrained.same),
    r('last/bias', f'{last}.bias', pretrained.same),
  )


@pretrained.LAYOUTS.register('vit', summary='ViT of Hugging Face')
def vit() -> pretrained.Layout:
  """Those that Google trained want pixels from -1 to 1."""
  return pretrained.Layout(
    encoders=('vit',),
    marker=r'encoder\.layer\.0\.layernorm_before\.weight',
    rules=_ends('layernorm')
    + _rules(
      'encoder.layer.{0}',
      attention='attention.attention',
      norms=('layernorm_before', 'layernorm_after'),
      out='attention.output.dense',
      mlp=('intermediate.dense', 'output.dense'),
    ),
    others=r'classifier|pooler|embeddings\.mask_token|decoder',
    prefix=r'vit\.',
    mean=_HALF,
    std=_HALF,
  )


@pretrained.LAYOUTS.register('dinov2', summary='DINOv2 of Hugging Face')
def dinov2() -> pretrained.Layout:
  """Also the layout of foundation models of pathology and radiology."""
  return pretrained.Layout(
    encoders=('vit',),
    marker=r'encoder\.layer\.0\.layer_scale1\.lambda1',
    rules=_ends('layernorm')
    + _rules(
      'encoder.layer.{0}',
      attention='attention.attention',
      norms=('norm1', 'norm2'),
      out='attention.output.dense',
      mlp=('mlp.fc1', 'mlp.fc2'),
      scales=('layer_scale1.lambda1', 'layer_scale2.lambda1'),
    ),
    others=r'classifier|embeddings\.mask_token',
    prefix=r'dinov2\.',
    mean=pretrained.IMAGENET[0],
    std=pretrained.IMAGENET[1],
  )
