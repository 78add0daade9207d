import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { plant, plantedLines, programText, runPlanted } from "../src/fuzz/planted.js";
import { PLANTED_FAULTS } from "../src/fuzz/planted-faults.js";

/** Some of either side, each found by another property. `npm run fuzz -- --planted` does it with all. */
const PLANTED_HERE = ["skipped-publish", "guard-off", "two-entry-ticks", "guest-not-told"];

describe("planted faults", () => {
  for (const fault of PLANTED_FAULTS) {
    test(`${fault.name} can be planted: what it changes is in the program once`, () => {
      const text = programText(fault);
      assert.notEqual(plant(fault, text), text);
    });
  }

  test("a program that has changed is refused", () => {
    const [fault] = PLANTED_FAULTS;
    assert.throws(() => plant(fault, ""), /found 0 times/);
    assert.throws(() => plant(fault, fault.find + fault.find), /found 2 times/);
  });

  test("the fuzzer finds them within a few seeds, and nothing where there is none", async () => {
    const nothing = {
      name: "nothing",
      what: "",
      file: "host/ledger.js",
      find: "class Ledger ",
      replace: "class Ledger ",
    };
    const faults = [...PLANTED_FAULTS.filter(({ name }) => PLANTED_HERE.includes(name)), nothing];
    const result = await runPlanted({
      faults,
      seeds: 50,
      seedFrom: 0,
      signal: new AbortController().signal,
      onProgress: () => {},
    });
    const found = Object.fromEntries(result.faults.map(({ name, foundBy }) => [name, foundBy]));
    assert.deepEqual(found, {
      "skipped-publish": "every page write is due, whole and true",
      "guest-not-told": "a stopped guest is told so",
      "guard-off": "guarded clocks never step back",
      "two-entry-ticks": "ticks and lost ticks are the deadlines that passed",
      nothing: null,
    });
    assert.match(plantedLines(result).join("\n"), /nothing .* NOT FOUND\n5 faults planted: 1 not found$/);
    assert.deepEqual([result.ok, result.stoppedEarly], [false, false]);
  });

  test("a search that is stopped gives no verdict, and leaves out the fault that it was cut off at", async () => {
    const faults = PLANTED_FAULTS.filter(({ name }) => PLANTED_HERE.includes(name));
    const stop = new AbortController();
    const result = await runPlanted({
      faults,
      seeds: 25,
      seedFrom: 0,
      signal: stop.signal,
      onProgress: (text) => {
        if (text.startsWith("fault 2 of 4")) stop.abort();
      },
    });
    assert.deepEqual(
      result.faults.map(({ name }) => name),
      faults.slice(0, 1).map(({ name }) => name),
    );
    assert.deepEqual([result.ok, result.stoppedEarly, result.planned], [false, true, 4]);
    assert.equal(plantedLines(result).at(-1), "stopped after 1 of 4: no verdict");
  });
});
