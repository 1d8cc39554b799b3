import { area } from "../area.ts";
import { counted } from "../counted.ts";

export const listTexts = area("list", {
  fileCouldNotBeCreated: (message: string) => `The file could not be created: ${message}`,
  more: "More",
  andMore: (more: string) => ` and ${more} more`,
  showAll: (total: number, what: string) => `Show all ${total} ${what}`,
  limitsAndChargesAreMissing: (count: number) =>
    `The limits and charges of ${counted(count, { one: "one node", other: "# nodes" })} could not be read just now and are missing here:`,
});
