import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Agreement, agreementOf } from "../src/engine/check/agreement.js";
import { emulate } from "../src/engine/emulate.js";
import type { Scenario } from "../src/engine/scenario.js";
import { NS_PER_MS, NS_PER_SECOND } from "../src/shared/units.js";
import { scenarioOf } from "./engine-helpers.js";
import { virtually } from "./virtual-helpers.js";

/*
 * The two drivers over the same classes must come to the same shares, as far as the real machine lets them. Where its noise
 * says that nothing can be concluded, nothing is. Nor does a difference count that was found on a machine with other things to do: it
 * may have held up the hypervisor, which makes vCPUs wait and is in no vCPU's noise. What differs for a reason does so every time, and
 * on a quiet machine too.
 */
const ATTEMPTS = 3;
const QUIET_SHARE = 0.01;

async function attempt(scenario: Scenario): Promise<Agreement> {
  const real = await emulate(scenario);
  const found = agreementOf(real, await emulate(virtually(scenario)));
  const quiet = real.vcpus.every(({ host }) => host.noiseNs !== null && host.noiseNs < QUIET_SHARE * real.elapsedNs);
  return found.verdict === "differs" && !quiet ? { ...found, verdict: "inconclusive" } : found;
}

async function agree(scenario: Scenario): Promise<Agreement> {
  let found = await attempt(scenario);
  for (let again = 1; again < ATTEMPTS && found.verdict === "differs"; again++) found = await attempt(scenario);
  return found;
}

const SCENARIOS: readonly (readonly [what: string, scenario: Scenario])[] = [
  ["two hogs on one pCPU", scenarioOf({ durationNs: NS_PER_SECOND })],
  [
    "a hog beside a nicer host task, mainline in ns",
    scenarioOf({
      vcpuCount: 1,
      durationNs: NS_PER_SECOND,
      accounting: "mainline",
      stealUnit: "ns",
      hostTasks: [{ workload: { kind: "hog" }, nice: 5, pcpus: null }],
    }),
  ],
  [
    "a duty cycle beside a host hog",
    scenarioOf({
      vcpuCount: 1,
      durationNs: NS_PER_SECOND,
      vcpu: { workload: { kind: "duty", busyNs: 2 * NS_PER_MS, periodNs: 20 * NS_PER_MS } },
      measure: "wait",
      hostTasks: [{ workload: { kind: "hog" }, nice: 0, pcpus: null }],
    }),
  ],
];

describe("the real and the virtual engine agree on every share", () => {
  for (const [what, scenario] of SCENARIOS) {
    test(what, async (context) => {
      const { verdict, detail, vcpus } = await agree(scenario);
      context.diagnostic(`${verdict}: ${detail}`);
      assert.notEqual(verdict, "differs", vcpus.map((vcpu) => `vCPU ${vcpu.id}: ${vcpu.detail}`).join("; "));
    });
  }

  test("and are found to differ where they do: under another nice", async () => {
    const scenario = scenarioOf({ durationNs: NS_PER_SECOND });
    const uneven = { ...scenario, vcpus: scenario.vcpus.map((vcpu, id) => ({ ...vcpu, nice: 10 * id })) };
    const virtual = await emulate(virtually(scenario));
    const other = await emulate(virtually(uneven));
    // A real machine without noise.
    const asReal = { ...other, engine: "real" as const };
    assert.equal(agreementOf(asReal, virtual).verdict, "differs");
  });
});
