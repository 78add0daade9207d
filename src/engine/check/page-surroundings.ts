import { kernelDataBytes } from "../../guest/kernel-data.js";
import { PAGE_WORDS, PAGE_WORDS_NS } from "../../shared/pvclock-page.js";
import { fillPageMemory } from "../page-memory.js";
import type { Scenario } from "../scenario.js";
import { Property } from "./property.js";

/** The host writes the registered structures and nothing else of guest RAM. */
export class PageSurroundings extends Property {
  readonly name = "the host writes nothing but the pages";
  readonly #ram: Int32Array;
  readonly #scenario: Scenario;
  readonly #bases = new Set<number>();

  constructor(scenario: Scenario, ram: Int32Array) {
    super();
    this.#ram = ram;
    this.#scenario = scenario;
  }

  override registered(_vcpu: number, base: number): void {
    this.#bases.add(base);
  }

  override finished(): void {
    const expected = new Int32Array(this.#ram.length);
    fillPageMemory(expected, this.#scenario);
    const words = this.#scenario.stealUnit === "ns" ? PAGE_WORDS_NS : PAGE_WORDS;
    for (const base of this.#bases) {
      for (let word = base; word < base + words; word++) expected[word] = Atomics.load(this.#ram, word);
    }
    for (let word = kernelDataBytes(this.#scenario.vcpus.length) / 4; word < expected.length; word++) {
      this.exercised++;
      if (Atomics.load(this.#ram, word) !== expected[word]) this.report(`word ${word} of guest RAM was written`);
    }
  }
}
