import { expect, test } from "vitest";
import {
  type SignedMessage,
  secretKey,
  signatureRefusal,
} from "../../../../server/billing/statements/verify-message.ts";

const other = Buffer.alloc(32, 7);

/** The example of the standard's own libraries. */
const published: SignedMessage = {
  id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
  timestamp: "1614265330",
  signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  body: '{"test": 2432232314}',
};
const key = secretKey("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
const sentMs = 1_614_265_330_000;
const keys = key ? [key] : [];

test("the published example of Standard Webhooks is genuine, and nothing that differs from it in one character", () => {
  expect(keys).toHaveLength(1);
  expect(signatureRefusal(published, keys, sentMs)).toBeUndefined();
  for (const field of ["id", "timestamp", "signature", "body"] as const)
    for (let index = 0; index < published[field].length; index++) {
      const text = published[field];
      const changed = `${text.slice(0, index)}${text[index] === "x" ? "y" : "x"}${text.slice(index + 1)}`;
      // The last characters of base64 hold bits that say nothing.
      if (field === "signature" && index >= text.length - 2) continue;
      expect(signatureRefusal({ ...published, [field]: changed }, keys, sentMs), changed).toBeDefined();
    }
});

test("a message is good for five minutes before and after its time", () => {
  for (const ms of [-300_000, 300_000]) expect(signatureRefusal(published, keys, sentMs + ms)).toBeUndefined();
  for (const ms of [-300_001, 300_001]) expect(signatureRefusal(published, keys, sentMs + ms)).toMatch(/5 minutes/);
});

test("while a secret is replaced, either signs, and one of several signatures is enough", () => {
  expect(signatureRefusal(published, [other, ...keys], sentMs)).toBeUndefined();
  expect(signatureRefusal(published, [...keys, other], sentMs)).toBeUndefined();
  const several = `v1a,AAAA v1,bm90IGl0 ${published.signature}`;
  expect(signatureRefusal({ ...published, signature: several }, keys, sentMs)).toBeUndefined();
  expect(signatureRefusal(published, [other], sentMs)).toBeDefined();
  expect(signatureRefusal(published, [], sentMs)).toBeDefined();
});

test.each([
  "",
  "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  "whsec_",
  "whsec_c2hvcnQ=",
  "whsec_%%%%",
  `whsec_${"A".repeat(100)}`,
])("%j is no secret", (text) => expect(secretKey(text)).toBeUndefined());
