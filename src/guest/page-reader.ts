import type { AuditRing } from "../shared/audit-ring.js";
import { AtomicsProtocol, type PageProtocol } from "../shared/page-protocol.js";
import { GAVE_UP } from "../shared/version-protocol.js";
import { CpuState } from "./cpu-state.js";

/**
 * Some 60 us of an odd version. A writer takes about 0.1 us, some 20 us before its code is compiled; beyond that it was
 * descheduled, for as long as a host time slice: better to come back at the next tick.
 */
export const MAX_READ_RETRIES = 10_000;

/** One read in this many is audited, and every one that had to retry; unless all are. */
const AUDIT_INTERVAL = 8;

/** A registered pvclock page, its own or another CPU's. */
export interface PageLocation {
  /** Index of the version word in guest RAM. */
  readonly base: number;
  readonly audit: AuditRing | null;
}

/** Reads pages under the version protocol, and counts for each vCPU what it met. */
export class PageReader {
  /** The words of this thread's last consistent read: to be used before anybody in it reads again. */
  readonly words: Int32Array;
  readonly protocol: PageProtocol;
  /** Each consistent read is audited, not one in some. */
  readonly auditsEveryRead: boolean;
  private readonly auditInterval: number;
  private readonly wordCount: number;
  private readonly cpu: CpuState;

  /** @param wordCount PAGE_WORDS or PAGE_WORDS_NS, as the host offers */
  constructor(
    ram: Int32Array,
    wordCount: number,
    cpu = new CpuState(),
    auditsEveryRead = false,
    protocol: PageProtocol = new AtomicsProtocol(ram),
  ) {
    this.protocol = protocol;
    this.auditsEveryRead = auditsEveryRead;
    this.auditInterval = auditsEveryRead ? 1 : AUDIT_INTERVAL;
    this.wordCount = wordCount;
    this.words = protocol.words;
    this.cpu = cpu;
  }

  get consistent(): number {
    return this.cpu.consistentReads;
  }

  get overlapped(): number {
    return this.cpu.rare.overlappedReads;
  }

  get retries(): number {
    return this.cpu.rare.readRetries;
  }

  get maxRetries(): number {
    return this.cpu.rare.maxReadRetries;
  }

  get gaveUp(): number {
    return this.cpu.rare.readsGivenUp;
  }

  get audited(): number {
    return this.cpu.rare.auditedReads;
  }

  get auditedOverlapped(): number {
    return this.cpu.rare.auditedOverlappedReads;
  }

  /** Reads that were to be audited and could not be: what the host noted of their update was gone. */
  get unaudited(): number {
    return this.cpu.rare.unauditedReads;
  }

  get torn(): number {
    return this.cpu.rare.tornReads;
  }

  /** @returns whether `words` now holds one consistent update of the page; false: it gave up and they are 0 */
  read(page: PageLocation): boolean {
    const retries = this.protocol.read(page.base, this.wordCount, MAX_READ_RETRIES);
    if (retries !== 0) return this.#overlapped(page, retries);
    const cpu = this.cpu;
    cpu.consistentReads++;
    const sinceAudit = cpu.readsSinceAudit + 1;
    cpu.readsSinceAudit = sinceAudit;
    if (sinceAudit === this.auditInterval) this.#audit(page, false);
    return true;
  }

  /** The rest of a read that was not consistent at once. */
  #overlapped(page: PageLocation, retries: number): boolean {
    const { rare } = this.cpu;
    if (retries === GAVE_UP) {
      rare.readsGivenUp++;
      this.#countRetries(MAX_READ_RETRIES);
      return false;
    }
    this.cpu.consistentReads++;
    this.#countRetries(retries);
    this.#audit(page, true);
    return true;
  }

  #countRetries(retries: number): void {
    const { rare } = this.cpu;
    rare.overlappedReads++;
    rare.readRetries += retries;
    if (retries > rare.maxReadRetries) rare.maxReadRetries = retries;
  }

  #audit({ audit }: PageLocation, overlapped: boolean): void {
    this.cpu.readsSinceAudit = 0;
    if (audit === null) return;
    const verdict = audit.check(this.words[0], this.words, this.wordCount);
    const { rare } = this.cpu;
    if (verdict === "unaudited") {
      rare.unauditedReads++;
      return;
    }
    rare.auditedReads++;
    if (overlapped) rare.auditedOverlappedReads++;
    if (verdict === "torn") rare.tornReads++;
  }
}
