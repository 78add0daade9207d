import assert from "node:assert/strict";
import { test } from "node:test";
import { explainDifferences } from "../src/cli/explain.js";
import type { VcpuResult } from "../src/engine/result.js";
import type { Scenario } from "../src/engine/scenario.js";
import { cli, runResult, vcpuResult } from "./cli-helpers.js";

type Changes = Parameters<typeof vcpuResult>[1];

async function explain(args: string, changes: readonly Changes[], elapsedNs = 3_000_000_000): Promise<string[]> {
  const argv = ["emulate", "--vcpus", `${changes.length}`, ...args.split(" ").filter((word) => word !== "")];
  const { scenario, stderr } = await cli(argv);
  assert.ok(scenario !== null, stderr);
  const config: Scenario = scenario;
  const accounting = config.accounting;
  const vcpus: VcpuResult[] = changes.map((change, id) =>
    vcpuResult(id, { ...change, guest: { accounting, ...change?.guest } }),
  );
  return explainDifferences(runResult(config, { vcpus, elapsedNs }));
}

test("nothing to say when guest and truth agree", async () => {
  assert.deepEqual(await explain("", [{}, {}]), []);
});

test("a difference of 1 % or of two ticks is none", async () => {
  // 30 ms are 1 % of 3 s.
  assert.deepEqual(await explain("", [{ guest: { stealNs: 1_470_000_000, userNs: 1_500_000_000 } }]), []);
  const [line = ""] = await explain("", [{ guest: { stealNs: 1_469_999_999 }, page: { updates: 3 } }]);
  assert.match(line, /^vCPU 0: saw 49\.0 % steal of the elapsed time, true is 50\.0 %: /);
  // At HZ 100, 20 ms are two ticks, and more than 1 % of 100 ms.
  const short = { host: { waitNs: 50_000_000, runNs: 50_000_000 }, guest: { userNs: 50_000_000, stealNs: 30_000_000 } };
  assert.deepEqual(await explain("--hz 100", [short], 100_000_000), []);
  const more = { ...short, guest: { userNs: 50_000_000, stealNs: 29_999_999 } };
  assert.equal((await explain("--hz 100", [more], 100_000_000)).length, 1);
  assert.equal((await explain("--hz 1000", [short], 100_000_000)).length, 1);
});

const NO_STEAL = { stealNs: 0, userNs: 1_600_000_000 };

test("accounting none", async () => {
  const [line = ""] = await explain("--accounting none", [
    { guest: NO_STEAL },
    { guest: { stealNs: 0, userNs: 1_800_000_000 } },
  ]);
  assert.match(
    line,
    /^vCPUs 0-1: saw 0\.0 % steal of the elapsed time, true is 50\.0 %: accounting none knows no steal/,
  );
});

test("a host without the feature, a refused page, no page, no flag", async () => {
  const off = { guest: { ...NO_STEAL, stealEnabled: false } };
  const page = { gpa: null, refused: "not aligned to 64" };
  assert.match((await explain("--no-steal-feature", [off])).join(), /does not offer steal time in CPUID/);
  assert.match((await explain("", [{ ...off, page }])).join(), /the host refused the page .* \(not aligned to 64\)/);
  assert.match((await explain("", [{ ...off, page: { gpa: null } }])).join(), /no registered page/);
  assert.match((await explain("", [off])).join(), /does not carry the steal flag/);
});

test("pcpu-change on a vCPU that stays where it is", async () => {
  const stays = { guest: NO_STEAL, page: { updates: 1 } };
  const lines = await explain("--update pcpu-change", [stays, stays, {}]);
  assert.equal(lines.length, 1);
  assert.match(
    lines.join(),
    /^vCPUs 0-1: saw 0\.0 % .* true is 50\.0 %: update pcpu-change writes .* as before patch 2/,
  );
});

test("rfc-v2 drops the wait after a wake-up on idle exit", async () => {
  const dropped = {
    guest: { userNs: 1e9, stealNs: 0, idleNs: 1.7e9, stealDroppedIdleNs: 2e9 },
    host: { runNs: 1e9, haltNs: 1.7e9, waitNs: 0.3e9 },
  };
  assert.match(
    (await explain("", [dropped])).join(),
    /saw 0\.0 % .* true is 10\.0 %: rfc-v2 drops what it finds on idle exit/,
  );
  const waitOnly = { ...dropped, guest: { ...dropped.guest, stealDroppedIdleNs: 0.3e9 } };
  assert.match((await explain("--measure wait", [waitOnly])).join(), /rfc-v2 drops what it finds on idle exit/);
});

test("a wait at the end that was not published yet", async () => {
  const late = { guest: { stealNs: 1_200_000_000 }, host: { wait: { p50Ns: 1, p99Ns: 1, maxNs: 347_000_000 } } };
  assert.match((await explain("", [late])).join(), /a wait at the end was not published yet/);
});

test("mainline books halted time as steal when the host measures time out of guest", async () => {
  const halted = { guest: { userNs: 1e9, stealNs: 2e9 }, host: { runNs: 1e9, haltNs: 1.8e9, waitNs: 0.2e9 } };
  const lines = await explain("--accounting mainline", [halted]);
  assert.match(lines.join(), /saw 66\.7 % .* true is 6\.7 %: measure out-of-guest counts halted time .* mainline/);
});

test("ticks that steal swallowed whole", async () => {
  const swallowed = { guest: { userNs: 0 } };
  const rfc = (await explain("", [swallowed])).join();
  assert.match(
    rfc,
    /50\.0 % of the elapsed time is in no account, so top would show 100\.0 % steal, true is 50\.0 %: in rfc-v2/,
  );
  assert.match(
    (await explain("--accounting mainline", [swallowed])).join(),
    /in mainline a tick with a tick of steal or more/,
  );
});

test("time booked twice, and ticks that fell on the wrong task", async () => {
  assert.match((await explain("", [{ guest: { userNs: 1.6e9 } }])).join(), /3\.3 % more time is booked than elapsed/);
  const sampled = { guest: { userNs: 1.2e9, idleNs: 0.3e9 } };
  assert.match((await explain("", [sampled])).join(), /booked 40\.0 % as user and system, true is 50\.0 %/);
});

test("different rules get sentences of their own, shares a range", async () => {
  const off = { guest: { ...NO_STEAL, stealEnabled: false } };
  const page = { gpa: null, refused: "beyond guest RAM" };
  const lines = await explain("--update pcpu-change", [
    { ...off, page },
    { guest: NO_STEAL, page: { updates: 1 } },
    { guest: { ...NO_STEAL, stealNs: 300_000_000 }, page: { updates: 2 } },
  ]);
  assert.equal(lines.length, 2);
  assert.match(lines[1] ?? "", /^vCPUs 1-2: saw 0\.0 to 10\.0 % steal/);
});

test("softlockups: bogus, real, suppressed", async () => {
  const reported = { guest: { softlockups: { reported: 3, suppressed: 0 } } };
  const suppressed = { guest: { softlockups: { reported: 0, suppressed: 3 } } };
  assert.match(
    (await explain("--watchdog plain", [reported])).join(),
    /plain watchdog takes stolen time for a lockup, so this is bogus/,
  );
  assert.match((await explain("--workload stuck", [reported])).join(), /its task never lets the watchdog task run/);
  assert.match((await explain("", [suppressed])).join(), /without the stolen time the threshold was not reached/);
});
