/**
 * What hardly changes and several pages need: the meters there are and the first of the nodes that the caller may see;
 * the node picker asks for the others as they are searched for.
 */

import type { MeterSummary } from "@contract/meters.ts";
import type { NodeList } from "@contract/nodes.ts";
import { api } from "../api/client.ts";
import { Loaded } from "./loaded.svelte.ts";

export const knownMeters = new Loaded<MeterSummary[]>();
export const knownNodes = new Loaded<NodeList>();

/** Reads both again; what is known already stays while they load. */
export function readDirectory(): void {
  knownMeters.load(async (signal) => (await api.listMeters({ signal })).meters);
  knownNodes.load((signal) => api.listNodes({ signal }));
}

/** A meter by its name, as far as it is known; reactive. */
export function meterOf(meter: string): MeterSummary | undefined {
  return knownMeters.value?.find((one) => one.meter === meter);
}
