import { closeSync, openSync, writeFileSync } from "node:fs";
import type { GuestCpu } from "../../guest/guest-cpu.js";
import type { HostObserver } from "../../host/pvclock-publisher.js";
import { OutState } from "../../host/sched-notifier.js";
import { StealclockError } from "../../shared/errors.js";
import type { Ns } from "../../shared/units.js";
import type { Scenario } from "../scenario.js";
import type { GuestObserver } from "./virtual-machine.js";

const BUFFER_CHARACTERS = 65_536;
/** An instant has at most 16 digits. */
const LAST_LINE_BYTES = 48;

/**
 * What happened, a JSON line for each change of state, in the order in which it happened; enough to draw a timeline from.
 * Each has `ns` (from t0) and `event`:
 *
 *     sched-in   vcpu, pcpu                 it got a pCPU; one that goes to another pCPU than its last has `migrate` first
 *     migrate    vcpu, from, to             pCPUs
 *     sched-out  vcpu, pcpu                 the host took it off its pCPU: it waits
 *     halt       vcpu, pcpu                 HLT
 *     offline    vcpu, pcpu                 its guest took it offline, or the host is suspended
 *     wake       vcpu                       halted or offline before, it waits for a pCPU now
 *     suspend    vcpu                       it waited, and the host is suspended
 *     publish    vcpu, version, stealNs     its page was written
 *     tick       vcpu, ticks                tick deadlines accounted, one or, on idle exit, more
 *     lockup     vcpu                       it reported a softlockup
 *     move       stealFeature               the whole machine goes on, on another host
 *     truncated                             the last line, when the file would have become too large
 */
export class EventFile implements HostObserver, GuestObserver {
  readonly #path: string;
  readonly #descriptor: number;
  readonly #maxBytes: number;
  readonly #startNs: Ns;
  readonly #pcpus: Int32Array;
  readonly #ticks: Float64Array;
  readonly #lockups: Int32Array;
  #buffer = "";
  #bytes = 0;
  #truncated = false;
  #ended = false;

  private constructor(path: string, descriptor: number, maxBytes: number, { startAtNs, vcpus }: Scenario) {
    this.#path = path;
    this.#descriptor = descriptor;
    this.#maxBytes = maxBytes;
    this.#startNs = startAtNs;
    this.#pcpus = new Int32Array(vcpus.length).fill(-1);
    this.#ticks = new Float64Array(vcpus.length);
    this.#lockups = new Int32Array(vcpus.length);
  }

  /** @param maxBytes no more than this is written, but for a line that says so @throws StealclockError "bad-input" */
  static open(path: string, maxBytes: number, scenario: Scenario): EventFile {
    return refusing(path, () => new EventFile(path, openSync(path, "w"), maxBytes, scenario));
  }

  /** There was more to write than it may hold. */
  get truncated(): boolean {
    return this.#truncated;
  }

  /** What comes now is the machine being taken apart. */
  end(): void {
    this.#ended = true;
  }

  close(): void {
    refusing(this.#path, () => {
      this.#flush();
      closeSync(this.#descriptor);
    });
  }

  schedIn(vcpu: number, pcpu: number, now: Ns): void {
    const from = this.#pcpus[vcpu];
    if (from >= 0 && from !== pcpu) this.#write("migrate", now, `,"vcpu":${vcpu},"from":${from},"to":${pcpu}`);
    this.#pcpus[vcpu] = pcpu;
    this.#write("sched-in", now, `,"vcpu":${vcpu},"pcpu":${pcpu}`);
  }

  schedOut(vcpu: number, state: OutState, now: Ns): void {
    const event = state === OutState.Wait ? "sched-out" : state === OutState.Halt ? "halt" : "offline";
    this.#write(event, now, `,"vcpu":${vcpu},"pcpu":${this.#pcpus[vcpu]}`);
  }

  woken(vcpu: number, now: Ns): void {
    this.#write("wake", now, `,"vcpu":${vcpu}`);
  }

  suspended(vcpu: number, now: Ns): void {
    this.#write("suspend", now, `,"vcpu":${vcpu}`);
  }

  registered(): void {}
  unregistered(): void {}

  published(vcpu: number, version: number, stealNs: Ns, now: Ns): void {
    this.#write("publish", now, `,"vcpu":${vcpu},"version":${version >>> 0},"stealNs":${stealNs}`);
  }

  moved(offersSteal: boolean, now: Ns): void {
    this.#write("move", now, `,"stealFeature":${offersSteal}`);
  }

  told(vcpu: number, { ticks, watchdog }: GuestCpu, now: Ns): void {
    if (ticks !== this.#ticks[vcpu]) {
      this.#write("tick", now, `,"vcpu":${vcpu},"ticks":${ticks - this.#ticks[vcpu]}`);
      this.#ticks[vcpu] = ticks;
    }
    if (watchdog.reported > this.#lockups[vcpu]) this.#write("lockup", now, `,"vcpu":${vcpu}`);
    this.#lockups[vcpu] = watchdog.reported;
  }

  #write(event: string, now: Ns, fields: string): void {
    if (this.#truncated || this.#ended) return;
    const line = `{"ns":${now - this.#startNs},"event":"${event}"${fields}}\n`;
    // There is always room for the line that says so.
    if (this.#bytes + line.length + LAST_LINE_BYTES > this.#maxBytes) {
      this.#truncated = true;
      this.#buffer += `{"ns":${now - this.#startNs},"event":"truncated"}\n`;
      return;
    }
    this.#bytes += line.length;
    this.#buffer += line;
    if (this.#buffer.length >= BUFFER_CHARACTERS) refusing(this.#path, () => this.#flush());
  }

  #flush(): void {
    const text = this.#buffer;
    this.#buffer = "";
    writeFileSync(this.#descriptor, text);
  }
}

/** Turns what the file system says no to into an error for the user. */
function refusing<T>(path: string, access: () => T): T {
  try {
    return access();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StealclockError("bad-input", `--events ${path}: ${reason}; accepted: a file to write to`);
  }
}
