import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEgress, RefusedTargetError } from "../../../server/delivery/egress.ts";
import { nothingAllowed, parseOutgoingAllow } from "../../../server/delivery/outgoing-allow.ts";

let server: Server;
let port: number;
let reached: string[];
let answer: (path: string) => { status: number; headers?: Record<string, string>; body?: string };

beforeAll(async () => {
  server = createServer((request, response) => {
    reached.push(`${request.method} ${request.url} ${request.headers.host}`);
    const { status, headers, body } = answer(request.url ?? "");
    response.writeHead(status, headers).end(body);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

function listening() {
  reached = [];
  answer = () => ({ status: 200, body: "taken" });
}
const post = (url: string) => ({ url, headers: {}, body: "{}" });

/** In the forms that parsers of addresses know, and then some. */
const refused = [
  "http://127.0.0.1/",
  "http://127.1/",
  "http://127.0.1/",
  "http://2130706433/",
  "http://0x7f000001/",
  "http://0x7f.1/",
  "http://0177.0.0.1/",
  "http://017700000001/",
  "http://0x7f.0x0.0x0.0x1/",
  "http://127.0.0.1./",
  "http://0.0.0.0/",
  "http://0/",
  "http://localhost/",
  "http://LOCALHOST/",
  "http://localhost./",
  "http://api.localhost/",
  "http://redis/",
  "http://db.internal/",
  "http://printer.local/",
  "http://nas.home.arpa/",
  "http://10.0.0.1/",
  "http://10.255.255.255/",
  "http://167772161/",
  "http://012.0.0.1/",
  "http://0xa.1/",
  "http://172.16.0.1/",
  "http://172.31.255.254/",
  "http://192.168.0.1/",
  "http://192.168.1/",
  "http://3232235777/",
  "http://169.254.169.254/latest/meta-data/",
  "http://2852039166/",
  "http://0xa9fea9fe/",
  "http://0251.0376.0251.0376/",
  "http://100.64.0.1/",
  "http://192.0.0.1/",
  "http://192.0.2.1/",
  "http://198.18.0.1/",
  "http://198.51.100.7/",
  "http://203.0.113.9/",
  "http://224.0.0.1/",
  "http://240.0.0.1/",
  "http://255.255.255.255/",
  "http://[::1]/",
  "http://[::]/",
  "http://[0:0:0:0:0:0:0:1]/",
  "http://[::ffff:127.0.0.1]/",
  "http://[::ffff:7f00:1]/",
  "http://[::ffff:10.0.0.1]/",
  "http://[::ffff:a9fe:a9fe]/",
  "http://[::127.0.0.1]/",
  "http://[::ffff:0:127.0.0.1]/",
  "http://[64:ff9b::7f00:1]/",
  "http://[64:ff9b::10.0.0.1]/",
  "http://[64:ff9b:1::1]/",
  "http://[2002:7f00:1::]/",
  "http://[fe80::1]/",
  "http://[fc00::1]/",
  "http://[fd12:3456::1]/",
  "http://[fec0::1]/",
  "http://[ff02::1]/",
  "http://[2001:db8::1]/",
  "http://[2001::1]/",
  "http://[3fff::1]/",
  "http://[5f00::1]/",
  "http://[100::1]/",
  "http://user:password@example.com/",
  "http://user@example.com/",
  "https://example.com@127.0.0.1/",
  "https://example.com:22/",
  "https://example.com:25/",
  "http://example.com:6379/",
  "http://1.1.1.1:11211/",
  "ftp://example.com/",
  "file:///etc/passwd",
  "gopher://example.com/",
  "javascript:alert(1)",
  "data:text/plain,x",
  "//example.com/",
  "example.com",
  "",
  "http://",
  "http://exa mple.com/",
  "http:\\\\127.0.0.1\\",
  "http://example.com/\n",
  "http://１２７.０.０.１/",
  "http://ⓛocalhost/",
  "http://127。0。0。1/",
];

describe("a target that is not public is refused, however it is spelled", () => {
  const egress = createEgress({ allow: nothingAllowed, resolve: () => Promise.reject(new Error("was asked for")) });
  test.each(refused)("%s", async (url) => {
    expect(egress.urlRefusal(url)).toEqual(expect.stringMatching(/^must /));
    await expect(egress.post(post(url))).rejects.toBeInstanceOf(RefusedTargetError);
  });
  test("the corpus has at least sixty", () => expect(new Set(refused).size).toBeGreaterThanOrEqual(60));
});

test("public targets pass", () => {
  const { urlRefusal } = createEgress({ allow: nothingAllowed });
  const urls = ["https://hooks.slack.com/services/T/B/x", "http://example.com/hook?x=1", "https://1.1.1.1/"];
  urls.push("https://example.com:8443/", "http://93.184.216.34:8080/", "https://[2606:4700:4700::1111]/");
  urls.push("https://xn--bcher-kva.example/", "https://bücher.example/", "https://sub.example.co.uk./");
  for (const url of urls) expect(urlRefusal(url), url).toBeUndefined();
});

test.each([
  [["127.0.0.1"]],
  [["93.184.216.34", "10.0.0.7"]],
  [["::1"]],
  [["::ffff:169.254.169.254"]],
  [["64:ff9b::7f00:1"]],
  [["2606:4700:4700::1111", "fd00::1"]],
])("a name that resolves to %s is refused, and nothing is reached", async (addresses) => {
  listening();
  const egress = createEgress({ allow: nothingAllowed, resolve: async () => addresses });
  await expect(egress.post(post("http://rebinding.example.com:8080/"))).rejects.toThrow(
    /does not have a public address/,
  );
  expect(reached).toEqual([]);
});

test("the address that was evaluated is the one that is connected to: a name is resolved once a request", async () => {
  listening();
  let asked = 0;
  const answers = [["127.0.0.1"], ["10.0.0.1"]];
  const allow = parseOutgoingAllow("127.0.0.0/8") ?? nothingAllowed;
  const egress = createEgress({ allow, resolve: async () => answers[asked++] ?? [] });
  expect(await egress.post(post(`http://turning.example.com:${port}/a`))).toEqual({ status: 200, text: "taken" });
  expect(asked).toBe(1);
  await expect(egress.post(post(`http://turning.example.com:${port}/b`))).rejects.toBeInstanceOf(RefusedTargetError);
  expect(reached).toEqual([`POST /a turning.example.com:${port}`]);
});

test("of a name with several addresses those that the operator allows are connected to, and no other", async () => {
  listening();
  const allow = parseOutgoingAllow("127.0.0.0/8") ?? nothingAllowed;
  const named = (...addresses: string[]) => createEgress({ allow, resolve: async () => addresses });
  const there = await named("::1", "10.0.0.1", "127.0.0.1").post(post(`http://localhost:${port}/a`));
  expect(there).toEqual({ status: 200, text: "taken" });
  await expect(named("::1", "10.0.0.1").post(post(`http://localhost:${port}/b`))).rejects.toThrow(/public/);
  expect(reached).toEqual([`POST /a localhost:${port}`]);
});

test.each(["127.0.0.1", "127.0.0.0/8", "localhost", "LOCALHOST, 10.0.0.0/8", "::ffff:127.0.0.1"])(
  "what the operator allows is reached on any port: %s",
  async (text) => {
    listening();
    const allow = parseOutgoingAllow(text) ?? nothingAllowed;
    const egress = createEgress({ allow });
    const host = /localhost/i.test(text) ? "localhost" : "127.0.0.1";
    expect((await egress.post(post(`http://${host}:${port}/x`))).status).toBe(200);
    await expect(egress.post(post(`http://192.168.0.1:${port}/x`))).rejects.toBeInstanceOf(RefusedTargetError);
  },
);

test("an allowed host with a port is allowed on that port only; what is neither host nor range is no setting", () => {
  const { urlRefusal } = createEgress({ allow: parseOutgoingAllow("hooks.internal:9000") ?? nothingAllowed });
  expect(urlRefusal("http://hooks.internal:9000/")).toBeUndefined();
  expect(urlRefusal("http://hooks.internal/")).toMatch(/public/);
  for (const text of ["", "10.0.0.0/33", "300.1.1.1", "http://x", "a b", "x,,y"])
    expect(parseOutgoingAllow(text), text).toBeUndefined();
});

test.each([301, 302, 303, 307, 308])("a redirect by %i is not followed", async (status) => {
  listening();
  answer = (path) => (path === "/end" ? { status: 200 } : { status, headers: { location: "/end" } });
  const egress = createEgress({ allow: parseOutgoingAllow("127.0.0.1") ?? nothingAllowed });
  const answered = await egress.post(post(`http://127.0.0.1:${port}/begin`));
  expect(answered).toEqual({ status, text: "redirects are not followed" });
  expect(reached).toEqual([`POST /begin 127.0.0.1:${port}`]);
});

test("no more than 64 kB of a large answer is read, and its status counts", async () => {
  listening();
  answer = () => ({ status: 200, body: "x".repeat(5_000_000) });
  const egress = createEgress({ allow: parseOutgoingAllow("127.0.0.1") ?? nothingAllowed });
  const answered = await egress.post(post(`http://127.0.0.1:${port}/`));
  expect(answered).toEqual({ status: 200, text: "x".repeat(500) });
});
