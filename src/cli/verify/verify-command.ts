import type { Command } from "commander";
import { StealclockError } from "../../shared/errors.js";
import { ALL_PROTOCOLS, type KnownProtocol } from "../../verify/protocols.js";
import { type VerifyResult, verifyProtocol } from "../../verify/run/verify-protocol.js";
import type { CliContext } from "../context.js";
import type { Outputs } from "../run-emulate.js";
import { listenForStop } from "../signals.js";
import { eraseLine, writeOver } from "../terminal-line.js";
import { addVerifyFlags, readVerifyFlags, type VerifyFlags } from "./verify-flags.js";
import {
  headLines,
  isAsExpected,
  protocolLines,
  summaryLines,
  type VerifiedProtocol,
  verifyDocument,
} from "./verify-print.js";

const LEFT_BY_SIGNAL = 130;

/**
 * Adds `stealclock verify`: explores version protocols under memory models.
 *
 * @param finish takes the exit code: 1 when a protocol did not come out as it has to, 130 when stopped before all had,
 *   else 0
 */
export function addVerifyCommand(
  program: Command,
  context: CliContext,
  outputs: Outputs,
  finish: (exitCode: number) => void,
): void {
  const command = program
    .command("verify")
    .summary("explore every execution of the version protocol, and of broken ones, under four memory models")
    .description(
      "Runs the protocol's own functions on a recording memory and explores every execution that a memory model allows: sc " +
        "(interleavings), tso (x86), es (ECMAScript) and arm (ARM64 with what V8 emits).",
    )
    .helpOption("-h, --help", "show this")
    .showHelpAfterError("stealclock: accepted: see stealclock verify --help")
    .addHelpText("after", `\nProtocols: ${ALL_PROTOCOLS.map(({ name }) => name).join(", ")}.\n${EXAMPLES}`);
  addVerifyFlags(command);
  command.action(async () => {
    finish(await new VerifyCommand(readVerifyFlags(command), context, outputs).run());
  });
}

const EXAMPLES = `
Examples:
  stealclock verify
  stealclock verify --protocol plain-payload --model es,arm
  stealclock verify --protocol shipped --updates 3 --retries 3
  stealclock verify --protocol-file my-protocol.mjs --json

Exit codes: 0 came out as it has to, 1 it did not, 2 bad input, 130 stopped before the end.`;

class VerifyCommand {
  readonly #flags: VerifyFlags;
  readonly #context: CliContext;
  readonly #outputs: Outputs;
  readonly #verified: VerifiedProtocol[] = [];
  #begun = 0;

  constructor(flags: VerifyFlags, context: CliContext, outputs: Outputs) {
    this.#flags = flags;
    this.#context = context;
    this.#outputs = outputs;
  }

  /** @returns the exit code */
  async run(): Promise<number> {
    const { stdout } = this.#outputs;
    const { protocols, json, bounds } = this.#flags;
    const stopListening = listenForStop({
      source: this.#context.signals,
      nowMs: this.#context.nowMs,
      onStop: () => this.#stop(),
      onLeave: () => this.#context.leave(LEFT_BY_SIGNAL),
    });
    try {
      if (!json) stdout.writeLines(headLines(bounds, stdout.width));
      await this.#verifyAll();
    } catch (error) {
      if (!isStopped(error) || this.#verified.length === 0) throw error;
    } finally {
      stopListening();
      this.#erase();
    }
    const isComplete = this.#verified.length === protocols.length;
    if (json) stdout.write(`${JSON.stringify(verifyDocument(this.#verified, isComplete), null, 2)}\n`);
    else if (protocols.length > 1) stdout.writeLines(summaryLines(this.#verified, protocols.length, stdout.width));
    if (!this.#verified.every(isAsExpected)) return 1;
    return isComplete ? 0 : LEFT_BY_SIGNAL;
  }

  /** Some at once, as there are cores; shown in their order. */
  async #verifyAll(): Promise<void> {
    const { protocols } = this.#flags;
    const lanes = Math.min(protocols.length, this.#context.machine().cores);
    const found = new Map<KnownProtocol, readonly VerifyResult[]>();
    const lane = async (): Promise<void> => {
      while (this.#begun < protocols.length && !this.#outputs.stop.signal.aborted) {
        const protocol = protocols[this.#begun++];
        found.set(protocol, await this.#verify(protocol));
        this.#showNext(found);
      }
    };
    const ending = async (): Promise<void> => {
      try {
        await lane();
      } catch (error) {
        this.#outputs.stop.abort();
        throw error;
      }
    };
    // Nothing may be shown any more once this is over. What was stopped says less than what stopped it.
    const endings = await Promise.allSettled(Array.from({ length: lanes }, ending));
    const errors = endings.flatMap((one): unknown[] => (one.status === "rejected" ? [one.reason] : []));
    if (errors.length > 0) throw errors.find((error) => !isStopped(error)) ?? errors[0];
  }

  #verify(protocol: KnownProtocol): Promise<VerifyResult[]> {
    const { models, bounds } = this.#flags;
    this.#draw(`${protocol.name}, ${this.#begun} of ${this.#flags.protocols.length}`);
    const onResult = ({ model }: VerifyResult): void => this.#draw(`${protocol.name} under ${model}: done`);
    return verifyProtocol({ protocol, models, bounds, signal: this.#outputs.stop.signal, onResult });
  }

  #showNext(found: ReadonlyMap<KnownProtocol, readonly VerifyResult[]>): void {
    const { protocols, json } = this.#flags;
    for (;;) {
      const protocol = protocols[this.#verified.length];
      const results = protocol === undefined ? undefined : found.get(protocol);
      if (protocol === undefined || results === undefined) return;
      const verified = { protocol, results };
      this.#verified.push(verified);
      this.#erase();
      if (!json) this.#outputs.stdout.writeLines(protocolLines(verified, this.#outputs.stdout.width));
    }
  }

  #stop(): void {
    this.#outputs.stop.abort();
    this.#erase();
    this.#outputs.stderr.write("stealclock: stopping; once more leaves at once\n");
  }

  #draw(text: string): void {
    const { stderr } = this.#outputs;
    if (stderr.isTerminal) writeOver(stderr.stream, `verify: ${text}`);
  }

  #erase(): void {
    const { stderr } = this.#outputs;
    if (stderr.isTerminal) eraseLine(stderr.stream);
  }
}

function isStopped(error: unknown): boolean {
  return error instanceof StealclockError && error.code === "stopped";
}
