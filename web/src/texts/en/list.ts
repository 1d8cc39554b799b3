import { area } from "../area.ts";
import { counted } from "../counted.ts";

export const listTexts = area("list", {
  fileCouldNotBeCreated: (message: string) => `The file could not be created: ${message}`,
  csv: "CSV",
  forAnySpreadsheet: "for any spreadsheet",
  excel: "Excel",
  withTypedCells: "with typed cells",
  jsonLines: "JSON lines",
  forPrograms: "for programs",
  json: "JSON",
  copyAsMarkdown: "Copy as Markdown",
  whatIsShown: "what is shown",
  tablesCopied: "Copied as Markdown.",
  exportAs: "Export as",
  preparing: "Preparing…",
  export: "Export",
  copyingWasBlocked: "Your browser blocked copying. Save a file instead.",
  more: "More",
  andMore: (more: string) => ` and ${more} more`,
  showAll: (total: number, what: string) => `Show all ${total} ${what}`,
  limitsAndChargesAreMissing: (count: number) =>
    `The limits and charges of ${counted(count, { one: "one node", other: "# nodes" })} could not be read just now and are missing here:`,
});
