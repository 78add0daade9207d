import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  CLOCK_SOURCE,
  type Compiled,
  compileClockModel,
  compileModel,
  compileShipped,
  PROTOCOL_SOURCE,
} from "./fixtures/compile-protocol.js";
import { mutated, type SourceChange } from "./fixtures/protocol-mutants.js";

/*
 * What ships is what was explored: the module that ships makes the accesses of the one whose accesses are imports, function by
 * function, each by the one instruction that the import stands for. The two come of one source, but of different branches of
 * its accessors.
 */

const MODULE_FILE = join(__dirname, "../assembly/version-protocol.wasm");

/** The instruction that ships for each import of a model. */
const INSTRUCTIONS: Readonly<Record<string, string>> = {
  modelLoad: "i64.atomic.load",
  modelStore: "i64.atomic.store",
  modelAnd: "i64.atomic.rmw.and",
  modelOr: "i64.atomic.rmw.or",
  modelXor: "i64.atomic.rmw.xor",
  modelCompareExchange: "i64.atomic.rmw.cmpxchg",
};
const SHARED = new Set(Object.values(INSTRUCTIONS));

/** What a function does to memory: instructions. */
interface Accesses {
  /** What threads share, in order. */
  readonly shared: readonly string[];
  /** All else, which can only be scratch of the calling thread: sorted, since nobody sees its order. */
  readonly other: readonly string[];
}

/** A module's functions, as the compiler writes them: an instruction to a line. */
interface ModuleText {
  readonly bodies: ReadonlyMap<string, readonly string[]>;
  /** Names by identifiers. */
  readonly imports: ReadonlyMap<string, string>;
  /** Identifiers by names. */
  readonly exports: ReadonlyMap<string, string>;
}

