/** What figures may be grouped and filtered by, in words. */
import { nodeAddress } from "@contract/node-address.ts";
import { formatLanguage } from "./format.ts";

const labels: Record<string, string> = {
  partner: "Partner",
  reseller: "Reseller",
  organization: "Organization",
  agent: "Agent",
  user: "User",
  room: "Room",
  session: "Session",
  device: "Device",
  medium: "Medium",
  language: "Language",
  model: "Model",
  mode: "Mode",
  kind: "Kind",
  format: "Format",
  feature: "Feature",
  visibility: "Visibility",
};

/** A dimension that users made is called as they call it. */
export const dimensionLabel = (dimension: string) => labels[dimension] ?? dimension;

/** Video and audio as they are sent and received, in the order in which they are shown. */
export const media = [
  { key: "video_audio", label: "Video and audio" },
  { key: "video", label: "Video only" },
  { key: "audio", label: "Audio only" },
  { key: "screenshare", label: "Screenshare" },
] as const;

/** What the group of a dimension is called that has this key; `nameOfNode` gives a node's name by its address. */
export function groupTitle(dimension: string, key: string, nameOfNode: (address: string) => string): string {
  if (key === "") return "Not given";
  if (dimension === "partner" || dimension === "reseller" || dimension === "organization")
    return nameOfNode(nodeAddress(dimension, key));
  if (dimension === "language") return formatLanguage(key);
  if (dimension === "medium") return media.find((one) => one.key === key)?.label ?? key;
  return key;
}

/** What lies below a dimension: whoever looks into a reseller sees its organizations next. */
export const nextDimension: Record<string, string> = {
  partner: "reseller",
  reseller: "organization",
  organization: "room",
  room: "session",
  user: "session",
  agent: "session",
};
