import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import { emulate } from "../src/engine/emulate.js";
import type { RunResult, Sample } from "../src/engine/result.js";
import type { FaultConfig } from "../src/engine/scenario.js";
import { StealclockError } from "../src/shared/errors.js";
import { NS_PER_MS, NS_PER_SECOND } from "../src/shared/units.js";
import { scenarioOf } from "./engine-helpers.js";

const hasSchedstat = existsSync("/proc/self/schedstat");

/** What must hold on any machine, however busy. */
function assertSound(result: RunResult): void {
  for (const { name, status, detail } of result.invariants) assert.notEqual(status, "broken", `${name}: ${detail}`);
  assert.equal(result.ok, true);
  for (const { host, guest, page, reads } of result.vcpus) {
    assert.equal(host.runNs + host.waitNs + host.haltNs + host.offlineNs, result.elapsedNs);
    assert.equal(host.outOfGuestNs, host.waitNs + host.haltNs + host.offlineNs);
    assert.ok(guest.stealNs + guest.stealDroppedIdleNs <= host.outOfGuestNs);
    assert.equal(reads.torn, 0);
    if (page.gpa !== null) assert.equal(page.version, 2 * page.updates);
  }
}

function statusOf(result: RunResult, words: RegExp): string | undefined {
  return result.invariants.find(({ name }) => words.test(name))?.status;
}

