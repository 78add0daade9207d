import type { Ns } from "../shared/units.js";
import { CpuState, Slot } from "./cpu-state.js";

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
    return this.#cpu.numbers[this.#cpu.base + Slot.OfflineAt];
  }

  set offlineAt(value: Ns) {
    this.#cpu.numbers[this.#cpu.base + Slot.OfflineAt] = value;
  }

  /** Of the event that is due or going on: when it is wanted online again. */
  get onlineAt(): Ns {
    return this.#cpu.numbers[this.#cpu.base + Slot.OnlineAt];
  }

  set onlineAt(value: Ns) {
    this.#cpu.numbers[this.#cpu.base + Slot.OnlineAt] = value;
  }

  get #startedAt(): Ns {
    return this.#cpu.numbers[this.#cpu.base + Slot.HotplugStartedAt];
  }

  set #startedAt(value: Ns) {
    this.#cpu.numbers[this.#cpu.base + Slot.HotplugStartedAt] = value;
  }

  get #next(): number {
    return this.#cpu.numbers[this.#cpu.base + Slot.HotplugNext];
  }

  set #next(value: number) {
    this.#cpu.numbers[this.#cpu.base + Slot.HotplugNext] = value;
  }

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
