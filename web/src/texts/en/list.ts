import { area } from "../area.ts";
import { counted } from "../counted.ts";

export const listTexts = area("list", {
  fileCouldNotBeMade: (message: string) => `The file could not be made: ${message}`,
  more: "More",
  andMore: (more: string) => ` and ${more} more`,
  showAll: (total: number, what: string) => `Show all ${total} ${what}`,
  limitsAndChargesAreMissing: (count: number) =>
    `The limits and charges of ${counted(count, { one: "one account", other: "# accounts" })} could not be read just now and are not in these figures:`,
});
