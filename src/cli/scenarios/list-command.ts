import type { Command } from "commander";
import { formatDuration } from "../../shared/units.js";
import type { CliContext } from "../context.js";
import type { Outputs } from "../run-emulate.js";
import { shippedScenarios } from "../scenario-file.js";
import { readChecked } from "./checked-scenario.js";
import { leftAligned } from "./left-aligned.js";

/** Adds `stealclock scenarios list`: every shipped scenario with what it shows. */
export function addListCommand(scenarios: Command, context: CliContext, { stdout }: Outputs): void {
  scenarios
    .command("list")
    .summary("every shipped scenario with what it shows")
    .description("Prints each shipped scenario's name, the engines it is meant for, its duration and what it shows.")
    .helpOption("-h, --help", "show this")
    .action(() => {
      const machine = context.machine();
      const rows = shippedScenarios().map((name) => {
        const { engines, scenario, description } = readChecked(name, null, machine);
        return [name, engines.join(", "), formatDuration(scenario.durationNs), description];
      });
      stdout.writeLines(leftAligned([["scenario", "engines", "duration", "shows"], ...rows], stdout.width));
    });
}
