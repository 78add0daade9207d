const TWO_POW_32 = 2 ** 32;

/** How a protocol divides a page into locations: what one access reaches. Accesses to one location are of one size. */
export interface PageLayout {
  /** What each location holds when the page's words are these; 0 for words that are part of the location before. */
  pack(words: readonly number[]): number[];
  unpack(locations: readonly number[]): number[];
  /** How many bits the location has that begins at this word; 0 when none does. */
  bitsAt(word: number): 32 | 64 | 0;
}

/** Every word by itself. */
export const WORDS: PageLayout = {
  pack: (words) => [...words],
  unpack: (locations) => [...locations],
  bitsAt: () => 32,
};

/** The words at which the pvclock page's fields of 64 bits begin: version with steal, tsc_timestamp, system_time. */
const WIDE_WORDS = [0, 2, 4];

/** A field of 64 bits is one location, its value a number that is exact: what is explored is small. */
export const FIELDS: PageLayout = {
  pack: (words) => {
    const locations = [...words];
    for (const word of WIDE_WORDS) {
      locations[word] = (words[word] >>> 0) + (words[word + 1] >>> 0) * TWO_POW_32;
      locations[word + 1] = 0;
    }
    return locations;
  },
  unpack: (locations) => {
    const words = [...locations];
    for (const word of WIDE_WORDS) {
      words[word] = lowOf(locations[word]);
      words[word + 1] = highOf(locations[word]);
    }
    return words;
  },
  bitsAt: (word) => {
    if (WIDE_WORDS.includes(word)) return 64;
    return WIDE_WORDS.includes(word - 1) ? 0 : 32;
  },
};

/** The low half of a location of 64 bits, signed. */
export function lowOf(value: number): number {
  return (value % TWO_POW_32) | 0;
}

export function highOf(value: number): number {
  return Math.floor(value / TWO_POW_32) | 0;
}
