import { loadProtocolModule } from "../../src/backend/protocol-module.js";
import { StealclockError } from "../../src/shared/errors.js";
import { contendedGroup } from "../contended/contended-group.js";
import { endToEndGroup } from "../end-to-end/end-to-end-group.js";
import type { Group } from "../harness/trial.js";
import { NativeProgram } from "../native/native-program.js";
import { uncontendedGroup } from "../uncontended/uncontended-group.js";

/** What a run measures. */
export interface Subject {
  readonly groups: readonly Group[];
  /** The C compiler's own words, or null without one. */
  readonly compiler: string | null;
  close(): void;
}

/** @param program null without a compiler */
export function allGroups(program: NativeProgram | null): Group[] {
  return [uncontendedGroup(program), contendedGroup(program), endToEndGroup()];
}

/** All groups. @throws StealclockError "unsupported" when what ships by default can't be loaded */
export function openSubject(): Subject {
  checkModule();
  const program = NativeProgram.compile();
  return { groups: allGroups(program), compiler: program?.compiler ?? null, close: () => program?.close() };
}

/** @throws StealclockError "unsupported" */
export function checkModule(): void {
  try {
    loadProtocolModule();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StealclockError(
      "unsupported",
      `the WebAssembly module can't be loaded (${reason}); npm run build makes it`,
    );
  }
}
