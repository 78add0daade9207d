import { arm } from "./arm.js";
import { es } from "./es.js";
import type { MemoryModel, ModelName } from "./model.js";
import { sc } from "./sc.js";
import { tso } from "./tso.js";

export const MODELS: Readonly<Record<ModelName, MemoryModel>> = { sc, tso, es, arm };
