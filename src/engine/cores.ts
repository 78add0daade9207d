import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";

export interface CoreReaders {
  /** Cores in this process's affinity mask. */
  readonly parallelism: () => number;
  /** A file's text, or null when it is not there. */
  readonly readText: (path: string) => string | null;
}

const SYSTEM_READERS: CoreReaders = { parallelism: availableParallelism, readText: readTextOrNull };

/**
 * Cores that this process may use: its affinity mask, or less when a cgroup's CPU quota says so. A quota of half a
 * core counts as one.
 */
export function usableCores(readers: CoreReaders = SYSTEM_READERS): number {
  const quotas = cgroupFolders(readers).map((folder) => quotaOf(folder, readers));
  return Math.max(1, Math.floor(Math.min(readers.parallelism(), ...quotas)));
}

/** This process's cgroup and those above it, of either version: each may have a quota. */
function cgroupFolders({ readText }: CoreReaders): string[] {
  const lines = (readText("/proc/self/cgroup") ?? "").split("\n");
  return lines.flatMap((line) => {
    const [, controllers = "", path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (path === undefined) return [];
    const names = path.split("/").filter((name) => name !== "");
    const ancestors = [...names.keys(), names.length].map((depth) => names.slice(0, depth));
    return cgroupRoots(controllers).flatMap((root) => ancestors.map((ancestor) => join(root, ...ancestor)));
  });
}

/** Where a hierarchy that limits CPU is mounted; version 2 names no controllers. */
function cgroupRoots(controllers: string): string[] {
  if (controllers === "") return ["/sys/fs/cgroup"];
  const isCpu = controllers.split(",").includes("cpu");
  return isCpu ? [`/sys/fs/cgroup/${controllers}`, "/sys/fs/cgroup/cpu"] : [];
}

/** Cores' worth of CPU time that one cgroup allows; Infinity when it sets no limit. */
function quotaOf(folder: string, { readText }: CoreReaders): number {
  const v2 = readText(join(folder, "cpu.max"))?.trim().split(/\s+/);
  const quotaUs = Number(v2?.[0] ?? readText(join(folder, "cpu.cfs_quota_us")) ?? Number.NaN);
  const periodUs = Number(v2?.[1] ?? readText(join(folder, "cpu.cfs_period_us")) ?? Number.NaN);
  // "max" and -1 are no limit.
  return quotaUs > 0 && periodUs > 0 ? quotaUs / periodUs : Number.POSITIVE_INFINITY;
}

function readTextOrNull(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
