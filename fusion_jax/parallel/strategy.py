"""Spreads a program over members, studies of a batch and parameters.

A program is `f(members, shared, plan) -> result`, where every leaf of
`members` has the members on its first axis, `shared` is the same for all, and
every leaf of `plan` is (m, ..., b): members first, the batch last. Its result
is either per member, or (m, ..., b, ...) per study with the batch on axis 2.

Devices form a mesh of three axes: `members` divides the models of a fleet,
`data` and `fsdp` divide each batch, and `fsdp` divides large parameters as well
(parallel/rules.py). Under jit, XLA puts in what has to be exchanged.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from fusion_jax.core import errors
from fusion_jax.parallel import config as parallel_config
from fusion_jax.parallel import memory, placed
from fusion_jax.parallel import rules as rules_lib

P = jax.sharding.PartitionSpec

DATA = 'data'
MEMBERS = 'members'
FSDP = rules_lib.FSDP
STRATEGIES = ('jit', 'pmap')
SHARDS = ('auto', DATA, MEMBERS)
FLEETS = ('auto', 'map', 'vmap')

_BATCH_AXIS = 2
# Devices that share parameters divide a batch like all others.
_BATCH = (DATA, FSDP)
# Cohorts beside the latest one that stay on the devices; larger ones come and
# go.
_PLACED = placed.Placed(most_bytes=2 << 30)


@dataclasses.dataclass(frozen=True)
class Strategy:
  """How one fleet's programs run on the local devices.

  Attributes:
    kind: 'jit' or 'pmap'.
    shard: DATA or MEMBERS.
    devices: those used.
    fleet: 'map' or 'vmap' over the members on one device.
    fsdp: devices over which parameters are cut.
    rules: REGEX:CUT, see `rules.parse`.
  """

  kind: str
  shard: str
  devices: tuple[jax.Device, ...]
  fleet: str
  fsdp: int = 1
  rules: tuple[str, ...] = ()

  @property
  def member_multiple(self) -> int:
    """The number of members must be a multiple of this."""
    return len(self.devices) if self.shard == MEMBERS else 1

  @property
  def batch_multiple(self) -> int:
    """The size of a batch must be a multiple of this."""
    return len(self.devices) if self.shard == DATA else 1

  @property
  def axis_name(self) -> str | None:
    """The axis a program must reduce over itself; None if XLA does it."""
    return DATA if self.kind == 'pmap' and self.shard == DATA else None

  @property
  def _mesh(self) -> jax.sharding.Mesh:
    n = len(self.devices)
    shape = (
      (n, 1, 1) if self.shard == MEMBERS else (1, n // self.fsdp, self.fsdp)
    )
    return jax.sharding.Mesh(
      np.array(self.devices).reshape(shape),
      (MEMBERS, DATA, FSDP),
      axis_types=(jax.sharding.AxisType.Auto,) * 3,
    )

  def _member_shardings(self, members: Any, *, stacked: bool = True) -> Any:
    """Of every leaf of what differs between members."""
    mesh, rules = self._mesh, rules_lib.parse(self.rules)

    def one(keys, x):
      spec = P(MEMBERS) if self.shard == MEMBERS else P()
      if self.fsdp > 1:
        spec = rules_lib.spec_of(
          rules_lib.path_of(keys),
          x.shape,
          rules,
          size=self.fsdp,
          stacked=stacked,
        )
      return jax.sharding.NamedSharding(mesh, spec)

    return jax.tree_util.tree_map_with_path(one, members)

  def map_members(self, f: Callable[..., Any]) -> Callable[..., Any]:
    """Runs `f`, written for one member, on all members of one device."""
    if self.fleet == 'vmap':
      return lambda *args: jax.vmap(f)(*args)
    return lambda *args: jax.lax.map(lambda x: f(*x), args)

  def place_shared(self, shared: Any) -> Any:
    """Puts `shared` on every device; what is there already is used again.

    Nobody may write into its arrays afterwards.
    """
    where: Any = self.devices[0]
    if len(self.devices) > 1 and self.kind != 'pmap':
      where = jax.sharding.NamedSharding(self._mesh, P())
    return jax.tree.map(lambda x: _PLACED.put(x, where), shared)

  def place_cut(self, tree: Any, axis: int | None) -> Any:
    """Puts arrays on the devices, `axis` cut over them; whole if None."""
    if len(self.devices) == 1:
      return jax.device_put(tree, self.devices[0])
    spec = P() if axis is None else P(*(None,) * axis, _BATCH)
    return jax.device_put(tree, jax.sharding.NamedSharding(self._mesh, spec))

  def place_members(self, members: Any, *, stacked: bool = True) -> Any:
    """Puts `members` where a program of this strategy wants them.

    Not `stacked`, they are one member, without the first axis.
    """
    if self.kind == 'pmap':
      return members  # It cuts and places them itself.
    where: Any = self.devices[0]
    if len(self.devices) > 1:
      where = self._member_shardings(members, stacked=stacked)
    # A copy: programs overwrite what they are given.
    return jax.device_put(members, where, may_alias=False)

  def compile(
    self,
    program: Callable[..., Any],
    members: Any,
    shared: Any,
    plan: Any,
    *,
    per_study: bool = False,
    donate: bool = False,
  ) -> Callable[..., Any]:
    """Compiles `program` for arguments shaped like those given.

    Args:
      program: f(members, shared, plan), as the module describes.
      members: an example, the first value to be used, or its shapes.
      shared: likewise.
      plan: likewise.
      per_study: whether the result is per study rather than per member.
      donate: whether `members` may be overwritten (jit only).

    Returns:
      The compiled function of (members, shared, plan).
    """
    if self.kind == 'pmap':
      return self._pmap(program, per_study)
    jitted = self._jit(program, (members, shared, plan), per_study, donate)
    return jitted.lower(members, shared, plan).compile()

  def _jit(self, program, examples, per_study, donate):
    donated = (0,) if donate else ()
    if len(self.devices) == 1:
      return jax.jit(program, donate_argnums=donated)
    mesh = self._mesh
    if self.shard == MEMBERS:
      mapped = jax.shard_map(
        program,
        mesh=mesh,
        in_specs=(P(MEMBERS), P(), P(MEMBERS)),
        out_specs=P(MEMBERS),
        check_vma=False,
      )
      shardings = [
        jax.sharding.NamedSharding(mesh, s)
        for s in (P(MEMBERS), P(), P(MEMBERS))
      ]
      return jax.jit(
        mapped,
        in_shardings=tuple(shardings),
        out_shardings=shardings[0],
        donate_argnums=donated,
      )
    whole = jax.sharding.NamedSharding(mesh, P())
    # What is fed batch by batch lies on the devices as it was cut.
    shared = jax.tree.map(
      lambda x: x.sharding if isinstance(x, jax.Array) else whole, examples[1]
    )
    batch = jax.sharding.NamedSharding(mesh, P(None, None, _BATCH))
    # What comes out lies as what went in, so that it can be fed back.
    out = self._member_shardings(jax.eval_shape(program, *examples))
    return jax.jit(
      program,
      in_shardings=(self._member_shardings(examples[0]), shared, batch),
      out_shardings=batch if per_study else out,
      donate_argnums=donated,
    )

  def _pmap(self, program, per_study):
    n = len(self.devices)
    if self.shard == MEMBERS:
      mapped = jax.pmap(
        program, MEMBERS, in_axes=(0, None, 0), devices=self.devices
      )
      sharding = jax.sharding.NamedSharding(self._mesh, P(MEMBERS))

      def run(members, shared, plan):
        def cut(tree):
          return jax.device_put(_cut(tree, n=n, axis=0), sharding)

        return _joined(mapped(cut(members), shared, cut(plan)), 0)

      return run
    out = _BATCH_AXIS if per_study else None
    mapped = jax.pmap(
      program,
      DATA,
      in_axes=(None, None, _BATCH_AXIS),
      out_axes=out,
      devices=self.devices,
    )

    def run(members, shared, plan):
      result = mapped(members, shared, _cut(plan, n=n, axis=_BATCH_AXIS))
      return _joined(result, _BATCH_AXIS) if per_study else result

    return run


def _cut(tree, *, n, axis):
  """Splits `axis` of every leaf into (n, size / n)."""

  def one(x):
    shape = x.shape
    return x.reshape(*shape[:axis], n, shape[axis] // n, *shape[axis + 1 :])

  return jax.tree.map(one, tree)


def _joined(tree, axis):
  """Undoes `_cut`."""

  def one(x):
    shape = x.shape
    return x.reshape(
      *shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2 :]
    )

  return jax.tree.map(one, tree)


def create_strategy(
  config: parallel_config.ParallelConfig, *, members: int
) -> Strategy:
  """Decides how a fleet of `members` models uses the local devices.

  Raises:
    UserError: for an unknown strategy or shard, more devices than exist, or
      parameters that cannot be cut so.
  """
  for name, value, legal in (
    ('parallel.strategy', config.strategy, STRATEGIES),
    ('parallel.shard', config.shard, SHARDS),
    ('parallel.fleet', config.fleet, FLEETS),
    ('parallel.feed', config.feed, memory.FEEDS),
  ):
    if value not in legal:
      raise errors.unknown_name(f'{name} value', value, legal)
  local = jax.local_devices()
  if not 0 <= config.devices <= len(local):
    raise errors.UserError(
      f'parallel.devices={config.devices}: this process has {len(local)} '
      f'devices; give 1 to {len(local)}, or 0 for all.'
    )
  if not 0 <= config.memory_limit < math.inf:
    raise errors.UserError(
      f'parallel.memory_limit={config.memory_limit}: expected GiB, or 0 to '
      'decide by the memory there is.'
    )
  if config.feed == memory.STREAM:
    if config.strategy != 'jit':
      raise errors.UserError(
        f"parallel.feed='{memory.STREAM}' needs parallel.strategy='jit', not "
        f"'{config.strategy}'."
      )
    memory.require(f'parallel.feed={memory.STREAM}')
  devices = tuple(local[: config.devices or len(local)])
  shard = config.shard
  if config.feed == memory.STREAM:
    shard = DATA  # Models are trained one after the other.
  elif shard == 'auto' and config.fsdp > 1:
    shard = DATA  # Members that are divided have their parameters apart.
  elif shard == 'auto':
    shard = MEMBERS if members >= len(devices) else DATA
  fleet = config.fleet
  if fleet == 'auto':
    fleet = 'map' if devices[0].platform == 'cpu' else 'vmap'
  _check_fsdp(config, len(devices), shard)
  return Strategy(
    config.strategy, shard, devices, fleet, config.fsdp, config.rules
  )


def _check_fsdp(config, devices, shard):
  rules_lib.parse(config.rules)
  if config.fsdp < 1 or devices % config.fsdp:
    raise errors.UserError(
      f'parallel.fsdp={config.fsdp}: parameters are cut over a divisor of the '
      f'{devices} devices.'
    )
  if config.fsdp > 1 and (config.strategy != 'jit' or shard == MEMBERS):
    raise errors.UserError(
      f'parallel.fsdp={config.fsdp} needs parallel.strategy=jit and '
      'parallel.shard=data.'
    )
