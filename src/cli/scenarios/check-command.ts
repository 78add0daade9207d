import type { Command } from "commander";
import type { RunResult } from "../../engine/result.js";
import type { EngineKind, Scenario } from "../../engine/scenario.js";
import { StealclockError } from "../../shared/errors.js";
import { NS_PER_SECOND } from "../../shared/units.js";
import type { CliContext } from "../context.js";
import { checkExpectations } from "../expect/check-expectations.js";
import { givenFlags, readFlag } from "../given-flags.js";
import { createLog } from "../log.js";
import type { Outputs } from "../run-emulate.js";
import { shippedScenarios } from "../scenario-file.js";
import { listenForStop } from "../signals.js";
import { asChoice } from "../values.js";
import { checkDocument, headLine, rowLines, type ScenarioCheck, summaryLine } from "./check-print.js";
import { type CheckedScenario, readChecked } from "./checked-scenario.js";

const ENGINES: readonly EngineKind[] = ["virtual", "real"];
/** A shipped scenario that takes longer than this in real time has to be asked for by name. */
const LONGEST_REAL_NS = 30 * NS_PER_SECOND;
const LEFT_BY_SIGNAL = 130;

/**
 * Adds `stealclock scenarios check`: runs scenarios and holds them against what they expect.
 *
 * @param finish takes the exit code: 1 when an expectation failed or a file has none, else 0
 */
export function addCheckCommand(
  scenarios: Command,
  context: CliContext,
  outputs: Outputs,
  finish: (exitCode: number) => void,
): void {
  const command = scenarios
    .command("check")
    .summary("run scenarios and check what they expect")
    .description(
      "Runs scenarios one after the other and checks what their files expect. A virtual run is exact; a real one may stray by its " +
        "noise and two ticks, and with more than 5 % noise nothing is concluded.",
    )
    .argument("[names...]", "names of shipped scenarios, or YAML files (default all that are shipped)")
    .option("--engine <engine>", "virtual, real (default virtual); real leaves out shipped ones of 30s or more")
    .option("--json", "one JSON document on stdout, schema stealclock.scenarios/1")
    .helpOption("-h, --help", "show this")
    .showHelpAfterError("stealclock: accepted: see stealclock scenarios check --help")
    .addHelpText("after", EXAMPLES);
  command.action(async (names: string[]) => {
    const given = givenFlags(command);
    const engine = readFlag("--engine", given("engine"), (value) => asChoice(value, "an engine", ENGINES)) ?? "virtual";
    const files = selectScenarios(names, engine, context);
    finish(await checkAll(files, engine, given("json") === true, context, outputs));
  });
}

const EXAMPLES = `
Examples:
  stealclock scenarios check
  stealclock scenarios check rfc-report-1 my-scenario.yaml
  stealclock scenarios check --engine real --json

Exit codes: 0 no expectation failed, 1 one failed or a file expects nothing, 2 bad input.`;

/** Those that were named; else all shipped ones that are meant for the engine and do not take it too long. */
function selectScenarios(names: readonly string[], engine: EngineKind, context: CliContext): CheckedScenario[] {
  const machine = context.machine();
  if (names.length > 0) return names.map((name) => readChecked(name, engine, machine));
  return shippedScenarios()
    .filter((name) => readChecked(name, null, machine).engines.includes(engine))
    .map((name) => readChecked(name, engine, machine))
    .filter(({ scenario }) => engine === "virtual" || scenario.durationNs < LONGEST_REAL_NS);
}

async function checkAll(
  files: readonly CheckedScenario[],
  engine: EngineKind,
  json: boolean,
  context: CliContext,
  { stdout, stop }: Outputs,
): Promise<number> {
  const nameWidth = files.reduce((widest, { name }) => Math.max(widest, name.length), 0);
  const stopListening = listenForStop({
    source: context.signals,
    nowMs: context.nowMs,
    onStop: () => stop.abort(),
    onLeave: () => context.leave(LEFT_BY_SIGNAL),
  });
  const checks: ScenarioCheck[] = [];
  try {
    if (!json) stdout.writeLines([headLine(nameWidth)]);
    for (const file of files) {
      const check = await checkOne(file, context, stop.signal);
      checks.push(check);
      if (!json) stdout.writeLines(rowLines(check, nameWidth));
    }
  } finally {
    stopListening();
  }
  if (json) stdout.write(`${JSON.stringify(checkDocument(engine, checks), null, 2)}\n`);
  else stdout.writeLines(["", summaryLine(engine, checks)]);
  return checks.some(({ status }) => status === "failed" || status === "nothing expected") ? 1 : 0;
}

/** @throws StealclockError "stopped" when the run was ended early: part of a run proves nothing */
async function checkOne(file: CheckedScenario, context: CliContext, signal: AbortSignal): Promise<ScenarioCheck> {
  const { name, scenario, expect } = file;
  const { engine } = scenario;
  if (expect === null) return { name, engine, elapsedNs: 0, status: "nothing expected", outcomes: [] };
  const result = await run(scenario, context, signal);
  if (result.stoppedEarly) throw new StealclockError("stopped", `stopped while ${name} was checked`);
  const outcomes = checkExpectations(expect, result);
  const has = (wanted: "failed" | "inconclusive") => outcomes.some(({ status }) => status === wanted);
  const status = has("failed") ? "failed" : has("inconclusive") ? "inconclusive" : "ok";
  return { name, engine, elapsedNs: result.elapsedNs, status, outcomes };
}

function run(scenario: Scenario, context: CliContext, signal: AbortSignal): Promise<RunResult> {
  return context.emulate(scenario, { signal, onLog: createLog("warn", context.logDestination()) });
}
