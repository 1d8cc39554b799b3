/** A small OpenID Connect provider that signs in whoever `account` says, and checks what a provider must: client, code, PKCE. */
import { createHash, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export interface IdentityProvider {
  issuer: string;
  clientId: string;
  clientSecret: string;
  /** Who is signed in there; changed by tests. */
  account: { email?: string; email_verified?: boolean };
  /** Where the address is given: in the ID token, or only in the user info. */
  emailIn: "id_token" | "userinfo";
  /** What the next ID token says otherwise. */
  forge: Record<string, unknown>;
  close(): Promise<void>;
}

export async function startIdentityProvider(): Promise<IdentityProvider> {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const granted = new Map<string, URLSearchParams>();
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.writeHead(500).end());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider: IdentityProvider = {
    issuer,
    clientId: "tidemark",
    clientSecret: "the client's secret",
    account: {},
    emailIn: "id_token",
    forge: {},
    async close() {
      server.close();
      server.closeAllConnections();
    },
  };

  const json = (response: ServerResponse, body: object, status = 200) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));

  function idToken(asked: URLSearchParams): string {
    const now = Math.floor(Date.now() / 1000);
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const claims = {
      iss: issuer,
      sub: "subject-1",
      aud: provider.clientId,
      iat: now,
      exp: now + 60,
      nonce: asked.get("nonce"),
      ...(provider.emailIn === "id_token" && provider.account),
      ...provider.forge,
    };
    const signed = `${part({ alg: "RS256", kid: "one" })}.${part(claims)}`;
    return `${signed}.${sign("sha256", Buffer.from(signed), privateKey).toString("base64url")}`;
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    const url = new URL(request.url ?? "/", issuer);
    switch (url.pathname) {
      case "/.well-known/openid-configuration":
        return json(response, {
          issuer,
          authorization_endpoint: `${issuer}/authorize`,
          token_endpoint: `${issuer}/token`,
          userinfo_endpoint: `${issuer}/userinfo`,
          jwks_uri: `${issuer}/jwks`,
          response_types_supported: ["code"],
          subject_types_supported: ["public"],
          id_token_signing_alg_values_supported: ["RS256"],
          token_endpoint_auth_methods_supported: ["client_secret_post"],
          code_challenge_methods_supported: ["S256"],
        });
      case "/jwks":
        return json(response, {
          keys: [{ ...publicKey.export({ format: "jwk" }), kid: "one", use: "sig", alg: "RS256" }],
        });
      case "/authorize": {
        const code = randomUUID();
        granted.set(code, url.searchParams);
        const back = new URL(url.searchParams.get("redirect_uri") ?? "");
        back.searchParams.set("code", code);
        back.searchParams.set("state", url.searchParams.get("state") ?? "");
        return response.writeHead(302, { location: back.href }).end();
      }
      case "/token": {
        const body = new URLSearchParams(await text(request));
        const asked = granted.get(body.get("code") ?? "");
        granted.delete(body.get("code") ?? "");
        const challenge = createHash("sha256")
          .update(body.get("code_verifier") ?? "")
          .digest("base64url");
        const isRight =
          asked !== undefined &&
          asked.get("code_challenge_method") === "S256" &&
          asked.get("code_challenge") === challenge &&
          asked.get("redirect_uri") === body.get("redirect_uri") &&
          body.get("client_id") === provider.clientId &&
          body.get("client_secret") === provider.clientSecret;
        if (!isRight) return json(response, { error: "invalid_grant" }, 400);
        return json(response, {
          access_token: "a token",
          token_type: "Bearer",
          expires_in: 60,
          id_token: idToken(asked),
        });
      }
      case "/userinfo":
        return json(response, { sub: "subject-1", ...provider.account });
      default:
        return response.writeHead(404).end();
    }
  }
  return provider;
}
