/** Passkeys: what the server keeps of them, and the browser's own dialogs, which nothing else opens. */
import type { SignInWays } from "@contract/accounts.ts";
import type { Passkey, PasskeyCreationOptions, PasskeyList, PasskeyRequestOptions } from "@contract/passkeys.ts";
import {
  browserSupportsWebAuthn,
  browserSupportsWebAuthnAutofill,
  startAuthentication,
  startRegistration,
  WebAuthnAbortService,
} from "@simplewebauthn/browser";
import { ApiError, request, send } from "./client.ts";

const passkeyAddress = (id: string) => `/v1/me/passkeys/${encodeURIComponent(id)}`;

/** Browsers give passkeys to the pages of one origin alone. */
export function canUsePasskeys(ways: SignInWays): boolean {
  return ways.passkeys?.origin === location.origin && browserSupportsWebAuthn();
}

export function readPasskeys(signal?: AbortSignal): Promise<PasskeyList> {
  return send<PasskeyList>("GET", "/v1/me/passkeys", { signal });
}

/** Throws ApiError, or what the browser says: see `whyNoPasskey`. */
export async function addPasskey(name: string, password: string | undefined): Promise<void> {
  const body = password === undefined ? {} : { password };
  const optionsJSON = await send<PasskeyCreationOptions>("POST", "/v1/me/passkeys/options", { body });
  const credential = await startRegistration({ optionsJSON });
  await send<Passkey>("POST", "/v1/me/passkeys", { body: { name, credential } });
}

export async function renamePasskey(id: string, name: string): Promise<void> {
  await send<Passkey>("PATCH", passkeyAddress(id), { body: { name } });
}

/** `isLast`: the person knows that only the identity provider is left to sign in with. */
export async function removePasskey(id: string, password: string | undefined, isLast: boolean): Promise<void> {
  const body = { ...(password !== undefined && { password }), ...(isLast && { even_if_last: true }) };
  await request("DELETE", passkeyAddress(id), { body });
}

/**
 * Sets the cookie of a session. With `isAutofill` nothing opens: passkeys are offered where the e-mail address is filled
 * in, until one is chosen or another of these begins. Throws ApiError, or what the browser says: see `whyNoPasskey`.
 */
export async function signInWithPasskey(isAutofill: boolean): Promise<void> {
  const optionsJSON = await send<PasskeyRequestOptions>("POST", "/v1/session/passkey/options", { isSignIn: true });
  const credential = await startAuthentication({ optionsJSON, useBrowserAutofill: isAutofill });
  await request("POST", "/v1/session/passkey", { body: { credential }, isSignIn: true });
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
  if (thrown instanceof ApiError)
    return thrown.status === 401
      ? "This passkey is not known here, or the answer took too long. Try again."
      : thrown.message;
  switch (thrown instanceof Error ? thrown.name : "") {
    case "AbortError":
      return undefined;
    case "NotAllowedError":
      return "No passkey was used: that was cancelled, or took too long.";
    case "InvalidStateError":
      return "This device has a passkey for your account already.";
    default:
      return "The browser or the device cannot do this.";
  }
}
