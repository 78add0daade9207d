import type { Host } from "../../host/host.js";
import { CpuidRegisters, type Hypercalls } from "../../shared/kvm-abi.js";
import { U64 } from "../../shared/u64.js";
import type { Ns } from "../../shared/units.js";
import type { ControlMemory } from "./control-memory.js";

/** One request at a time: the vCPU writes it, then Requested; the hypervisor answers, then Answered. */
const MailState = { Empty: 0, Requested: 1, Answered: 2 } as const;
const RequestKind = { Cpuid: 1, WriteMsr: 2 } as const;

/** Words of the vCPU's block, behind its gate. */
const STATE = 8;
const KIND = 9;
const INDEX = 10;
const LOW = 11;
const HIGH = 12;
/** Four registers, or the verdict on an MSR write in the first. */
const ANSWER = 13;

/** After this long without an answer there is nobody to give one. */
const ANSWER_TIMEOUT_MS = 60_000;

/** The guest's way out to its host, over a mailbox in shared memory. Blocks until answered: an exit without a sched-out. */
export class MailboxHypercalls implements Hypercalls {
  readonly #control: ControlMemory;
  readonly #words: Int32Array;
  readonly #block: number;

  constructor(control: ControlMemory, vcpu: number) {
    this.#control = control;
    this.#words = control.words;
    this.#block = control.blockOf(vcpu);
  }

  cpuid(leaf: number, out: CpuidRegisters): void {
    this.#ask(RequestKind.Cpuid, leaf, 0, 0);
    out.set(this.#answer(0), this.#answer(1), this.#answer(2), this.#answer(3));
  }

  writeMsr(index: number, value: U64): boolean {
    this.#ask(RequestKind.WriteMsr, index, value.low, value.high);
    return this.#answer(0) !== 0;
  }

  #ask(kind: number, index: number, low: number, high: number): void {
    Atomics.store(this.#words, this.#block + KIND, kind);
    Atomics.store(this.#words, this.#block + INDEX, index | 0);
    Atomics.store(this.#words, this.#block + LOW, low | 0);
    Atomics.store(this.#words, this.#block + HIGH, high | 0);
    Atomics.store(this.#words, this.#block + STATE, MailState.Requested);
    this.#control.signal();
    const verdict = Atomics.wait(this.#words, this.#block + STATE, MailState.Requested, ANSWER_TIMEOUT_MS);
    if (verdict === "timed-out") throw new Error("the hypervisor did not answer a hypercall within a minute");
  }

  #answer(register: number): number {
    return Atomics.load(this.#words, this.#block + ANSWER + register);
  }
}

/** The hypervisor's end of one vCPU's mailbox. */
export class HostMailbox {
  readonly #words: Int32Array;
  readonly #block: number;
  readonly #vcpu: number;
  readonly #registers = new CpuidRegisters();
  readonly #value = new U64();

  constructor(control: ControlMemory, vcpu: number) {
    this.#words = control.words;
    this.#block = control.blockOf(vcpu);
    this.#vcpu = vcpu;
  }

  /** Answers a request, if there is one. */
  serve(host: Host, now: Ns): void {
    if (Atomics.load(this.#words, this.#block + STATE) !== MailState.Requested) return;
    const index = Atomics.load(this.#words, this.#block + INDEX) >>> 0;
    if (Atomics.load(this.#words, this.#block + KIND) === RequestKind.Cpuid) {
      host.cpuid(index, this.#registers);
      const { eax, ebx, ecx, edx } = this.#registers;
      this.#answer(eax, ebx, ecx, edx);
    } else {
      this.#value.set(Atomics.load(this.#words, this.#block + HIGH), Atomics.load(this.#words, this.#block + LOW));
      this.#answer(host.writeMsr(this.#vcpu, index, this.#value, now) ? 1 : 0, 0, 0, 0);
    }
    Atomics.store(this.#words, this.#block + STATE, MailState.Answered);
    Atomics.notify(this.#words, this.#block + STATE);
  }

  #answer(eax: number, ebx: number, ecx: number, edx: number): void {
    Atomics.store(this.#words, this.#block + ANSWER, eax | 0);
    Atomics.store(this.#words, this.#block + ANSWER + 1, ebx | 0);
    Atomics.store(this.#words, this.#block + ANSWER + 2, ecx | 0);
    Atomics.store(this.#words, this.#block + ANSWER + 3, edx | 0);
  }
}
