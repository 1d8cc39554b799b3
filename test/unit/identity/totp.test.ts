import { expect, test } from "vitest";
import { newTotpSecret, totpAddress, totpStep } from "../../../server/identity/totp.ts";
import { totpCode } from "../../support/totp-code.ts";

const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

// RFC 6238, appendix B; its eight digits end in the six that apps show.
test.each([
  [59, "287082"],
  [1_111_111_109, "081804"],
  [1_111_111_111, "050471"],
  [1_234_567_890, "005924"],
  [2_000_000_000, "279037"],
  [20_000_000_000, "353130"],
])("at second %i the code is the standard's", (second, code) => {
  expect(totpCode(secret, Math.floor(second / 30))).toBe(code);
});

test("a code is taken one step early and late, and never again once it or a later one was", () => {
  const nowMs = 1_234_567_890_000;
  const step = Math.floor(nowMs / 30_000);
  for (const [at, expected] of [
    [step - 2, undefined],
    [step - 1, step - 1],
    [step, step],
    [step + 1, step + 1],
    [step + 2, undefined],
  ] as const)
    expect(totpStep(secret, totpCode(secret, at), nowMs, 0)).toBe(expected);
  expect(totpStep(secret, totpCode(secret, step), nowMs, step)).toBeUndefined();
  expect(totpStep(secret, totpCode(secret, step + 1), nowMs, step)).toBe(step + 1);
  for (const wrong of ["", "00592", "0059244", "abcdef"]) expect(totpStep(secret, wrong, nowMs, 0)).toBeUndefined();
});

test("a secret has 160 bits, and its address says it to any app", () => {
  const made = newTotpSecret();
  expect(made).toMatch(/^[A-Z2-7]{32}$/);
  const address = new URL(totpAddress(made, "a+b@example.com"));
  expect(decodeURIComponent(address.pathname)).toBe("/Tidemark:a+b@example.com");
  expect(Object.fromEntries(address.searchParams)).toEqual({
    secret: made,
    issuer: "Tidemark",
    algorithm: "SHA1",
    digits: "6",
    period: "30",
  });
});
