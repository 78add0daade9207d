import assert from "node:assert/strict";
import { test } from "node:test";
import { type KnownProtocol, SHIPPED, SHIPPED_WASM } from "../src/verify/protocols.js";
import { readAsleepThrough } from "../src/verify/stress/aba-limit.js";
import { stress } from "../src/verify/stress/stress.js";
import type { Fault } from "../src/verify/stress/stress-run.js";
import { STRESS_OPTIONS } from "./stress-helpers.js";

const READERS = 2;
/** A third of it before, during and after the fault; longer where what has to happen has not happened yet. */
const DURATION_NS = 300_000_000;

const withFault = (protocol: KnownProtocol, fault: Fault) =>
  stress({ ...STRESS_OPTIONS, protocol, readers: READERS, durationNs: DURATION_NS, fault });

const WITH_PHASES = [SHIPPED_WASM, SHIPPED].flatMap((protocol) =>
  (["writer-stalls", "writer-dies"] as const).map((fault) => ({ protocol, fault })),
);

for (const { protocol, fault } of WITH_PHASES) {
  test(`${protocol.name}, ${fault}: readers give up within their bound, nobody accepts half a page, and reading goes on`, async () => {
    const run = await withFault(protocol, fault);
    const [before, during, after] = run.fault?.phases ?? [];
    assert.equal(run.verdict, "clean");
    assert.deepEqual([before.torn, during.torn, after.torn], [0, 0, 0]);
    assert.ok(before.updates > 0 && before.accepted > 0);
    assert.equal(during.updates, 0);
    assert.ok(during.gaveUp >= READERS * 3, `gave up ${during.gaveUp} times`);
    // A read that began while the writer stood may have ended after it.
    assert.ok(during.accepted <= READERS, `${during.accepted} accepted`);
    assert.ok(after.updates > 0 && after.accepted > 0);
    assert.equal(run.retriesPerRead.max, STRESS_OPTIONS.maxRetries);
    assert.equal(run.updates, before.updates + during.updates + after.updates);
  });
}

const DEATHS: readonly (readonly [Fault, RegExp])[] = [
  ["reader-killed", /^reader 0 died: its thread ended with code 9 before the run did$/],
  ["writer-killed", /^the writer died: its thread ended with code 9 before the run did$/],
  ["out-of-memory", /^reader 0 died: .*memory limit/],
];

for (const protocol of [SHIPPED_WASM, SHIPPED]) {
  for (const [fault, message] of DEATHS) {
    test(`${protocol.name}, ${fault}: the run ends and names what died, and no thread is left`, async () => {
      // So long that only the death can have ended it.
      const run = stress({ ...STRESS_OPTIONS, protocol, readers: READERS, durationNs: 3_000_000_000, fault });
      await assert.rejects(run, { code: "part-died", message });
      assert.deepEqual(
        process.getActiveResourcesInfo().filter((kind) => kind === "MessagePort"),
        [],
      );
    });
  }

  test(`${protocol.name}: a read that sleeps through exactly 2^31 updates is fooled, any near one is noticed`, async () => {
    const after = (updates: number) => readAsleepThrough(protocol, { updates, keepsSteal: true });
    assert.equal((await after(2 ** 31)).torn, true);
    for (const updates of [1, 2, 1000, 2 ** 30, 2 ** 31 - 1, 2 ** 31 + 1])
      assert.equal((await after(updates)).torn, false, `${updates}`);
    assert.equal((await after(2 ** 31)).retries, 0);
    assert.equal((await after(1)).retries, 1);
  });
}

test("whoever compares the steal along with the version notices a steal that changed, though the version did not", async () => {
  const sleep = { updates: 2 ** 31, keepsSteal: false };
  const { torn, retries } = await readAsleepThrough(SHIPPED_WASM, sleep);
  assert.deepEqual([torn, retries], [false, 1]);
  assert.equal((await readAsleepThrough(SHIPPED, sleep)).torn, true);
});

for (const [protocol, torn] of [
  [SHIPPED_WASM, [0, 1, 0, 0]],
  [SHIPPED, [0, 1, 0]],
] as const) {
  test(`${protocol.name}, aba: the limit is shown, and is no failure`, async () => {
    const run = await withFault(protocol, "aba");
    assert.deepEqual([run.protocol, run.verdict, run.expected, run.torn], [protocol.name, "torn", "broken", 1]);
    assert.deepEqual(
      run.fault?.phases.map((phase) => phase.torn),
      torn,
    );
  });
}
