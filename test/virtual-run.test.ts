import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { emulate } from "../src/engine/emulate.js";
import type { EmulateOptions, LogLine, RunResult } from "../src/engine/result.js";
import type { Scenario } from "../src/engine/scenario.js";
import { NS_PER_MS, NS_PER_SECOND } from "../src/shared/units.js";
import { type ScenarioChanges, scenarioOf } from "./engine-helpers.js";
import { runVirtually, virtually } from "./virtual-helpers.js";

/** Runs in virtual time as a caller sees them: in a thread of their own, with plain accesses in the place of Atomics. */

const folder = mkdtempSync(join(tmpdir(), "stealclock-"));
after(() => rmSync(folder, { recursive: true }));

function scenario(changes: ScenarioChanges = {}): Scenario {
  return virtually(
    scenarioOf({
      vcpuCount: 3,
      seed: 5,
      chance: { jitterPercent: 10, wakeLatencyNs: 20_000, hostNoiseNs: 30_000 },
      vcpu: { workload: { kind: "mixed" } },
      ...changes,
    }),
  );
}

interface EventLine {
  readonly ns: number;
  readonly event: string;
  readonly vcpu?: number;
}

function linesOf(file: string): EventLine[] {
  const text = readFileSync(file, "utf8");
  assert.ok(text.endsWith("\n"), "the last line is whole");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as EventLine);
}

async function withEvents(name: string, changes: ScenarioChanges, options: EmulateOptions = {}, maxBytes = 1e7) {
  const file = join(folder, name);
  const logs: LogLine[] = [];
  const onLog = (line: LogLine) => logs.push(line);
  const result = await emulate(scenario(changes), { ...options, onLog, events: { file, maxBytes } });
  return { file, result, logs, lines: linesOf(file) };
}

test("plain accesses change nothing: the same result, byte for byte, as with the real Atomics", async () => {
  // Through every kind of access: the flags are flipped when the feature goes and comes, GUEST_STOPPED is set and cleared.
  const moves = scenario({
    timeline: [
      { kind: "migrate", atNs: 50 * NS_PER_MS, forNs: NS_PER_MS, stealFeature: false, tscKhz: 2_000_000 },
      { kind: "suspend", atNs: 100 * NS_PER_MS, forNs: 30 * NS_PER_MS },
      { kind: "migrate", atNs: 200 * NS_PER_MS, forNs: NS_PER_MS, stealFeature: true, tscKhz: 2_600_000 },
    ],
  });
  const inThread: RunResult = await emulate(moves);
  assert.ok(inThread.ok);
  assert.equal(JSON.stringify(inThread), JSON.stringify(runVirtually(moves)));
});

describe("the event file", () => {
  test("counts what the result counts", async () => {
    const { result, lines } = await withEvents("counts", { durationNs: 200 * NS_PER_MS });
    const count = (event: string, id: number) =>
      lines.filter((line) => line.event === event && line.vcpu === id).length;
    for (const { id, host, page } of result.vcpus) {
      assert.equal(count("sched-in", id), host.entries);
      assert.equal(count("publish", id), page.updates);
    }
    assert.ok(lines.every(({ ns }, index) => index === 0 || ns >= lines[index - 1].ns));
  });

  test("of a shorter run is the beginning of a longer run's, and changes nothing in the result", async () => {
    const short = await withEvents("short", { durationNs: NS_PER_SECOND }, { untilNs: 100 * NS_PER_MS });
    const long = await withEvents("long", { durationNs: NS_PER_SECOND });
    assert.ok(readFileSync(long.file, "utf8").startsWith(readFileSync(short.file, "utf8")));
    assert.deepEqual(long.result, await emulate(scenario({ durationNs: NS_PER_SECOND })));
  });

  test("stops at its limit with a line that says so, and a word to the log", async () => {
    for (let maxBytes = 1_000; maxBytes < 1_090; maxBytes += 10) {
      const { file } = await withEvents("limited", { durationNs: 20 * NS_PER_MS }, {}, maxBytes);
      assert.ok(statSync(file).size <= maxBytes, `${maxBytes}`);
    }
    const { lines, logs, result } = await withEvents("limited", {}, {}, 2_000);
    assert.deepEqual(
      [lines.at(-1)?.event, lines.filter(({ event }) => event === "truncated").length],
      ["truncated", 1],
    );
    assert.match(logs.map(({ message }) => message).join(), /reached its limit/);
    assert.deepEqual(result.warnings, []);
  });

  test("is whole when the run is stopped", async () => {
    const stop = new AbortController();
    const onProgress = () => stop.abort();
    const changes = { durationNs: 3_600 * NS_PER_SECOND };
    const { result, lines } = await withEvents("stopped", changes, { onProgress, signal: stop.signal }, 1e9);
    assert.ok(result.stoppedEarly && result.ok);
    assert.ok(lines.length > 0);
  });

  test("that can't be written is refused by name", async () => {
    const file = join(folder, "no", "such", "folder");
    await assert.rejects(emulate(scenario(), { events: { file, maxBytes: 1e6 } }), (error: Error) => {
      return error.message.includes(file) && "code" in error && error.code === "bad-input";
    });
  });
});

test("pages are dumped as they are at the end, and none of an earlier run is left", async () => {
  const pages = join(folder, "pages");
  await emulate(scenario({ vcpuCount: 4 }), { dumpPages: pages });
  writeFileSync(join(pages, "notes.txt"), "mine");
  const { vcpus } = await emulate(scenario({ vcpuCount: 2 }), { dumpPages: pages, untilNs: 120 * NS_PER_MS });
  assert.deepEqual(readdirSync(pages).sort(), ["notes.txt", "vcpu-0.page", "vcpu-1.page"]);
  for (const { id, page } of vcpus) {
    const bytes = readFileSync(join(pages, `vcpu-${id}.page`));
    assert.equal(bytes.length, 4096);
    const offset = (page.gpa ?? 0) % 4096;
    assert.deepEqual([bytes.readUInt32LE(offset), bytes.readUInt32LE(offset + 4)], [page.version, page.stealMs]);
  }
});

test("full checks are invariants more, and change no figure but those of reads and clocks", async () => {
  const plain = await emulate(scenario());
  const full = await emulate(scenario(), { checks: "full" });
  assert.ok(full.ok && full.invariants.length > plain.invariants.length + 8);
  const without = ({ vcpus }: RunResult) => vcpus.map(({ guest, host, page }) => ({ guest, host, page }));
  assert.deepEqual(without(full), without(plain));
  assert.deepEqual(without(await emulate(scenario(), { checks: false })), without(plain));
});

test("a run does not run away from whoever reads its samples", async () => {
  let unread = 0;
  let most = 0;
  const onSample = async () => {
    most = Math.max(most, ++unread);
    await new Promise((resolve) => setTimeout(resolve, 1));
    unread--;
  };
  await emulate(scenario({ durationNs: NS_PER_SECOND }), { onSample, sampleNs: 10 * NS_PER_MS });
  assert.ok(most <= 17, `${most}`);
});

test("every vCPU's clock is watched, whatever the rhythm of the machine", async () => {
  for (const vcpuCount of [4, 8, 16]) {
    const { vcpus } = await emulate({ ...scenario({ vcpuCount, pcpus: 4 }), durationNs: NS_PER_SECOND });
    for (const { id, clock } of vcpus) assert.ok(clock.monitored > 0, `vCPU ${id} of ${vcpuCount}`);
  }
});
