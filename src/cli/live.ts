import type { Sample, VcpuSample } from "../engine/result.js";
import type { Scenario } from "../engine/scenario.js";
import { count } from "../shared/text.js";
import { NS_PER_MS, type Ns } from "../shared/units.js";
import { accountedNs } from "./explain.js";
import { percent, seconds } from "./format.js";
import type { OutputStream } from "./output.js";
import type { TerminalView } from "./terminal-view.js";

/** How often the live view is drawn. */
export const LIVE_INTERVAL_NS: Ns = 500 * NS_PER_MS;

export interface LiveView extends TerminalView {
  draw(sample: Sample): void;
}

/**
 * A view like top's, drawn over itself. It never hides the cursor, so there is nothing to bring back, however the
 * process ends.
 */
export async function openLiveView(stream: OutputStream, scenario: Scenario): Promise<LiveView> {
  // Loaded here only: a run without a live view has no use for it.
  const { createLogUpdate } = await import("log-update");
  const frame = createLogUpdate(stream as NodeJS.WriteStream, { showCursor: true });
  const size = () => ({ width: stream.columns ?? 80, height: stream.rows ?? 24 });
  let previous: Sample | null = null;
  let ended = false;
  let text = `starting ${count(scenario.vcpus.length, "vCPU")} ...`.slice(0, size().width);
  frame(text);
  return {
    draw(sample) {
      if (ended) return;
      text = liveLines(scenario, previous, sample, size()).join("\n");
      previous = sample;
      frame(text);
    },
    aside(write) {
      if (ended) return write();
      frame.clear();
      write();
      frame(text);
    },
    end() {
      if (ended) return;
      ended = true;
      frame.clear();
      frame.done();
    },
  };
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** One frame: what happened since the previous sample, one row per vCPU, as many as the terminal holds. */
export function liveLines(
  scenario: Scenario,
  previous: Sample | null,
  sample: Sample,
  { width, height }: Size,
): string[] {
  const head = [headline(scenario, sample), "", row("", ["guest", "", "", "", "host"]), row("vCPU", HEADS)];
  // One line stays free below the frame, where the cursor is.
  const room = Math.max(1, height - head.length - 1);
  const all = sample.vcpus;
  const shown = all.length <= room ? all : all.slice(0, Math.max(1, room - 1));
  const before = new Map(previous?.vcpus.map((vcpu) => [vcpu.id, vcpu]));
  const rows = shown.map((vcpu) => row(`${vcpu.id}`, cellsOf(vcpu, before.get(vcpu.id))));
  const more = shown.length < all.length ? [`+${all.length - shown.length} more`] : [];
  return [...head, ...rows, ...more].map((line) => line.slice(0, width));
}

const HEADS = ["us%", "sy%", "id%", "st%", "run%", "wait%", "halt%", "now"];

function row(first: string, cells: readonly string[]): string {
  return first.padStart(4) + cells.map((cell) => cell.padStart(7)).join("");
}

function headline(scenario: Scenario, { elapsedNs }: Sample): string {
  const leftNs = Math.max(0, scenario.durationNs - elapsedNs);
  const where = scenario.host === "fair" ? `on ${count(scenario.pcpus, "pCPU")}` : "on the linux host";
  return `${seconds(leftNs)} s left, ${count(scenario.vcpus.length, "vCPU")} ${where}, ${scenario.accounting}`;
}

function cellsOf(vcpu: VcpuSample, before: VcpuSample | undefined): string[] {
  const { guest, host } = vcpu;
  const was = before ?? NOTHING;
  const accounted = accountedNs(guest) - accountedNs(was.guest);
  const elapsed = hostTotalNs(host) - hostTotalNs(was.host);
  return [
    percent(guest.userNs - was.guest.userNs, accounted),
    percent(guest.systemNs - was.guest.systemNs, accounted),
    percent(guest.idleNs - was.guest.idleNs, accounted),
    percent(guest.stealNs - was.guest.stealNs, accounted),
    percent(host.runNs - was.host.runNs, elapsed),
    percent(host.waitNs - was.host.waitNs, elapsed),
    percent(host.haltNs - was.host.haltNs, elapsed),
    host.state,
  ];
}

const NOTHING = {
  guest: { userNs: 0, systemNs: 0, idleNs: 0, stealNs: 0 },
  host: { runNs: 0, waitNs: 0, haltNs: 0, offlineNs: 0 },
};

function hostTotalNs(host: { runNs: Ns; waitNs: Ns; haltNs: Ns; offlineNs: Ns }): Ns {
  return host.runNs + host.waitNs + host.haltNs + host.offlineNs;
}
