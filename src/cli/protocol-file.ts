import type { InputLimits } from "./input-file.js";

/** A protocol of the user's own, as a file. */
export const PROTOCOL_FILE: InputLimits = {
  maxBytes: 1_048_576,
  accepted: "a JavaScript module (.mjs) up to 1 MiB",
};
