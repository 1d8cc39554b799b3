/** The browser's own dialogs for passkeys, which nothing else opens. */
import type { SignInWays } from "@contract/accounts.ts";
import type { SignInWithPasskey } from "@contract/passkeys.ts";
import {
  browserSupportsWebAuthn,
  browserSupportsWebAuthnAutofill,
  startAuthentication,
  startRegistration,
  WebAuthnAbortService,
} from "@simplewebauthn/browser";
import { shellTexts as t } from "../texts/en/shell.ts";
import { api } from "./client.ts";
import { ApiError } from "./request.ts";

/** Browsers give passkeys to the pages of one origin alone. */
export function canUsePasskeys(ways: SignInWays): boolean {
  return ways.passkeys?.origin === location.origin && browserSupportsWebAuthn();
}

/** Throws ApiError, or what the browser says: see `whyNoPasskey`. */
export async function addPasskey(name: string, password: string | undefined): Promise<void> {
  const body = password === undefined ? {} : { password };
  const optionsJSON = await api.beginPasskey({ body });
  const credential = await startRegistration({ optionsJSON });
  await api.addPasskey({ body: { name, credential } });
}

/**
 * Sets the cookie of a session. With `isAutofill` nothing opens: passkeys are offered where the e-mail address is filled
 * in, until one is chosen or another of these begins. Throws ApiError, or what the browser says: see `whyNoPasskey`.
 */
export async function signInWithPasskey(isAutofill: boolean): Promise<void> {
  const optionsJSON = await api.beginPasskeySignIn({ isSignIn: true });
  const credential = await startAuthentication({ optionsJSON, useBrowserAutofill: isAutofill });
  // One that does not say whose it is, which the browser's types allow, is refused by the server.
  const body = { credential } as SignInWithPasskey;
  await api.signInWithPasskey({ body, isSignIn: true });
}

export function canOfferPasskeys(): Promise<boolean> {
  return browserSupportsWebAuthnAutofill();
}

/** Nobody waits for a passkey any more. */
export function stopPasskeys(): void {
  WebAuthnAbortService.cancelCeremony();
}

/** In words; undefined where another question to the browser took the place of this one. */
export function whyNoPasskey(thrown: unknown): string | undefined {
  if (thrown instanceof ApiError) return thrown.status === 401 ? t.passkeyIsUnknown : thrown.message;
  switch (thrown instanceof Error ? thrown.name : "") {
    case "AbortError":
      return undefined;
    case "NotAllowedError":
      return t.passkeyWasCancelled;
    case "InvalidStateError":
      return t.thisDeviceHasPasskey;
    default:
      return t.passkeysAreUnsupported;
  }
}
