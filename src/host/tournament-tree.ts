/**
 * Which of a fixed number of slots has the greatest key, the lowest slot among equals: a tree of maxima in a typed array.
 * All keys are 0 at first. The greatest key is at hand; who has it costs the depth of the tree, a change at most that.
 * Nothing is allocated after construction.
 */
export class TournamentTree {
  /** Node n has the children 2n and 2n + 1, and slot s is the leaf #leaves + s. */
  readonly #maxima: Float64Array;
  readonly #leaves: number;

  constructor(slots: number) {
    let leaves = 1;
    while (leaves < slots) leaves *= 2;
    this.#leaves = leaves;
    this.#maxima = new Float64Array(2 * leaves).fill(Number.NEGATIVE_INFINITY);
    for (let slot = 0; slot < slots; slot++) this.set(slot, 0);
  }

  get greatest(): number {
    return this.#maxima[1];
  }

  /** The lowest slot that has the greatest key. */
  get winner(): number {
    const greatest = this.#maxima[1];
    let node = 1;
    while (node < this.#leaves) {
      node *= 2;
      if (this.#maxima[node] !== greatest) node++;
    }
    return node - this.#leaves;
  }

  set(slot: number, key: number): void {
    const maxima = this.#maxima;
    let node = this.#leaves + slot;
    if (maxima[node] === key) return;
    maxima[node] = key;
    let greatest = key;
    while (node > 1) {
      const other = maxima[node ^ 1];
      if (other > greatest) greatest = other;
      node >>= 1;
      // A match that ends as before is the last that matters.
      if (maxima[node] === greatest) return;
      maxima[node] = greatest;
    }
  }
}
