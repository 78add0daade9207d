import type { Ns } from "../shared/units.js";

/** Why a vCPU is off its pCPU, and so what the time is called until it is on one again. */
export const OutState = { Wait: 1, Halt: 2, Offline: 3 } as const;
export type OutState = (typeof OutState)[keyof typeof OutState];

/**
 * Hears of every change in what a vCPU is doing: the RFC's sched notifiers (patch 3), which mainline has as preempt
 * notifiers. The ledger and the publisher hang here, and so may whoever checks them. Called in the order of registration,
 * so that the ledger knows the time before the publisher writes it.
 */
export interface SchedNotifier {
  /** The vCPU lost or gave up its pCPU. */
  schedOut(vcpu: number, state: OutState, now: Ns): void;
  /** A halted or offline vCPU became runnable: from here on it waits. */
  woken(vcpu: number, now: Ns): void;
  /** A vCPU that waits for a pCPU is out because its host is suspended now: OutState.Offline, until it is woken. */
  suspended(vcpu: number, now: Ns): void;
  /** The vCPU got a pCPU; it has not run there yet. */
  schedIn(vcpu: number, pcpu: number, now: Ns): void;
}
