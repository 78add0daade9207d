/** What the host tells the driver to do with a vCPU. */
export const HostCommand = { Grant: 0, Kick: 1 } as const;
export type HostCommand = (typeof HostCommand)[keyof typeof HostCommand];

const MAX_PER_VCPU = 4;

/**
 * Grants and kicks in the order in which the host decided them. The driver drains it; the host never calls back.
 *
 * Between two drains a vCPU can get three: a kick that crosses its exit, the next grant, and a kick for that one.
 */
export class CommandRing {
  readonly #entries: Int32Array;
  #head = 0;
  #tail = 0;

  constructor(vcpuCount: number) {
    this.#entries = new Int32Array(MAX_PER_VCPU * vcpuCount + 1);
  }

  get empty(): boolean {
    return this.#head === this.#tail;
  }

  /** @throws RangeError when the driver did not drain: a defect */
  push(command: HostCommand, vcpu: number): void {
    this.#entries[this.#tail] = vcpu * 2 + command;
    this.#tail = (this.#tail + 1) % this.#entries.length;
    if (this.#tail === this.#head) throw new RangeError("the command ring overflowed: its driver does not drain it");
  }

  /** The vCPU of the oldest command. Only while not empty. */
  get vcpu(): number {
    return this.#entries[this.#head] >> 1;
  }

  /** The oldest command. Only while not empty. */
  get command(): HostCommand {
    return (this.#entries[this.#head] & 1) === 0 ? HostCommand.Grant : HostCommand.Kick;
  }

  drop(): void {
    this.#head = (this.#head + 1) % this.#entries.length;
  }
}
