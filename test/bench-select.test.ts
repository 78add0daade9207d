import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readBenchFlags } from "../bench/command/flags.js";
import { selectPlans } from "../bench/command/select-plans.js";
import { contendedGroup } from "../bench/contended/contended-group.js";
import { endToEndGroup } from "../bench/end-to-end/end-to-end-group.js";
import { uncontendedGroup } from "../bench/uncontended/uncontended-group.js";

const { effort } = readBenchFlags([], () => {});

describe("bench --filter", () => {
  const groups = [uncontendedGroup(null), contendedGroup(null, 2), endToEndGroup()];

  it("measures with a row all that any row beside it is divided by", () => {
    for (const group of groups) {
      for (const { name } of group.plans(effort).flatMap(({ rows }) => rows)) {
        const selected = selectPlans([group], effort, [`${group.name}/${name}`]);
        const rows = selected.flatMap(({ plans }) => plans).flatMap((plan) => plan.rows);
        const names = new Set(rows.map((row) => row.name));
        assert.ok(names.has(name));
        for (const { name: other, ratioTo } of rows) {
          assert.ok(ratioTo === null || names.has(ratioTo), `${name}: ${other} is divided by ${ratioTo}`);
        }
      }
    }
  });

  it("measures an entry with many vCPUs beside one with a single vCPU", () => {
    const [{ plans }] = selectPlans(groups, effort, ["entry.virtual.10000"]);
    assert.deepEqual(
      plans.flatMap(({ rows }) => rows).map(({ name, ratioTo }) => [name, ratioTo]),
      [
        ["entry.virtual.1", null],
        ["entry.virtual.10000", "entry.virtual.1"],
      ],
    );
  });
});
