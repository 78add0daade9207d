import assert from "node:assert/strict";
import { test } from "node:test";
import { liveLines, openLiveView } from "../src/cli/live.js";
import type { Scenario } from "../src/engine/scenario.js";
import { Captured, cli, sampleOf } from "./cli-helpers.js";

async function scenarioOf(vcpus: number): Promise<Scenario> {
  const { scenario } = await cli(["emulate", "--vcpus", `${vcpus}`]);
  assert.ok(scenario !== null);
  return scenario;
}

test("a row shows what happened since the last sample", async () => {
  const scenario = await scenarioOf(1);
  const before = sampleOf(1, 1_000_000_000);
  const [vcpu] = sampleOf(1, 1_000_000_000).vcpus;
  assert.ok(vcpu !== undefined);
  const later = {
    ...before,
    elapsedNs: 2_000_000_000,
    vcpus: [
      {
        id: 0,
        guest: { ...vcpu.guest, userNs: vcpu.guest.userNs + 100, stealNs: vcpu.guest.stealNs + 300 },
        host: { ...vcpu.host, state: "wait" as const, runNs: vcpu.host.runNs + 200, haltNs: 800 },
      },
    ],
  };
  const lines = liveLines(scenario, before, later, { width: 80, height: 24 });
  assert.match(lines[0] ?? "", /^1\.000 s left, 1 vCPU on 1 pCPU/);
  assert.deepEqual(lines.at(-1)?.trim().split(/\s+/), [
    "0",
    "25.0",
    "0.0",
    "0.0",
    "75.0",
    "20.0",
    "0.0",
    "80.0",
    "wait",
  ]);
});

test("a vCPU that was out all the time has no guest shares", async () => {
  const sample = sampleOf(1, 1e9);
  const lines = liveLines(await scenarioOf(1), sample, sample, { width: 80, height: 24 });
  assert.deepEqual(lines.at(-1)?.trim().split(/\s+/), ["0", "-", "-", "-", "-", "-", "-", "-", "run"]);
});

test("a frame fits the terminal", async () => {
  const scenario = await scenarioOf(256);
  for (const height of [3, 5, 10, 24, 100, 300]) {
    for (const width of [20, 40, 80]) {
      const lines = liveLines(scenario, null, sampleOf(256, 1e9), { width, height });
      assert.ok(lines.every((line) => line.length <= width));
      if (height >= 7) assert.ok(lines.length < height, `${lines.length} lines in ${height} rows`);
    }
  }
  const lines = liveLines(scenario, null, sampleOf(256, 1e9), { width: 80, height: 24 });
  assert.equal(lines.at(-1), "+238 more");
  assert.equal(lines.length, 23);
});

test("the cursor is never hidden, and the end leaves nothing of the view", async () => {
  const terminal = new Captured({ columns: 80, rows: 24 });
  const view = await openLiveView(terminal, await scenarioOf(2));
  assert.match(terminal.text, /starting 2 vCPUs/);
  view.draw(sampleOf(2, 1e9));
  assert.match(terminal.text, /2\.000 s left/);
  const beforeAside = terminal.text.length;
  view.aside(() => terminal.write("a line aside\n"));
  assert.match(terminal.text.slice(beforeAside), /a line aside\n.*2\.000 s left/s);
  view.end();
  view.end();
  const atEnd = terminal.text.length;
  view.draw(sampleOf(2, 2e9));
  assert.equal(terminal.text.length, atEnd, "nothing is drawn after the end");
  assert.ok(!terminal.text.includes("\u001B[?25l"));
});
