/** The layer rule: data flows one way, and what host and guest know of each other is in shared. */
const layer = (name, from, to) => ({
  name,
  severity: "error",
  from: { path: `^src/${from}/` },
  to: { path: `^src/`, pathNot: `^src/(${to.join("|")})/` },
});

module.exports = {
  forbidden: [
    layer("shared-imports-nothing-else", "shared", ["shared"]),
    layer("host-imports-shared-only", "host", ["host", "shared"]),
    layer("guest-imports-shared-only", "guest", ["guest", "shared"]),
    layer("engine-imports-host-guest-shared", "engine", ["engine", "host", "guest", "backend", "shared"]),
    layer("backend-imports-shared-only", "backend", ["backend", "shared"]),
    layer("verify-imports-the-protocol-only", "verify", ["verify", "backend", "shared"]),
    layer("fuzzer-imports-engine-and-cli", "fuzz", ["fuzz", "engine", "cli", "guest", "backend", "shared"]),
    {
      name: "nothing-imports-the-fuzzer",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/fuzz/" },
      to: { path: "^src/fuzz/" },
    },
    {
      name: "state-machines-know-no-clock-or-thread",
      severity: "error",
      from: { path: "^src/(host|guest|shared)/" },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "threads-in-the-drivers-only",
      severity: "error",
      from: {
        path: "^src/",
        pathNot: "^src/(fuzz/|verify/|engine/(real/|worker-run\\.ts|virtual/(run-virtual|virtual-worker)\\.ts))",
      },
      to: { path: "^(node:worker_threads|worker_threads)$" },
    },
    {
      name: "piscina-in-the-real-engine-and-the-fuzzer-only",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(engine/real|fuzz)/" },
      to: { path: "^piscina$|node_modules/piscina/" },
    },
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    {
      name: "alternatives-know-the-page-and-the-harness-only",
      severity: "error",
      from: { path: "^bench/alternatives/" },
      to: { path: "^(src|bench)/", pathNot: "^(src/(shared|backend)|bench/alternatives|bench/harness)/" },
    },
    {
      name: "the-harness-knows-nothing-that-it-measures",
      severity: "error",
      from: { path: "^bench/harness/" },
      to: { path: "^(src|bench)/", pathNot: "^(src/shared|bench/harness)/" },
    },
    {
      name: "bench-does-not-import-tests",
      severity: "error",
      from: { path: "^bench/" },
      to: { path: "^test/" },
    },
    {
      name: "source-does-not-import-tests",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^(test|bench)/" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
  },
};
