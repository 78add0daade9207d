import { OutState } from "../../host/sched-notifier.js";
import type { Ns } from "../../shared/units.js";
import { Property } from "./property.js";
import type { VcpuWitness } from "./run-checker.js";
import type { RunQueues } from "./run-queues.js";

/** 2^35 ns, some 34 s: service times weight is then still an exact double. A longer interval is looked at in pieces. */
const MAX_SERVICE_NS = 34_359_738_368;

/** How far one vCPU of a run queue gets ahead of another, for as long as that other one is runnable. */
class Lead {
  readonly ahead: number;
  readonly behind: number;
  active = true;
  aheadSinceNs: Ns = 0;
  behindSinceNs: Ns = 0;
  /** The least that it was ahead since then, in ns times both weights. */
  least = 0;

  constructor(ahead: number, behind: number) {
    this.ahead = ahead;
    this.behind = behind;
  }

  restart(aheadNs: Ns, behindNs: Ns): void {
    this.active = true;
    this.aheadSinceNs = aheadNs;
    this.behindSinceNs = behindNs;
    this.least = 0;
  }
}

/**
 * Weighted fairness: in every interval in which a vCPU is runnable, no other one of its run queue gets more service per weight than it, but
 * for a request of each (RunQueues.fairnessBound); so two that are runnable differ by no more. Whoever else comes and goes
 * only makes the server slower. Looked at where it is known in which queue a vCPU is: where it may run on one pCPU only.
 */
export class Fairness extends Property {
  readonly name = "services per weight stay within a slice of each other";
  readonly #queues: RunQueues;
  readonly #witnesses: readonly VcpuWitness[];
  readonly #leadsOf: readonly Lead[][];
  readonly #hasSlept: boolean[];

  constructor(queues: RunQueues, witnesses: readonly VcpuWitness[]) {
    super();
    this.#queues = queues;
    this.#witnesses = witnesses;
    this.#leadsOf = witnesses.map(() => []);
    this.#hasSlept = witnesses.map(() => false);
    for (const ahead of witnesses.keys()) for (const behind of witnesses.keys()) this.#watch(ahead, behind);
  }

  override schedOut(vcpu: number, state: OutState, now: Ns): void {
    for (const lead of this.#leadsOf[vcpu]) if (lead.active) this.#judge(lead, now);
    if (state !== OutState.Wait) this.#leave(vcpu);
  }

  override suspended(vcpu: number): void {
    this.#leave(vcpu);
  }

  override woken(vcpu: number, now: Ns): void {
    for (const lead of this.#leadsOf[vcpu]) if (lead.behind === vcpu) this.#restart(lead, now);
  }

  #watch(ahead: number, behind: number): void {
    const home = this.#queues.homeOf(ahead);
    if (ahead === behind || home < 0 || home !== this.#queues.homeOf(behind)) return;
    const lead = new Lead(ahead, behind);
    this.#leadsOf[ahead].push(lead);
    this.#leadsOf[behind].push(lead);
  }

  #leave(vcpu: number): void {
    this.#hasSlept[vcpu] = true;
    for (const lead of this.#leadsOf[vcpu]) if (lead.behind === vcpu) lead.active = false;
  }

  #restart(lead: Lead, now: Ns): void {
    lead.restart(this.#witnesses[lead.ahead].runNsAt(now), this.#witnesses[lead.behind].runNsAt(now));
  }

  /** A lead changes only while one of the two runs: the extremes lie where one leaves its pCPU. */
  #judge(lead: Lead, now: Ns): void {
    this.exercised++;
    const { ahead, behind } = lead;
    const aheadNs = this.#witnesses[ahead].runNsAt(now) - lead.aheadSinceNs;
    const behindNs = this.#witnesses[behind].runNsAt(now) - lead.behindSinceNs;
    const distance = aheadNs * this.#queues.weightOf(behind) - behindNs * this.#queues.weightOf(ahead);
    lead.least = Math.min(lead.least, distance);
    const bound = this.#queues.fairnessBound(ahead, behind, !this.#hasSlept[ahead] && !this.#hasSlept[behind]);
    if (distance - lead.least > bound) {
      const apart = `vCPU ${ahead} got ${distance - lead.least} ns x weights ahead of vCPU ${behind}`;
      this.report(`${apart} by ${now}, the bound is ${bound}`);
      this.#restart(lead, now);
    }
    if (aheadNs + behindNs > MAX_SERVICE_NS) this.#restart(lead, now);
  }
}
