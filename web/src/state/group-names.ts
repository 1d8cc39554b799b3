/** What a group of figures is called, by what was grouped by. */
import { groupTitle } from "../words/dimensions.ts";
import { nodeName } from "./node-names.svelte.ts";

/** Reactive where it is a node's name. */
export const groupName = (dimension: string, key: string): string => groupTitle(dimension, key, nodeName);
