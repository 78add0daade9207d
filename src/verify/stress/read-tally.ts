/** What readers counted in one phase of a run. */
export interface ReadTally {
  reads: number;
  /** Over all reads; one that gave up counts with its bound. */
  retries: number;
  gaveUp: number;
  /** Reads before or after which the harness found the version odd. */
  oddSeen: number;
  /** Reads across which the harness saw the version change. */
  changedSeen: number;
  /** Reads that met the writer at work and accepted an update of the steal alone. */
  stealsMet: number;
  /** Accepted words that were not exactly one update's, or not the accepted version's. */
  torn: number;
  /** How many reads that reader had begun when it accepted the first torn value; 0 for none. */
  firstTearAtRead: number;
}

export function emptyTally(): ReadTally {
  return { reads: 0, retries: 0, gaveUp: 0, oddSeen: 0, changedSeen: 0, stealsMet: 0, torn: 0, firstTearAtRead: 0 };
}

/** Sums, and of the first tears the earliest. */
export function mergeTallies(tallies: readonly ReadTally[]): ReadTally {
  const merged = emptyTally();
  for (const tally of tallies) {
    merged.reads += tally.reads;
    merged.retries += tally.retries;
    merged.gaveUp += tally.gaveUp;
    merged.oddSeen += tally.oddSeen;
    merged.changedSeen += tally.changedSeen;
    merged.stealsMet += tally.stealsMet;
    merged.torn += tally.torn;
    if (tally.firstTearAtRead === 0) continue;
    const isEarlier = merged.firstTearAtRead === 0 || tally.firstTearAtRead < merged.firstTearAtRead;
    if (isEarlier) merged.firstTearAtRead = tally.firstTearAtRead;
  }
  return merged;
}

/** Whether readers met the writer at work at all: a run in which they did not proves nothing. */
export function metTheWriter({ oddSeen, changedSeen, retries, gaveUp }: ReadTally): boolean {
  return oddSeen + changedSeen + retries + gaveUp > 0;
}
