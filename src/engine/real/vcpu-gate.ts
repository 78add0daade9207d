import { ExitReason } from "../../shared/kvm-abi.js";
import type { Ns } from "../../shared/units.js";
import type { ControlMemory } from "./control-memory.js";

/**
 * The gate between the hypervisor and one vCPU thread: who may run.
 *
 *     Parked -> Granted -> Running -> Exited -> Parked
 *                  \           \-> Kicked -^
 *                   \-> Kicked (the grant was withdrawn before the thread woke)
 *
 * Each step that both sides could take is a compareExchange, so a kick that meets an exit changes nothing, and a slice that is
 * withdrawn before the thread woke is still acknowledged. The doubles beside the state are plain: each is written before
 * the step that hands it over and read after it, and the step, sequentially consistent, orders the two. On ARM64 they
 * would otherwise be seen late.
 */
const GateState = { Parked: 0, Granted: 1, Running: 2, Kicked: 3, Exited: 4, Shutdown: 5 } as const;

const STATE = 0;
const REASON = 1;
const BOOTED = 2;
const THREAD_ID = 3;
/** Doubles of the block, counted from its start. */
const GRANTED_AT = 12;
const EXITED_AT = 13;
const WAKE_AT = 14;
const NOISE = 15;

/** A vCPU thread looks up at least this often, should a wake-up ever get lost. */
const MAX_PARK_MS = 1_000;
const SHORT_PARK_MS = 5;

abstract class Gate {
  protected readonly control: ControlMemory;
  protected readonly words: Int32Array;
  protected readonly doubles: Float64Array;
  protected readonly block: number;
  protected readonly doubleBlock: number;

  constructor(control: ControlMemory, vcpu: number) {
    this.control = control;
    this.words = control.words;
    this.doubles = control.doubles;
    this.block = control.blockOf(vcpu);
    this.doubleBlock = this.block / 2;
  }

  protected get state(): number {
    return Atomics.load(this.words, this.block + STATE);
  }

  protected change(from: number, to: number): boolean {
    return Atomics.compareExchange(this.words, this.block + STATE, from, to) === from;
  }

  /** What the real machine took from the vCPU while its slices were granted, as its thread counts it. */
  get noiseNs(): Ns {
    return this.doubles[this.doubleBlock + NOISE];
  }
}

/** The hypervisor's end. */
export class HostGate extends Gate {
  get booted(): boolean {
    return Atomics.load(this.words, this.block + BOOTED) !== 0;
  }

  /** The thread's number as the kernel counts, 0 where there is none. */
  get threadId(): number {
    return Atomics.load(this.words, this.block + THREAD_ID);
  }

  grant(now: Ns): void {
    this.doubles[this.doubleBlock + GRANTED_AT] = now;
    if (this.change(GateState.Parked, GateState.Granted)) Atomics.notify(this.words, this.block + STATE);
  }

  /**
   * Asks for the pCPU back. A vCPU that has just exited by itself is not asked.
   *
   * Granted is tried first: the thread goes from there to Running, never back. The other way round, a thread that wakes between
   * the two looks would meet neither, and the kick would be lost.
   */
  kick(): void {
    if (!this.change(GateState.Granted, GateState.Kicked)) this.change(GateState.Running, GateState.Kicked);
  }

  /** Takes note of an exit, if there is one; its reason, wakeAt and exitedAt may be read then. */
  collectExit(): boolean {
    // Looked at first: a compareExchange would take the cache line from a vCPU that has nothing to say.
    return this.state === GateState.Exited && this.change(GateState.Exited, GateState.Parked);
  }

  get reason(): ExitReason {
    const reason = Atomics.load(this.words, this.block + REASON);
    switch (reason) {
      case ExitReason.Kicked:
      case ExitReason.Halted:
      case ExitReason.Offline:
        return reason;
      default:
        throw new RangeError(`gate holds exit reason ${reason}`);
    }
  }

  get wakeAt(): Ns {
    return this.doubles[this.doubleBlock + WAKE_AT];
  }

  get exitedAt(): Ns {
    return this.doubles[this.doubleBlock + EXITED_AT];
  }

  /** Ends the vCPU's loop, whatever it is doing. */
  shutdown(): void {
    Atomics.store(this.words, this.block + STATE, GateState.Shutdown);
    Atomics.notify(this.words, this.block + STATE);
  }
}

/** The vCPU thread's end. */
export class GuestGate extends Gate {
  announceThread(threadId: number): void {
    Atomics.store(this.words, this.block + THREAD_ID, threadId);
  }

  announceBooted(): void {
    Atomics.store(this.words, this.block + BOOTED, 1);
    this.control.signal();
  }

  /**
   * Parks until a grant.
   *
   * @param whileParked called every few ms, for a vCPU that has something to do even then
   * @returns false when the run is over
   */
  awaitGrant(whileParked?: () => void): boolean {
    for (;;) {
      whileParked?.();
      const state = this.state;
      if (state === GateState.Shutdown) return false;
      if (state === GateState.Kicked || this.change(GateState.Granted, GateState.Running)) return true;
      Atomics.wait(this.words, this.block + STATE, state, whileParked === undefined ? MAX_PARK_MS : SHORT_PARK_MS);
    }
  }

  /** The pCPU is wanted back. */
  get kicked(): boolean {
    return this.state !== GateState.Running;
  }

  get shutDown(): boolean {
    return this.state === GateState.Shutdown;
  }

  get grantedAt(): Ns {
    return this.doubles[this.doubleBlock + GRANTED_AT];
  }

  addNoise(ns: Ns): void {
    this.doubles[this.doubleBlock + NOISE] += ns;
  }

  exit(reason: ExitReason, wakeAt: Ns, now: Ns): void {
    Atomics.store(this.words, this.block + REASON, reason);
    this.doubles[this.doubleBlock + WAKE_AT] = wakeAt;
    this.doubles[this.doubleBlock + EXITED_AT] = now;
    if (!this.change(GateState.Running, GateState.Exited)) this.change(GateState.Kicked, GateState.Exited);
    this.control.signal();
  }
}
