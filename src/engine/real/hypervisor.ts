import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { protocolOf, ramOf } from "../../shared/machine-memory.js";
import { Tsc } from "../../shared/tsc.js";
import { NS_PER_MS, NS_PER_SECOND, type Ns, tickNsecOf } from "../../shared/units.js";
import { assembleResult, sampleOf } from "../assemble-result.js";
import { type BuiltHost, buildChecker, buildHost } from "../build-host.js";
import type { RunChecker } from "../check/run-checker.js";
import type { LogLine, VcpuSample } from "../result.js";
import type { FaultConfig, Scenario } from "../scenario.js";
import type { RunMessage } from "../worker-run.js";
import { ControlMemory, EVENT_COUNTER, STOP_REQUESTED } from "./control-memory.js";
import { dieWhenDue } from "./fault.js";
import { GateKeeper } from "./gate-keeper.js";
import { GuestFiguresReader } from "./guest-figures.js";
import type { HypervisorWorkerData } from "./messages.js";
import { RealClock } from "./real-clock.js";
import { SchedstatPoller } from "./schedstat-poller.js";
import { PartDiedError, VcpuPool } from "./vcpu-pool.js";

/** Deaths and results of vCPU threads are seen only in the event loop: the hypervisor returns there this often. */
const EVENT_LOOP_INTERVAL_NS = 20 * NS_PER_MS;
/** While threads start, their messages are what there is to wait for. */
const BOOT_WAIT_MS = 1;
/** A kicked vCPU answers within a quantum, unless the machine is hopelessly busy or it is dead. */
const STOP_TIMEOUT_NS = 10 * NS_PER_SECOND;

/** The real driver's host end: tells a Host the time, opens and closes gates, and serves hypercalls. Never spins. */
export class Hypervisor {
  readonly #scenario: Scenario;
  readonly #send: (message: RunMessage) => void;
  readonly #control: ControlMemory;
  readonly #ram: Int32Array;
  readonly #clock: RealClock;
  readonly #built: BuiltHost;
  readonly #checker: RunChecker;
  readonly #pool: VcpuPool;
  readonly #keeper: GateKeeper;
  readonly #poller: SchedstatPoller | null;
  readonly #fault: FaultConfig | null;
  readonly #sampleNs: Ns | null;
  readonly #guestFigures: VcpuSample["guest"][];
  readonly #figures: GuestFiguresReader;
  #startNs: Ns = 0;
  #nextSample: Ns = Number.POSITIVE_INFINITY;
  #eventLoopAt: Ns = 0;

