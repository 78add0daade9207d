import type { Ns } from "../shared/units.js";
import { CpuState } from "./cpu-state.js";

/** A CPU is taken offline by its own kernel, and brought online again: by the kernel's clock, from the CPU's start. */
export interface HotplugEvent {
  readonly atNs: Ns;
  readonly forNs: Ns;
}

/** When one CPU is to be offline: what an administrator writes to /sys/devices/system/cpu/cpuN/online. */
export class Hotplug {
  readonly #events: readonly HotplugEvent[];
  readonly #cpu: CpuState;

  /** @param events in order, none before the one in front of it is over */
  constructor(events: readonly HotplugEvent[], cpu = new CpuState()) {
    this.#events = events;
    this.#cpu = cpu;
  }

  /** When the CPU is to go offline next; Infinity for never. */
  get offlineAt(): Ns {
    return this.#cpu.offlineAt;
  }

  /** Of the event that is due or going on: when it is wanted online again. */
  get onlineAt(): Ns {
    return this.#cpu.rare.onlineAt;
  }

  start(now: Ns): void {
    this.#cpu.rare.hotplugStartedAt = now;
    this.#setNext();
  }

  /** The CPU is online again. */
  cameOnline(): void {
    this.#cpu.rare.hotplugNext++;
    this.#setNext();
  }

  #setNext(): void {
    const event = this.#events.at(this.#cpu.rare.hotplugNext);
    this.#cpu.offlineAt = event === undefined ? Number.POSITIVE_INFINITY : this.#cpu.rare.hotplugStartedAt + event.atNs;
    this.#cpu.rare.onlineAt = event === undefined ? Number.POSITIVE_INFINITY : this.#cpu.offlineAt + event.forNs;
  }
}
