import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { SCENARIO_FOLDER } from "./package-root.js";
import { scenarioSchema } from "./scenario-schema.js";

/*
 * Run by itself, writes scenarios/scenario.schema.json: node dist/src/cli/write-scenario-schema.js
 */

/** The JSON Schema of a scenario file, for editors. */
export function scenarioJsonSchema(): string {
  const schema = z.toJSONSchema(scenarioSchema, { io: "input" });
  return `${JSON.stringify({ title: "stealclock scenario", ...schema }, null, 2)}\n`;
}

export const SCHEMA_FILE = join(SCENARIO_FOLDER, "scenario.schema.json");

if (require.main === module) writeFileSync(SCHEMA_FILE, scenarioJsonSchema());
