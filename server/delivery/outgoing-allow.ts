/** Addresses that an operator lets requests reach although they are not public: `TIDEMARK_OUTGOING_ALLOW`. */
import { type AddressRanges, parseAddressRanges } from "../address-ranges.ts";

export interface OutgoingAllow {
  /** `name` in lower case, without the dot at its end. */
  host(name: string, port: number): boolean;
  address: AddressRanges;
  /** Whether a name may be allowed by the addresses that it has. */
  hasAddresses: boolean;
}

export const nothingAllowed: OutgoingAllow = { host: () => false, address: () => false, hasAddresses: false };

/** `hooks.internal, build.internal:9000, 10.0.0.0/8, ::1`; undefined where a part is neither a host nor a range. */
export function parseOutgoingAllow(text: string): OutgoingAllow | undefined {
  const hosts = new Set<string>();
  const ranges: AddressRanges[] = [];
  for (const part of text.split(",").map((one) => one.trim().toLowerCase())) {
    const range = parseAddressRanges(part.replace(/^\[(.*)\]$/, "$1"));
    if (range) ranges.push(range);
    // A part that looks like an address and is none would silently allow nothing.
    else if (/^(?=.*[a-z])[a-z0-9_-]+(?:\.[a-z0-9_-]+)*(?::\d{1,5})?$/.test(part)) hosts.add(part);
    else return undefined;
  }
  return {
    host: (name, port) => hosts.has(name) || hosts.has(`${name}:${port}`),
    address: (address) => ranges.some((range) => range(address)),
    hasAddresses: ranges.length > 0,
  };
}
