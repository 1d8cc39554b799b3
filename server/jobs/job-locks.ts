/**
 * One runner per job name over all processes, by advisory locks of Postgres: they end with the session, so a process
 * that is killed holds nobody up. When the session breaks during a run, another process may start the same job beside it.
 */
import pg from "pg";
import type { Logger } from "pino";

export interface JobLocks {
  /** False when another process runs this job now. Rejects when Postgres cannot be asked. */
  take(name: string): Promise<boolean>;
  release(name: string): Promise<void>;
  close(): Promise<void>;
}

/** The first half of the two-part lock key, so that these locks meet no others in the same database. */
const lockClass = 0x7469_6465;
const patienceMs = 5_000;

export function openJobLocks(databaseUrl: string, log: Pick<Logger, "error">): JobLocks {
  let session: Promise<pg.Client> | undefined;
  /** A session answers one question at a time. */
  let turn: Promise<unknown> = Promise.resolve();

  function connected(): Promise<pg.Client> {
    if (session !== undefined) return session;
    const client = new pg.Client({
      connectionString: databaseUrl,
      application_name: "tidemark-job-locks",
      connectionTimeoutMillis: patienceMs,
      query_timeout: patienceMs,
      keepAlive: true,
    });
    const opening: Promise<pg.Client> = client.connect().then(() => client);
    const forget = () => {
      if (session === opening) session = undefined;
    };
    client.on("error", (error) => {
      log.error({ err: error }, "the session that holds the job locks broke");
      forget();
    });
    client.on("end", forget);
    opening.catch(forget);
    session = opening;
    return opening;
  }

  function ask(sql: string, name: string): Promise<boolean> {
    const answer = turn.then(async () => {
      const client = await connected();
      const { rows } = await client.query<{ done: boolean }>(sql, [lockClass, name]);
      return rows[0]?.done === true;
    });
    turn = answer.catch(() => undefined);
    return answer;
  }

  return {
    take: (name) => ask("SELECT pg_try_advisory_lock($1::int, hashtext($2)) AS done", name),
    async release(name) {
      // Without a session there is nothing held: the locks went with it.
      if (session !== undefined) await ask("SELECT pg_advisory_unlock($1::int, hashtext($2)) AS done", name);
    },
    async close() {
      const open = session;
      session = undefined;
      const client = await open?.catch(() => undefined);
      await client?.end();
    },
  };
}
