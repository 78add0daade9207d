import type { GuestCpu } from "../../guest/guest-cpu.js";
import type { OutState } from "../../host/sched-notifier.js";
import type { Ns } from "../../shared/units.js";
import type { RunResult } from "../result.js";
import type { MachineObserver } from "../virtual/virtual-machine.js";

/** What is kept of a property's problems: the first ones say it all. */
const MAX_PROBLEMS = 20;

/**
 * Something that must hold in every run, and whoever watches that it does: by what host and guests are seen to do and by the
 * bytes of the pages, never by asking the code that it judges what it thinks. Each property hears what it overrides.
 */
export abstract class Property implements MachineObserver {
  abstract readonly name: string;
  /** How many cases were judged: a property that had none has shown nothing. */
  exercised = 0;
  /** What was seen to be wrong, the first few. */
  readonly problems: string[] = [];

  schedOut(_vcpu: number, _state: OutState, _now: Ns): void {}
  woken(_vcpu: number, _now: Ns): void {}
  suspended(_vcpu: number, _now: Ns): void {}
  schedIn(_vcpu: number, _pcpu: number, _now: Ns): void {}
  registered(_vcpu: number, _base: number): void {}
  unregistered(_vcpu: number): void {}
  published(_vcpu: number, _version: number, _stealNs: Ns, _now: Ns): void {}
  moved(_offersSteal: boolean, _now: Ns): void {}
  told(_vcpu: number, _guest: GuestCpu, _now: Ns): void {}
  /** An instant is over: every command of the host is carried out. */
  instantOver(_now: Ns): void {}
  /** The run is about to be ended: everybody is taken off his pCPU from now on. */
  stopping(_now: Ns): void {}
  /** The run is over. @param now the instant at which its books were closed */
  finished(_result: RunResult, _now: Ns): void {}

  protected report(problem: string): void {
    if (this.problems.length < MAX_PROBLEMS) this.problems.push(problem);
  }
}
