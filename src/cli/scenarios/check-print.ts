import type { EngineKind } from "../../engine/scenario.js";
import { count } from "../../shared/text.js";
import type { Ns } from "../../shared/units.js";
import type { ExpectationOutcome } from "../expect/check-expectations.js";
import { seconds } from "../format.js";

/** A scenario beside what it expects. */
export interface ScenarioCheck {
  readonly name: string;
  readonly engine: EngineKind;
  readonly elapsedNs: Ns;
  /** nothing expected: it was not run, and is not ok. */
  readonly status: "ok" | "failed" | "inconclusive" | "nothing expected";
  readonly outcomes: readonly ExpectationOutcome[];
}

const HEADS = ["engine", "time s", "ok", "failed", "inconclusive"] as const;
const WIDTHS = [7, 7, 4, 6, 12] as const;
const GAP = "  ";
/** A rule that is broken is broken on every vCPU: the first few tell. Noise tells nothing, and one line says that. */
const FAILED_SHOWN = 8;
const INCONCLUSIVE_SHOWN = 1;

/** The heads of the table; rows are printed under them one by one, as scenarios are done. */
export function headLine(nameWidth: number): string {
  return tableLine("scenario", HEADS, nameWidth);
}

/** A scenario's row, and below it what failed or could not be told. */
export function rowLines(check: ScenarioCheck, nameWidth: number): string[] {
  const { name, engine, elapsedNs, status, outcomes } = check;
  if (status === "nothing expected") {
    return [`${tableLine(name, [engine], nameWidth)}${GAP}nothing expected: not run, and not ok`];
  }
  const counted = (wanted: ExpectationOutcome["status"]) => `${outcomes.filter((one) => one.status === wanted).length}`;
  const cells = [engine, seconds(elapsedNs), counted("ok"), counted("failed"), counted("inconclusive")];
  return [tableLine(name, cells, nameWidth), ...troubleLines(outcomes)];
}

export function summaryLine(engine: EngineKind, checks: readonly ScenarioCheck[]): string {
  const statuses = ["ok", "failed", "inconclusive", "nothing expected"] as const;
  const parts = statuses
    .map((wanted) => ({ wanted, found: checks.filter(({ status }) => status === wanted).length }))
    .filter(({ wanted, found }) => wanted === "ok" || found > 0)
    .map(({ wanted, found }) => `${found} ${wanted}`);
  return `${count(checks.length, "scenario")} in the ${engine} engine: ${parts.join(", ")}.`;
}

/** The document of `--json`. */
export function checkDocument(engine: EngineKind, checks: readonly ScenarioCheck[]): object {
  return { schema: "stealclock.scenarios/1", engine, scenarios: checks };
}

function troubleLines(outcomes: readonly ExpectationOutcome[]): string[] {
  const of = (wanted: ExpectationOutcome["status"]) => outcomes.filter(({ status }) => status === wanted);
  const [failed, inconclusive] = [of("failed"), of("inconclusive")];
  return [...listed(failed, FAILED_SHOWN), ...listed(inconclusive, INCONCLUSIVE_SHOWN)];
}

function listed(trouble: readonly ExpectationOutcome[], limit: number): string[] {
  const lines = trouble.slice(0, limit).map(troubleLine);
  const [first] = trouble;
  if (first === undefined || trouble.length <= limit) return lines;
  return [...lines, `${GAP}${first.status}: and ${trouble.length - limit} more`];
}

function troubleLine({ field, vcpu, expected, found, status }: ExpectationOutcome): string {
  const who = vcpu === "total" ? "total" : `vCPU ${vcpu}`;
  return `${GAP}${status}: ${who}: ${field}: expected ${expected}, found ${found}`;
}

function tableLine(name: string, cells: readonly string[], nameWidth: number): string {
  const width = Math.max(nameWidth, "scenario".length);
  return [name.padEnd(width), ...cells.map((cell, column) => cell.padStart(WIDTHS[column] ?? 0))].join(GAP);
}
