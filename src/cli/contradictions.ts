import type { EngineKind, HostKind } from "../engine/scenario.js";
import { FAIR_ONLY, LINUX_ONLY, REAL_ONLY, type SettingKey, VIRTUAL_ONLY } from "./scenario-schema.js";
import type { PlacedProblem, SettingLayers } from "./setting-layers.js";
import { nameVcpus } from "./values.js";

/** Settings that the chosen engine or host does not have, and vCPUs that are named and not there. */
export function contradictions(
  layers: SettingLayers,
  engine: EngineKind,
  host: HostKind,
  vcpuCount: number,
): PlacedProblem[] {
  return [...ofEngineAndHost(layers, engine, host), ...strangers(layers, vcpuCount)];
}

function ofEngineAndHost(layers: SettingLayers, engine: EngineKind, host: HostKind): PlacedProblem[] {
  switch (engine) {
    case "real":
      return [...notReal(layers), ...notOfHost(layers, host)];
    case "virtual":
      return notVirtual(layers, host);
  }
}

function notReal(layers: SettingLayers): PlacedProblem[] {
  const message = "the real engine does not have this; accepted: leave it out, or --engine virtual";
  const problems = placed(layers, VIRTUAL_ONLY, message);
  if (layers.find("tickPhase") === "random") {
    const where = layers.placeOf("tickPhase") ?? "tickPhase";
    problems.push({
      where,
      message: "the real engine has no seed to draw it from; accepted: staggered, a duration, or --engine virtual",
    });
  }
  return problems;
}

function notVirtual(layers: SettingLayers, host: HostKind): PlacedProblem[] {
  const message = "the virtual engine does not have this; accepted: leave it out, or --engine real";
  const problems = placed(layers, REAL_ONLY, message);
  if (host === "linux") {
    const where = layers.placeOf("host") ?? "host";
    problems.unshift({ where, message: "the virtual engine has no linux host; accepted: fair, or --engine real" });
  }
  return problems;
}

function notOfHost(layers: SettingLayers, host: HostKind): PlacedProblem[] {
  const foreign = host === "linux" ? FAIR_ONLY : LINUX_ONLY;
  const other = host === "linux" ? "fair" : "linux";
  const message = `the ${host} host does not have this; accepted: leave it out, or --host ${other}`;
  const inEntries = host === "linux" ? layers.placesInEntries(["nice", "pcpus"]) : [];
  return [...placed(layers, foreign, message), ...inEntries.map((where) => ({ where, message }))];
}

function placed(layers: SettingLayers, keys: readonly SettingKey[], message: string): PlacedProblem[] {
  return keys.flatMap((key) => layers.placesOf(key).map((where) => ({ where, message })));
}

/** vCPUs that a setting names and that are not there. */
function strangers(layers: SettingLayers, vcpuCount: number): PlacedProblem[] {
  const keys = ["workload", "nice", "pin"] as const;
  return keys.flatMap((key) =>
    layers.sources.flatMap(({ settings, where }) => {
      const named = settings[key]?.byVcpu.keys() ?? [];
      const absent = [...named].filter((id) => id >= vcpuCount).sort((a, b) => a - b);
      if (absent.length === 0) return [];
      const accepted = vcpuCount === 1 ? "there is one vCPU, 0" : `there are vCPUs 0 to ${vcpuCount - 1}`;
      const message = `names ${nameVcpus(absent)}, not there; accepted: ${accepted}`;
      return [{ where: where([key]), message }];
    }),
  );
}
