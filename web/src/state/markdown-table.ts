/** The tables of a page as Markdown, for a chat or an issue: what is shown, as it is shown. */

/** GitHub's tables: https://github.github.com/gfm/#tables-extension-. A column of figures is aligned to the right. */
export function markdownOf(rows: readonly (readonly string[])[], isRight: readonly boolean[]): string {
  const [head = [], ...body] = rows;
  const line = (cells: readonly string[]) => `| ${head.map((_, place) => escaped(cells[place] ?? "")).join(" | ")} |`;
  const rule = `| ${head.map((_, place) => (isRight[place] ? "---:" : "---")).join(" | ")} |`;
  return [line(head), rule, ...body.map(line)].join("\n");
}

const escaped = (text: string) => text.replaceAll(/\s+/g, " ").trim().replaceAll("\\", "\\\\").replaceAll("|", "\\|");

/** Every table within `root` that can be seen, each below its caption; empty where there is none. */
export function tablesAsMarkdown(root: ParentNode): string {
  return [...root.querySelectorAll("table")]
    .filter((table) => table.checkVisibility() && table.rows.length > 1)
    .map((table) => {
      const rows = [...table.rows].map((row) => [...row.cells].flatMap(cellsOf));
      const caption = textOf(table.caption);
      const isRight = [...(table.rows[1]?.cells ?? [])].map((cell) => getComputedStyle(cell).textAlign === "right");
      return `${caption ? `**${escaped(caption)}**\n\n` : ""}${markdownOf(rows, isRight)}`;
    })
    .join("\n\n");
}

/** A cell over several columns is followed by empty ones. */
function cellsOf(cell: HTMLTableCellElement): string[] {
  return [textOf(cell), ...Array<string>(Math.max(0, cell.colSpan - 1)).fill("")];
}

/** What can be read in it: not what only screen readers hear, nor keys that do something. */
function textOf(element: Element | null): string {
  if (!element) return "";
  if (element.tagName === "CAPTION") return element.textContent;
  const copy = element.cloneNode(true) as Element;
  for (const hidden of copy.querySelectorAll(".sr-only, svg, [aria-hidden='true']")) hidden.remove();
  for (const block of copy.querySelectorAll(".block, br, p, div")) block.before(" ");
  return copy.textContent;
}
