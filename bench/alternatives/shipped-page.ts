import { loadProtocolModule } from "../../src/backend/protocol-module.js";
import { allocateMemory, type MachineMemory, protocolOf, ramOf } from "../../src/shared/machine-memory.js";
import type { PageProtocol } from "../../src/shared/page-protocol.js";
import { GUEST_PAGE_BYTES, PAGE_WORDS } from "../../src/shared/pvclock-page.js";
import { payload } from "./alternative.js";

/** More than there are rows with a page. */
const PAGES = 16;

interface ThreadMemory {
  readonly memory: MachineMemory;
  readonly protocol: PageProtocol;
  pagesTaken: number;
}

let own: ThreadMemory | null = null;

/** A page of guest RAM that holds one update, and what it is written and read by. */
export interface ShippedPage {
  readonly ram: Int32Array;
  readonly protocol: PageProtocol;
  /** Index of its version word. */
  readonly base: number;
}

/** A page of its own, in the default backend. As in the emulator, a thread has one instance for all of its pages. */
export function shippedPage(): ShippedPage {
  own ??= threadMemory();
  const { memory, protocol } = own;
  if (own.pagesTaken === PAGES) throw new RangeError(`${PAGES} pages are taken`);
  // Not from 0 on: there the guest's kernel has its own.
  const base = (++own.pagesTaken * GUEST_PAGE_BYTES) / Int32Array.BYTES_PER_ELEMENT;
  protocol.values.set(payload());
  protocol.write(base, PAGE_WORDS, null);
  return { ram: ramOf(memory), protocol, base };
}

function threadMemory(): ThreadMemory {
  const memory = allocateMemory((1 + PAGES) * GUEST_PAGE_BYTES, 1, loadProtocolModule());
  return { memory, protocol: protocolOf(memory, 0), pagesTaken: 0 };
}
