/**
 * Tokens that show one dashboard of one node in a frame for some minutes. They are signed and kept nowhere: what one opens is
 * looked at anew each time by the rights of the key that asked for it, so revoking the key ends them all.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { NodeAddress } from "../contract/nodes.ts";
import type { EmbedTheme } from "../contract/view-links.ts";
import { parseJson } from "../json/parse-json.ts";
import type { Postgres } from "../postgres/client.ts";
import { installationSecrets } from "../postgres/schema/installation-secrets.ts";

/** What a token says. */
export interface Embedding {
  view: string;
  node: NodeAddress;
  /** The id of the API key whose rights it has. */
  key: string;
  /** ms since 1970, UTC. */
  expiresMs: number;
  theme: EmbedTheme | null;
}

export interface EmbedTokens {
  sign(embedding: Embedding): Promise<string>;
  /** Undefined for anything but a token of this installation that has not expired. */
  read(token: string, nowMs: number): Promise<Embedding | undefined>;
  /** What the address of a frame says of whose pages may frame it: it is no secret, and nobody else can make one. */
  signOrigins(origins: readonly string[]): Promise<string>;
  /** Empty for what is none of this installation. */
  readOrigins(text: string): Promise<string[]>;
}

const tokenPrefix = "tme_";

/** The keys are derived from a secret that all processes of the installation share. */
export function createEmbedTokens({ db }: Pick<Postgres, "db">): EmbedTokens {
  let secret: Promise<string> | undefined;
  async function readSecret(): Promise<string> {
    const [row] = await db.select().from(installationSecrets);
    if (!row) throw new Error("the row of installation_secrets was removed");
    return row.entityTags;
  }
  async function keyFor(use: "embed tokens" | "embed origins"): Promise<Buffer> {
    secret ??= readSecret().catch((error: unknown) => {
      secret = undefined;
      throw error;
    });
    return createHmac("sha256", await secret)
      .update(use)
      .digest();
  }
  return {
    async sign(embedding) {
      return tokenPrefix + sealed(await keyFor("embed tokens"), embedding);
    },
    async read(token, nowMs) {
      if (!token.startsWith(tokenPrefix)) return undefined;
      const said = opened(await keyFor("embed tokens"), token.slice(tokenPrefix.length)) as Embedding | undefined;
      return said && said.expiresMs > nowMs ? said : undefined;
    },
    async signOrigins(origins) {
      return sealed(await keyFor("embed origins"), origins);
    },
    async readOrigins(text) {
      return (opened(await keyFor("embed origins"), text) as string[] | undefined) ?? [];
    },
  };
}

/** `content.mark`, both in base64url. */
function sealed(key: Buffer, said: unknown): string {
  const content = Buffer.from(JSON.stringify(said)).toString("base64url");
  return `${content}.${markOf(key, content).toString("base64url")}`;
}

function opened(key: Buffer, text: string): unknown {
  const [content = "", mark = "", ...more] = text.split(".");
  const [given, expected] = [Buffer.from(mark, "base64url"), markOf(key, content)];
  if (more.length > 0 || given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
  return parseJson(Buffer.from(content, "base64url").toString("utf8"));
}

const markOf = (key: Buffer, content: string) => createHmac("sha256", key).update(content).digest();
