/** The addresses of changed nodes, which processes send each other through NOTIFY. */
import { z } from "zod";
import type { NodeAddress } from "../contract/nodes.ts";
import { parseJson } from "../json/parse-json.ts";

export const nodeChannel = "tidemark_nodes";

/** A NOTIFY takes up to 8,000 bytes. */
const maxNoticeBytes = 7_000;

const noticeSchema = z.array(z.string());

export function readNotice(payload: string): NodeAddress[] {
  return noticeSchema.parse(parseJson(payload));
}

/** JSON arrays of addresses, each within what one NOTIFY carries. */
export function writeNotices(addresses: readonly NodeAddress[]): string[] {
  const payloads: string[] = [];
  let parts: string[] = [];
  let bytes = 2;
  for (const address of addresses) {
    const part = JSON.stringify(address);
    const partBytes = Buffer.byteLength(part) + 1;
    if (bytes + partBytes > maxNoticeBytes) {
      payloads.push(`[${parts.join(",")}]`);
      parts = [];
      bytes = 2;
    }
    parts.push(part);
    bytes += partBytes;
  }
  if (parts.length > 0) payloads.push(`[${parts.join(",")}]`);
  return payloads;
}
