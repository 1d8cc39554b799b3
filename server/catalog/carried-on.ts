/**
 * Which figures an event changes beside those of its own instant. Who may correct it, who is notified, and which closed statements
 * are measured anew, all follow from this.
 */
import { meters } from "./built-in-meters.ts";
import { stepsOfTypes, typesBehind } from "./catalog.ts";
import type { Meter } from "./meter.ts";

/** Whether an event changes the meter's figures of all later times too: what it raised stays raised. */
export function isCarriedOn({ rule }: Meter): boolean {
  if (rule.kind === "derived") return rule.operands.some(isCarriedOn);
  return rule.kind === "value_level";
}

/** Whether an event changes the meter's figures where other events of its job lie. */
export function isOfJobs({ rule }: Meter): boolean {
  if (rule.kind === "derived") return rule.operands.some(isOfJobs);
  return rule.kind === "turnaround";
}

const carriedOnTypes: ReadonlySet<string> = new Set(
  meters.filter(isCarriedOn).flatMap(({ rule }) => typesBehind(rule)),
);

/** Whether a built-in meter carries on what events of the type say. */
export const isTypeCarriedOn = (type: string): boolean => carriedOnTypes.has(type);

/** Whether events of the type say something about their job. */
export const isTypeOfJobs = (type: string): boolean => stepsOfTypes.has(type);
