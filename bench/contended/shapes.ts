import type { Effort } from "../harness/trial.js";

/** Who works on what at the same time. */
export interface Shape {
  readonly name: string;
  readonly hasWriter: boolean;
  readonly readers: number;
  /** One that all readers share, or one for each; the writer updates them in turn. */
  readonly pages: number;
}

/** Nobody else is there. */
export const WRITER_ALONE: Shape = { name: "writer-alone", hasWriter: true, readers: 0, pages: 1 };
export const READER_ALONE: Shape = { name: "reader-alone", hasWriter: false, readers: 1, pages: 1 };

const MOST_READERS = 16;

/** @param cores more readers than that wait for each other and not for the writer: up to 4 all the same, to see it */
export function shapesFor({ quick }: Effort, cores: number): Shape[] {
  const most = quick ? 2 : Math.min(MOST_READERS, Math.max(4, cores - 1));
  const shapes = [WRITER_ALONE, READER_ALONE, { name: "1-reader", hasWriter: true, readers: 1, pages: 1 }];
  for (let readers = 2; readers <= most; readers *= 2) {
    shapes.push({ name: `${readers}-readers.one-page`, hasWriter: true, readers, pages: 1 });
    shapes.push({ name: `${readers}-readers.page-each`, hasWriter: true, readers, pages: readers });
  }
  return shapes;
}
