"""How work is spread over the local devices."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class ParallelConfig:
  """Configuration of the devices.

  Attributes:
    strategy: 'jit' (a mesh and shardings) or 'pmap', whose shards of a batch
      draw their dropout apart; otherwise both compute the same.
    shard: what is cut over devices: 'data' (each batch), 'members' (the
      models of a fleet) or 'auto' (members where there are at least as many
      as devices, else data).
    devices: how many local devices to use; 0 means all.
    fleet: how one device runs several members: 'map' (one after the other),
      'vmap' (batched) or 'auto' (map on CPU, vmap elsewhere).
    fsdp: devices that share one copy of the parameters, each keeping a part of
      the large ones; a divisor of all devices.
    rules: REGEX:CUT, which dimension of the parameters in whose path the
      expression is found is cut over them: 'largest', 'first', 'last' or
      'none'; the first that fits counts.
    feed: 'resident' (the cohort lies on the devices) or 'stream' (batches are
      read from the host's memory or files one by one, for cohorts that are
      larger than the devices' memory; needs strategy 'jit').
  """

  strategy: str = 'jit'
  shard: str = 'auto'
  devices: int = 0
  fleet: str = 'auto'
  fsdp: int = 1
  rules: tuple[str, ...] = ('.*:largest',)
  feed: str = 'resident'
