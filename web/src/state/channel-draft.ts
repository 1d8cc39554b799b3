/** A channel as a person fills it in. */
import type { ChangeChannel, Channel, ChannelKind, CreateChannel } from "@contract/channels.ts";

export interface ChannelDraft {
  kind: ChannelKind;
  name: string;
  node: string;
  enabled: boolean;
  /** Addresses or numbers, by commas or lines. */
  to: string;
  url: string;
  /** Used by SMS. */
  monthlyCap: string;
}

export function newChannelDraft(node: string): ChannelDraft {
  return { kind: "email", name: "", node, enabled: true, to: "", url: "", monthlyCap: "200" };
}

export function draftOfChannel({ kind, name, node, enabled, to, url, monthly_cap }: Channel): ChannelDraft {
  return {
    kind,
    name,
    node,
    enabled,
    url: url ?? "",
    to: to?.join("\n") ?? "",
    monthlyCap: String(monthly_cap ?? 200),
  };
}

/** Spaces belong to how people write numbers, and end an address. */
const receivers = ({ kind, to }: ChannelDraft) =>
  to
    .split(kind === "sms" ? /[,;\n]+/ : /[\s,;]+/)
    .map((one) => (kind === "sms" ? one.replaceAll(/[\s()-]/g, "") : one))
    .filter((one) => one !== "");

export function newChannelOf(draft: ChannelDraft): CreateChannel {
  const common = { name: draft.name.trim(), node: draft.node, enabled: draft.enabled };
  switch (draft.kind) {
    case "email":
      return { kind: "email", ...common, to: receivers(draft) };
    case "sms":
      return { kind: "sms", ...common, to: receivers(draft), monthly_cap: Number(draft.monthlyCap) };
    default:
      return { kind: draft.kind, ...common, url: draft.url.trim() };
  }
}

/** What can be edited of a channel that is there: it stays at its node, of its kind. */
export function channelChangeOf(draft: ChannelDraft): ChangeChannel {
  const { kind: _, node: __, ...change } = newChannelOf(draft);
  return change;
}
