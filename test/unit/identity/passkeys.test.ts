import { expect, test } from "vitest";
import { relyingPartyOf } from "../../../server/identity/passkeys.ts";

test.each([
  ["https://usage.example.com", { id: "usage.example.com", origin: "https://usage.example.com" }],
  ["https://example.com:8443/usage", { id: "example.com", origin: "https://example.com:8443" }],
  ["http://localhost:8080", { id: "localhost", origin: "http://localhost:8080" }],
  ["http://usage.example.com", undefined],
  ["http://notlocalhost:8080", undefined],
  ["http://127.0.0.1:8080", undefined],
  ["https://10.0.0.1", undefined],
  ["https://[::1]:8080", undefined],
])("passkeys of %s belong to a name that browsers trust, or there are none", (publicUrl, expected) => {
  expect(relyingPartyOf(publicUrl)).toEqual(expected);
});
