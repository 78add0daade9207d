export { defaultScenario } from "./engine/default-scenario.js";
export { emulate } from "./engine/emulate.js";
export type * from "./engine/result.js";
export type * from "./engine/scenario.js";
export { type ErrorCode, StealclockError } from "./shared/errors.js";
