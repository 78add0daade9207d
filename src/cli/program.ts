import { Command, CommanderError } from "commander";
import { StealclockError } from "../shared/errors.js";
import { addCompareCommand } from "./compare-command.js";
import type { CliContext } from "./context.js";
import { addEmulateFlags, readEmulateFlags } from "./flags.js";
import { Output } from "./output.js";
import { packageVersion } from "./package-root.js";
import { addPageCommand } from "./page-command.js";
import { type Outputs, runEmulate } from "./run-emulate.js";
import { addScenariosCommand } from "./scenarios/scenarios-command.js";
import { addStressCommand } from "./stress/stress-command.js";
import { addVerifyCommand } from "./verify/verify-command.js";

const EXIT_FAILED = 1;
const EXIT_BAD_INPUT = 2;
const EXIT_INTERRUPTED = 130;

/**
 * The whole command line: parses, runs, prints.
 *
 * @param argv arguments after the program's name
 * @returns the exit code: 0 all held, 1 an invariant broke, a part died or runs differ that should not, 2 bad input
 */
export async function runCli(argv: readonly string[], context: CliContext): Promise<number> {
  const stop = new AbortController();
  const onEnded = () => stop.abort();
  const stdout = new Output(context.stdout, onEnded);
  const stderr = new Output(context.stderr, onEnded);
  const exitCode = await runGuarded(argv, context, { stdout, stderr, stop });
  await Promise.all([stdout.flush(), stderr.flush()]);
  if (stdout.failure === null) return exitCode;
  stderr.writeLines([`stealclock: stdout: ${stdout.failure}`]);
  return Math.max(exitCode, EXIT_FAILED);
}

async function runGuarded(argv: readonly string[], context: CliContext, outputs: Outputs): Promise<number> {
  let exitCode = 0;
  const program = buildProgram(outputs, async (command) => {
    exitCode = await runEmulate(readEmulateFlags(command, argv), context, outputs);
  });
  const finish = (found: number): void => {
    exitCode = found;
  };
  addPageCommand(program, outputs);
  addCompareCommand(program, outputs, finish);
  addScenariosCommand(program, context, outputs, finish);
  addStressCommand(program, context, outputs, finish);
  addVerifyCommand(program, context, outputs, finish);
  try {
    await program.parseAsync([...argv], { from: "user" });
    return exitCode;
  } catch (error) {
    // commander has said it already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_BAD_INPUT;
    if (error instanceof StealclockError) {
      outputs.stderr.writeLines(error.message.split("\n").map((line) => `stealclock: ${line}`));
      return exitCodeOf(error);
    }
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    outputs.stderr.writeLines([`stealclock: internal error: ${detail}`]);
    return EXIT_FAILED;
  }
}

function exitCodeOf({ code }: StealclockError): number {
  switch (code) {
    case "bad-input":
    case "unsupported":
      return EXIT_BAD_INPUT;
    case "part-died":
      return EXIT_FAILED;
    // Nothing ran: whoever expects a result must not take this for one.
    case "stopped":
      return EXIT_INTERRUPTED;
  }
}

function buildProgram({ stdout, stderr }: Outputs, emulate: (command: Command) => Promise<void>): Command {
  const program = new Command("stealclock")
    .description(
      "Emulates paravirtual steal time: a hypervisor, vCPUs and the pvclock page between them, on real threads or in virtual time.",
    )
    .version(packageVersion())
    .exitOverride()
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      getOutHelpWidth: () => stdout.width,
      getErrHelpWidth: () => stderr.width,
      outputError: (text, write) => write(`stealclock: ${text.replace(/^error: /, "")}`),
    })
    .showHelpAfterError("stealclock: accepted: see stealclock emulate --help");
  const command = program
    .command("emulate")
    .summary("run a scenario and print what the guests believe beside the truth")
    .description(
      "Runs a scenario and prints what each guest CPU believes (user, system, idle, steal) beside what is true.",
    )
    .addHelpText("after", examples());
  addEmulateFlags(command).action(() => emulate(command));
  return program;
}

function examples(): string {
  return `
Examples:
  stealclock emulate --vcpus 8
  stealclock emulate --vcpus 1 --host-task hog@nice=5
  stealclock emulate --vcpus 4 --pcpus 1 --accounting mainline --hz 1000
  stealclock emulate --vcpus 4 --workload 0-2=hog,3=duty:70%/10ms --duration 10s
  stealclock emulate --scenario pinned-smp --update entry
  stealclock emulate --vcpus 4 --host linux --sample 1s > samples.jsonl
  stealclock emulate --engine virtual --vcpus 1000 --duration 1h --seed 7
  stealclock emulate --scenario four-hogs-one-pcpu --print-config > my.yaml

Shipped scenarios: stealclock scenarios list

Exit codes: 0 all invariants held, 1 one broke or a part died, 2 bad input.`;
}
