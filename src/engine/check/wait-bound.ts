import { OutState } from "../../host/sched-notifier.js";
import type { Ns } from "../../shared/units.js";
import { Property } from "./property.js";
import type { VcpuWitness } from "./run-checker.js";
import type { RunQueues } from "./run-queues.js";

/** One vCPU in a run queue that nobody moves into or out of. */
interface Member {
  readonly others: readonly number[];
  readonly boundNs: Ns;
  readonly constantBoundNs: Ns;
  waitsSince: Ns | null;
}

/** Nobody waits for longer than his competitors' due (RunQueues.waitBoundNs), in a run queue that nobody moves into or out of. */
export class WaitBound extends Property {
  readonly name = "nobody waits longer than the competitors' due";
  readonly #members: readonly (Member | null)[];
  /** Who has never slept; the host's tasks behind the vCPUs. */
  readonly #constant: boolean[];

  constructor(queues: RunQueues, witnesses: readonly VcpuWitness[], startNs: Ns) {
    super();
    this.#members = witnesses.map((_, vcpu) => {
      const others = queues.closedQueueOf(vcpu);
      if (others === null) return null;
      const boundNs = queues.waitBoundNs(vcpu, others, false);
      return { others, boundNs, constantBoundNs: queues.waitBoundNs(vcpu, others, true), waitsSince: startNs };
    });
    this.#constant = [...witnesses.keys(), ...queues.hostTasks].map((id) => queues.isConstant(id));
  }

  override schedOut(vcpu: number, state: OutState, now: Ns): void {
    if (state === OutState.Wait) this.#begin(vcpu, now);
    else this.#constant[vcpu] = false;
  }

  override woken(vcpu: number, now: Ns): void {
    this.#begin(vcpu, now);
  }

  override suspended(vcpu: number, now: Ns): void {
    this.#end(vcpu, now);
    this.#constant[vcpu] = false;
  }

  override schedIn(vcpu: number, _pcpu: number, now: Ns): void {
    this.#end(vcpu, now);
  }

  override stopping(now: Ns): void {
    for (const vcpu of this.#members.keys()) this.#end(vcpu, now);
  }

  #begin(vcpu: number, now: Ns): void {
    const member = this.#members[vcpu];
    if (member !== null) member.waitsSince = now;
  }

  #end(vcpu: number, now: Ns): void {
    const member = this.#members[vcpu];
    if (member === null || member.waitsSince === null) return;
    const waitedNs = now - member.waitsSince;
    member.waitsSince = null;
    if (waitedNs === 0) return;
    this.exercised++;
    const constant = this.#constant[vcpu] && member.others.every((id) => this.#constant[id]);
    const boundNs = constant ? member.constantBoundNs : member.boundNs;
    if (waitedNs > boundNs) this.report(`vCPU ${vcpu} waited ${waitedNs} ns until ${now}, the bound is ${boundNs}`);
  }
}
