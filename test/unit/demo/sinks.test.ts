import { expect, test } from "vitest";
import { loadConfig } from "../../../server/config.ts";
import { spike } from "../../../server/demo/chapters/rules.ts";
import { openSinks } from "../../../server/demo/sinks.ts";
import { createMailer } from "../../../server/mail/mailer.ts";
import { withSinks } from "../../../server/wiring/with-sinks.ts";

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

test("the last mail to a person of the demonstration can be read by who knows where, nobody else's can", async () => {
  const { smtpUrl, mailsUrl, webhookUrl } = await openSinks();
  const mailer = createMailer({ smtpUrl, from: "Tidemark <usage@example.com>" });
  const link = `http://localhost:8080/set-password#${"t".repeat(120)}`;
  for (const to of ["nora@meridian.example", "admin@tidemark.local"])
    await mailer.send({ to, subject: "You are invited", text: `Choose a password here:\n${link}\n` });
  mailer.close();
  const read = async (address: string, url = mailsUrl) => await (await fetch(url + encodeURIComponent(address))).text();
  expect(await read("nora@meridian.example")).toContain(link);
  expect(await read("admin@tidemark.local")).toBe("");
  expect(await read("nora@meridian.example", webhookUrl.replace(/alerts$/, "mails/"))).not.toContain(link);
});

test("the spike of a demonstration that is started again is the same events", () => {
  const atMs = Date.parse("2026-03-10T12:00:00Z");
  expect(spike(atMs)).toEqual(spike(atMs));
  expect(new Set(spike(atMs).map(({ id }) => id)).size).toBe(spike(atMs).length);
});
