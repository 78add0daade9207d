import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { loadProtocolModule } from "../src/backend/protocol-module.js";
import { defaultScenario } from "../src/engine/default-scenario.js";
import { inlineMore } from "../src/engine/inline-more.js";
import type { Scenario, VcpuConfig } from "../src/engine/scenario.js";
import { installPlainAtomics } from "../src/engine/virtual/plain-atomics.js";
import { randomPhasesNs } from "../src/engine/virtual/random-streams.js";
import { type GuestObserver, VirtualMachine } from "../src/engine/virtual/virtual-machine.js";
import type { GuestCpu } from "../src/guest/guest-cpu.js";
import type { HostObserver } from "../src/host/pvclock-publisher.js";
import { OutState } from "../src/host/sched-notifier.js";
import { MAX_TIME_NS, NS_PER_MS, tickNsecOf } from "../src/shared/units.js";

/*
 * How fast virtual time passes: events a second, at several sizes, on one core. An event is one deadline served, with all
 * that follows. Half of the vCPUs are hogs, a quarter has a duty cycle, 15 % are mixed, 10 % idle; 4 ms slices, HZ 250, four
 * vCPUs a pCPU, no checkers.
 *
 *     npm run bench:virtual [-- SIZES [ROUNDS]]     SIZES such as 1000,10000
 */

const DEFAULT_SIZES = [1, 10, 100, 1_000, 10_000, 100_000];
const DEFAULT_ROUNDS = 5;
const SEED = 1;
const protocolModule = loadProtocolModule();
/** Long enough for the compiler to have settled, and for every vCPU to have had its turn. */
const WARM_UP_EVENTS = 1_500_000;
const WARM_UP_EVENTS_PER_VCPU = 20;
const ROUND_EVENTS = 1_000_000;

interface Counts {
  switches: number;
  publishes: number;
  ticks: number;
  halts: number;
  wakes: number;
}

interface Measurement {
  readonly vcpus: number;
  readonly pcpus: number;
  /** Of each round. */
  readonly nsPerEvent: readonly number[];
  /** In one round's events. */
  readonly counts: Counts;
}

/** Counts what happens; the run is repeated for it, so that counting costs the measurement nothing. */
class Counter implements HostObserver, GuestObserver {
  counts: Counts = { switches: 0, publishes: 0, ticks: 0, halts: 0, wakes: 0 };
  readonly #ticks: Float64Array;

  constructor(vcpuCount: number) {
    this.#ticks = new Float64Array(vcpuCount);
  }

  schedIn(): void {
    this.counts.switches++;
  }
  schedOut(_vcpu: number, state: OutState): void {
    if (state === OutState.Halt) this.counts.halts++;
  }
  woken(): void {
    this.counts.wakes++;
  }
  published(): void {
    this.counts.publishes++;
  }
  told(vcpu: number, { ticks }: GuestCpu): void {
    this.counts.ticks += ticks - this.#ticks[vcpu];
    this.#ticks[vcpu] = ticks;
  }
  suspended(): void {}
  registered(): void {}
  unregistered(): void {}
  moved(): void {}
}

function scenarioOf(vcpuCount: number): Scenario {
  const base = defaultScenario(vcpuCount);
  const phases = randomPhasesNs(SEED, vcpuCount, tickNsecOf(base.hz));
  return {
    ...base,
    engine: "virtual",
    seed: SEED,
    durationNs: MAX_TIME_NS,
    pcpus: Math.max(1, Math.floor(vcpuCount / 4)),
    vcpus: base.vcpus.map((vcpu, id) => ({ ...vcpu, tickPhaseNs: phases[id], workload: workloadOf(id) })),
  };
}

/** Of twenty vCPUs in a row, ten hogs, five with a duty cycle, three mixed and two idle. */
function workloadOf(id: number): VcpuConfig["workload"] {
  const place = (id * 7) % 20;
  if (place < 10) return { kind: "hog" };
  if (place < 15) return { kind: "duty", busyNs: 3 * NS_PER_MS, periodNs: 10 * NS_PER_MS };
  return { kind: place < 18 ? "mixed" : "idle" };
}

function measure(vcpuCount: number, rounds: number): Measurement {
  inlineMore();
  installPlainAtomics();
  const scenario = scenarioOf(vcpuCount);
  const warmUpEvents = Math.max(WARM_UP_EVENTS, WARM_UP_EVENTS_PER_VCPU * vcpuCount);
  const machine = new VirtualMachine(scenario, { checks: false, protocolModule });
  machine.run(MAX_TIME_NS, warmUpEvents);
  const nsPerEvent = Array.from({ length: rounds }, () => {
    const startNs = process.hrtime.bigint();
    machine.run(MAX_TIME_NS, ROUND_EVENTS);
    return Number(process.hrtime.bigint() - startNs) / ROUND_EVENTS;
  });
  return { vcpus: vcpuCount, pcpus: scenario.pcpus, nsPerEvent, counts: countRound(scenario, warmUpEvents) };
}

function countRound(scenario: Scenario, warmUpEvents: number): Counts {
  const observer = new Counter(scenario.vcpus.length);
  const machine = new VirtualMachine(scenario, { checks: false, observer, protocolModule });
  machine.run(MAX_TIME_NS, warmUpEvents);
  observer.counts = { switches: 0, publishes: 0, ticks: 0, halts: 0, wakes: 0 };
  machine.run(MAX_TIME_NS, ROUND_EVENTS);
  return observer.counts;
}

/** In a thread of its own, as `emulate` runs it: with a compiler that has seen nothing else. */
function measureApart(vcpus: number, rounds: number): Promise<Measurement> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(__filename, { workerData: { vcpus, rounds } });
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}

function print(line: readonly (string | number)[]): void {
  process.stdout.write(`${line.map((cell) => String(cell).padStart(9)).join("")}\n`);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

async function main(): Promise<void> {
  const [sizes, rounds] = process.argv.slice(2);
  const vcpuCounts = sizes?.split(",").map(Number) ?? DEFAULT_SIZES;
  const roundCount = Number(rounds ?? DEFAULT_ROUNDS);
  if (![...vcpuCounts, roundCount].every((value) => Number.isInteger(value) && value >= 1)) {
    process.stderr.write("usage: npm run bench:virtual [-- SIZES [ROUNDS]], such as 1000,10000 5\n");
    process.exitCode = 2;
    return;
  }
  print(["vCPUs", "pCPUs", "Mev/s", "ns/ev", "best", "worst", "switch", "publish", "tick", "halt", "wake"]);
  for (const vcpuCount of vcpuCounts) {
    const { vcpus, pcpus, nsPerEvent, counts } = await measureApart(vcpuCount, roundCount);
    const typicalNs = median(nsPerEvent);
    const { switches, publishes, ticks, halts, wakes } = counts;
    const times = [typicalNs, Math.min(...nsPerEvent), Math.max(...nsPerEvent)].map((ns) => ns.toFixed(0));
    print([vcpus, pcpus, (1_000 / typicalNs).toFixed(2), ...times, switches, publishes, ticks, halts, wakes]);
  }
  process.stdout.write(`Medians of ${roundCount} rounds of ${ROUND_EVENTS} events; counts are of one round.\n`);
}

if (isMainThread) void main();
else parentPort?.postMessage(measure(workerData.vcpus, workerData.rounds));
