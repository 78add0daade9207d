import type { AuditRing } from "../shared/audit-ring.js";
import { type CpuState, NO_PAGE } from "./cpu-state.js";
import type { PageLocation } from "./page-reader.js";

/** The selected CPU's own page. */
export class OwnPage implements PageLocation {
  readonly #audits: { auditOf(cpu: number): AuditRing | null };
  readonly #cpu: CpuState;
  #auditedCpu = -1;
  #audit: AuditRing | null = null;

  /** @param audits where the updates of a CPU's page can be audited */
  constructor(audits: { auditOf(cpu: number): AuditRing | null }, cpu: CpuState) {
    this.#audits = audits;
    this.#cpu = cpu;
  }

  get registered(): boolean {
    return this.#cpu.pageBase !== NO_PAGE;
  }

  /** Index of the version word in guest RAM; NO_PAGE while none is registered. */
  get base(): number {
    return this.#cpu.pageBase;
  }

  get audit(): AuditRing | null {
    // Looked up once: a look allocates.
    if (this.#auditedCpu !== this.#cpu.cpu) {
      this.#auditedCpu = this.#cpu.cpu;
      this.#audit = this.#audits.auditOf(this.#cpu.cpu);
    }
    return this.#audit;
  }
}
