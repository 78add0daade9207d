import { textOf } from "../load-protocol.js";
import { type Access, type AccessOrder, RMW_OPERATIONS, type RmwOperation } from "./access.js";
import { FIELD_ACCESSES, type FieldAccesses } from "./field-accesses.js";
import { type PageLayout, WORDS } from "./layout.js";
import { ProtocolFault } from "./protocol-fault.js";

/** More accesses than any bounded call makes at the sizes that are explored. */
const MAX_ACCESSES = 4_000;

/** Thrown into the code when it asks for a value that is not decided yet: it is run again once that is. */
const UNDECIDED = new Error("the explorer has not decided what this load returns; do not catch this");

/** What a run of the code did until it ended, or until it asked for a value that is not decided. */
export interface Recording {
  readonly accesses: readonly Access[];
  readonly ended: boolean;
  /** What the code returned, once it ended. */
  readonly result: unknown;
}

/** What of a protocol is running, in the watcher's words. */
export const CALLS = ["its import", "write()", "writeSteal()", "write() or writeSteal()", "read()"] as const;
export type CallName = (typeof CALLS)[number];

/** Odd while code of the protocol runs, and another number each time. */
export const PULSE_WORD = 0;
/** Index in CALLS of what runs. */
export const CALL_WORD = 1;
export const PULSE_WORDS = 2;

/** Values of 64 bits are kept as numbers, exactly. */
const MAX_FIELD = BigInt(Number.MAX_SAFE_INTEGER);

const NOT_MODELLED = ["wait", "waitAsync", "notify", "isLockFree", "pause"] as const;
const MODELLED = ["load", "store", ...RMW_OPERATIONS];

/**
 * Runs code over a page that is not there: every access is written down, and every load returns what it is told.
 *
 * `atomics` takes the place of the realm's Atomics, before the code is imported; `words` stands for the page. What the
 * code does to any other memory is its own business, as long as it does the same each time.
 */
export class Recorder {
  readonly words: Int32Array;
  readonly atomics: Record<string, unknown>;
  readonly #wordCount: number;
  readonly #pulse: Int32Array<ArrayBufferLike>;
  #accesses: Access[] = [];
  #decided: readonly number[] = [];
  #loads = 0;
  #interrupted = false;

  /** @param pulse PULSE_WORDS words, by which whoever watches sees a call that does not come back */
  constructor(
    wordCount: number,
    pulse: Int32Array<ArrayBufferLike> = new Int32Array(PULSE_WORDS),
    readonly layout: PageLayout = WORDS,
  ) {
    this.#wordCount = wordCount;
    this.#pulse = pulse;
    this.words = this.#standIn();
    this.atomics = this.#atomicsStandIn();
  }

  /**
   * @param name which of CALLS it is, for whoever watches
   * @param decided what its loads return, in the order in which they are made
   * @throws ProtocolFault when the code does what is not modelled, does not end, or throws
   */
  run(name: CallName, code: (words: Int32Array) => unknown, decided: readonly number[]): Recording {
    this.#accesses = [];
    this.#decided = decided;
    this.#loads = 0;
    this.#interrupted = false;
    this.#pulse[CALL_WORD] = CALLS.indexOf(name);
    this.#pulse[PULSE_WORD]++;
    try {
      const result = code(this.words);
      if (this.#interrupted) throw new ProtocolFault("catches exceptions that are not its own");
      return { accesses: this.#accesses, ended: true, result };
    } catch (error) {
      if (error === UNDECIDED) return { accesses: this.#accesses, ended: false, result: undefined };
      if (error instanceof ProtocolFault) throw error;
      const fault = new ProtocolFault(`threw ${textOf(error)}`);
      // Where it arose is in the text; here is not the place.
      fault.stack = "";
      throw fault;
    } finally {
      this.#pulse[PULSE_WORD]++;
    }
  }

  #note(access: Access): void {
    if (this.#interrupted) throw new ProtocolFault("catches exceptions that are not its own");
    if (this.#accesses.length >= MAX_ACCESSES) {
      throw new ProtocolFault(`made more than ${MAX_ACCESSES} accesses in one call: does it loop for ever?`);
    }
    this.#accesses.push(access);
  }

  #load(access: Access): number {
    this.#note(access);
    if (this.#loads < this.#decided.length) return this.#decided[this.#loads++];
    this.#interrupted = true;
    throw UNDECIDED;
  }

  #readModifyWrite(operation: RmwOperation, location: number, operand: number, expected: number): number {
    return this.#load({ kind: "rmw", order: "atomic", location, operation, operand, expected });
  }

  #store(order: AccessOrder, location: number, value: number): void {
    this.#note({ kind: "store", order, location, value });
  }

  #locationOf(index: unknown): number {
    const location = typeof index === "string" ? Number(index) : index;
    if (typeof location === "number" && Number.isInteger(location) && location >= 0 && location < this.#wordCount) {
      return location;
    }
    throw new ProtocolFault(`reached for word ${String(index)}; accepted: 0 to ${this.#wordCount - 1}`);
  }

