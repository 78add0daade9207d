/**
 * A document as JSON.stringify(document, null, 2) prints it, in pieces: that of 100,000 vCPUs with samples is longer than
 * a string may be.
 */
export function* jsonPieces(document: object): Generator<string> {
  yield "{";
  let separator = "\n";
  for (const [key, value] of Object.entries(document)) {
    if (value === undefined) continue;
    yield `${separator}  ${JSON.stringify(key)}: `;
    separator = ",\n";
    if (Array.isArray(value) && value.length > 0) yield* arrayPieces(value);
    else yield indented(value, "  ");
  }
  yield separator === "\n" ? "}\n" : "\n}\n";
}

function* arrayPieces(items: readonly unknown[]): Generator<string> {
  let separator = "[\n    ";
  for (const item of items) {
    yield separator + indented(item, "    ");
    separator = ",\n    ";
  }
  yield "\n  ]";
}

function indented(value: unknown, indent: string): string {
  return (JSON.stringify(value, null, 2) ?? "null").replaceAll("\n", `\n${indent}`);
}
