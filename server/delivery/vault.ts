/**
 * Secrets at rest: AES-256-GCM with a key that is not in the database. It is `TIDEMARK_SECRET_KEY`, or one that is made once and
 * kept in the data folder, readable by its owner alone; without it what was sealed is lost.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { link, open, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import { parseJson } from "../json/parse-json.ts";

export interface Vault {
  /** `about`: whose secret it is; it opens under the same name alone. */
  seal(value: unknown, about: string): Buffer;
  /** Undefined where it was sealed with another key, for something else, or was changed. */
  open(sealed: Buffer, about: string): unknown;
}

const keyFile = "secret.key";
const nonceBytes = 12;
const tagBytes = 16;

/** `secret`: the setting; undefined for the key of the data folder, which must exist. */
export async function openVault({ dataDir, secret }: { dataDir: string; secret: string | undefined }): Promise<Vault> {
  return vaultOf(secret ?? (await keyOfFolder(join(dataDir, keyFile))));
}

export function vaultOf(secret: string): Vault {
  const key = Buffer.from(hkdfSync("sha256", secret, "", "tidemark secrets at rest", 32));
  return {
    seal(value, about) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(about));
      const text = Buffer.concat([cipher.update(JSON.stringify(value), "utf8"), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), text]);
    },
    open(sealed, about) {
      try {
        const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, nonceBytes));
        decipher.setAAD(Buffer.from(about)).setAuthTag(sealed.subarray(nonceBytes, nonceBytes + tagBytes));
        const text = Buffer.concat([decipher.update(sealed.subarray(nonceBytes + tagBytes)), decipher.final()]);
        return parseJson(text.toString("utf8"));
      } catch {
        return undefined;
      }
    },
  };
}

/** Made at the first start, and whole and on disk before anything is sealed with it. */
async function keyOfFolder(path: string): Promise<string> {
  if (!existsSync(path)) {
    const made = `${path}.${randomUUID()}`;
    const file = await open(made, "wx", 0o600);
    try {
      await file.writeFile(`${randomBytes(32).toString("base64")}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    // Unlike a rename this never takes the place of a key.
    await link(made, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
    await unlink(made);
  }
  const key = (await readFile(path, "utf8")).trim();
  if (Buffer.from(key, "base64").length !== 32)
    throw new Error(`${path} does not hold a key: it was changed or cut off`);
  return key;
}