  #page(words: unknown, operation: string): void {
    if (words !== this.words) {
      throw new ProtocolFault(`used Atomics.${operation} on something that is not \`words\``);
    }
  }

  #atomicsStandIn(): Record<string, unknown> {
    const functions: Record<string, unknown> = {
      load: (words: unknown, index: unknown) => {
        this.#page(words, "load");
        return this.#load({ kind: "load", order: "atomic", location: this.#locationOf(index) });
      },
      store: (words: unknown, index: unknown, value: number) => {
        this.#page(words, "store");
        this.#store("atomic", this.#locationOf(index), value | 0);
        return Math.trunc(Number(value));
      },
      compareExchange: (words: unknown, index: unknown, expected: number, replacement: number) => {
        this.#page(words, "compareExchange");
        return this.#readModifyWrite("compareExchange", this.#locationOf(index), replacement | 0, expected | 0);
      },
    };
    for (const operation of RMW_OPERATIONS) {
      functions[operation] ??= (words: unknown, index: unknown, operand: number) => {
        this.#page(words, operation);
        return this.#readModifyWrite(operation, this.#locationOf(index), operand | 0, 0);
      };
    }
    Object.defineProperty(functions, FIELD_ACCESSES, { value: this.#fieldAccesses() });
    for (const operation of NOT_MODELLED) {
      functions[operation] = () => {
        throw new ProtocolFault(`used Atomics.${operation}, which is not modelled; accepted: ${MODELLED.join(", ")}`);
      };
    }
    return functions;
  }

  /** Mixed sizes are not modelled: an access to parts of two fields is refused. */
  #fieldOf(word: number): number {
    const location = this.#locationOf(word);
    if (this.layout.isField(location)) return location;
    throw new ProtocolFault(`reached for 64 bits at word ${word}, the middle of a field, which is not modelled`);
  }

  #fieldAccesses(): FieldAccesses {
    const readModifyWrite = (operation: RmwOperation) => (word: number, operand: bigint) =>
      BigInt(this.#readModifyWrite(operation, this.#fieldOf(word), exact(BigInt.asIntN(64, operand)), 0));
    return {
      load: (word) => BigInt(this.#load({ kind: "load", order: "atomic", location: this.#fieldOf(word) })),
      store: (word, value) => this.#store("atomic", this.#fieldOf(word), exact(BigInt.asUintN(64, value))),
      and: readModifyWrite("and"),
      or: readModifyWrite("or"),
      xor: readModifyWrite("xor"),
    };
  }

  /** In place of the page: a typed array whose elements are accesses, and which has nothing else that is modelled. */
  #standIn(): Int32Array {
    const refuse = (what: string) => (): never => {
      throw new ProtocolFault(`used ${what} on \`words\`, which is not modelled; accepted: words[0] to words[7]`);
    };
    return new Proxy(new Int32Array(this.#wordCount), {
      get: (_target, key) => {
        if (key === "length") return this.#wordCount;
        if (typeof key === "string" && /^-?\d/.test(key)) {
          return this.#load({ kind: "load", order: "plain", location: this.#locationOf(key) });
        }
        return refuse(`.${String(key)}`)();
      },
      set: (_target, key, value: number) => {
        if (typeof key !== "string" || !/^-?\d/.test(key)) return refuse(`.${String(key)} =`)();
        this.#store("plain", this.#locationOf(key), value | 0);
        return true;
      },
      has: refuse("in"),
      ownKeys: refuse("a list of its keys"),
      defineProperty: refuse("defineProperty"),
      deleteProperty: refuse("delete"),
      getOwnPropertyDescriptor: refuse("getOwnPropertyDescriptor"),
    });
  }
}

/** A value of 64 bits as a number. */
function exact(value: bigint): number {
  if (-MAX_FIELD <= value && value <= MAX_FIELD) return Number(value);
  throw new ProtocolFault(`stored ${value}, which is more than is modelled of 64 bits`);
}
