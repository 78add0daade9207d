import { mkdirSync, readdirSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StealclockError } from "../../shared/errors.js";
import { GUEST_PAGE_BYTES } from "../../shared/pvclock-page.js";
import type { VirtualMachine } from "./virtual-machine.js";

/**
 * Writes the page of guest RAM that holds each vCPU's pvclock structure into `vcpu-N.page`, byte for byte. A vCPU that has
 * none registered, being offline or refused, gets no file.
 *
 * @throws StealclockError "bad-input" when the folder can't be written to
 */
export function dumpPages({ scenario, host, ram }: VirtualMachine, folder: string): void {
  const bytes = new Uint8Array(ram.buffer);
  try {
    mkdirSync(folder, { recursive: true });
    // Those of an earlier run would pass for pages of this one.
    for (const name of readdirSync(folder)) if (/^vcpu-\d+\.page$/.test(name)) unlinkSync(join(folder, name));
    for (let vcpu = 0; vcpu < scenario.vcpus.length; vcpu++) {
      const { base } = host.publisher.pageOf(vcpu);
      if (base < 0) continue;
      const start = base * 4 - ((base * 4) % GUEST_PAGE_BYTES);
      writeFileSync(join(folder, `vcpu-${vcpu}.page`), bytes.slice(start, start + GUEST_PAGE_BYTES));
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StealclockError("bad-input", `--dump-pages ${folder}: ${reason}; accepted: a folder to write to`);
  }
}
