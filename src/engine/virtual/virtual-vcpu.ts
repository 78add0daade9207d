import type { GuestCpu } from "../../guest/guest-cpu.js";
import { NEVER } from "../../shared/deadline-heap.js";
import type { RandomStream } from "../../shared/random-stream.js";
import type { Ns } from "../../shared/units.js";
import type { ClockMonitor } from "../check/clock-monitor.js";
import type { ChanceConfig } from "../scenario.js";

/** A guest CPU between its host's commands, and how late they reach it. */
export class VirtualVcpu {
  readonly guest: GuestCpu;
  /** Watches its clock; null without checks. */
  readonly monitor: ClockMonitor | null;
  readonly #random: RandomStream | null;
  readonly #chance: ChanceConfig;

  granted = false;
  /** When the grant reaches it; NEVER once it has entered. */
  enterAt: Ns = NEVER;
  /** When the kick reaches it; NEVER while it was not kicked. */
  leaveAt: Ns = NEVER;
  /** The grant or the kick that it does not know of yet, or did not when it entered. */
  #unseenSince: Ns = 0;
  /** Time in which the ledger says "run" and the guest was not told yet, or was to be gone. */
  noiseNs: Ns = 0;

  /** @param random null when nothing is left to chance */
  constructor(guest: GuestCpu, monitor: ClockMonitor | null, random: RandomStream | null, chance: ChanceConfig) {
    this.guest = guest;
    this.monitor = monitor;
    this.#random = random;
    this.#chance = chance;
  }

  /** While it is granted: when it has to be told the time. */
  get nextDeadline(): Ns {
    if (this.enterAt !== NEVER) return this.enterAt;
    const deadline = this.guest.nextDeadline;
    return this.leaveAt < deadline ? this.leaveAt : deadline;
  }

  /** It has a pCPU, and will know of it a little later. */
  grant(now: Ns): void {
    this.granted = true;
    this.#unseenSince = now;
    this.enterAt = now + this.#draw(this.#chance.wakeLatencyNs);
  }

  enter(now: Ns): void {
    this.enterAt = NEVER;
    this.noiseNs += now - this.#unseenSince;
    this.#unseenSince = now;
    this.guest.enter(now);
  }

  /** It has to give its pCPU back, and will know of it a little later; not before it has entered. */
  kick(now: Ns): void {
    this.#unseenSince = this.enterAt === NEVER ? now : this.#unseenSince;
    this.leaveAt = now + this.#draw(this.#chance.hostNoiseNs);
  }

  leave(now: Ns): void {
    this.guest.leave(now);
    if (this.leaveAt !== NEVER) this.noiseNs += now - this.#unseenSince;
    this.granted = false;
    this.leaveAt = NEVER;
  }

  #draw(maximumNs: Ns): Ns {
    return maximumNs === 0 || this.#random === null ? 0 : this.#random.below(maximumNs + 1);
  }
}
