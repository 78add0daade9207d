import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { pathToFileURL } from "node:url";
import { type Bounds, DEFAULT_BOUNDS } from "../src/verify/check/check-under-model.js";
import { ALL_PROTOCOLS, type KnownProtocol } from "../src/verify/protocols.js";
import { type VerifyResult, verifyProtocol } from "../src/verify/run/verify-protocol.js";
import { compileModel, PROTOCOL_SOURCE } from "./fixtures/compile-protocol.js";
import { mutated, PROTOCOL_MUTANTS } from "./fixtures/protocol-mutants.js";
import { ALL_MODELS, inTemporaryFolder } from "./verify-helpers.js";

/*
 * The WebAssembly backend under every memory model; and with its source changed, which must show.
 */

const BUILT = join(__dirname, "..");
const MODULE_FILE = "assembly/version-protocol-model.wasm";

const shippedWasm = ALL_PROTOCOLS.find(({ name }) => name === "shipped-wasm");

function wasmProtocol(): KnownProtocol {
  assert.ok(shippedWasm !== undefined, "verify explores the WebAssembly backend");
  return shippedWasm;
}

const verify = (protocol: KnownProtocol, bounds: Bounds): Promise<VerifyResult[]> =>
  verifyProtocol({ protocol, models: ALL_MODELS, bounds });

function assertHolds(results: readonly VerifyResult[]): void {
  assert.deepEqual(
    results.map(({ model, holds, counterexample }) => [model, holds, counterexample]),
    ALL_MODELS.map((model) => [model, true, null]),
  );
}

for (const updates of [2, 3]) {
  test(`the WebAssembly backend holds under every model, with ${updates} updates`, async () => {
    const results = await verify(wasmProtocol(), { ...DEFAULT_BOUNDS, updates });
    assertHolds(results);
    const [sc, ...weaker] = results.map(({ executions, outcomes }) => ({ executions, outcomes }));
    for (const found of weaker) assert.deepEqual(found, sc, "every access is atomic, so the models agree");
  });
}

test("updates of the steal alone add executions", async () => {
  const withSteal = await verify(wasmProtocol(), DEFAULT_BOUNDS);
  await inTemporaryFolder(async (folder) => {
    const file = join(folder, "without.mjs");
    const url = pathToFileURL(wasmProtocol().file).href;
    writeFileSync(file, `export { write, read, acceptedVersion } from ${JSON.stringify(url)};`);
    const without = await verify({ ...wasmProtocol(), file }, DEFAULT_BOUNDS);
    assertHolds(without);
    for (const [index, { executions, outcomes }] of withSteal.entries()) {
      assert.ok(executions > without[index].executions && outcomes > without[index].outcomes);
    }
  });
});

test("the build's module is what this file compiles", async () => {
  const { module } = await compileModel(PROTOCOL_SOURCE);
  assert.deepEqual(module, new Uint8Array(readFileSync(join(BUILT, MODULE_FILE))));
});

/** Lets the protocol run with this source in the place of its own. */
async function verifySource(source: string): Promise<VerifyResult[]> {
  return await inTemporaryFolder(async (folder) => {
    for (const room of ["src/backend", "src/shared", "src/verify"]) {
      cpSync(join(BUILT, room), join(folder, room), { recursive: true });
    }
    mkdirSync(join(folder, "assembly"));
    writeFileSync(join(folder, MODULE_FILE), (await compileModel(source)).module);
    const file = join(folder, "src/verify/shipped-wasm-protocol.js");
    return await verify({ ...wasmProtocol(), file }, DEFAULT_BOUNDS);
  });
}

suite("a WebAssembly backend that is broken is found to be", { concurrency: 2 }, () => {
  for (const mutant of PROTOCOL_MUTANTS) {
    test(mutant.name, async () => {
      for (const { model, counterexample } of await verifySource(mutated(PROTOCOL_SOURCE, mutant))) {
        assert.match(counterexample?.problem ?? "holds", mutant.problem, model);
      }
    });
  }
});

test("the copy in which they run holds with the source as it is, and with one that is right in another way", async () => {
  assertHolds(await verifySource(PROTOCOL_SOURCE));
  const comparesVersions = mutated(PROTOCOL_SOURCE, {
    name: "the reader compares versions alone",
    replaced: "if (load64(page) !== head) return false;",
    by: "if ((load64(page) as i32) !== (head as i32)) return false;",
  });
  assertHolds(await verifySource(comparesVersions));
});

test("an access to parts of two fields is refused, since mixed sizes are not modelled", async () => {
  const across = mutated(PROTOCOL_SOURCE, {
    name: "writeSteal stores the steal with half of the field behind it, and then the head",
    replaced: "  store64(page, headOf(version, (stealMs as i64) << 32));\n",
    by: "  store64(page + 4, stealMs as i64);\n  store64(page, headOf(version, (stealMs as i64) << 32));\n",
  });
  await assert.rejects(
    verifySource(across),
    /writeSteal\(\) reached for 64 bits at word 1, the middle of a field, which is not modelled/,
  );
});
