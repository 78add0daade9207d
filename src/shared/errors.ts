/**
 * Errors that a user or a caller can act on. Each carries a code that survives being sent between threads as data.
 */
export class StealclockError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.name = "StealclockError";
    this.code = code;
  }
}

/**
 * `bad-input`: exit 2, before any worker starts. `part-died`: a vCPU or the hypervisor threw, ran out of memory or
 * exited. `unsupported`: this machine cannot do what was asked (also exit 2). `stopped`: the caller stopped the run before
 * all vCPUs had booted, so there is nothing to report.
 */
export type ErrorCode = "bad-input" | "unsupported" | "part-died" | "stopped";
