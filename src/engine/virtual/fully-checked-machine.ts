import { FullChecks } from "../check/full-checks.js";
import type { Property } from "../check/property.js";
import type { RunResult } from "../result.js";
import type { Scenario } from "../scenario.js";
import { type MachineObserver, VirtualMachine } from "./virtual-machine.js";

export interface FullyCheckedOptions {
  readonly observer?: MachineObserver;
  readonly checkProtocol?: boolean;
  readonly protocolModule?: WebAssembly.Module | null;
  /** Makes the checks, given guest RAM; for a test whose checks are told otherwise. */
  readonly checksOf?: (ram: Int32Array) => FullChecks;
}

/** A virtual machine that is watched by every property, at every instant, until it is finished. */
export class FullyCheckedMachine {
  readonly machine: VirtualMachine;
  readonly #checks: FullChecks;

  constructor(scenario: Scenario, options: FullyCheckedOptions = {}) {
    const {
      observer,
      checkProtocol = false,
      protocolModule = null,
      checksOf = (ram) => new FullChecks(scenario, ram),
    } = options;
    const made: FullChecks[] = [];
    this.machine = new VirtualMachine(scenario, {
      // A clock is read and watched whenever its guest is told the time.
      watchInterval: 1,
      checkProtocol,
      protocolModule,
      ...(observer !== undefined && { observer }),
      observerOf: (ram) => {
        made.push(checksOf(ram));
        return made[0];
      },
    });
    const [checks] = made;
    this.#checks = checks;
    this.machine.onInstant = (now) => checks.instantOver(now);
  }

  get properties(): readonly Property[] {
    return this.#checks.properties;
  }

  /** Ends the run here, as VirtualMachine.finish does. What the properties found is theirs to say. */
  finish(stoppedEarly = false): RunResult {
    const { machine } = this;
    machine.onInstant = null;
    this.#checks.stopping(machine.now);
    const result = machine.finish(stoppedEarly);
    this.#checks.finished(result);
    return result;
  }
}
