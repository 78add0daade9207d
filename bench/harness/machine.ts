import { arch, availableParallelism, cpus, release } from "node:os";

/** What the figures were measured on. */
export interface BenchMachine {
  readonly cpu: string;
  readonly cores: number;
  readonly arch: string;
  /** Release of the operating system's kernel. */
  readonly kernel: string;
  readonly node: string;
  readonly v8: string;
  /** The C compiler's own words, or null without one. */
  readonly compiler: string | null;
}

export function describeMachine(compiler: string | null): BenchMachine {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    arch: arch(),
    kernel: release(),
    node: process.versions.node,
    v8: process.versions.v8,
    compiler,
  };
}
