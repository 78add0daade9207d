import assert from "node:assert/strict";
import { test } from "node:test";
import { usableCores } from "../src/engine/cores.js";

function cores(parallelism: number, files: Readonly<Record<string, string>>): number {
  return usableCores({ parallelism: () => parallelism, readText: (path) => files[path] ?? null });
}

test("without a cgroup quota the affinity mask decides", () => {
  assert.equal(cores(8, {}), 8);
  assert.equal(cores(8, { "/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/a/cpu.max": "max 100000\n" }), 8);
  const v1 = { "/proc/self/cgroup": "4:cpu,cpuacct:/x\n", "/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us": "-1\n" };
  assert.equal(cores(8, { ...v1, "/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us": "100000\n" }), 8);
});

test("a quota of version 2 counts, of this cgroup or of one above", () => {
  const own = { "/proc/self/cgroup": "0::/a/b\n", "/sys/fs/cgroup/a/b/cpu.max": "250000 100000\n" };
  assert.equal(cores(8, own), 2);
  assert.equal(cores(8, { ...own, "/sys/fs/cgroup/a/cpu.max": "100000 100000\n" }), 1);
  // In a container the cgroup is its own root.
  assert.equal(cores(8, { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "300000 100000\n" }), 3);
});

test("a quota of version 1 counts", () => {
  const files = {
    "/proc/self/cgroup": "5:memory:/x\n4:cpu,cpuacct:/x\n",
    "/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us": "400000\n",
    "/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us": "100000\n",
  };
  assert.equal(cores(8, files), 4);
});

test("less than a core is one, and a quota above the mask changes nothing", () => {
  const files = (max: string) => ({ "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": max });
  assert.equal(cores(8, files("50000 100000\n")), 1);
  assert.equal(cores(2, files("800000 100000\n")), 2);
});
