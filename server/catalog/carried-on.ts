/**
 * Which figures an event changes beside those of its own instant. Who may correct it, who is notified, and which closed statements
 * are measured anew, all follow from this.
 */
import { meters } from "./built-in-meters.ts";
import { stepsOfTypes, typesBehind } from "./catalog.ts";
import { isCarriedOn } from "./rule-traits.ts";

const carriedOnTypes: ReadonlySet<string> = new Set(
  meters.filter(isCarriedOn).flatMap(({ rule }) => typesBehind(rule)),
);

/** Whether a built-in meter carries on what events of the type say. */
export const isTypeCarriedOn = (type: string): boolean => carriedOnTypes.has(type);

/** Whether events of the type say something about their job. */
export const isTypeOfJobs = (type: string): boolean => stepsOfTypes.has(type);
