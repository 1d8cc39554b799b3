/** Ports and secrets of stores that only this machine may reach. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";

/** A TCP port of 127.0.0.1 that was free a moment ago. */
export async function freeLoopbackPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no free port was found");
  return address.port;
}

/** The secret kept in a file that only its owner may read; made on the first call. */
export async function keptSecret(path: string): Promise<string> {
  const kept = await readFile(path, "utf8").catch(() => "");
  if (kept !== "") return kept;
  const secret = randomBytes(24).toString("base64url");
  await writeFile(path, secret, { mode: 0o600 });
  return secret;
}
