/** Links to files of runs that work without credentials until they expire. Whoever has one may pass it on, so they are short-lived. */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { ReportFormat } from "../contract/reports.ts";
import type { Postgres } from "../postgres/client.ts";
import { installationSecrets } from "../postgres/schema/installation-secrets.ts";

export interface LinkedFile {
  run: string;
  format: ReportFormat;
  /** Undefined: the first, or the only one. */
  section?: string | undefined;
}

export interface FileLinks {
  /** The path with its query, to be put behind the address of the server. `expiresMs`: ms since 1970, UTC. */
  sign(file: LinkedFile, expiresMs: number): Promise<string>;
  /** Whether the link is one that this installation signed for this very file and has not expired. */
  isValid(file: LinkedFile, link: { expires: string; signature: string }, nowMs: number): Promise<boolean>;
}

export function createFileLinks({ db }: Pick<Postgres, "db">): FileLinks {
  let secret: Promise<string> | undefined;
  async function read(): Promise<string> {
    const [row] = await db.select().from(installationSecrets);
    if (!row) throw new Error("the row of installation_secrets was removed");
    return row.fileLinks;
  }
  async function signature({ run, format, section }: LinkedFile, expires: string): Promise<string> {
    secret ??= read().catch((error: unknown) => {
      secret = undefined;
      throw error;
    });
    const said = JSON.stringify([run, format, section ?? null, expires]);
    return createHmac("sha256", await secret)
      .update(said)
      .digest("base64url");
  }
  return {
    async sign(file, expiresMs) {
      const expires = String(Math.floor(expiresMs / 1000));
      const query = new URLSearchParams({
        ...(file.section !== undefined && { section: file.section }),
        expires,
        signature: await signature(file, expires),
      });
      return `/v1/report-runs/${encodeURIComponent(file.run)}/files/${file.format}?${query}`;
    },
    async isValid(file, { expires, signature: given }, nowMs) {
      if (!/^\d{1,12}$/.test(expires) || Number(expires) * 1000 <= nowMs) return false;
      const [wanted, got] = [Buffer.from(await signature(file, expires)), Buffer.from(given)];
      return wanted.length === got.length && timingSafeEqual(wanted, got);
    },
  };
}
