"""ConvNeXts, as Hugging Face stores them (Liu et al. 2022)."""

from fusion_jax.training import layout_rules, pretrained


@pretrained.LAYOUTS.register('convnext', summary='ConvNeXt of Hugging Face')
def convnext() -> pretrained.Layout:
  """The last norm adds 1e-12 there and 1e-6 here, which is no difference."""
  stage, names = r'stages_(\d+)/', 'encoder.stages.{0}.'
  block, within = rf'{stage}Block_(\d+)/', f'{names}layers.{{1}}.'
  return pretrained.Layout(
    encoders=('convnext',),
    marker=r'encoder\.stages\.0\.layers\.0\.dwconv\.weight',
    rules=(
      *layout_rules.convolution(
        'first/Patches_0/Conv_0', 'embeddings.patch_embeddings', bias=True
      ),
      *layout_rules.layer_norm('first/LayerNorm_0', 'embeddings.layernorm'),
      *layout_rules.layer_norm(
        f'{stage}LayerNorm_0', f'{names}downsampling_layer.0'
      ),
      *layout_rules.convolution(
        f'{stage}Patches_0/Conv_0', f'{names}downsampling_layer.1', bias=True
      ),
      *layout_rules.convolution(f'{block}Conv_0', f'{within}dwconv', bias=True),
      *layout_rules.layer_norm(f'{block}LayerNorm_0', f'{within}layernorm'),
      *layout_rules.linear(f'{block}Dense_0', f'{within}pwconv1'),
      *layout_rules.linear(f'{block}Dense_1', f'{within}pwconv2'),
      pretrained.Rule(
        f'{block}scale', f'{within}layer_scale_parameter', pretrained.same
      ),
      *layout_rules.layer_norm('last', 'layernorm'),
    ),
    others='classifier',
    prefix=r'convnext\.',
    mean=pretrained.IMAGENET[0],
    std=pretrained.IMAGENET[1],
  )
