import { AffinityGroup } from "./affinity-group.js";
import type { SchedEntity } from "./sched-entity.js";

/**
 * Assigns every entity to its peers: one affinity group for each distinct set of two or more pCPUs. Who may run on one pCPU
 * only has no choice to make, and no peers.
 */
export function groupByAffinity(entities: readonly SchedEntity[], pcpuCount: number): readonly AffinityGroup[] {
  const groups = new Map<string, AffinityGroup>();
  // Most entities share one set, and a set may be large: each is looked at once.
  const groupOfSet = new Map<ReadonlySet<number> | null, AffinityGroup | null>();
  for (const entity of entities) {
    let group = groupOfSet.get(entity.allowed);
    if (group === undefined) {
      group = groupOf(membersOf(entity.allowed, pcpuCount), groups);
      groupOfSet.set(entity.allowed, group);
    }
    entity.peers = group === null ? null : group.peersOf(entity.weight);
  }
  return [...groups.values()];
}

function groupOf(members: readonly number[], groups: Map<string, AffinityGroup>): AffinityGroup | null {
  if (members.length < 2) return null;
  const key = members.join();
  const known = groups.get(key);
  if (known !== undefined) return known;
  const group = new AffinityGroup(members);
  groups.set(key, group);
  return group;
}

/** In ascending order, those of the set that there are. */
function membersOf(allowed: ReadonlySet<number> | null, pcpuCount: number): number[] {
  if (allowed === null) return Array.from({ length: pcpuCount }, (_, pcpu) => pcpu);
  return [...allowed].filter((pcpu) => pcpu < pcpuCount).sort((a, b) => a - b);
}
