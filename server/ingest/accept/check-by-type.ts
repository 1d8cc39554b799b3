/**
 * What the catalog knows of a type's amount and properties, held against an event: what no reading could mean is rejected
 * by its field, what would count as nothing, or under a name that nobody asks for, is taken with a word of warning.
 */
import type { EventType, PropertyRule } from "../../catalog/event-types.ts";
import { decimalPattern, type Warning } from "../../contract/events.ts";
import { ExactNumber } from "../../json/exact-json.ts";
import type { Fault, GivenEvent, GivenProperty } from "./event-gate.ts";

type Warn = (code: Warning["code"], field: string, message: string) => void;

/** `amount` is the exact decimal text of the event's `value` or `seconds`, undefined when it gives none. */
export function checkByType(
  event: GivenEvent,
  type: EventType,
  amount: string | undefined,
  warn: Warn,
): Fault | undefined {
  if (type.valueIs === "minutes") {
    if (amount === undefined)
      warn("missing_value", "value", `an event of type ${event.type} without \`value\` or \`seconds\` adds no minutes`);
    else if (isNegative(event.seconds ?? event.value)) {
      const field = event.seconds === undefined ? "value" : "seconds";
      return { code: "invalid_field", field, message: `\`${field}\` is a duration, which cannot be negative` };
    }
  }
  if (type.properties === undefined || event.properties === undefined) return undefined;
  for (const name in type.properties) {
    if (!Object.hasOwn(event.properties, name)) continue;
    const fault = checkProperty(name, event.properties[name], type.properties[name] as PropertyRule, warn);
    if (fault) return fault;
  }
  return undefined;
}

/** Judged by its text: a number so small that it is rounded to zero is still negative. */
function isNegative(given: GivenProperty | undefined): boolean {
  const [mantissa = ""] = (textOfNumber(given) ?? "").split(/e/i);
  return mantissa.startsWith("-") && /[1-9]/.test(mantissa);
}

function checkProperty(
  name: string,
  given: GivenProperty | undefined,
  rule: PropertyRule,
  warn: Warn,
): Fault | undefined {
  const field = `properties.${name}`;
  if (rule.oneOf !== undefined) {
    if (!rule.oneOf.includes(String(given)))
      warn("unknown_value", field, `\`${field}\` is usually one of ${rule.oneOf.join(", ")}`);
    return undefined;
  }
  const text = textOfNumber(given);
  if (text === undefined) {
    warn("not_a_number", field, `\`${field}\` is not a number, so it does not count in averages or sums`);
    return undefined;
  }
  const [least, most] = rule.between ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  if (Number(text) >= least && Number(text) <= most) return undefined;
  return { code: "invalid_field", field, message: `\`${field}\` must be from ${least} to ${most}` };
}

function textOfNumber(given: GivenProperty | undefined): string | undefined {
  if (given instanceof ExactNumber) return given.text;
  if (typeof given === "number") return String(given);
  return typeof given === "string" && decimalPattern.test(given) ? given : undefined;
}