describe("the real engine, fair host", () => {
  it("runs four hogs on one pCPU and accounts for every ns of them", async () => {
    const result = await emulate(scenarioOf({ vcpuCount: 4 }));
    assertSound(result);
    assert.equal(statusOf(result, /conserves/), "ok");
    assert.equal(statusOf(result, /host's log/), "ok");
    assert.equal(statusOf(result, /page steal/), "ok");
    // One pCPU: the run times of all vCPUs, and nothing else, fill it.
    const runNs = result.vcpus.reduce((sum, { host }) => sum + host.runNs, 0);
    assert.ok(runNs <= result.elapsedNs);
    for (const { guest, reads, page } of result.vcpus) {
      assert.equal(guest.stealEnabled, true);
      assert.ok(guest.ticks > 0);
      assert.ok(reads.consistent > 0);
      assert.ok(page.updates >= 2);
    }
  });

  it("starts from whatever is in the memory of the pages", async () => {
    const { invariants, vcpus } = await emulate(scenarioOf({ pageMemory: "junk", durationNs: 100 * NS_PER_MS }));
    assert.deepEqual(
      invariants.filter(({ status }) => status === "broken"),
      [],
    );
    for (const { page, guest } of vcpus) {
      assert.equal(page.version % 2, 0, "the host has closed the odd version that it found");
      assert.notEqual(page.version, 2 * page.updates, "and went on from there");
      assert.equal(guest.stealEnabled, true);
    }
  });

  it("a guest's view of a hog strays from the ledger by no more than what the rules leave open", async () => {
    const result = await emulate(scenarioOf({ vcpuCount: 2, accounting: "mainline", stealUnit: "ns" }));
    assertSound(result);
    const tickNsec = 4 * NS_PER_MS;
    for (const { guest, host } of result.vcpus) {
      // All steal up to the last tick is accounted; what came after it is at most the longest wait and what followed.
      assert.ok(
        host.waitNs - guest.stealNs <= 2 * host.wait.maxNs + tickNsec,
        `${host.waitNs} against ${guest.stealNs}`,
      );
      assert.equal(guest.idleNs, 0);
    }
  });

  it("an idle guest halts, and out-of-guest time is all dropped", async () => {
    const result = await emulate(scenarioOf({ vcpuCount: 1, vcpu: { workload: { kind: "idle" } } }));
    assertSound(result);
    const [{ guest, host }] = result.vcpus;
    assert.equal(guest.stealNs, 0);
    assert.ok(host.haltNs > host.runNs);
  });

  it("runs every workload beside a host task, pinned, under periodic updates", async () => {
    const workloads = [
      { kind: "hog" },
      { kind: "kernel" },
      { kind: "mixed" },
      { kind: "stuck" },
      { kind: "duty", busyNs: 2 * NS_PER_MS, periodNs: 10 * NS_PER_MS },
      { kind: "idle" },
    ] as const;
    const base = scenarioOf({ vcpuCount: workloads.length, update: { kind: "periodic", periodNs: NS_PER_MS } });
    const result = await emulate({
      ...base,
      durationNs: 500 * NS_PER_MS,
      pcpus: 2,
      vcpus: base.vcpus.map((vcpu, id) => ({ ...vcpu, workload: workloads[id], pcpus: id % 2 === 0 ? [0] : null })),
      hostTasks: [{ workload: { kind: "duty", busyNs: NS_PER_MS, periodNs: 5 * NS_PER_MS }, nice: 5, pcpus: [1] }],
    });
    assertSound(result);
    // Pinned to one pCPU: it cannot have moved.
    for (const id of [0, 2, 4]) assert.equal(result.vcpus[id].host.migrations, 0);
    assert.ok(result.vcpus[4].host.haltNs > 0, "the duty task halted");
    assert.ok(result.vcpus[1].guest.userNs === 0 && result.vcpus[1].guest.systemNs > 0, "kernel work is system time");
  });

  it("a host without the feature, or one that refuses the page, leaves a guest without steal", async () => {
    const without = await emulate(scenarioOf({ stealFeature: false }));
    assertSound(without);
    assert.equal(statusOf(without, /host's log/), "not exercised");
    const refused = await emulate(scenarioOf({ vcpuCount: 1, vcpu: { gpa: 0x1ff0 } }));
    assertSound(refused);
    assert.match(refused.vcpus[0].page.refused ?? "", /0x1ff0: 32 bytes from there cross a page boundary/);
    for (const { guest, page } of [...without.vcpus, ...refused.vcpus]) {
      assert.equal(guest.stealEnabled, false);
      assert.equal(guest.stealNs, 0);
      assert.equal(page.stealMs, 0);
      assert.ok(guest.userNs > 0, "it goes on accounting");
    }
  });

  it("sends samples that only grow and end at the result", async () => {
    const samples: Sample[] = [];
    const result = await emulate(scenarioOf({ durationNs: 400 * NS_PER_MS }), {
      sampleNs: 50 * NS_PER_MS,
      onSample: (sample) => samples.push(sample),
    });
    assertSound(result);
    assert.ok(samples.length > 0);
    let previous = 0;
    for (const { elapsedNs, vcpus } of samples) {
      assert.ok(elapsedNs > previous);
      previous = elapsedNs;
      for (const { host } of vcpus) {
        assert.equal(host.runNs + host.waitNs + host.haltNs + host.offlineNs, elapsedNs);
      }
    }
    assert.ok(previous <= result.elapsedNs);
  });

  it("stops when told to, and reports what ran", async () => {
    const abort = new AbortController();
    const result = await emulate(scenarioOf({ durationNs: 3600 * NS_PER_SECOND }), {
      signal: abort.signal,
      sampleNs: 50 * NS_PER_MS,
      onSample: () => abort.abort(),
    });
    assertSound(result);
    assert.equal(result.stoppedEarly, true);
    assert.ok(result.elapsedNs >= 50 * NS_PER_MS);
  });

  it("says so when it is stopped before it began", async () => {
    const run = emulate(scenarioOf(), { signal: AbortSignal.abort() });
    await assert.rejects(run, (error) => error instanceof StealclockError && error.code === "stopped");
  });
});

describe("the real engine, linux host", { skip: hasSchedstat ? false : "no schedstat here" }, () => {
  it("publishes what the real kernel took", async () => {
    const result = await emulate(scenarioOf({ host: "linux", pcpus: 0, measure: "wait", vcpuCount: 3 }));
    assertSound(result);
    for (const { host, guest, page } of result.vcpus) {
      assert.equal(host.noiseNs, null);
      assert.ok(host.onCpuNs !== null && host.onCpuNs > 0);
      assert.ok(host.entries > 0);
      assert.equal(page.stealMs, Math.floor(host.waitNs / NS_PER_MS));
      assert.ok(guest.stealNs <= host.waitNs);
    }
  });

  it("a halted vCPU's time is halt, not wait", async () => {
    const duty = { kind: "duty", busyNs: NS_PER_MS, periodNs: 20 * NS_PER_MS } as const;
    const result = await emulate(
      scenarioOf({ host: "linux", pcpus: 0, measure: "wait", vcpuCount: 1, vcpu: { workload: duty } }),
    );
    assertSound(result);
    assert.ok(result.vcpus[0].host.haltNs > 0);
  });
});

describe("a part that dies ends the run and is named", () => {
  const kinds = [
    ["throw", /a fault that the scenario asks for/],
    ["exit", /code:? 3/],
    ["out-of-memory", /memory/],
  ] as const;
  for (const [kind, cause] of kinds) {
    for (const part of [1, "hypervisor"] as const) {
      it(`${part === 1 ? "vCPU 1" : part}: ${kind}`, async () => {
        const fault: FaultConfig = { kind, part, afterNs: 50 * NS_PER_MS };
        const run = emulate(scenarioOf({ durationNs: 3600 * NS_PER_SECOND, vcpuCount: 3, faults: [fault] }));
        await assert.rejects(run, (error) => {
          assert.ok(error instanceof StealclockError);
          assert.equal(error.code, "part-died");
          assert.match(error.message, part === 1 ? /^vCPU 1 died: / : /^the hypervisor died: /);
          assert.match(error.message, cause);
          return true;
        });
      });
    }
  }
});
