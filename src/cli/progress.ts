import { NS_PER_DAY, NS_PER_MS, NS_PER_SECOND, type Ns } from "../shared/units.js";
import type { OutputStream } from "./output.js";
import { eraseLine, writeOver } from "./terminal-line.js";
import type { TerminalView } from "./terminal-view.js";

/** One line that says how far a run in virtual time has come, drawn over itself. */
export interface ProgressLine extends TerminalView {
  draw(elapsedNs: Ns): void;
}

export function openProgressLine(stream: OutputStream, wholeNs: Ns): ProgressLine {
  let text = "";
  let ended = false;
  const show = () => writeOver(stream, text);
  const wipe = () => (text === "" ? undefined : eraseLine(stream));
  return {
    draw(elapsedNs) {
      if (ended) return;
      text = progressText(elapsedNs, wholeNs);
      show();
    },
    aside(write) {
      if (ended) return write();
      wipe();
      write();
      if (text !== "") show();
    },
    end() {
      if (ended) return;
      ended = true;
      wipe();
    },
  };
}

const UNITS = [
  [NS_PER_DAY, "d"],
  [3_600 * NS_PER_SECOND, "h"],
  [60 * NS_PER_SECOND, "min"],
  [NS_PER_SECOND, "s"],
] as const;

/** "12.3 d of 55 d, 22 %". */
export function progressText(elapsedNs: Ns, wholeNs: Ns): string {
  const [unitNs, unit] = UNITS.find(([size]) => wholeNs >= 2 * size) ?? [NS_PER_MS, "ms"];
  const whole = Math.round((wholeNs / unitNs) * 10) / 10;
  // Not "100 %" before the end.
  const percent = wholeNs === 0 ? 100 : Math.floor((elapsedNs / wholeNs) * 100);
  return `${(Math.floor((elapsedNs / unitNs) * 10) / 10).toFixed(1)} ${unit} of ${whole} ${unit}, ${percent} %`;
}
