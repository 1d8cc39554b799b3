import { expect, test } from "vitest";
import { loadConfig } from "../../../server/config.ts";
import { spike } from "../../../server/demo/demo-alerts.ts";
import { openSinks } from "../../../server/demo/sinks.ts";
import { withSinks } from "../../../server/with-sinks.ts";

test("the demonstration may send to its own receiver, to nothing else besides, and takes a mail server that is set", async () => {
  const sinks = await openSinks();
  const { hostname, port } = new URL(sinks.webhookUrl);
  const bare = withSinks(loadConfig({}), sinks);
  expect(bare.smtpUrl).toBe(sinks.smtpUrl);
  expect(bare.outgoingAllow.host(hostname, Number(port))).toBe(true);
  expect(bare.outgoingAllow.host(hostname, Number(port) + 1)).toBe(false);
  expect(bare.outgoingAllow.address("127.0.0.1")).toBe(false);
  const set = withSinks(loadConfig({ TIDEMARK_SMTP_URL: "smtp://mail.example.com" }), sinks);
  expect(set.smtpUrl).toBe("smtp://mail.example.com");
  expect((await fetch(sinks.webhookUrl, { method: "POST", body: "{}" })).status).toBe(200);
});

test("the spike of a demonstration that is started again is the same events", () => {
  const atMs = Date.parse("2026-03-10T12:00:00Z");
  expect(spike(atMs)).toEqual(spike(atMs));
  expect(new Set(spike(atMs).map(({ id }) => id)).size).toBe(spike(atMs).length);
});
