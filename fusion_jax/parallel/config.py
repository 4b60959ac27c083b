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
    feed: 'resident' (the cohort lies on the devices), 'stream' (batches are
      read from the host's memory or files as they are needed, for cohorts that
      are larger than the devices' memory; needs strategy 'jit') or 'auto'
      (resident where the cohort's arrays fit into `memory_limit`, else
      stream). All give the same results.
    memory_limit: GiB on a device that these arrays may take under 'auto'; 0
      for half of the device's memory, and on a CPU for 30% of what is free.
  """

  strategy: str = 'jit'
  shard: str = 'auto'
  devices: int = 0
  fleet: str = 'auto'
  fsdp: int = 1
  rules: tuple[str, ...] = ('.*:largest',)
  feed: str = 'auto'
  memory_limit: float = 0.0
