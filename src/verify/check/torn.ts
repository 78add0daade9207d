import { updateOf } from "./payload.js";
import type { ReadResult } from "./protocol-threads.js";
import type { WholeUpdate } from "./start.js";

/** Why a read is torn, as a sentence; null when it is not. */
export function tornBecause({ gaveUp, out, version }: ReadResult, whole: readonly WholeUpdate[]): string | null {
  if (gaveUp) return null;
  const match = whole.find(({ payload }) => payload.every((value, index) => value === out[index]));
  if (match === undefined) return `accepted a mixture: ${mixtureText(out)}`;
  if (version === null || version === match.version) return null;
  return `accepted ${updateText(match.update)} under version ${version}; it was written under ${match.version}`;
}

/** "words 1-3 of update 1, words 4-7 the initial ones". */
function mixtureText(out: readonly number[]): string {
  const parts: string[] = [];
  for (let first = 0; first < out.length; ) {
    const update = updateOf(out[first], first + 1);
    let next = first + 1;
    while (next < out.length && updateOf(out[next], next + 1) === update) next++;
    const words = next === first + 1 ? `word ${first + 1}` : `words ${first + 1}-${next}`;
    parts.push(`${words} of ${update < 0 ? "no update" : updateText(update)}`);
    first = next;
  }
  return parts.join(", ");
}

function updateText(update: number): string {
  return update === 0 ? "the initial values" : `update ${update}`;
}
