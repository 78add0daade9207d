import { readFileSync } from "node:fs";

/** A row measured while others had more than this share of the machine is marked. */
export const NOISE_LIMIT = 0.03;

/** Time in the kernel's ticks since boot, of all CPUs together, and what this process and its children had of it. */
export interface CpuTicks {
  /** All that passed, idle time included. */
  readonly total: number;
  readonly busy: number;
  /** Ran on the host instead of here. */
  readonly steal: number;
  readonly own: number;
}

/** Shares of the machine's whole time. */
export interface NoiseShares {
  /** CPU time of other processes. */
  readonly foreignShare: number;
  readonly stealShare: number;
}

/**
 * Reads the `cpu` line of /proc/stat, and fields 14 to 17 of /proc/self/stat: own time and that of children waited for.
 *
 * @returns null where there is no such text
 */
export function parseCpuTicks(stat: string, selfStat: string): CpuTicks | null {
  const line = /^cpu +([\d ]+)$/m.exec(stat);
  // The second field is the command's name in brackets, which may hold spaces.
  const fields = selfStat.slice(selfStat.lastIndexOf(")") + 2).split(" ");
  if (line === null || fields.length < 15) return null;
  // Guest time, the last two columns, is in user time already.
  const [user, nice, system, idle, iowait, irq, softirq, steal] = line[1].split(" ").map(Number);
  const busy = user + nice + system + irq + softirq;
  const own = fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
  return { total: busy + idle + iowait + steal, busy, steal, own };
}

function readCpuTicks(): CpuTicks | null {
  try {
    return parseCpuTicks(readFileSync("/proc/stat", "utf8"), readFileSync("/proc/self/stat", "utf8"));
  } catch {
    return null;
  }
}

/** Adds up what others had of the machine, over any number of spans. */
export class NoiseMeter {
  readonly #read: () => CpuTicks | null;
  #last: CpuTicks | null = null;
  #total = 0;
  #foreign = 0;
  #steal = 0;

  constructor(read: () => CpuTicks | null = readCpuTicks) {
    this.#read = read;
  }

  /** A span begins here. */
  begin(): void {
    this.#last = this.#read();
  }

  /** It ends here. */
  end(): void {
    const now = this.#read();
    const last = this.#last;
    if (now === null || last === null) return;
    this.#total += now.total - last.total;
    this.#foreign += now.busy - last.busy - (now.own - last.own);
    this.#steal += now.steal - last.steal;
  }

  /** null where nothing could be read, or no time has passed. */
  get shares(): NoiseShares | null {
    if (this.#total <= 0) return null;
    // The two files are not read at one instant, so a quiet machine may come out a tick below nothing.
    return { foreignShare: Math.max(0, this.#foreign) / this.#total, stealShare: this.#steal / this.#total };
  }

  get isNoisy(): boolean {
    const { shares } = this;
    return shares !== null && shares.foreignShare + shares.stealShare > NOISE_LIMIT;
  }
}
