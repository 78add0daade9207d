import { Worker } from "node:worker_threads";
import { defaultScenario } from "../src/engine/default-scenario.js";
import { emulate } from "../src/engine/emulate.js";
import { NS_PER_MS } from "../src/shared/units.js";

/**
 * What it costs to start N vCPUs, against as many bare workers in the same run: `npm run bench:startup -- 256 3`. Rounds
 * alternate, so that a change of the machine's speed meets both; quote the ratio.
 */
const BARE_WORKER = "require('node:worker_threads').parentPort.postMessage(1); setInterval(() => {}, 1e6)";
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 48, maxYoungGenerationSizeMb: 4, stackSizeMb: 1 };

interface Start {
  readonly ms: number;
  readonly rssMbEach: number;
}

async function startBareWorkers(count: number): Promise<Start> {
  const before = process.memoryUsage.rss();
  const startedAt = performance.now();
  const workers = Array.from(
    { length: count },
    () => new Worker(BARE_WORKER, { eval: true, resourceLimits: RESOURCE_LIMITS }),
  );
  await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once("message", resolve))));
  const ms = performance.now() - startedAt;
  const rssMbEach = (process.memoryUsage.rss() - before) / count / 1e6;
  await Promise.all(workers.map((worker) => worker.terminate()));
  return { ms, rssMbEach };
}

async function startVcpus(count: number): Promise<Start> {
  const before = process.memoryUsage.rss();
  let peak = before;
  const { bootNs } = await emulate(
    { ...defaultScenario(count), pcpus: 1, durationNs: 200 * NS_PER_MS },
    {
      sampleNs: 10 * NS_PER_MS,
      onSample: () => {
        peak = Math.max(peak, process.memoryUsage.rss());
      },
    },
  );
  return { ms: bootNs / NS_PER_MS, rssMbEach: (peak - before) / count / 1e6 };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

async function main(): Promise<void> {
  const count = Number(process.argv[2] ?? 256);
  const rounds = Number(process.argv[3] ?? 3);
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const bare = await startBareWorkers(count);
    const vcpus = await startVcpus(count);
    ratios.push(vcpus.ms / bare.ms);
    process.stdout.write(
      `${count} bare workers ${bare.ms.toFixed(0)} ms, ${bare.rssMbEach.toFixed(2)} MB each; ` +
        `${count} vCPUs ${vcpus.ms.toFixed(0)} ms, ${vcpus.rssMbEach.toFixed(2)} MB each; ` +
        `ratio ${(vcpus.ms / bare.ms).toFixed(2)}\n`,
    );
  }
  process.stdout.write(`median ratio ${median(ratios).toFixed(2)}\n`);
}

void main();
