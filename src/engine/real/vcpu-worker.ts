import { setPriority } from "node:os";
import { workerData } from "node:worker_threads";
import { bootGuestCpu, guestMachineOf } from "../../guest/build-guest-cpu.js";
import { protocolOf, ramOf } from "../../shared/machine-memory.js";
import { Tsc } from "../../shared/tsc.js";
import type { VcpuReport } from "../vcpu-report.js";
import { ControlMemory } from "./control-memory.js";
import { MailboxHypercalls } from "./mailbox.js";
import type { VcpuTask, VcpuWorkerData } from "./messages.js";
import { RealClock } from "./real-clock.js";
import { currentThreadId } from "./schedstat.js";
import { GuestGate } from "./vcpu-gate.js";
import { VcpuLoop } from "./vcpu-loop.js";

/** Nicer than the hypervisor, so that it gets a core at once: a late hypervisor makes every slice wrong. */
const VCPU_THREAD_NICE = 10;

/** The life of one vCPU thread: boot, run whenever granted, report. A task of the hypervisor's pool. */
export default function runVcpu(task: VcpuTask): VcpuReport {
  const data = workerData as VcpuWorkerData;
  const control = new ControlMemory(data.control, data.vcpuCount);
  const gate = new GuestGate(control, task.cpu.id);
  const threadId = currentThreadId();
  const clock = new RealClock(data.origin);
  if (data.emulatedHost) lowerPriority();
  gate.announceThread(threadId);
  const machine = guestMachineOf({
    ram: ramOf(data.memory),
    protocol: protocolOf(data.memory, task.cpu.id),
    cpuCount: data.vcpuCount,
    clock,
    tsc: new Tsc(data.tscKhz),
    auditOf: (cpu) => control.auditOf(cpu),
    auditsEveryRead: data.auditsEveryRead,
  });
  const guest = bootGuestCpu(machine, new MailboxHypercalls(control, task.cpu.id), task.cpu);
  const loop = new VcpuLoop({ task, control, gate, clock, guest, measureNoise: data.emulatedHost, threadId });
  gate.announceBooted();
  loop.run();
  return loop.report();
}

/** Of this thread alone, on Linux. Where it is not allowed or means nothing, the run is merely noisier. */
function lowerPriority(): void {
  try {
    setPriority(VCPU_THREAD_NICE);
  } catch {
    // Reported as noise, if it matters.
  }
}
