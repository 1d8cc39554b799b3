/** Texts that depend on a number. */
import { language } from "./locale.ts";

const rules = new Intl.PluralRules(language.numbers);
const numbers = new Intl.NumberFormat(language.numbers);

/** `1,250`. */
export const formatCount = (count: number): string => numbers.format(count);

/** By CLDR's plural categories; a language has those that it needs. */
type Forms = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };

/** The form for `count`, with `#` as the number: `counted(2, { one: "# room", other: "# rooms" })` is `2 rooms`. */
export function counted(count: number, forms: Forms): string {
  return (forms[rules.select(count)] ?? forms.other).replaceAll("#", formatCount(count));
}
