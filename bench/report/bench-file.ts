import { readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { z } from "zod";
import { StealclockError } from "../../src/shared/errors.js";
import { BENCH_SCHEMA, type BenchDocument } from "../harness/document.js";

const FIGURE = z.number().nullable();

/** What --compare needs of a document; what else is in it is kept as it is. */
const DOCUMENT = z.looseObject({
  schema: z.literal(BENCH_SCHEMA),
  // Files of earlier versions have none, and were of one.
  processes: z.number().default(1),
  results: z.array(
    z.looseObject({
      group: z.string(),
      name: z.string(),
      unit: z.string(),
      median: FIGURE,
      ratioTo: z.string().nullable(),
      ratio: FIGURE,
      ratioRounds: z.array(z.number()),
      rounds: z.array(z.number()).optional(),
      noisy: z.boolean(),
      note: z.string().optional(),
    }),
  ),
});

/** @throws StealclockError `bad-input` when there is no such file, or it is no document of the bench */
export function readBenchFile(file: string): BenchDocument {
  try {
    const document: unknown = JSON.parse(readFileSync(file, "utf8"));
    const parsed = DOCUMENT.safeParse(document);
    if (!parsed.success) throw new Error(z.prettifyError(parsed.error));
    return parsed.data as unknown as BenchDocument;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StealclockError(
      "bad-input",
      `--compare ${file}: ${why}\naccepted: a file that --save wrote (${BENCH_SCHEMA})`,
    );
  }
}

/** Before anything is measured: better than after. @throws StealclockError `bad-input` */
export function checkSavePath(file: string): void {
  const isFolder = (path: string) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  if (isFolder(file) || !isFolder(dirname(file))) {
    throw new StealclockError("bad-input", `--save ${file}: accepted: a file in a folder that is there`);
  }
}

/** @throws StealclockError `bad-input` when it can't be written */
export function writeBenchFile(file: string, document: BenchDocument): void {
  try {
    writeFileSync(file, `${JSON.stringify(document, null, 2)}\n`);
  } catch (error) {
    throw new StealclockError("bad-input", `--save: ${error instanceof Error ? error.message : String(error)}`);
  }
}
