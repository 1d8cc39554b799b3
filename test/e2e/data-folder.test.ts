/** What a service leaves on the disk of a machine that it shares with others. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startService } from "../support/service.ts";

test("nobody but the owner may enter the data folder, or read anything that the service made in it", async () => {
  const service = await startService();
  try {
    const event = { id: "e1", type: "chat.posted", organization: "acme" };
    const headers = { authorization: `Bearer ${service.rootKey}`, "content-type": "application/json" };
    const url = `${service.url}/v1/events?ack=stored`;
    expect((await fetch(url, { method: "POST", headers, body: JSON.stringify(event) })).status).toBe(200);
    expect((await stat(service.dataDir)).mode & 0o077).toBe(0);
    const entries = await readdir(service.dataDir, { recursive: true });
    const open: string[] = [];
    for (const entry of entries) {
      // Files of the stores come and go.
      const found = await stat(join(service.dataDir, entry)).catch(() => undefined);
      if (found && found.mode & 0o077) open.push(entry);
    }
    expect(open).toEqual([]);
  } finally {
    await service.stop();
  }
});
