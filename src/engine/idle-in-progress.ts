import type { Ns } from "../shared/units.js";

/**
 * Idle time that has passed and is not booked yet, as /proc/stat shows it too (get_cpu_idle_time_us): whole ticks.
 *
 * @param fromNs the first tick deadline not booked; 0 while the CPU is not idle
 */
export function idleInProgressNs(fromNs: Ns, now: Ns, tickNsec: Ns): Ns {
  if (fromNs === 0 || now < fromNs) return 0;
  return (Math.floor((now - fromNs) / tickNsec) + 1) * tickNsec;
}
