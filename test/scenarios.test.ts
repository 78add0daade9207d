import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { checkExpectations } from "../src/cli/expect/check-expectations.js";
import { SCENARIO_FOLDER } from "../src/cli/package-root.js";
import { readScenarioFile, readScenarioText, shippedScenarios } from "../src/cli/scenario-file.js";
import { readChecked } from "../src/cli/scenarios/checked-scenario.js";
import { MACHINE } from "./cli-helpers.js";
import { runVirtually } from "./virtual-helpers.js";

const NAMES = shippedScenarios();
const DOCS = readFileSync(join(SCENARIO_FOLDER, "../docs/scenarios.md"), "utf8");
/** What a virtual run leaves to chance: with one of these a file has to give a seed. */
const CHANCES = ["jitter", "wakeLatency", "hostNoise"] as const;

test("there are scenarios", () => {
  assert.ok(NAMES.length >= 30, `${NAMES.length}`);
});

for (const name of NAMES) {
  test(`${name}: says what it shows, where it runs and what it expects`, () => {
    const { text } = readScenarioText(name);
    const [schema, ...lines] = text.split("\n");
    assert.equal(schema, "# yaml-language-server: $schema=./scenario.schema.json");
    const comment = lines.slice(
      0,
      lines.findIndex((line) => !line.startsWith("# ")),
    );
    assert.ok(comment.length >= 2, "a comment that says what it shows and why");
    const { settings } = readScenarioFile(name);
    assert.ok((settings.description ?? "") !== "", "a description");
    assert.ok(settings.engines !== undefined, "an engines list");
    assert.ok(settings.expect !== undefined, "an expect block");
    assert.ok(settings.tickPhase !== undefined, "a tick phase: the engines differ in what they take by default");
    assert.ok(settings.duration !== undefined && settings.pcpus !== undefined, "a duration, and pCPUs");
    const byChance = settings.tickPhase === "random" || CHANCES.some((key) => settings[key] !== undefined);
    assert.equal(settings.seed !== undefined, byChance, "a seed where something is left to chance, and only there");
    assert.ok(DOCS.includes(`| \`${name}\` | ${settings.description} |`), "a line in docs/scenarios.md");
  });

  test(`${name}: finds what it expects`, () => {
    const { scenario, expect, engines } = readChecked(name, null, MACHINE);
    for (const engine of engines) readChecked(name, engine, MACHINE);
    assert.ok(engines.includes("virtual"), "for the virtual engine");
    assert.ok(expect !== null);
    const outcomes = checkExpectations(expect, runVirtually(scenario));
    assert.ok(outcomes.length > 1, "something besides the invariants");
    assert.deepEqual(
      outcomes.filter(({ status }) => status !== "ok"),
      [],
    );
  });
}
