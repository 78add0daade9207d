import type { Command } from "commander";
import type { CliContext } from "../context.js";
import type { Outputs } from "../run-emulate.js";
import { addCheckCommand } from "./check-command.js";
import { addListCommand } from "./list-command.js";
import { addShowCommand } from "./show-command.js";

/**
 * Adds `stealclock scenarios`: what is shipped, and whether it holds what it promises.
 *
 * @param finish takes the exit code of a check
 */
export function addScenariosCommand(
  program: Command,
  context: CliContext,
  outputs: Outputs,
  finish: (exitCode: number) => void,
): void {
  const scenarios = program
    .command("scenarios")
    .summary("list, show and check scenarios")
    .description("Lists the shipped scenarios, shows one, or runs them and checks what they expect.")
    .helpOption("-h, --help", "show this")
    .showHelpAfterError("stealclock: accepted: see stealclock scenarios --help");
  addListCommand(scenarios, context, outputs);
  addShowCommand(scenarios, outputs);
  addCheckCommand(scenarios, context, outputs, finish);
}
