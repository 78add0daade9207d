import type { Path } from "./scenario-schema.js";

/** ["vcpus", 1, "nice"] is "vcpus[1].nice". */
export function pathText(path: Path): string {
  return path.map((step, index) => (typeof step === "number" ? `[${step}]` : index === 0 ? step : `.${step}`)).join("");
}
