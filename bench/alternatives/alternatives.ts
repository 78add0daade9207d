import type { Alternative } from "./alternative.js";
import { ATOMICS } from "./atomics.js";
import { BIGINT_ATOMICS } from "./bigint-atomics.js";
import { DATA_VIEW } from "./data-view.js";
import { LATCH } from "./latch.js";
import { MUTEX } from "./mutex.js";
import { PLAIN } from "./plain.js";
import { POST_MESSAGE } from "./post-message.js";
import { SHIPPED } from "./shipped.js";
import { U32_ATOMIC } from "./u32-atomic.js";
import { U64_ATOMIC } from "./u64-atomic.js";

/** What is shipped, and what one could have used, in the order of the tables. */
export const ALTERNATIVES: readonly Alternative[] = [
  SHIPPED,
  ATOMICS,
  U32_ATOMIC,
  U64_ATOMIC,
  BIGINT_ATOMICS,
  DATA_VIEW,
  PLAIN,
  MUTEX,
  LATCH,
  POST_MESSAGE,
];
