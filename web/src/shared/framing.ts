/**
 * What an embedded dashboard and the page around it say to each other. The address of the frame names the origins whose pages
 * may frame it, with a mark that the server alone can make: it serves a page that can be framed for no other.
 */

/** To the page around it: a token is about to end, or has ended, and the next one is wanted; `shown`: a dashboard is there. */
export type FrameState = "shown" | "ending" | "ended";

/** The origins that the address of a frame names: those whose messages count. Empty where it names none. */
export function framingOrigins(search: string): string[] {
  const content = (new URLSearchParams(search).get("frame") ?? "").split(".")[0] ?? "";
  try {
    const bytes = Uint8Array.from(atob(content.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
    const said: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return Array.isArray(said) ? said.filter((one) => typeof one === "string") : [];
  } catch {
    return [];
  }
}

/** The token that a message hands over: of the page around the frame alone, and only from one of its origins. */
export function handedToken(
  { source, origin, data }: Pick<MessageEvent, "source" | "origin" | "data">,
  { parent, origins }: { parent: MessageEventSource | null; origins: readonly string[] },
): string | undefined {
  if (source !== parent || !origins.includes(origin)) return undefined;
  const { type, token } = (data ?? {}) as { type?: unknown; token?: unknown };
  return type === "tidemark:token" && typeof token === "string" ? token : undefined;
}