  constructor(data: HypervisorWorkerData, send: (message: RunMessage) => void) {
    const { scenario } = data;
    const count = scenario.vcpus.length;
    this.#scenario = scenario;
    this.#send = send;
    this.#control = new ControlMemory(data.control, count);
    this.#ram = ramOf(data.memory);
    this.#clock = new RealClock(data.origin);
    const audits = scenario.vcpus.map((_, vcpu) => this.#control.auditOf(vcpu));
    this.#checker = buildChecker(scenario, this.#ram);
    const tsc = new Tsc(scenario.tscKhz);
    // The threads before it are the vCPUs'.
    const protocol = protocolOf(data.memory, count);
    const parts = { auditOf: (vcpu: number) => audits[vcpu], protocol, tsc, observers: [this.#checker] };
    this.#built = buildHost(scenario, this.#ram, parts);
    this.#fault = scenario.faults.find(({ part }) => part === "hypervisor") ?? null;
    this.#sampleNs = data.sampleNs;
    this.#figures = new GuestFiguresReader(this.#control.words, tickNsecOf(scenario.hz));
    this.#guestFigures = scenario.vcpus.map(() => ({ userNs: 0, systemNs: 0, idleNs: 0, stealNs: 0 }));
    this.#poller =
      this.#built.kind === "linux" ? new SchedstatPoller(this.#built.host, this.#checker, scenario.pollNs) : null;
    this.#keeper = new GateKeeper(this.#control, this.#built, this.#poller);
    this.#pool = new VcpuPool(scenario, {
      control: data.control,
      memory: data.memory,
      vcpuCount: count,
      origin: data.origin,
      tscKhz: scenario.tscKhz,
      emulatedHost: scenario.host === "fair",
      auditsEveryRead: data.auditsEveryRead,
    });
  }

  /** The whole run. Whatever happens, no thread is left behind. */
  async run(): Promise<void> {
    try {
      if (!(await this.#boot())) {
        this.#send({ kind: "stopped" });
      } else {
        const stoppedEarly = await this.#runToEnd();
        const endNs = await this.#stop();
        await this.#report(endNs - this.#startNs, stoppedEarly);
      }
    } catch (error) {
      // Its own fault: what is left to do is done for it, when the worker is terminated.
      if (!(error instanceof PartDiedError)) throw error;
      this.#send({ kind: "died", part: error.part, message: error.message });
    }
    this.#keeper.shutdown();
    await this.#pool.destroy();
  }

  /**
   * Each vCPU boots as its thread comes up; the run's t0 is when all of them have.
   *
   * @returns false when told to stop before that
   */
  async #boot(): Promise<boolean> {
    for (;;) {
      const seen = Atomics.load(this.#control.words, EVENT_COUNTER);
      const started = this.#pool.startSome();
      if (this.#keeper.serveBoot(this.#clock.nowNs())) break;
      if (started) Atomics.wait(this.#control.words, EVENT_COUNTER, seen, BOOT_WAIT_MS);
      await this.#turnEventLoop(this.#clock.nowNs());
      if (Atomics.load(this.#control.words, STOP_REQUESTED) !== 0) return false;
    }
    this.#begin();
    this.#logBoot();
    return true;
  }

  #logBoot(): void {
    const { platform } = this.#built.host;
    this.#scenario.vcpus.forEach((_, vcpu) => {
      const refusal = platform.refusalOf(vcpu);
      if (refusal !== null) this.#log("warn", "refused to register a pvclock page", { vcpu, refusal });
    });
    this.#log("info", "all vCPUs have booted", { vcpus: this.#scenario.vcpus.length, bootNs: this.#startNs });
  }

  #log(level: LogLine["level"], message: string, fields: Readonly<Record<string, unknown>>): void {
    this.#send({ kind: "log", line: { level, part: "hypervisor", message, fields } });
  }

  #begin(): void {
    this.#startNs = this.#clock.nowNs();
    this.#control.startNs = this.#startNs;
    this.#poller?.begin(this.#keeper.gates, this.#startNs);
    this.#checker.begin(this.#startNs);
    this.#built.host.begin(this.#startNs);
    if (this.#sampleNs !== null) this.#nextSample = this.#startNs + this.#sampleNs;
    this.#keeper.drainCommands(this.#startNs);
  }

  /** @returns whether it was told to stop before its time */
  async #runToEnd(): Promise<boolean> {
    const endNs = this.#startNs + this.#scenario.durationNs;
    for (;;) {
      const seen = Atomics.load(this.#control.words, EVENT_COUNTER);
      const now = this.#turn();
      if (now >= endNs) return false;
      if (Atomics.load(this.#control.words, STOP_REQUESTED) !== 0) return true;
      if (now - this.#eventLoopAt >= EVENT_LOOP_INTERVAL_NS) await this.#turnEventLoop(now);
      else this.#waitForEvent(seen, Math.min(endNs, this.#nextSample, this.#poller?.nextPoll ?? endNs));
    }
  }

  /** One round of everything that may have happened. @returns the instant it dealt with */
  #turn(): Ns {
    const now = this.#clock.nowNs();
    const { host } = this.#built;
    this.#keeper.collectExits(now);
    this.#poller?.poll(now);
    host.advance(now);
    this.#keeper.drainCommands(now);
    if (now >= this.#nextSample) this.#sample(now);
    dieWhenDue(this.#fault, now - this.#startNs);
    return now;
  }

  #waitForEvent(seen: number, otherDeadline: Ns): void {
    const deadline = Math.min(this.#built.host.nextDeadline, otherDeadline, this.#eventLoopAt + EVENT_LOOP_INTERVAL_NS);
    const waitNs = deadline - this.#clock.nowNs();
    if (waitNs > 0) Atomics.wait(this.#control.words, EVENT_COUNTER, seen, waitNs / NS_PER_MS);
  }

  /** Lets results, errors and exits of vCPU threads arrive. @throws PartDiedError when one has died */
  async #turnEventLoop(now: Ns): Promise<void> {
    this.#eventLoopAt = now;
    await eventLoopTurn();
    if (this.#pool.death !== null) throw this.#pool.death;
  }

  /** Takes every vCPU off its pCPU and closes the ledger. @returns the end of the run */
  async #stop(): Promise<Ns> {
    const { host } = this.#built;
    const stopNs = this.#clock.nowNs();
    host.stop(stopNs);
    this.#keeper.drainCommands(stopNs);
    while (!host.quiescent) {
      const seen = Atomics.load(this.#control.words, EVENT_COUNTER);
      const now = this.#clock.nowNs();
      this.#keeper.collectExits(now);
      if (host.quiescent) break;
      if (now - stopNs > STOP_TIMEOUT_NS) {
        throw new PartDiedError(`vCPU ${this.#keeper.granted.join(", ")}`, "did not give its pCPU back within 10 s");
      }
      Atomics.wait(this.#control.words, EVENT_COUNTER, seen, BOOT_WAIT_MS);
      await this.#turnEventLoop(now);
    }
    const endNs = this.#clock.nowNs();
    this.#log("info", "all vCPUs have come back", { elapsedNs: endNs - this.#startNs });
    this.#control.endNs = endNs;
    this.#poller?.finish(endNs);
    host.ledger.close(endNs);
    this.#checker.close(endNs);
    return endNs;
  }

  async #report(elapsedNs: Ns, stoppedEarly: boolean): Promise<void> {
    this.#keeper.shutdown();
    const reports = await this.#pool.reports().catch((error: unknown) => {
      throw this.#pool.death ?? error;
    });
    const { host } = this.#built;
    const noiseNs = reports.map(({ noiseMeasured }, vcpu) =>
      noiseMeasured ? Math.round(this.#keeper.noiseNs(vcpu)) : null,
    );
    const onCpuNs = reports.map((_, vcpu) => this.#poller?.onCpuNs(vcpu) ?? null);
    const run = {
      scenario: this.#scenario,
      bootNs: this.#startNs,
      elapsedNs,
      stoppedEarly,
      ram: this.#ram,
      host,
      checker: this.#checker,
      reports,
      noiseNs,
      onCpuNs,
    };
    this.#send({ kind: "result", result: assembleResult(run) });
  }

  #sample(now: Ns): void {
    if (this.#sampleNs === null) return;
    const passed = Math.floor((now - this.#nextSample) / this.#sampleNs) + 1;
    this.#nextSample += passed * this.#sampleNs;
    for (let vcpu = 0; vcpu < this.#guestFigures.length; vcpu++) {
      // What cannot be read now stays as it was.
      const figures = this.#figures.read(this.#control.figuresOf(vcpu), now);
      if (figures !== null) this.#guestFigures[vcpu] = figures;
    }
    this.#send({ kind: "sample", sample: sampleOf(this.#built.host, this.#guestFigures, this.#startNs, now) });
  }
}
