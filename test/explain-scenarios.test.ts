import assert from "node:assert/strict";
import { test } from "node:test";
import { explainDifferences } from "../src/cli/explain.js";
import { readScenarioFile } from "../src/cli/scenario-file.js";
import { resolveScenario } from "../src/cli/scenario-resolve.js";
import { MACHINE } from "./cli-helpers.js";
import { runVirtually } from "./virtual-helpers.js";

/** What a run of a shipped scenario says of guest and truth. */
function explained(name: string): string {
  const nothing = { settings: {}, where: () => "" };
  const { scenario } = resolveScenario(nothing, readScenarioFile(name), MACHINE, () => 0);
  return explainDifferences(runVirtually(scenario)).join("\n");
}

test("time for which the machine stood still is laid to no accounting rule", () => {
  assert.match(
    explained("suspend-host"),
    /75\.0 % of the elapsed time is in no account.*the whole machine stood still/s,
  );
  assert.match(explained("suspend-host-out-of-guest"), /measure out-of-guest counts the time for which the machine/);
});

test("steal on a host without the feature, and a CPU that was offline, are named as what they are", () => {
  assert.match(explained("migrate-without-feature"), /vCPU 0: saw .* on a host that does not offer steal/);
  assert.match(explained("offline-online"), /vCPU 1: 16\.7 % .*: it was offline, and no tick came/);
});

test("no shipped scenario ends in a difference that nobody can account for", () => {
  for (const name of ["halted-out-of-guest-mainline", "tick-dodger", "short-slices-rfc-v2", "steal-field-wrap"]) {
    assert.doesNotMatch(explained(name), /no rule of this configuration/, name);
  }
});
