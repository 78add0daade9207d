import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { didYouMean, suggest } from "../src/cli/suggest.js";
import {
  asPcpuSet,
  asPerVcpu,
  asUpdate,
  asWorkload,
  formatNumberSet,
  formatUpdate,
  formatWorkload,
  parseHostTask,
  parseNumberSet,
  Refused,
  scalarOf,
} from "../src/cli/values.js";

test("workloads are read in every form", () => {
  for (const kind of ["hog", "kernel", "mixed", "idle", "stuck"]) assert.deepEqual(asWorkload(kind), { kind });
  const duty = { kind: "duty", busyNs: 7_000_000, periodNs: 10_000_000 };
  assert.deepEqual(asWorkload("duty:70%/10ms"), duty);
  assert.deepEqual(asWorkload("duty:7ms/10ms"), duty);
  for (const text of ["duty", "duty:70%", "duty:70/10ms", "duty:70%/10", "duty:7.5%/10ms", "Hog", "", "hog "]) {
    assert.throws(() => asWorkload(text), Refused, text);
  }
});

test("a workload's text gives back the same workload", () => {
  assert.equal(formatWorkload({ kind: "duty", busyNs: 7_000_000, periodNs: 10_000_000 }), "duty:70%/10ms");
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e10 }), fc.integer({ min: 1, max: 1e10 }), (one, other) => {
      const workload = { kind: "duty", busyNs: Math.min(one, other), periodNs: Math.max(one, other) } as const;
      assert.deepEqual(asWorkload(formatWorkload(workload)), workload);
    }),
  );
});

test("update policies are read and written", () => {
  for (const text of ["entry", "pcpu-change", "steal-entry", "periodic=1ms", "periodic=1500us"]) {
    assert.equal(formatUpdate(asUpdate(text)), text);
  }
  for (const text of ["periodic", "periodic=", "periodic=5", "never"])
    assert.throws(() => asUpdate(text), Refused, text);
});

test("number sets are ranges joined by +", () => {
  assert.deepEqual(parseNumberSet("0-2+5", "a set", 9), [0, 1, 2, 5]);
  assert.deepEqual(parseNumberSet("5+0-2+1", "a set", 9), [0, 1, 2, 5]);
  for (const text of ["", "-1", "2-1", "0-10", "1,2", "1+", "a", "1-2-3"]) {
    assert.throws(() => parseNumberSet(text, "a set", 9), Refused, text);
  }
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 50 }), { minLength: 1 }), (numbers) => {
      const sorted = numbers.toSorted((a, b) => a - b);
      assert.deepEqual(parseNumberSet(formatNumberSet(sorted), "a set", 50), sorted);
    }),
  );
});

test("pCPU sets are a number, a text or a list", () => {
  assert.deepEqual(asPcpuSet(3), [3]);
  assert.deepEqual(asPcpuSet("0-1+3"), [0, 1, 3]);
  assert.deepEqual(asPcpuSet([3, 0, 3]), [0, 3]);
  for (const value of [[], ["0"], -1, 1.5, null, "x", 100_000]) assert.throws(() => asPcpuSet(value), Refused);
});

test("values per vCPU: for all, for some, for the rest", () => {
  const read = (value: unknown) => asPerVcpu(value, asWorkload);
  assert.deepEqual(read("idle"), { rest: { kind: "idle" }, byVcpu: new Map() });
  const named = read("0-1=hog,3=idle");
  assert.equal(named.rest, undefined);
  assert.deepEqual([...named.byVcpu.keys()], [0, 1, 3]);
  assert.deepEqual(read("hog,2=idle").rest, { kind: "hog" });
  for (const text of ["0=hog,0=idle", "0-3=hog,2=idle", "hog,idle", "0=", "=hog", "0-hog", "100000=hog", "0=hog,"]) {
    assert.throws(() => read(text), Refused, text);
  }
});

test("host tasks in short", () => {
  assert.deepEqual(parseHostTask("hog"), { workload: { kind: "hog" }, nice: 0, pcpus: null });
  assert.deepEqual(parseHostTask("duty:50%/10ms@nice=-5,pcpus=0-1+3"), {
    workload: { kind: "duty", busyNs: 5_000_000, periodNs: 10_000_000 },
    nice: -5,
    pcpus: [0, 1, 3],
  });
  for (const text of [
    "",
    "idle",
    "stuck",
    "hog@",
    "hog@nice",
    "hog@nice=x",
    "hog@nice=20",
    "hog@a=1",
    "hog@nice=1@pcpus=0",
  ]) {
    assert.throws(() => parseHostTask(text), Refused, text);
  }
});

test("a flag's text is the scalar that YAML would read", () => {
  assert.equal(scalarOf("5"), 5);
  assert.equal(scalarOf("-5"), -5);
  for (const text of ["", "5ms", "1e3", "0x10", "5 ", "1.5"]) assert.equal(scalarOf(text), text);
});

test("suggestions", () => {
  assert.equal(suggest("hgo", ["hog", "idle"]), "hog");
  assert.equal(suggest("tsc-khz", ["tscKhz", "hz"]), "tscKhz");
  assert.equal(suggest("workloads", ["workload", "watchdog"]), "workload");
  assert.equal(suggest("banana", ["hog", "idle"]), null);
  assert.equal(didYouMean("banana", ["hog"]), "");
});
