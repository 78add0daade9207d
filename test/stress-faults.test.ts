import assert from "node:assert/strict";
import { test } from "node:test";
import { readAsleepThrough } from "../src/verify/stress/aba-limit.js";
import { stress } from "../src/verify/stress/stress.js";
import type { Fault } from "../src/verify/stress/stress-run.js";
import { STRESS_OPTIONS } from "./stress-helpers.js";

const READERS = 2;
/** A third of it before, during and after the fault; longer where what has to happen has not happened yet. */
const DURATION_NS = 300_000_000;

const withFault = (fault: Fault) => stress({ ...STRESS_OPTIONS, readers: READERS, durationNs: DURATION_NS, fault });

for (const fault of ["writer-stalls", "writer-dies"] as const) {
  test(`${fault}: readers give up within their bound, nobody accepts half a page, and reading goes on`, async () => {
    const run = await withFault(fault);
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

for (const [fault, message] of DEATHS) {
  test(`${fault}: the run ends and names what died, and no thread is left`, async () => {
    // So long that only the death can have ended it.
    const run = stress({ ...STRESS_OPTIONS, readers: READERS, durationNs: 3_000_000_000, fault });
    await assert.rejects(run, { code: "part-died", message });
    assert.deepEqual(
      process.getActiveResourcesInfo().filter((kind) => kind === "MessagePort"),
      [],
    );
  });
}

test("the 32-bit version: a read that sleeps through exactly 2^31 updates is fooled, any near one is noticed", () => {
  const torn = (updates: number) => readAsleepThrough(updates).torn;
  assert.equal(torn(2 ** 31), true);
  for (const updates of [1, 2, 1000, 2 ** 30, 2 ** 31 - 1, 2 ** 31 + 1])
    assert.equal(torn(updates), false, `${updates}`);
  assert.equal(readAsleepThrough(2 ** 31).retries, 0);
  assert.equal(readAsleepThrough(1).retries, 1);
});

test("aba: the limit is shown, and is no failure", async () => {
  const run = await withFault("aba");
  assert.deepEqual([run.verdict, run.expected, run.torn], ["torn", "broken", 1]);
  assert.deepEqual(
    run.fault?.phases.map(({ torn }) => torn),
    [0, 1, 0],
  );
});
