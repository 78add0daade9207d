import type { Command } from "commander";
import { StealclockError } from "../../shared/errors.js";
import { NS_PER_SECOND } from "../../shared/units.js";
import { ALL_PROTOCOLS, type KnownProtocol } from "../../verify/protocols.js";
import type { StressOptions } from "../../verify/stress/stress-run.js";
import type { CliContext } from "../context.js";
import type { Outputs } from "../run-emulate.js";
import { listenForStop } from "../signals.js";
import { type JudgedRun, judge, stressDocument } from "./judged-run.js";
import { addStressFlags, readStressFlags, type StressFlags } from "./stress-flags.js";
import { STRESS_INSTRUMENTS, type StressInstruments } from "./stress-instruments.js";
import { stressLines } from "./stress-print.js";
import { StressProgressLine } from "./stress-progress.js";

const LEFT_BY_SIGNAL = 130;
/** With --all a broken protocol gets no more than this: it tears at once, or never. */
const BROKEN_NS = NS_PER_SECOND;

/**
 * Adds `stealclock stress`: hammers version protocols with real threads.
 *
 * @param finish takes the exit code: 1 when something did not come out as it has to, 130 when it was stopped before it
 *   could, else 0
 */
export function addStressCommand(
  program: Command,
  context: CliContext,
  outputs: Outputs,
  finish: (exitCode: number) => void,
): void {
  const command = program
    .command("stress")
    .summary("hammer the version protocol, and broken ones, with real threads")
    .description(
      "One writer and its readers at full speed on shared pages; every accepted read is checked to be one update, " +
        "whole. A run in which no reader met the writer at work fails: it proved nothing.",
    )
    .helpOption("-h, --help", "show this")
    .showHelpAfterError("stealclock: accepted: see stealclock stress --help")
    .addHelpText("after", `\nProtocols: ${ALL_PROTOCOLS.map(({ name }) => name).join(", ")}.\n${EXAMPLES}`);
  addStressFlags(command);
  command.action(async () => {
    const flags = readStressFlags(command, context.machine().cores, (message) =>
      outputs.stderr.write(`stealclock: ${message}\n`),
    );
    finish(await new StressCommand(flags, context, outputs).run());
  });
}

const EXAMPLES = `
Examples:
  stealclock stress
  stealclock stress --readers 4 --pages 16 --duration 1m
  stealclock stress --protocol payload-before-odd
  stealclock stress --all --json
  stealclock stress --protocol-file my-protocol.mjs
  stealclock stress --protocol-backend atomics
  stealclock stress --fault writer-dies

Exit codes: 0 came out as it has to, 1 a torn value, nothing proved or a part died, 2 bad input,
130 stopped before it could.`;

class StressCommand {
  readonly #flags: StressFlags;
  readonly #context: CliContext;
  readonly #outputs: Outputs;
  readonly #instruments: StressInstruments;
  readonly #progress: StressProgressLine;
  readonly #judged: JudgedRun[] = [];

  constructor(flags: StressFlags, context: CliContext, outputs: Outputs) {
    this.#flags = flags;
    this.#context = context;
    this.#outputs = outputs;
    this.#instruments = context.stressInstruments ?? STRESS_INSTRUMENTS;
    this.#progress = new StressProgressLine(outputs.stderr, context.nowMs);
  }

  /** @returns the exit code */
  async run(): Promise<number> {
    const { protocolFile } = this.#flags;
    const stopListening = listenForStop({
      source: this.#context.signals,
      nowMs: this.#context.nowMs,
      onStop: () => this.#stop(),
      onLeave: () => this.#context.leave(LEFT_BY_SIGNAL),
    });
    try {
      if (protocolFile !== null) await this.#instruments.checkProtocolFile(protocolFile, this.#signal);
      await this.#runAll();
    } catch (error) {
      // What was stopped between two runs has the runs before it to show.
      if (!(error instanceof StealclockError && error.code === "stopped" && this.#judged.length > 0)) throw error;
    } finally {
      stopListening();
      this.#progress.erase();
      this.#print();
    }
    return this.#exitCode();
  }

  async #runAll(): Promise<void> {
    for (const protocol of this.#flags.protocols) {
      if (this.#outputs.stop.signal.aborted) return;
      const run = await this.#instruments.stress(this.#optionsOf(protocol));
      this.#judged.push(await judge(run, () => this.#instruments.killedByExplorer(protocol, this.#signal)));
    }
  }

  get #signal(): AbortSignal {
    return this.#outputs.stop.signal;
  }

  #optionsOf(protocol: KnownProtocol): StressOptions {
    const { protocols, readers, pages, durationNs, maxRetries, fault } = this.#flags;
    const isBrief = protocols.length > 1 && protocol.expected === "broken";
    const place = protocols.length > 1 ? ` (${protocols.indexOf(protocol) + 1} of ${protocols.length})` : "";
    return {
      protocol,
      readers,
      pages,
      durationNs: isBrief ? Math.min(durationNs, BROKEN_NS) : durationNs,
      maxRetries,
      ...(fault !== null && { fault }),
      signal: this.#signal,
      onProgress: (progress) => this.#progress.draw(`${protocol.name}${place}`, progress),
    };
  }

  #stop(): void {
    this.#outputs.stop.abort();
    this.#progress.erase();
    this.#outputs.stderr.write("stealclock: stopping; once more leaves at once\n");
  }

  #print(): void {
    const { stdout } = this.#outputs;
    const { json, protocols } = this.#flags;
    if (this.#judged.length === 0) return;
    if (json) stdout.write(`${JSON.stringify(stressDocument(this.#judged, protocols.length), null, 2)}\n`);
    else stdout.writeLines(stressLines(this.#judged, protocols.length, stdout.width));
  }

  #exitCode(): number {
    if (this.#judged.some(({ ok }) => ok === false)) return 1;
    const isComplete = this.#judged.length === this.#flags.protocols.length;
    return isComplete && this.#judged.every(({ ok }) => ok) ? 0 : LEFT_BY_SIGNAL;
  }
}
