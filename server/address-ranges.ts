/** Network addresses as text: one way of writing each, and which of them lie in given ranges. */
import { BlockList, isIP, SocketAddress } from "node:net";

/** Tells whether an address lies in one of the ranges; anything else lies in none. */
export type AddressRanges = (address: string) => boolean;

/** The one way in which an address is written here: IPv4 that is mapped into IPv6 as IPv4, no zone. Undefined for other text. */
export function plainAddress(text: string): string | undefined {
  const family = isIP(text);
  if (family !== 6) return family === 4 ? text : undefined;
  const { address } = new SocketAddress({ address: text.replace(/%.*$/, ""), family: "ipv6" });
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1] ?? address;
}

/** `10.0.0.0/8, 2001:db8::/32, 192.0.2.7`; undefined where a part is neither an address nor a CIDR range. */
export function parseAddressRanges(text: string): AddressRanges | undefined {
  const list = new BlockList();
  for (const part of text.split(",").map((one) => one.trim())) {
    const [, written = "", prefixText] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(part) ?? [];
    const address = plainAddress(written);
    if (address === undefined || written.includes("%")) return undefined;
    const bits = isIP(address) === 4 ? 32 : 128;
    const mappedBits = bits === 32 && isIP(written) === 6 ? 96 : 0;
    const prefix = (prefixText === undefined ? bits + mappedBits : Number(prefixText)) - mappedBits;
    if (prefix < 0 || prefix > bits) return undefined;
    list.addSubnet(address, prefix, familyOf(address));
  }
  return (address) => {
    const plain = plainAddress(address);
    return plain !== undefined && list.check(plain, familyOf(plain));
  };
}

/** Whoever has an address of IPv6 has its whole /64: what is counted by address is counted by this. */
export function networkOf(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = "", tail] = address.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups =
    tail === undefined ? before : [...before, ...Array(8 - before.length - after.length).fill("0"), ...after];
  return `${groups.slice(0, 4).join(":")}::/64`;
}

const familyOf = (address: string) => (isIP(address) === 4 ? "ipv4" : "ipv6");
