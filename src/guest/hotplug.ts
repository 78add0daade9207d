import type { Ns } from "../shared/units.js";

/** A CPU is taken offline by its own kernel, and brought online again: by the kernel's clock, from the CPU's start. */
export interface HotplugEvent {
  readonly atNs: Ns;
  readonly forNs: Ns;
}

/** When one CPU is to be offline: what an administrator writes to /sys/devices/system/cpu/cpuN/online. */
export class Hotplug {
  readonly #events: readonly HotplugEvent[];
  #startedAt: Ns = 0;
  #next = 0;

  /** @param events in order, none before the one in front of it is over */
  constructor(events: readonly HotplugEvent[]) {
    this.#events = events;
  }

  /** When the CPU is to go offline next; Infinity for never. */
  offlineAt: Ns = Number.POSITIVE_INFINITY;
  /** Of the event that is due or going on: when it is wanted online again. */
  onlineAt: Ns = Number.POSITIVE_INFINITY;

  start(now: Ns): void {
    this.#startedAt = now;
    this.#setNext();
  }

  /** The CPU is online again. */
  cameOnline(): void {
    this.#next++;
    this.#setNext();
  }

  #setNext(): void {
    const event = this.#events.at(this.#next);
    this.offlineAt = event === undefined ? Number.POSITIVE_INFINITY : this.#startedAt + event.atNs;
    this.onlineAt = event === undefined ? Number.POSITIVE_INFINITY : this.offlineAt + event.forNs;
  }
}
