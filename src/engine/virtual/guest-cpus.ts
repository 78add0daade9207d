import { buildGuestCpu, type GuestCpuConfig, registerPage } from "../../guest/build-guest-cpu.js";
import { CpuState } from "../../guest/cpu-state.js";
import { discoverFeatures, type KvmFeatures } from "../../guest/features.js";
import type { GuestCpu } from "../../guest/guest-cpu.js";
import type { GuestMachine } from "../../guest/guest-time.js";
import type { Hypercalls } from "../../shared/kvm-abi.js";
import type { RandomStream } from "../../shared/random-stream.js";
import { guestCpuConfigOf } from "../guest-config.js";
import type { Scenario } from "../scenario.js";

export interface GuestCpusParts {
  readonly scenario: Scenario;
  readonly machine: GuestMachine;
  /** By vCPU, where jitter comes from; empty without any. */
  readonly random: readonly RandomStream[];
  /** What whoever is selected asks of its host. */
  hypercallsOf(selected: { readonly cpu: number }): Hypercalls;
}

/**
 * The guest CPUs of a machine in one thread: a row of numbers for each, and one GuestCpu for all that are configured alike. To
 * deal with a CPU is to select it: what was selected before is another CPU from then on.
 */
export class GuestCpus {
  readonly #parts: GuestCpusParts;
  readonly #features: KvmFeatures;
  readonly #state: CpuState;
  /** One for each configuration. */
  readonly #shared: GuestCpu[] = [];
  /** By vCPU: its place in #shared. */
  readonly #sharedBy: Uint32Array;
  #each: readonly GuestCpu[] | null = null;

  /** Boots them all, in the order of their numbers. */
  constructor(parts: GuestCpusParts) {
    const { scenario, machine } = parts;
    this.#parts = parts;
    this.#state = new CpuState(scenario.vcpus.length);
    this.#features = discoverFeatures(parts.hypercallsOf(this.#state));
    this.#sharedBy = new Uint32Array(scenario.vcpus.length);
    const places = new Map<string, number>();
    scenario.vcpus.forEach((_, id) => {
      const config = guestCpuConfigOf(scenario, id);
      const rules = rulesOf(config);
      const place = places.get(rules) ?? this.#shared.push(this.#build(config, this.#state)) - 1;
      places.set(rules, place);
      this.#sharedBy[id] = place;
      registerPage(this.select(id), machine, config);
    });
  }

  get count(): number {
    return this.#sharedBy.length;
  }

  /** A vCPU, until another one is selected. */
  select(id: number): GuestCpu {
    this.#state.select(id);
    return this.#shared[this.#sharedBy[id]];
  }

  /** For whoever looks at them from outside: each with objects of its own over the same numbers, whatever is selected. */
  get each(): readonly GuestCpu[] {
    this.#each ??= Array.from({ length: this.count }, (_, id) =>
      this.#build(guestCpuConfigOf(this.#parts.scenario, id), this.#state.viewOf(id)),
    );
    return this.#each;
  }

  /** What there is to say of each, in the order of their numbers. Whoever was selected is so again. */
  map<T>(look: (guest: GuestCpu, id: number) => T): T[] {
    const { cpu } = this.#state;
    const said = Array.from({ length: this.count }, (_, id) => look(this.select(id), id));
    this.#state.select(cpu);
    return said;
  }

  #build(config: GuestCpuConfig, cpu: CpuState): GuestCpu {
    const { machine, hypercallsOf, random } = this.#parts;
    return buildGuestCpu({
      machine,
      hypercalls: hypercallsOf(cpu),
      features: this.#features,
      config,
      cpu,
      random: random.length === 0 ? null : { below: (limit) => random[cpu.cpu].below(limit) },
    });
  }
}

/** Equal for CPUs that differ in nothing but their numbers. The rest of a configuration is the scenario's. */
function rulesOf({ workload, hotplug }: GuestCpuConfig): string {
  return JSON.stringify([workload, hotplug]);
}
