/** Who is at the other end: whom it is believed of, over how many proxies, in which spelling. */
import { expect, test } from "vitest";
import { type AddressRanges, networkOf, parseAddressRanges, plainAddress } from "../../../server/address-ranges.ts";
import { identifyClient } from "../../../server/http/client.ts";

const proxies = parseAddressRanges("10.0.0.0/8, 127.0.0.1, 2001:db8:ffff::/48") as AddressRanges;
const clientOf = (address: string | undefined, headers: Record<string, string> = {}, ranges = proxies) =>
  identifyClient({ address, port: 8080, isTls: false }, (name) => headers[name], ranges);
const addressOf = (peer: string, forwardedFor: string, ranges = proxies) =>
  clientOf(peer, { "x-forwarded-for": forwardedFor }, ranges).address;

test.each([
  ["what a stranger says of himself is not believed", "203.0.113.5", "198.51.100.7", "203.0.113.5"],
  ["a trusted proxy names the client", "10.1.2.3", "198.51.100.7", "198.51.100.7"],
  ["one whose address came mapped into IPv6 too", "::ffff:10.1.2.3", "198.51.100.7", "198.51.100.7"],
  ["one of IPv6 too", "2001:db8:ffff::1", "2001:DB8:0::7", "2001:db8::7"],
  ["what the client put in front is its own invention", "10.1.2.3", "1.1.1.1, 198.51.100.7", "198.51.100.7"],
  ["each trusted hop is passed", "10.1.2.3", "1.1.1.1, 198.51.100.7, 10.9.9.9, 2001:db8:ffff::2", "198.51.100.7"],
  ["a mapped client is the IPv4 client", "10.1.2.3", "::ffff:198.51.100.7", "198.51.100.7"],
  ["a port is not part of the address", "10.1.2.3", "198.51.100.7:4711", "198.51.100.7"],
  ["nor are brackets and quotes", "10.1.2.3", '"[2001:db8::7]:4711"', "2001:db8::7"],
  ["of proxies alone the first is the client", "10.1.2.3", "10.0.0.1, 10.0.0.2", "10.0.0.1"],
  ["what is no address ends the way at who said it", "10.1.2.3", "198.51.100.7, unknown, 10.0.0.2", "10.0.0.2"],
  ["numbers in other spellings are no address", "10.1.2.3", "0x7f.1", "10.1.2.3"],
  ["an empty list says nothing", "10.1.2.3", " , ,", "10.1.2.3"],
])("%s", (_, peer, forwardedFor, expected) => {
  expect(addressOf(peer, forwardedFor)).toBe(expected);
});

test("without trusted proxies the peer is the client, whatever it says", () => {
  expect(addressOf("127.0.0.1", "198.51.100.7", () => false)).toBe("127.0.0.1");
  expect(clientOf(undefined, { "x-forwarded-for": "198.51.100.7" }).address).toBeUndefined();
});

test.each(["https", "https,http", "https, http", "http, https", "HTTPS", "http,https,http"])(
  "a cookie is kept from plain connections where the way was `%s`",
  (protocols) => {
    for (const peer of ["10.1.2.3", "203.0.113.5"])
      expect(clientOf(peer, { "x-forwarded-proto": protocols }).isHttps).toBe(true);
  },
);

test("without a word of TLS it is none", () => {
  expect(clientOf("10.1.2.3").isHttps).toBe(false);
  for (const protocols of ["http", "httpsx", ""])
    expect(clientOf("10.1.2.3", { "x-forwarded-proto": protocols }).isHttps).toBe(false);
  expect(clientOf("10.1.2.3", { forwarded: 'for=192.0.2.1;proto="https"' }).isHttps).toBe(true);
});

test("a program on this machine is distinguished from a proxy on it, from a page of another site, and from a caller by another port", () => {
  const isDirect = (headers: Record<string, string>, peer = "127.0.0.1", ranges: AddressRanges = () => false) =>
    clientOf(peer, headers, ranges).isDirectFromHere;
  for (const host of ["localhost:8080", "127.0.0.1:8080", "[::1]:8080"]) expect(isDirect({ host })).toBe(true);
  expect(isDirect({ host: "[::1]:8080" }, "::ffff:127.0.0.1")).toBe(true);
  expect(isDirect({ host: "localhost:8080" }, "203.0.113.5")).toBe(false);
  expect(isDirect({ host: "localhost:8080" }, "127.0.0.1", proxies)).toBe(false);
  for (const host of ["localhost:9090", "localhost", "127.0.0.1", "evil.example:8080", ""])
    expect(isDirect({ host })).toBe(false);
  const added = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-port",
    "x-real-ip",
    "via",
    "cf-connecting-ip",
    "x-client-ip",
  ];
  for (const name of added) expect(isDirect({ host: "localhost:8080", [name]: "x" })).toBe(false);
});

test("ranges are addresses and prefixes of both families, and nothing else", () => {
  for (const text of [
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "2001:db8::/129",
    "proxy.example",
    "",
    "10.0.0.1,,",
    "10.0.0",
    "::ffff:10.0.0.0/95",
    "fe80::1%eth0",
  ])
    expect(parseAddressRanges(text), text).toBeUndefined();
  const mapped = parseAddressRanges("::ffff:10.0.0.0/104");
  expect([mapped?.("10.200.0.1"), mapped?.("::ffff:10.200.0.1"), mapped?.("11.0.0.1"), mapped?.("x")]).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

test("addresses of IPv6 count by the network that one customer has", () => {
  expect(networkOf("192.0.2.7")).toBe("192.0.2.7");
  expect(new Set(["2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:2:3:4:5:6"].map(networkOf))).toEqual(
    new Set(["2001:db8:1:2::/64"]),
  );
  expect(networkOf("2001:db8::1")).toBe("2001:db8:0:0::/64");
  expect(networkOf("::1")).toBe("0:0:0:0::/64");
  expect(plainAddress("fe80::1%eth0")).toBe("fe80::1");
});
