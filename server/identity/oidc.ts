/**
 * Signing in with an account of the owner's identity provider (OpenID Connect, authorization code with PKCE). The provider
 * says who somebody is, never what they may: only users who are known here by the same, verified e-mail address get in.
 */
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  type Configuration,
  calculatePKCECodeChallenge,
  discovery,
  fetchUserInfo,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
} from "openid-client";
import { z } from "zod";

export interface OidcSettings {
  /** Without TLS only on this machine; config.ts sees to it. */
  issuer: string;
  clientId: string;
  clientSecret: string;
  /** What people know the provider as. */
  name: string;
}

/** What the browser holds while it is at the provider. */
export const pendingSignInSchema = z.strictObject({ state: z.string(), nonce: z.string(), verifier: z.string() });
export type PendingSignIn = z.infer<typeof pendingSignInSchema>;

export interface Oidc {
  name: string;
  /** Where the browser goes. Rejects when the provider cannot be reached. */
  begin(callbackUrl: string): Promise<{ url: URL; pending: PendingSignIn }>;
  /**
   * The e-mail address that the provider vouches for; undefined where it vouches for none. `answerUrl`: the callback's, with
   * what the provider added. Rejects where the answer is not the provider's answer to `pending`.
   */
  finish(answerUrl: URL, pending: PendingSignIn): Promise<string | undefined>;
}

const claimsSchema = z.object({ email: z.email().optional(), email_verified: z.boolean().optional() });

export function createOidc({ issuer, clientId, clientSecret, name }: OidcSettings): Oidc {
  let known: Promise<Configuration> | undefined;
  function provider(): Promise<Configuration> {
    const server = new URL(issuer);
    const execute = server.protocol === "http:" ? [allowInsecureRequests] : [];
    // A provider that was away is asked again by the next one who signs in.
    known ??= discovery(server, clientId, clientSecret, undefined, { execute }).catch((error: unknown) => {
      known = undefined;
      throw error;
    });
    return known;
  }
  return {
    name,
    async begin(callbackUrl) {
      const pending = { state: randomState(), nonce: randomNonce(), verifier: randomPKCECodeVerifier() };
      const url = buildAuthorizationUrl(await provider(), {
        redirect_uri: callbackUrl,
        scope: "openid email",
        state: pending.state,
        nonce: pending.nonce,
        code_challenge: await calculatePKCECodeChallenge(pending.verifier),
        code_challenge_method: "S256",
      });
      return { url, pending };
    },
    async finish(answerUrl, { state, nonce, verifier }) {
      const configuration = await provider();
      const tokens = await authorizationCodeGrant(configuration, answerUrl, {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
        idTokenExpected: true,
      });
      const subject = tokens.claims()?.sub;
      if (subject === undefined) return undefined;
      const claims = claimsSchema.parse(tokens.claims());
      // Many providers put the address into the user info only.
      const { email, email_verified } =
        claims.email === undefined
          ? claimsSchema.parse(await fetchUserInfo(configuration, tokens.access_token, subject))
          : claims;
      return email_verified === true ? email : undefined;
    },
  };
}
