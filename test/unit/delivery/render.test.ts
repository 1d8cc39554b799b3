import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";
import { pauseAfter } from "../../../server/delivery/outbox.ts";
import { renderMail } from "../../../server/delivery/render-mail.ts";
import { slackBody } from "../../../server/delivery/render-slack.ts";
import { smsText } from "../../../server/delivery/render-sms.ts";
import { vaultOf } from "../../../server/delivery/vault.ts";

const url = "https://usage.example.com/alerts/alr_1";
const message = { subject: "Minutes: acme has used 91 of 100", lines: ["On Friday."], url, button: "Open", data: null };
const gsm = /^[@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&'()*+,\-./0-9:;<=>?¡A-ZÄÖÑÜown_meters¿a-zäöñüà^{}\\[~\]|€]*$/;
const septetsOf = (text: string) => [...text].reduce((sum, one) => sum + (/[\^{}\\[~\]|€]/.test(one) ? 2 : 1), 0);
/** Text as users may name things, and worse. */
const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 400 }),
  fc.string({ unit: fc.constantFrom(..."aé€^{}😀\u0000\r\n<>&|*_`\"'\u202e“…"), maxLength: 400 }),
);

test("an SMS is one message, of 160 characters of the GSM alphabet or 70 of UCS-2, whatever its text", () => {
  fc.assert(
    fc.property(anyText, fc.constantFrom(url, `${url}${"x".repeat(200)}`), (subject, link) => {
      const text = smsText({ subject, url: link });
      expect(gsm.test(text) ? septetsOf(text) <= 160 : text.length <= 70, text).toBe(true);
      expect(text.isWellFormed()).toBe(true);
    }),
  );
  expect(smsText(message)).toBe(`${message.subject} ${url}`);
  expect(smsText({ subject: "“Räume” – 91 %…", url })).toBe(`"Räume" - 91 %... ${url}`);
  expect(smsText({ subject: `§ 7 ${"a".repeat(200)}`, url })).toHaveLength(160);
  expect(smsText({ subject: `漢${"字".repeat(100)}`, url })).toMatch(/^漢字+\.\.\.$/);
});

test("a message for Slack has no markup but its link, and keeps to Slack's lengths, whatever its text", () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const { text: fallback, mrkdwn, blocks } = JSON.parse(slackBody({ ...message, subject: text, lines: [text] }));
      expect(mrkdwn).toBe(false);
      const texts = blocks.slice(0, -1).map((block: { text: { type: string; text: string } }) => block.text);
      for (const one of [fallback, ...texts.map((block: { text: string }) => block.text)])
        expect(one).not.toMatch(/[<>]/);
      for (const { type } of texts) expect(type).toBe("plain_text");
      expect(blocks[0].text.text.length).toBeLessThanOrEqual(150);
      expect(blocks.at(-1).text.text).toBe(`<${url}|Open>`);
    }),
  );
});

test("a mail's subject is one line and its HTML has no element from its text", () => {
  const place = { id: "dlv_1", to: "a@example.com", matter: "alr_1", unsubscribeUrl: `${url}/u`, publicUrl: url };
  const elementsOf = (html = "") => html.match(/<\/?[a-z!][^>]*>/gi);
  const plain = elementsOf(renderMail(message, place).html);
  fc.assert(
    fc.property(anyText, (text) => {
      const mail = renderMail({ ...message, subject: `x${text}`, lines: [text] }, place);
      expect(mail.subject).not.toMatch(/[\p{Cc}\u2028\u2029\u202e]/u);
      expect(elementsOf(mail.html)).toEqual(plain);
      expect(mail.messageId).toBe("dlv_1@usage.example.com");
    }),
  );
});

test("the pauses grow, are never the same for many, and end within 24 hours after eight attempts", () => {
  for (const random of [0, 0.5, 1]) {
    const pauses = [1, 2, 3, 4, 5, 6, 7].map((tries) => pauseAfter(tries, random) ?? 0);
    expect([...pauses].sort((a, b) => a - b)).toEqual(pauses);
    expect(new Set(pauses).size).toBe(7);
    expect(pauses.reduce((sum, one) => sum + one)).toBeLessThan(24 * 3_600_000);
  }
  expect(pauseAfter(8, 0)).toBeUndefined();
  expect(pauseAfter(3, 0)).not.toBe(pauseAfter(3, 0.5));
});

test("a sealed secret opens with the same key, for the same thing, unchanged; sealing twice never gives the same", () => {
  const vault = vaultOf("a key of at least thirty-two characters");
  const sealed = vault.seal({ url }, "chn_1");
  expect(vault.open(sealed, "chn_1")).toEqual({ url });
  expect(sealed.includes("usage.example.com")).toBe(false);
  expect(vault.seal({ url }, "chn_1").equals(sealed)).toBe(false);
  expect(vault.open(sealed, "chn_2")).toBeUndefined();
  expect(vaultOf("another key of at least thirty-two characters").open(sealed, "chn_1")).toBeUndefined();
  for (let index = 0; index < sealed.length; index++) {
    const changed = Buffer.from(sealed);
    changed[index] = (changed[index] ?? 0) ^ 1;
    expect(vault.open(changed, "chn_1"), `byte ${index}`).toBeUndefined();
  }
});

test("the vector of Standard Webhooks is signed as the standard has it", () => {
  const webhook = new Webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  const signature = webhook.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", new Date(1614265330_000), '{"test": 2432232314}');
  expect(signature).toBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
});
