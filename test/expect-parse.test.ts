import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { FIGURE_NAMES, FIGURES, unitOf } from "../src/cli/expect/figures.js";
import { asRange, formatRange, type Unit } from "../src/cli/expect/range.js";
import { SCENARIO_FOLDER } from "../src/cli/package-root.js";
import { parseScenario } from "../src/cli/scenario-file.js";
import { Refused } from "../src/cli/values.js";
import { StealclockError } from "../src/shared/errors.js";

const INFINITE = Number.POSITIVE_INFINITY;

test("a range is a value, two ends, or one", () => {
  assert.deepEqual(asRange("50 %", "%"), { low: 50, high: 50 });
  assert.deepEqual(asRange("49.5..50.5 %", "%"), { low: 49.5, high: 50.5 });
  assert.deepEqual(asRange("49..51%", "%"), { low: 49, high: 51 });
  assert.deepEqual(asRange("at least 49 %", "%"), { low: 49, high: INFINITE });
  assert.deepEqual(asRange("at most 51 %", "%"), { low: -INFINITE, high: 51 });
  assert.deepEqual(asRange("-1.5..-0.5 points", "points"), { low: -1.5, high: -0.5 });
  assert.deepEqual(asRange(0, ""), { low: 0, high: 0 });
  assert.deepEqual(asRange("3..5", ""), { low: 3, high: 5 });
});

const REFUSED_RANGES: readonly (readonly [value: unknown, unit: Unit, message: RegExp])[] = [
  ["50", "%", /"50" is not a range in %; accepted: 50 %, 49\.\.51 %/],
  [50, "%", /50 is not a range in %/],
  ["50 points", "%", /is not a range in %/],
  ["50 %", "points", /is not a range in points; accepted: 0 points/],
  ["50 %", "", /"50 %" is not a count; accepted: 0, 1\.\.3/],
  ["51..49 %", "%", /"51\.\.49 %" is not a range from low to high; accepted: 49\.\.51 %/],
  ["3..1", "", /not a range from low to high; accepted: 1\.\.3/],
  ["at least 1..3 %", "%", /is not a range in %/],
  ["atleast 1 %", "%", /is not a range in %/],
  [">= 1 %", "%", /is not a range in %/],
  ["49 %..51 %", "%", /is not a range in %/],
  ["1e3 %", "%", /is not a range in %/],
  [1.5, "", /1\.5 is not a count/],
  [-1, "", /-1 is not a count/],
  ["1.5..2", "", /is not a count/],
  ["", "", /"" is not a count/],
  ["%", "%", /is not a range/],
  [null, "%", /nothing is not a range/],
  [["1 %"], "%", /a list is not a range/],
];

for (const [value, unit, message] of REFUSED_RANGES) {
  test(`as ${unit === "" ? "a count" : unit}, ${JSON.stringify(value)} is refused`, () => {
    assert.throws(
      () => asRange(value, unit),
      (error: unknown) => error instanceof Refused && message.test(error.message),
    );
  });
}

test("what is printed of a range reads back as the same range", () => {
  const ends = fc
    .tuple(fc.integer({ min: 0, max: 1_000_000 }), fc.nat(1_000_000))
    .map(([low, span]) => ({ low, span }));
  const unit = fc.constantFrom<Unit>("%", "points", "");
  fc.assert(
    fc.property(ends, unit, fc.constantFrom("both", "low", "high"), ({ low, span }, of, which) => {
      const scale = of === "" ? 1 : 1000;
      const range = {
        low: which === "high" ? -INFINITE : low / scale,
        high: which === "low" ? INFINITE : (low + span) / scale,
      };
      assert.deepEqual(asRange(formatRange(range, of), of), range);
    }),
  );
});

test("every figure has a unit that its range is read in", () => {
  for (const name of FIGURE_NAMES) {
    const unit = unitOf(FIGURES[name]);
    const text = `expect: { all: { "${name}": ${unit === "" ? "7" : `7 ${unit}`} } }`;
    assert.deepEqual(parseScenario(text, "f.yaml").settings.expect?.all, { [name]: { low: 7, high: 7 } });
  }
});

test("expectations of all, of some and of all together", () => {
  const { settings } = parseScenario(
    `
expect:
  all: { lockups: 0 }
  vcpus:
    1: { guest.steal: 50 % }
    "2-3+5": { guest.idle: at least 99 % }
  total: { host.run: 25 % }
  invariants: ok
`,
    "f.yaml",
  );
  const expect = settings.expect;
  assert.deepEqual(expect?.all, { lockups: { low: 0, high: 0 } });
  assert.deepEqual(
    expect?.vcpus?.map(({ vcpus }) => vcpus),
    [[1], [2, 3, 5]],
  );
  assert.deepEqual(expect?.total, { "host.run": { low: 25, high: 25 } });
});

/** Text after "expect:", the line and column at fault, and what the message says. */
const REFUSED_EXPECTATIONS: readonly (readonly [text: string, at: string, message: RegExp])[] = [
  [
    " { all: { guest.steel: 5 % } }",
    "1:18",
    /unknown key "guest.steel" \(did you mean guest.steal\?\); accepted: guest/,
  ],
  [
    " { al: { lockups: 0 } }",
    "1:11",
    /unknown key "al" \(did you mean all\?\); accepted: all, vcpus, total, invariants/,
  ],
  ["\n  all:\n    guest.steal: 51..49 %", "3:18", /expect.all.guest.steal: "51..49 %" is not a range from low to high/],
  ["\n  all:\n    guest.steal: 50", "3:18", /50 is not a range in %/],
  ["\n  total:\n    lockups: 0 %", "3:14", /expect.total.lockups: "0 %" is not a count/],
  ["\n  vcpus:\n    x: { ticks: 1 }", "3:5", /"x" is not a set of vCPUs; accepted: a number, a range 0-3/],
  ["\n  vcpus:\n    3-1: { ticks: 1 }", "3:5", /"3-1" is not a set of vCPUs/],
  ["\n  vcpus:\n    0: { tick: 1 }", "3:10", /unknown key "tick" \(did you mean ticks\?\)/],
  ["\n  vcpus: [0]", "2:10", /a list is not a map/],
  ["\n  all: 5", "2:8", /5 is not a map/],
  [" {}", "1:9", /an empty map expects nothing/],
  ["\n  all: {}", "2:8", /an empty map expects nothing/],
  ["\n  vcpus: {}", "2:10", /an empty map expects nothing/],
  ["\n  vcpus:\n    0: {}", "3:8", /an empty map expects nothing/],
  ["", "1:1", /nothing is not a map/],
  ["\n  invariants: broken", "2:15", /"broken" is not an expectation; accepted: ok/],
];

for (const [text, at, message] of REFUSED_EXPECTATIONS) {
  test(`expect:${text.replaceAll("\n", "\\n")} is refused at ${at}`, () => {
    assert.throws(
      () => parseScenario(`expect:${text}\n`, "f.yaml"),
      (error: unknown) => {
        assert.ok(error instanceof StealclockError);
        assert.equal(error.code, "bad-input");
        assert.ok(error.message.startsWith(`f.yaml:${at}: `), error.message);
        assert.match(error.message, message);
        return true;
      },
    );
  });
}

test("docs/scenarios.md names every figure", () => {
  const docs = readFileSync(join(SCENARIO_FOLDER, "../docs/scenarios.md"), "utf8");
  for (const name of FIGURE_NAMES) assert.ok(docs.includes(`\`${name}\``), name);
});
