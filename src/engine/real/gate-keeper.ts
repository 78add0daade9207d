import { HostCommand } from "../../host/command-ring.js";
import type { Ns } from "../../shared/units.js";
import type { BuiltHost } from "../build-host.js";
import type { ControlMemory } from "./control-memory.js";
import { HostMailbox } from "./mailbox.js";
import type { SchedstatPoller } from "./schedstat-poller.js";
import { HostGate } from "./vcpu-gate.js";

/** The hypervisor's side of all gates and mailboxes: carries commands to the vCPU threads and their exits to the host. */
export class GateKeeper {
  readonly gates: readonly HostGate[];
  readonly #built: BuiltHost;
  readonly #mailboxes: readonly HostMailbox[];
  /** vCPUs that have been granted and not exited: the only ones whose gates can have news. */
  readonly #granted = new Set<number>();
  readonly #booting: Set<number>;
  /** When each vCPU was asked for its pCPU; 0 while it is not. */
  readonly #kickedAt: Float64Array;
  readonly #noiseNs: Float64Array;

  readonly #poller: SchedstatPoller | null;

  /** @param poller the linux host's: looks at a thread before its exit is booked */
  constructor(control: ControlMemory, built: BuiltHost, poller: SchedstatPoller | null) {
    this.#poller = poller;
    const { vcpus } = built.host.ledger;
    this.#built = built;
    this.gates = vcpus.map((_, vcpu) => new HostGate(control, vcpu));
    this.#mailboxes = vcpus.map((_, vcpu) => new HostMailbox(control, vcpu));
    this.#booting = new Set(this.gates.keys());
    this.#kickedAt = new Float64Array(vcpus.length);
    this.#noiseNs = new Float64Array(vcpus.length);
  }

  /** vCPUs that hold a grant. */
  get granted(): readonly number[] {
    return [...this.#granted];
  }

  /** Serves the vCPUs that are booting. @returns whether all have booted */
  serveBoot(now: Ns): boolean {
    for (const vcpu of this.#booting) {
      this.#mailboxes[vcpu].serve(this.#built.host, now);
      if (this.gates[vcpu].booted) this.#booting.delete(vcpu);
    }
    return this.#booting.size === 0;
  }

  /** Tells the host of every vCPU that has come back, and serves those that call. */
  collectExits(now: Ns): void {
    const { host, kind } = this.#built;
    for (const vcpu of this.#granted) {
      const gate = this.gates[vcpu];
      this.#mailboxes[vcpu].serve(host, now);
      if (!gate.collectExit()) continue;
      this.#granted.delete(vcpu);
      this.#countExitNoise(vcpu, gate.exitedAt, now);
      this.#poller?.observe(vcpu, gate.exitedAt);
      // On the emulated host the pCPU is held until the hypervisor has seen the exit; on the real one it never was.
      host.exited(vcpu, gate.reason, gate.wakeAt, kind === "fair" ? now : gate.exitedAt);
    }
  }

  /** Does what the host decided. */
  drainCommands(now: Ns): void {
    const { commands } = this.#built.host;
    for (; !commands.empty; commands.drop()) {
      const { vcpu, command } = commands;
      if (command === HostCommand.Grant) {
        this.#granted.add(vcpu);
        this.#kickedAt[vcpu] = 0;
        this.gates[vcpu].grant(now);
      } else {
        this.#kickedAt[vcpu] = now;
        this.gates[vcpu].kick();
      }
    }
  }

  /** What the real machine took from a vCPU while the ledger says that it ran: both ends' counts. */
  noiseNs(vcpu: number): Ns {
    return this.#noiseNs[vcpu] + this.gates[vcpu].noiseNs;
  }

  /** Ends every vCPU's loop. */
  shutdown(): void {
    for (const gate of this.gates) gate.shutdown();
  }

  /** Time in which the ledger still says "run": from the kick, or the vCPU's own exit, to this moment. */
  #countExitNoise(vcpu: number, exitedAt: Ns, now: Ns): void {
    const since = this.#kickedAt[vcpu] > 0 ? Math.min(this.#kickedAt[vcpu], exitedAt) : exitedAt;
    this.#noiseNs[vcpu] += Math.max(0, now - since);
    this.#kickedAt[vcpu] = 0;
  }
}
