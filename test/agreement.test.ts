import assert from "node:assert/strict";
import { test } from "node:test";
import { agreementOf } from "../src/engine/check/agreement.js";
import { defaultScenario } from "../src/engine/default-scenario.js";
import type { RunResult, VcpuResult } from "../src/engine/result.js";
import { runResult, vcpuResult } from "./cli-helpers.js";

type Changes = Parameters<typeof vcpuResult>[1];

/** A run of 3 s at HZ 250: a tick is 4 ms, two are 0.267 %. */
function run(engine: RunResult["engine"], changes: readonly Changes[], elapsedNs = 3_000_000_000): RunResult {
  const vcpus: VcpuResult[] = changes.map((change, id) => vcpuResult(id, change));
  return runResult(defaultScenario(changes.length), { engine, seed: engine === "real" ? null : 1, vcpus, elapsedNs });
}

const VIRTUAL = run("virtual", [{ host: { noiseNs: 0 } }]);
const noisy = (noiseNs: number | null, host: Changes = {}) =>
  run("real", [{ ...host, host: { ...host?.host, noiseNs } }]);

test("equal runs agree, without any noise", () => {
  const { verdict, detail, vcpus } = agreementOf(noisy(0), VIRTUAL);
  assert.equal(verdict, "agrees");
  assert.match(detail, /^1 of 1 vCPUs: every share within/);
  assert.deepEqual(
    vcpus.map(({ id, verdict }) => [id, verdict]),
    [[0, "agrees"]],
  );
  assert.deepEqual(
    vcpus[0].shares.map(({ name }) => name),
    ["run", "wait", "halt", "guest steal"],
  );
});

/** What the figure becomes in the real run when it is off by so much. */
const FIGURES: readonly (readonly [name: string, offBy: (ns: number) => Changes])[] = [
  ["run", (ns) => ({ host: { runNs: 1_500_000_000 + ns } })],
  ["wait", (ns) => ({ host: { waitNs: 1_500_000_000 - ns } })],
  ["halt", (ns) => ({ host: { haltNs: ns } })],
  ["guest steal", (ns) => ({ guest: { stealNs: 1_500_000_000 - ns } })],
];

for (const [name, offBy] of FIGURES) {
  test(`${name}: noise and two ticks apart is agreement, more is none`, () => {
    assert.equal(agreementOf(noisy(0, offBy(7_999_900)), VIRTUAL).verdict, "agrees");
    const { verdict, vcpus } = agreementOf(noisy(0, offBy(8_000_100)), VIRTUAL);
    assert.equal(verdict, "differs");
    assert.match(vcpus[0].detail, new RegExp(`^${name} .* real, .* virtual: 0\\.27 points apart, 0\\.27 allowed$`));
    assert.equal(agreementOf(noisy(30_000_000, offBy(37_999_900)), VIRTUAL).verdict, "agrees");
    assert.equal(agreementOf(noisy(30_000_000, offBy(38_000_100)), VIRTUAL).verdict, "differs");
  });
}

test("the ticks are those of the run's HZ", () => {
  const real = noisy(0, { host: { haltNs: 3_000_000 } });
  const config = { ...real.config, hz: 1000 } as const;
  assert.equal(agreementOf(real, VIRTUAL).verdict, "agrees");
  assert.equal(agreementOf({ ...real, config }, VIRTUAL).verdict, "differs");
});

test("nothing is concluded from a real run with more than 5 % noise, or of unknown noise", () => {
  assert.equal(agreementOf(noisy(150_000_000), VIRTUAL).verdict, "agrees");
  const loud = agreementOf(noisy(150_000_001), VIRTUAL);
  assert.equal(loud.verdict, "inconclusive");
  assert.match(loud.vcpus[0].detail, /took 5\.00 % of elapsed time/);
  // However far apart.
  assert.equal(agreementOf(noisy(600_000_000, { host: { runNs: 0 } }), VIRTUAL).verdict, "inconclusive");
  const unknown = agreementOf(noisy(null), VIRTUAL);
  assert.equal(unknown.verdict, "inconclusive");
  assert.match(unknown.vcpus[0].detail, /noise is unknown/);
  assert.equal(unknown.vcpus[0].allowedShare, null);
});

test("the virtual run's noise does not count", () => {
  const virtual = run("virtual", [{ host: { noiseNs: null } }]);
  assert.equal(agreementOf(noisy(0), virtual).verdict, "agrees");
});

test("each vCPU is judged by itself, and the worst verdict is the run's", () => {
  const quiet: Changes = { host: { noiseNs: 0 } };
  const off: Changes = { host: { noiseNs: 0, waitNs: 1_000_000_000 } };
  const loud: Changes = { host: { noiseNs: 1_000_000_000 } };
  const virtual = run("virtual", [quiet, quiet, quiet]);
  const verdicts = (changes: readonly Changes[]) => {
    const { verdict, vcpus, detail } = agreementOf(run("real", changes), virtual);
    return [verdict, vcpus.map((vcpu) => vcpu.verdict[0]).join(""), detail.split(":")[0]];
  };
  assert.deepEqual(verdicts([quiet, quiet, quiet]), ["agrees", "aaa", "3 of 3 vCPUs"]);
  assert.deepEqual(verdicts([quiet, loud, quiet]), ["inconclusive", "aia", "1 of 3 vCPUs"]);
  assert.deepEqual(verdicts([off, loud, quiet]), ["differs", "dia", "1 of 3 vCPUs"]);
});

test("shares are of each run's own elapsed time: a real run ends later than it was to", () => {
  const real = run("real", [{ host: { noiseNs: 0, runNs: 1.6e9, waitNs: 1.6e9 }, guest: { stealNs: 1.6e9 } }], 3.2e9);
  assert.equal(agreementOf(real, VIRTUAL).verdict, "agrees");
});

test("vCPUs are paired by number; those that one run alone has are left out", () => {
  const virtual = run("virtual", [{}, {}]);
  const real = { ...run("real", [{}, { host: { waitNs: 0 } }]), vcpus: [vcpuResult(1), vcpuResult(2)] };
  const { verdict, vcpus } = agreementOf(real, virtual);
  assert.deepEqual(
    vcpus.map(({ id }) => id),
    [1],
  );
  assert.equal(verdict, "agrees");
  assert.equal(agreementOf({ ...real, vcpus: [] }, virtual).verdict, "inconclusive");
});

test("a run that ended before anything ran shows nothing", () => {
  const { verdict, vcpus } = agreementOf({ ...noisy(0), elapsedNs: 0 }, VIRTUAL);
  assert.equal(verdict, "inconclusive");
  assert.equal(vcpus[0].detail, "nothing ran");
});
