import { TWO_POW_32 } from "../../shared/units.js";

/** How a protocol divides a page into locations: what one access reaches. Accesses to one location are of one size. */
export interface PageLayout {
  /** What each location holds when the page's words are these; 0 for words that are part of the location before. */
  pack(words: readonly number[]): number[];
  unpack(locations: readonly number[]): number[];
  /** Whether a location of 64 bits begins at this word. */
  isField(word: number): boolean;
}

/** Every word by itself. */
export const WORDS: PageLayout = {
  pack: (words) => [...words],
  unpack: (locations) => [...locations],
  isField: () => false,
};

/** The pvclock page by fields of 64 bits, each one location, its value a number that is exact: what is explored is small. */
export const FIELDS: PageLayout = {
  pack: (words) => words.map((low, word) => (word % 2 === 0 ? (low >>> 0) + (words[word + 1] >>> 0) * TWO_POW_32 : 0)),
  unpack: (locations) =>
    locations.map((_, word) => (word % 2 === 0 ? lowOf(locations[word]) : highOf(locations[word - 1]))),
  isField: (word) => word % 2 === 0,
};

/** The low half of a location of 64 bits, signed. */
export function lowOf(value: number): number {
  return (value % TWO_POW_32) | 0;
}

export function highOf(value: number): number {
  return Math.floor(value / TWO_POW_32) | 0;
}
