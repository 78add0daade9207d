/** Words that every shell takes as they are. */
const PLAIN = /^[\w@%+=:,./-]+$/;

/** A command line as one would type it into a shell. */
export function commandLine(words: readonly string[]): string {
  return words.map((word) => (PLAIN.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(" ");
}
