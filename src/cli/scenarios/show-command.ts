import type { Command } from "commander";
import type { Outputs } from "../run-emulate.js";
import { readScenarioText } from "../scenario-file.js";

/** Adds `stealclock scenarios show`: a scenario's file as it is, its comment included. */
export function addShowCommand(scenarios: Command, { stdout }: Outputs): void {
  scenarios
    .command("show")
    .summary("print a scenario's file")
    .description("Prints the file of a scenario as it is, with the comment that says what it shows and why.")
    .argument("<name>", "the name of a shipped scenario, or a YAML file")
    .helpOption("-h, --help", "show this")
    .action((name: string) => stdout.write(readScenarioText(name).text));
}
