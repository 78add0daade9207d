import { OutState } from "../../host/sched-notifier.js";
import type { Ns } from "../../shared/units.js";
import { Property } from "./property.js";
import type { VcpuWitness } from "./run-checker.js";
import type { RunQueues } from "./run-queues.js";

/** 2^35 ns, some 34 s: service times weight is then still an exact double. A longer interval is looked at in pieces. */
const MAX_SERVICE_NS = 34_359_738_368;

/** Two vCPUs of one run queue, while both are runnable. */
class Pair {
  readonly a: number;
  readonly b: number;
  active = true;
  /** Neither has slept since the run began. */
  sinceStart = true;
  startA: Ns = 0;
  startB: Ns = 0;
  /** The least and the most that a was ahead of b since then, in ns times both weights. */
  least = 0;
  most = 0;

  constructor(a: number, b: number) {
    this.a = a;
    this.b = b;
  }

  restart(serviceA: Ns, serviceB: Ns): void {
    this.startA = serviceA;
    this.startB = serviceB;
    this.least = 0;
    this.most = 0;
  }
}

/**
 * Weighted fairness: over every interval in which two vCPUs were runnable in one run queue, their services per weight differ by at
 * most a request of each (RunQueues.fairnessBound). Who else comes and goes there only makes the server slower. Looked at
 * where it is known in which queue a vCPU is: where it may run on one pCPU only.
 */
export class Fairness extends Property {
  readonly name = "services per weight stay within a slice of each other";
  readonly #queues: RunQueues;
  readonly #witnesses: readonly VcpuWitness[];
  readonly #pairsOf: readonly Pair[][];

  constructor(queues: RunQueues, witnesses: readonly VcpuWitness[]) {
    super();
    this.#queues = queues;
    this.#witnesses = witnesses;
    this.#pairsOf = witnesses.map(() => []);
    witnesses.forEach((_, a) => {
      for (let b = a + 1; b < witnesses.length; b++) this.#pair(a, b);
    });
  }

  override schedOut(vcpu: number, state: OutState, now: Ns): void {
    for (const pair of this.#pairsOf[vcpu]) {
      if (!pair.active) continue;
      this.#judge(pair, now);
      if (state !== OutState.Wait) this.#end(pair);
    }
  }

  override suspended(vcpu: number): void {
    for (const pair of this.#pairsOf[vcpu]) this.#end(pair);
  }

  override woken(vcpu: number, now: Ns): void {
    for (const pair of this.#pairsOf[vcpu]) {
      if (!this.#isRunnable(pair.a) || !this.#isRunnable(pair.b)) continue;
      pair.active = true;
      pair.restart(this.#serviceNs(pair.a, now), this.#serviceNs(pair.b, now));
    }
  }

  #pair(a: number, b: number): void {
    const home = this.#queues.homeOf(a);
    if (home < 0 || home !== this.#queues.homeOf(b)) return;
    const pair = new Pair(a, b);
    this.#pairsOf[a].push(pair);
    this.#pairsOf[b].push(pair);
  }

  #end(pair: Pair): void {
    pair.active = false;
    pair.sinceStart = false;
  }

  #isRunnable(vcpu: number): boolean {
    const { inGuest, state } = this.#witnesses[vcpu];
    return inGuest || state === OutState.Wait;
  }

  #serviceNs(vcpu: number, now: Ns): Ns {
    const { runNs, inGuest, sinceNs } = this.#witnesses[vcpu];
    return inGuest ? runNs + (now - sinceNs) : runNs;
  }

  /** A vCPU gets ahead only while it runs: the extremes lie where one of the two leaves its pCPU. */
  #judge(pair: Pair, now: Ns): void {
    const { a, b } = pair;
    const serviceA = this.#serviceNs(a, now);
    const serviceB = this.#serviceNs(b, now);
    const ahead =
      (serviceA - pair.startA) * this.#queues.weightOf(b) - (serviceB - pair.startB) * this.#queues.weightOf(a);
    pair.least = Math.min(pair.least, ahead);
    pair.most = Math.max(pair.most, ahead);
    this.exercised++;
    const bound = this.#queues.fairnessBound(a, b, pair.sinceStart);
    if (pair.most - pair.least > bound) {
      const apart = `vCPUs ${a} and ${b} came ${pair.most - pair.least} ns x weights apart`;
      this.report(`${apart} by ${now}, the bound is ${bound}`);
      this.#end(pair);
    }
    if (serviceA - pair.startA + serviceB - pair.startB > MAX_SERVICE_NS) pair.restart(serviceA, serviceB);
  }
}
