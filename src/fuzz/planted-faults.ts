/** A fault that the fuzzer must find: a textual patch to a copy of the compiled program. */
export interface PlantedFault {
  readonly name: string;
  /** What is wrong then. */
  readonly what: string;
  /** Below dist/src. */
  readonly file: string;
  /** Occurs there exactly once. */
  readonly find: string;
  readonly replace: string;
}

const HOST_FAULTS: readonly PlantedFault[] = [
  {
    name: "skipped-publish",
    what: "now and then a page is not written at an entry",
    file: "host/pvclock-publisher.js",
    find: "if (base < 0)\n            return;\n        const stealNs",
    replace:
      "if (base < 0 || (cells[row + UPDATES] > 0 && now % 61 === 7))\n            return;\n        const stealNs",
  },
  {
    name: "update-counted-twice",
    what: "now and then an update of a page is counted twice",
    file: "host/pvclock-publisher.js",
    find: "cells[row + UPDATES]++;",
    replace: "cells[row + UPDATES] += now % 61 === 7 ? 2 : 1;",
  },
  {
    name: "ledger-remainder",
    what: "the ledger books whole microseconds",
    file: "host/ledger.js",
    find: "cells[base + before] += spanNs;",
    replace: "cells[base + before] += spanNs - (spanNs % 1000);",
  },
  {
    name: "publisher-before-ledger",
    what: "an absence is published before it is booked",
    file: "host/fair-host.js",
    find: "[this.ledger, ...observers, this.publisher]",
    replace: "[...observers, this.publisher, this.ledger]",
  },
  {
    name: "halt-counts-as-wait",
    what: "halted time is published under measure wait",
    file: "host/fair-host.js",
    find: "(vcpu) => ledger.of(vcpu).waitNs",
    replace: "(vcpu) => ledger.of(vcpu).waitNs + ledger.of(vcpu).haltNs",
  },
  {
    name: "slice-rounded",
    what: "each absence is rounded to ms, not their sum",
    file: "host/pvclock-publisher.js",
    find: "this.#fillValues(stealNs, now);",
    replace:
      "this.told ??= new Map(); const [was, sum] = this.told.get(base) ?? [0, 0]; " +
      "const rounded = sum + Math.floor((stealNs - was) / 1e6) * 1e6; " +
      "this.told.set(base, [stealNs, rounded]); this.#fillValues(rounded, now);",
  },
  {
    name: "baseline-again",
    what: "steal begins anew at every registration",
    file: "host/pvclock-publisher.js",
    find: "if (first)",
    replace: "if (true)",
  },
  {
    name: "stale-tsc-rate",
    what: "after a migration the pages carry the old host's multiplier and flags",
    file: "host/pvclock-publisher.js",
    find: "this.#offersSteal = offersSteal;\n        this.#fillConstants();",
    replace: "this.#offersSteal = offersSteal;",
  },
  {
    name: "time-kept-elsewhere",
    what: "an update of the steal alone keeps the time of another pCPU",
    file: "host/pvclock-publisher.js",
    find: "stealAlone = stays && this.#stealIsInHead;",
    replace: "stealAlone = this.#cells[vcpu * CELLS + UPDATES] > 3 && this.#stealIsInHead;",
  },
  {
    name: "guest-not-told",
    what: "GUEST_STOPPED is not set at resume",
    file: "host/fair-host.js",
    find: "this.publisher.guestStopped(id);",
    replace: "",
  },
  {
    name: "given-back-page-written",
    what: "a page that was unregistered is written on",
    file: "host/pvclock-publisher.js",
    find: "this.#cells[vcpu * CELLS + BASE] = -1;\n        this.#lastPcpus[vcpu] = -1;",
    replace: "this.#lastPcpus[vcpu] = -1;",
  },
  {
    name: "odd-version-published",
    what: "a page found with an odd version is opened even and closed odd",
    file: "shared/version-protocol.js",
    find: "(Atomics.load(words, base + pvclock_page_js_1.VERSION_WORD) + 1) | 1 | 0",
    replace: "(Atomics.load(words, base + pvclock_page_js_1.VERSION_WORD) + 1) | 0",
  },
  {
    name: "nice-ignored",
    what: "every weight is that of nice 0",
    file: "host/sched-entity.js",
    find: "(0, weights_js_1.weightOfNice)(nice)",
    replace: "(0, weights_js_1.weightOfNice)(0)",
  },
  {
    name: "vruntime-remainder",
    what: "a request's vruntime is rounded down to us, and the rest forgotten",
    file: "host/sched-entity.js",
    find: "cells[base + VRUNTIME] += requests * vruntime + (carried - leftOver) / weight;",
    replace: "cells[base + VRUNTIME] += requests * Math.floor(vruntime / 1000) * 1000;",
  },
  {
    name: "waker-at-zero",
    what: "who has slept for long comes back at vruntime 0",
    file: "host/fair-scheduler.js",
    find: "entity.restartAt(floor);",
    replace: "entity.restartAt(0);",
  },
  {
    name: "short-bursts-free",
    what: "what a sleeper used of its request is forgotten",
    file: "host/fair-scheduler.js",
    find: "entity.vruntime + entity.virtualNs(entity.servedNs) < floor",
    replace: "entity.vruntime < floor",
  },
  {
    name: "no-idle-pull",
    what: "a pCPU that runs out of work takes none from others",
    file: "host/fair-scheduler.js",
    find: "?? this.#pcpus.pullableTo(pcpu)",
    replace: "?? null",
  },
  {
    name: "no-push-to-idle",
    what: "who loses its pCPU is not put on one that idles",
    file: "host/fair-scheduler.js",
    find: "this.#pushToIdle(entity, now);",
    replace: "",
  },
  {
    name: "pins-ignored-by-pull",
    what: "an idle pCPU takes whoever is furthest behind",
    file: "host/run-queue.js",
    find: "if (entity.mayRunOn(pcpu))\n            return entity;",
    replace: "if (true)\n            return entity;",
  },
  {
    name: "slice-end-missed",
    what: "a slice's end is looked at every other time only",
    file: "host/fair-scheduler.js",
    find: "if (first !== null && first.vruntime <= current.vruntime) {",
    replace: "if (first !== null && first.vruntime <= current.vruntime && current.arrival % 2 === 0) {",
  },
  {
    name: "resumed-too-soon",
    what: "a suspended machine goes on after half the time",
    file: "host/fair-host.js",
    find: "this.#resumeAt = now + suspension.forNs;",
    replace: "this.#resumeAt = now + Math.ceil(suspension.forNs / 2);",
  },
  {
    name: "late-duty",
    what: "a duty cycle that halts skips a period",
    file: "shared/duty-rule.js",
    find: "+ this.#periodNs;",
    replace: "+ 2 * this.#periodNs;",
  },
];