function parsed(text: string): ModuleText {
  const bodies = new Map<string, string[]>();
  const [imports, exports] = [new Map<string, string>(), new Map<string, string>()];
  let current = "";
  for (const line of text.split("\n")) {
    const [, , imported, importId] = /^ \(import "(.+)" "(.+)" \(func (\S+) /.exec(line) ?? [];
    const [, exported, exportId] = /^ \(export "(.+)" \(func (\S+)\)\)$/.exec(line) ?? [];
    if (importId !== undefined) imports.set(importId, imported);
    if (exportId !== undefined) exports.set(exported, exportId);
    const [, functionId] = /^ \(func (\S+)/.exec(line) ?? [];
    current = functionId ?? current;
    if (functionId !== undefined) bodies.set(functionId, []);
    bodies.get(current)?.push(line.trim());
  }
  return { bodies, imports, exports };
}

/**
 * A function's instructions that touch memory, and its calls of imports. What it calls of its own module counts as its own,
 * since the compiler puts a function in its caller's place in one module and not in another.
 */
function instructionsOf(module: ModuleText, id: string): string[] {
  const body = module.bodies.get(id);
  assert.ok(body !== undefined, `the module has ${id}`);
  return body.flatMap((instruction) => {
    const [, callee] = /^call(?:_\w+)? (\S+)/.exec(instruction) ?? [];
    if (callee === undefined) return /\.(atomic|load|store)|^(memory|atomic)\./.test(instruction) ? [instruction] : [];
    const imported = module.imports.get(callee);
    return imported === undefined ? instructionsOf(module, callee) : [`call ${imported}`];
  });
}

/** The instruction of what ships that an instruction is, or stands for, if it is one on what threads share. */
type AsShared = (instruction: string) => string | undefined;

const inWhatShips: AsShared = (instruction) => {
  const [operation] = instruction.split(" ");
  return SHARED.has(operation) ? operation : undefined;
};
/** An atomic instruction of its own is none of them: nobody would have explored it. */
const inModel: AsShared = (instruction) => INSTRUCTIONS[instruction.replace("call ", "")];

/** By the names of a module's functions. */
function accessesOf({ text }: Compiled, asShared: AsShared): Record<string, Accesses> {
  const module = parsed(text);
  const entries = [...module.exports].map(([name, id]): [string, Accesses] => {
    const instructions = instructionsOf(module, id);
    const shared = instructions.flatMap((instruction) => asShared(instruction) ?? []);
    const other = instructions.filter((instruction) => asShared(instruction) === undefined);
    return [name, { shared, other: other.sort() }];
  });
  return Object.fromEntries(entries);
}

interface Sources {
  readonly protocol: string;
  readonly clock: string;
}

const OWN: Sources = { protocol: PROTOCOL_SOURCE, clock: CLOCK_SOURCE };

async function shippedAccesses({ protocol, clock }: Sources): Promise<Record<string, Accesses>> {
  return accessesOf(await compileShipped(protocol, clock), inWhatShips);
}

async function modelAccesses({ protocol, clock }: Sources): Promise<Record<string, Accesses>> {
  return {
    ...accessesOf(await compileModel(protocol), inModel),
    ...accessesOf(await compileClockModel(clock), inModel),
  };
}

/** The names of functions that ship with other accesses than they were explored with. */
async function strayed(sources: Sources): Promise<string[]> {
  const [shipped, model] = [await shippedAccesses(sources), await modelAccesses(sources)];
  assert.deepEqual(Object.keys(shipped).sort(), Object.keys(model).sort());
  return Object.keys(shipped).filter((name) => JSON.stringify(shipped[name]) !== JSON.stringify(model[name]));
}

test("the module that ships is what this file looks at", async () => {
  const { module } = await compileShipped(PROTOCOL_SOURCE, CLOCK_SOURCE);
  assert.deepEqual(module, new Uint8Array(readFileSync(MODULE_FILE)));
});

test("each function that ships makes the accesses that its model makes, by the instructions that they stand for", async () => {
  assert.deepEqual(await shippedAccesses(OWN), await modelAccesses(OWN));
});

test("the accesses are those that the source has", async () => {
  const { writeSteal, clearGuestStopped, kvmclockNs, raiseLastValue, readPage } = await shippedAccesses(OWN);
  assert.deepEqual(writeSteal, { shared: ["i64.atomic.load", "i64.atomic.store"], other: [] });
  assert.deepEqual(clearGuestStopped, { shared: ["i64.atomic.rmw.and"], other: [] });
  // The first look by itself, and the one in the loop.
  assert.deepEqual(readPage.shared, new Array<string>(2 * 6).fill("i64.atomic.load"));
  const guard = ["i64.atomic.load", "i64.atomic.rmw.cmpxchg"];
  assert.deepEqual(raiseLastValue, { shared: guard, other: ["f64.store offset=48"] });
  assert.deepEqual(kvmclockNs.shared, ["i64.atomic.load", ...guard]);
});

/** A change to one of the sources that no model has, and the functions that ship with it. */
interface Stray extends SourceChange {
  readonly source: keyof Sources;
  readonly functions: readonly string[];
}

const STRAYS: readonly Stray[] = [
  {
    name: "the protocol's load is plain",
    source: "protocol",
    replaced: "modelLoad(address) : atomic.load<i64>(address)",
    by: "modelLoad(address) : load<i64>(address)",
    functions: ["closingVersion", "writePage", "writeSteal", "readPage", "versionUnchanged"],
  },
  {
    name: "the protocol's store is plain",
    source: "protocol",
    replaced: "else atomic.store<i64>(address, value);",
    by: "else store<i64>(address, value);",
    functions: ["writePage", "writeSteal"],
  },
  {
    name: "the protocol's store is one of 32 bits, and another",
    source: "protocol",
    replaced: "else atomic.store<i64>(address, value);",
    by: "else { atomic.store<i32>(address + 4, (value >> 32) as i32); atomic.store<i32>(address, value as i32); }",
    functions: ["writePage", "writeSteal"],
  },
  {
    name: "the guest takes note of having been stopped by a load and a store",
    source: "protocol",
    replaced: "  return isDefined(MODEL) ? modelAnd(address, operand) : atomic.and<i64>(address, operand);\n",
    by: `  if (isDefined(MODEL)) return modelAnd(address, operand);
  const found = atomic.load<i64>(address);
  atomic.store<i64>(address, found & operand);
  return found;
`,
    functions: ["clearGuestStopped"],
  },
  {
    name: "what differs is stored and not flipped",
    source: "protocol",
    replaced: "  return isDefined(MODEL) ? modelXor(address, operand) : atomic.xor<i64>(address, operand);\n",
    by: `  if (isDefined(MODEL)) return modelXor(address, operand);
  atomic.store<i64>(address, atomic.load<i64>(address) ^ operand);
  return 0;
`,
    functions: ["writePage"],
  },
  {
    name: "the host says that the guest was stopped by an exclusive or",
    source: "protocol",
    replaced: ": atomic.or<i64>(address, operand)",
    by: ": atomic.xor<i64>(address, operand)",
    functions: ["setGuestStopped"],
  },
  {
    name: "an access that the model does not make",
    source: "protocol",
    replaced: "  return (load64(page) as i32) === version;\n",
    by: "  return (atomic.load<i64>(page) as i32) === version;\n",
    functions: ["versionUnchanged"],
  },
  {
    name: "the clock's load is plain",
    source: "clock",
    replaced: "modelLoad(address) : atomic.load<u64>(address)",
    by: "modelLoad(address) : load<u64>(address)",
    functions: ["kvmclockNs", "raiseLastValue"],
  },
  {
    name: "the guard stores its value whatever is there",
    source: "clock",
    replaced: "    : atomic.cmpxchg<u64>(address, expected, replacement);\n",
    by: "    : atomic.xchg<u64>(address, replacement);\n",
    functions: ["kvmclockNs", "raiseLastValue"],
  },
];

for (const stray of STRAYS) {
  test(`is found to ship with other accesses than were explored: ${stray.name}`, async () => {
    const sources = { ...OWN, [stray.source]: mutated(OWN[stray.source], stray) };
    assert.deepEqual((await strayed(sources)).sort(), [...stray.functions].sort());
  });
}
