import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { GOLDEN_FILE, goldenHashes } from "./fixtures/golden-runs.js";

// Any machine and any Node that gives another result than the one that wrote the file fails here.
test("a run in virtual time gives, byte for byte, what it gave when it was committed", () => {
  const hint = "if results are meant to change, write them with: node dist/test/fixtures/write-golden-runs.js";
  assert.deepEqual(goldenHashes(), JSON.parse(readFileSync(GOLDEN_FILE, "utf8")), hint);
});
