/** Chance that repeats itself: whoever needs some is handed a stream; only an engine knows where it comes from. */
export interface RandomStream {
  /** A whole number from 0 to limit - 1, each as likely. @param limit 1 to 2^53 */
  below(limit: number): number;
}
