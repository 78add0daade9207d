import { StealclockError } from "../../src/shared/errors.js";
import type { Effort, Group, RowSpec, TrialPlan } from "../harness/trial.js";

/** A group and those of its plans that are wanted. */
export interface Selected {
  readonly group: Group;
  readonly plans: readonly TrialPlan[];
}

/**
 * The plans with a row that was asked for, and with them those whose rows these are divided by or computed from: without
 * them there would be no ratio.
 *
 * @param filter parts of "group/name", from the beginning of a word on; empty for all
 * @throws StealclockError `bad-input` when nothing matches, naming all rows
 */
export function selectPlans(groups: readonly Group[], effort: Effort, filter: readonly string[]): Selected[] {
  const selected = groups.flatMap((group) => {
    const plans = plansOf(group, effort, filter);
    return plans.length === 0 ? [] : [{ group, plans }];
  });
  if (selected.length > 0) return selected;
  const known = groups.map(
    (group) =>
      `  ${group.name}/ ${rowsOf(group, effort)
        .map(({ name }) => name)
        .join(" ")}`,
  );
  throw new StealclockError(
    "bad-input",
    `--filter: no word of a row's group/name begins with ${filter.join(" or ")}; accepted: from the beginning of a word on, any part of\n${known.join("\n")}`,
  );
}

function rowsOf(group: Group, effort: Effort): RowSpec[] {
  return [...group.plans(effort).flatMap(({ rows }) => rows), ...group.derived(effort)];
}

function plansOf(group: Group, effort: Effort, filter: readonly string[]): TrialPlan[] {
  const rows = new Map(rowsOf(group, effort).map((row) => [row.name, row]));
  const siblings = new Map(group.plans(effort).flatMap((plan) => plan.rows.map(({ name }) => [name, plan.rows])));
  const derived = new Map(group.derived(effort).map(({ name, from }) => [name, from]));
  const wanted = new Set<string>();
  const want = (name: string | null): void => {
    const row = name === null ? undefined : rows.get(name);
    if (row === undefined || wanted.has(row.name)) return;
    wanted.add(row.name);
    want(row.ratioTo);
    // What is measured with it is shown, too, and has bases of its own.
    for (const { name: other } of siblings.get(row.name) ?? []) want(other);
    for (const source of derived.get(row.name) ?? []) want(source);
  };
  for (const name of rows.keys()) {
    if (matchesFilter(group.name, name, filter)) want(name);
  }
  return group.plans(effort).filter((plan) => plan.rows.some(({ name }) => wanted.has(name)));
}

/** Whether a row was asked for. */
export function matchesFilter(group: string, name: string, filter: readonly string[]): boolean {
  return filter.length === 0 || filter.some((part) => hasWordsFrom(`${group}/${name}`, part));
}

/** Whether a part of a name stands in it and begins where a word does: "contended" is not in "uncontended". */
function hasWordsFrom(name: string, part: string): boolean {
  for (let at = name.indexOf(part); at !== -1; at = name.indexOf(part, at + 1)) {
    if (at === 0 || "/.-".includes(name.charAt(at - 1))) return true;
  }
  return false;
}
