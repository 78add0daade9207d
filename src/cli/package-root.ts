import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The package's folder, from dist/src/cli. */
const PACKAGE_ROOT = join(__dirname, "../../..");

/** Where the shipped scenarios lie. */
export const SCENARIO_FOLDER = join(PACKAGE_ROOT, "scenarios");

/** The package's version, as package.json says it. */
export function packageVersion(): string {
  const content: unknown = JSON.parse(readFileSync(join(PACKAGE_ROOT, "package.json"), "utf8"));
  const hasVersion = typeof content === "object" && content !== null && "version" in content;
  return hasVersion ? String(content.version) : "unknown";
}
