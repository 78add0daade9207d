/** A column of a table: its head, and a cell for each row. */
export interface Column {
  readonly head: string;
  readonly cells: readonly string[];
}

/** Columns that belong together, under a title. */
export interface ColumnGroup {
  readonly title: string;
  readonly columns: readonly Column[];
}

const GAP = "  ";

/**
 * Lays groups of columns out in tables no wider than `width`, each starting with the key column. Groups stand side by
 * side while they fit; a group that is too wide by itself goes on in a further table. Every cell is right-aligned.
 *
 * @returns the lines of each table; the first is its title, the second its heads
 */
export function layOutTables(key: Column, groups: readonly ColumnGroup[], width: number): string[][] {
  return packGroups(key, groups, width).map((pieces) => {
    const columns = [key, ...pieces.flatMap((piece) => piece.columns)];
    const title = titleLine(key, pieces);
    const widths = columns.map(widthOf);
    const heads = columns.map(({ head }, index) => head.padStart(widths[index] ?? 0)).join(GAP);
    const rows = key.cells.map((_, row) =>
      columns
        .map((column, index) => (column.cells[row] ?? "").padStart(widths[index] ?? 0))
        .join(GAP)
        .trimEnd(),
    );
    return [title, heads, ...rows];
  });
}

function packGroups(key: Column, groups: readonly ColumnGroup[], width: number): ColumnGroup[][] {
  const tables: ColumnGroup[][] = [];
  let current: ColumnGroup[] = [];
  for (const group of groups) {
    if (current.length > 0 && tableWidth(key, [...current, group]) <= width) {
      current.push(group);
      continue;
    }
    if (current.length > 0) tables.push(current);
    const pieces = splitGroup(key, group, width);
    tables.push(...pieces.slice(0, -1).map((piece) => [piece]));
    current = pieces.slice(-1);
  }
  return current.length > 0 ? [...tables, current] : tables;
}

/** Cuts a group into pieces that fit beside the key column; a piece has one column at least. */
function splitGroup(key: Column, group: ColumnGroup, width: number): ColumnGroup[] {
  const pieces: ColumnGroup[] = [];
  let columns: Column[] = [];
  for (const column of group.columns) {
    const grown = { title: group.title, columns: [...columns, column] };
    if (columns.length > 0 && tableWidth(key, [grown]) > width) {
      pieces.push({ title: group.title, columns });
      columns = [column];
    } else {
      columns = [...grown.columns];
    }
  }
  return [...pieces, { title: group.title, columns }];
}

function titleLine(key: Column, pieces: readonly ColumnGroup[]): string {
  let line = "";
  let start = widthOf(key) + GAP.length;
  for (const piece of pieces) {
    line = (line === "" ? line : line + GAP).padEnd(start) + piece.title;
    start += piece.columns.reduce((sum, column) => sum + widthOf(column) + GAP.length, 0);
  }
  return line;
}

function tableWidth(key: Column, groups: readonly ColumnGroup[]): number {
  const columns = groups.flatMap((group) => group.columns);
  const body = columns.reduce((sum, column) => sum + GAP.length + widthOf(column), widthOf(key));
  return Math.max(body, titleLine(key, groups).length);
}

function widthOf(column: Column): number {
  return column.cells.reduce((widest, cell) => Math.max(widest, cell.length), column.head.length);
}
