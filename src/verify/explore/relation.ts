/** More events than any exploration has; a read-modify-write may take two places. */
export const MAX_EVENTS = 128;
const PLACES = 2 * MAX_EVENTS;
const STRIDE = PLACES / 32;

/** A relation between places, as a matrix of bits: a row for each place, a bit for each place that it comes before. */
export class Relation {
  readonly #rows = new Int32Array(PLACES * STRIDE);
  readonly #alive = new Int32Array(STRIDE);

  /** Forgets all pairs of the first `places` places. */
  clear(places: number): void {
    this.#rows.fill(0, 0, places * STRIDE);
  }

  add(from: number, to: number): void {
    this.#rows[from * STRIDE + (to >> 5)] |= 1 << (to & 31);
  }

  has(from: number, to: number): boolean {
    return (this.#rows[from * STRIDE + (to >> 5)] & (1 << (to & 31))) !== 0;
  }

  /** Gives `to` the row of `from` as well: whatever `from` comes before, `to` does. */
  addRow(to: number, from: number): void {
    for (let word = 0; word < STRIDE; word++) {
      this.#rows[to * STRIDE + word] |= this.#rows[from * STRIDE + word];
    }
  }

  /** Replaces the row of `to` by that of `from` in another relation. */
  copyRow(to: number, other: Relation, from: number): void {
    for (let word = 0; word < STRIDE; word++) {
      this.#rows[to * STRIDE + word] = other.#rows[from * STRIDE + word];
    }
  }

  clearRow(place: number): void {
    this.#rows.fill(0, place * STRIDE, (place + 1) * STRIDE);
  }

  /** Whether no path among the first `places` places leads back to where it began. */
  isAcyclic(places: number): boolean {
    const words = (places + 31) >> 5;
    const alive = this.#alive;
    for (let word = 0; word < words; word++) alive[word] = -1;
    if ((places & 31) !== 0) alive[words - 1] = (1 << (places & 31)) - 1;
    // Takes away what comes before nothing that is left, until all are gone or the rest is a knot.
    let left = places;
    let taken = -1;
    while (left > 0 && taken !== 0) {
      taken = 0;
      for (let place = places - 1; place >= 0; place--) {
        if ((alive[place >> 5] & (1 << (place & 31))) === 0 || this.#meets(place, words)) continue;
        alive[place >> 5] &= ~(1 << (place & 31));
        taken++;
      }
      left -= taken;
    }
    return left === 0;
  }

  #meets(place: number, words: number): boolean {
    for (let word = 0; word < words; word++) {
      if ((this.#rows[place * STRIDE + word] & this.#alive[word]) !== 0) return true;
    }
    return false;
  }
}