const GUEST_FAULTS: readonly PlantedFault[] = [
  {
    name: "stale-last-steal",
    what: "a CPU that comes online takes the steal since its last look for new",
    file: "guest/steal-clock.js",
    find: "const takenNs = cpu.stealActive ?",
    replace: "const takenNs = (cpu.stealActive ||= cpu.stealVersion !== 0) ?",
  },
  {
    name: "flag-checked-once",
    what: "the steal flag is checked at the first read only",
    file: "guest/steal-clock.js",
    find: "& flag) === 0) {",
    replace: "& flag) === 0 && !this.#cpu.stealActive) {",
  },
  {
    name: "guard-off",
    what: "the clock has no monotonic guard",
    file: "guest/kvmclock.js",
    find: "this.cpu.clockNs = clockNs;",
    replace: "if (this.rawNs >= 0) return this.rawNs;",
  },
  {
    name: "stop-not-noticed",
    what: "the watchdog takes no notice of GUEST_STOPPED",
    file: "guest/guest-cpu.js",
    find: "if (this.time.kvmclock.takeGuestStopped())",
    replace: "if (false)",
  },
  {
    name: "watchdog-blind",
    what: "the steal-aware watchdog subtracts nothing",
    file: "guest/softlockup-watchdog.js",
    find: "this.#stealAware ? stolenNs - stolenAtTouchNs : 0",
    replace: "0",
  },
  {
    name: "watchdog-asleep",
    what: "a stuck task counts as one that lets the watchdog's run",
    file: "guest/guest-cpu.js",
    find: "if (this.#task.preemptible)",
    replace: "if (true)",
  },
  {
    name: "two-entry-ticks",
    what: "an entry delivers two ticks when two are due",
    file: "guest/guest-cpu.js",
    find: "this.#cpu.lostTicks += this.#tick.takeDue(now) - 1;",
    replace:
      "let due = this.#tick.takeDue(now); if (due > 1) { this.#cpu.ticks++; due--; " +
      "this.#accounting.accountProcessTick(this.#task.mode); } this.#cpu.lostTicks += due - 1;",
  },
  {
    name: "idle-exit-forgotten",
    what: "ticks that passed in idle are counted and not booked",
    file: "guest/guest-cpu.js",
    find: "this.#accounting.accountIdleExit(withoutTick);",
    replace: "",
  },
  {
    name: "offline-ticks",
    what: "deadlines that passed while offline fall due when online",
    file: "guest/tick-device.js",
    find: "tickStoppedAt;\n        this.takeDue(now);",
    replace: "tickStoppedAt;",
  },
  {
    name: "tick-whole-after-steal",
    what: "mainline: a tick is whole though part of it was stolen",
    file: "guest/accounting/mainline.js",
    find: "this.#time.account(mode, spanNs - stealNs)",
    replace: "this.#time.account(mode, spanNs)",
  },
  {
    name: "idle-steal-booked",
    what: "rfc-v2: steal of an idle tick is accounted",
    file: "guest/accounting/rfc-v2.js",
    find: "this.#time.stealDroppedIdleNs += this.#steal.takeNs();",
    replace: "this.#time.stealNs += this.#steal.takeNs();",
  },
  {
    name: "no-chance-of-its-own",
    what: "chance comes from outside the seed",
    file: "engine/virtual/random-streams.js",
    find: "const high = this.#generator.next() >>> 0;",
    replace: "const high = Math.floor(Math.random() * 2 ** 32);",
  },
  {
    name: "timer-never-advances",
    what: "the watchdog's timer stays due, and no time passes",
    file: "guest/softlockup-watchdog.js",
    find: "const lateNs = timerNow - nextSample;",
    replace: "return true; const lateNs = 0;",
  },
];

/** One-line faults in the rules of host and guest, of the kinds that one makes. */
export const PLANTED_FAULTS: readonly PlantedFault[] = [...HOST_FAULTS, ...GUEST_FAULTS];
