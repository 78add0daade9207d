import type { RunResult, VcpuResult } from "../engine/result.js";
import { count } from "../shared/text.js";
import { type Ns, tickNsecOf } from "../shared/units.js";
import { percent } from "./format.js";
import { nameVcpus } from "./values.js";

/**
 * Where guest and truth differ, one sentence for each rule that makes them differ, naming the vCPUs.
 */
export function explainDifferences(result: RunResult): string[] {
  const found = result.vcpus.flatMap((vcpu) => {
    const difference = differenceOf(vcpu, result);
    return difference === null ? [] : [{ vcpu, ...difference }];
  });
  const differences = groupBy(found, ({ kind, rule }) => `${kind} ${rule}`).map((group) => {
    const [{ kind, rule }] = group;
    return sentence(
      kind,
      rule,
      group.map(({ vcpu }) => vcpu),
      result.elapsedNs,
    );
  });
  return [...differences, ...explainLockups(result)];
}

/** Which of the guest's figures strays from the truth. */
type Kind = "steal" | "unaccounted" | "double" | "sampling";

interface Difference {
  readonly kind: Kind;
  readonly rule: string;
}

/** What the guest booked for no account at all; negative when it booked more time than there was. */
export function unaccountedNs({ guest }: VcpuResult, elapsedNs: Ns): Ns {
  return elapsedNs - accountedNs(guest);
}

/** All that the guest booked: what the percentages of top are of. */
export function accountedNs(guest: { userNs: Ns; systemNs: Ns; idleNs: Ns; stealNs: Ns }): Ns {
  return guest.userNs + guest.systemNs + guest.idleNs + guest.stealNs;
}

function differenceOf(vcpu: VcpuResult, result: RunResult): Difference | null {
  const { elapsedNs, config } = result;
  const matters = (ns: Ns) => Math.abs(ns) > elapsedNs / 100 && Math.abs(ns) > 2 * tickNsecOf(config.hz);
  const { guest, host } = vcpu;
  const missingNs = host.waitNs - guest.stealNs;
  const unaccounted = unaccountedNs(vcpu, elapsedNs);
  if (matters(missingNs)) {
    return { kind: "steal", rule: missingNs > 0 ? missingRule(vcpu, result, missingNs) : excessRule(vcpu, result) };
  }
  if (matters(unaccounted)) {
    if (unaccounted > 0 && host.offlineNs > unaccounted / 2)
      return { kind: "unaccounted", rule: offlineRule(vcpu, config) };
    return unaccounted > 0
      ? { kind: "unaccounted", rule: unaccountedRule(vcpu) + noiseToo(vcpu, unaccounted, result) }
      : { kind: "double", rule: "a tick is booked whole, however little of it the task ran" };
  }
  if (matters(guest.userNs + guest.systemNs - host.runNs)) {
    return { kind: "sampling", rule: "a tick books what is true at that instant for the whole tick" };
  }
  return null;
}

/** Why the guest saw less steal than there was. */
function missingRule(vcpu: VcpuResult, { config }: RunResult, missingNs: Ns): string {
  const { guest, host, page, reads } = vcpu;
  if (guest.accounting === "none") {
    return "accounting none knows no steal; ticks that fall due while out of guest are lost, but for one at each entry";
  }
  if (!config.stealFeature) return "the host does not offer steal time in CPUID, so the guest runs without";
  if (page.refused !== null) {
    return `the host refused the page that the guest registered (${page.refused}), so the guest runs without steal`;
  }
  if (page.gpa === null) return "the guest has no registered page, so it runs without steal";
  if (!guest.stealEnabled) return "the page does not carry the steal flag, so the guest stopped taking steal";
  if (config.update.kind === "pcpu-change" && page.updates < host.entries) {
    return (
      "update pcpu-change writes the page only when a vCPU changes its pCPU, as before patch 2; " +
      "while it stays on one, new steal is never published"
    );
  }
  const atTimes = timelineRule(config);
  if (atTimes !== null) return atTimes;
  const haltedShareNs = config.measure === "out-of-guest" ? host.haltNs : 0;
  if (guest.accounting === "rfc-v2" && guest.stealDroppedIdleNs - haltedShareNs > missingNs / 2) {
    return "rfc-v2 drops what it finds on idle exit, and with it the wait between the wake-up and the pCPU";
  }
  // A vCPU that is out when the run ends has not been told of its last wait.
  if (missingNs <= host.wait.maxNs * 1.05) {
    return config.host === "linux"
      ? "the kernel tells of a wait when it is over and the guest asks at its ticks, so the last one was not seen yet"
      : "the page is written at entry, so a wait at the end was not published yet";
  }
  if (reads.gaveUp > 0)
    return `${count(reads.gaveUp, "read")} of the page gave up, and steal waits for the next tick then`;
  return "no rule of this configuration accounts for it";
}

/** What happened to the machine that kept steal from the guest. */
function timelineRule({ timeline }: RunResult["config"]): string | null {
  if (timeline.some((event) => event.kind === "migrate" && !event.stealFeature)) {
    return "the machine was for a time on a host that does not offer steal, and what was stolen there is in no page";
  }
  if (timeline.some(({ kind }) => kind === "offline")) {
    return "steal begins anew when a CPU comes online again, so what was stolen since its last tick before is not seen";
  }
  return null;
}

