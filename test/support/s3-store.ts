/** A store that speaks S3 and checks signatures, on a port of its own, with one bucket in a folder that goes with it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
// @ts-expect-error: its package has no types.
import Server from "s3rver";

interface S3Server {
  run(): Promise<{ port: number }>;
  close(): Promise<void>;
}

const S3rver = Server as new (options: object) => S3Server;

/** The only key that it knows. */
export const s3Credentials = { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" };

export interface S3Store {
  url: string;
  close(): Promise<void>;
}

export async function openS3Store(bucket: string): Promise<S3Store> {
  const directory = await mkdtemp(join(tmpdir(), "tidemark-s3-"));
  const settings = { address: "127.0.0.1", port: 0, silent: true, directory, configureBuckets: [{ name: bucket }] };
  const server = new S3rver(settings);
  const { port } = await server.run();
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
