/** What has changed and has not been looked at since, each once. Nothing is allocated after construction. */
export class ChangeList {
  readonly #list: Int32Array;
  readonly #isListed: Uint8Array;
  #size = 0;

  /** @param count they are numbered from 0 */
  constructor(count: number) {
    this.#list = new Int32Array(count);
    this.#isListed = new Uint8Array(count);
  }

  note(id: number): void {
    if (this.#isListed[id] !== 0) return;
    this.#isListed[id] = 1;
    this.#list[this.#size++] = id;
  }

  /** Takes one of them off the list, in no useful order. @returns -1 when there is none */
  take(): number {
    if (this.#size === 0) return -1;
    const id = this.#list[--this.#size];
    this.#isListed[id] = 0;
    return id;
  }
}