/** Why so much time is in no account although no rule of accounting lost it. */
function offlineRule({ id }: VcpuResult, { timeline }: RunResult["config"]): string {
  const offline = timeline.some((event) => event.kind === "offline" && event.vcpu === id);
  const suspended = timeline.some(({ kind }) => kind !== "offline");
  if (offline && suspended) return "it was offline or the whole machine stood still, and no tick came";
  return offline ? "it was offline, and no tick came" : "the whole machine stood still, and no tick came";
}

/** Why the guest saw more steal than there was. */
function excessRule({ guest, host }: VcpuResult, { config }: RunResult): string {
  const excessNs = guest.stealNs - host.waitNs;
  if (config.measure === "out-of-guest" && host.offlineNs > excessNs / 2) {
    return "measure out-of-guest counts the time for which the machine stood still, too";
  }
  if (config.measure === "out-of-guest" && host.haltNs > excessNs / 2) {
    return `measure out-of-guest counts halted time too, and ${guest.accounting} accounting books it as steal`;
  }
  return "no rule of this configuration accounts for it";
}

function unaccountedRule({ guest }: VcpuResult): string {
  switch (guest.accounting) {
    case "none":
      return "ticks that fall due while out of guest are lost, and accounting none knows no steal to stand for them";
    case "rfc-v2":
      return "in rfc-v2 a tick with any new steal books that steal alone, and the part of the tick that ran is dropped";
    case "mainline":
      return "in mainline a tick with a tick of steal or more books nothing else, and the part that ran is dropped";
  }
}

/** Ticks are lost, too, while a vCPU that has its pCPU does not run: its thread is held off its core, or latency was drawn. */
function noiseToo({ host }: VcpuResult, unaccounted: Ns, { engine }: RunResult): string {
  if ((host.noiseNs ?? 0) <= unaccounted / 2) return "";
  return `; or ${engine === "virtual" ? "the latency that was drawn" : "the real machine"} took it (see noise)`;
}

function sentence(kind: Kind, rule: string, vcpus: readonly VcpuResult[], elapsedNs: Ns): string {
  const who = nameVcpus(vcpus.map(({ id }) => id));
  const shares = (partOf: (vcpu: VcpuResult) => Ns, wholeOf: (vcpu: VcpuResult) => Ns = () => elapsedNs) =>
    shareRange(vcpus.map((vcpu) => [partOf(vcpu), wholeOf(vcpu)] as const));
  const truth = shares(({ host }) => host.waitNs);
  switch (kind) {
    case "steal":
      return `${who}: saw ${shares(({ guest }) => guest.stealNs)} steal of the elapsed time, true is ${truth}: ${rule}.`;
    case "unaccounted": {
      const shown = shares(
        ({ guest }) => guest.stealNs,
        ({ guest }) => accountedNs(guest),
      );
      const lost = shares((vcpu) => unaccountedNs(vcpu, elapsedNs));
      return `${who}: ${lost} of the elapsed time is in no account, so top would show ${shown} steal, true is ${truth}: ${rule}.`;
    }
    case "double":
      return `${who}: ${shares((vcpu) => -unaccountedNs(vcpu, elapsedNs))} more time is booked than elapsed: ${rule}.`;
    case "sampling": {
      const booked = shares(({ guest }) => guest.userNs + guest.systemNs);
      return `${who}: booked ${booked} as user and system, true is ${shares(({ host }) => host.runNs)}: ${rule}.`;
    }
  }
}

function explainLockups({ vcpus, config }: RunResult): string[] {
  const lines: string[] = [];
  const reported = vcpus.filter(({ guest }) => guest.softlockups.reported > 0);
  const isStuck = ({ id }: VcpuResult) => config.vcpus[id]?.workload.kind === "stuck";
  const add = (group: readonly VcpuResult[], rule: string) => {
    if (group.length > 0) lines.push(`${nameVcpus(group.map(({ id }) => id))}: ${rule}.`);
  };
  add(reported.filter(isStuck), "softlockup reported: its task never lets the watchdog task run");
  const bogus = reported.filter((vcpu) => !isStuck(vcpu));
  const plain = config.watchdog.mode === "plain";
  add(
    bogus,
    `softlockup reported${plain ? ": the plain watchdog takes stolen time for a lockup, so this is bogus" : ""}`,
  );
  add(
    vcpus.filter(({ guest }) => guest.softlockups.suppressed > 0),
    "softlockup not reported: without the stolen time the threshold was not reached",
  );
  return lines;
}

/** "50.1 %" or "49.8 to 50.3 %". */
function shareRange(shares: readonly (readonly [part: Ns, whole: Ns])[]): string {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const [part, whole] of shares) {
    const ratio = whole > 0 ? part / whole : 0;
    least = Math.min(least, ratio);
    most = Math.max(most, ratio);
  }
  const [low, high] = [percent(least, 1), percent(most, 1)];
  return low === high ? `${low} %` : `${low} to ${high} %`;
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): [T, ...T[]][] {
  const groups = new Map<string, [T, ...T[]]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return [...groups.values()];
}
