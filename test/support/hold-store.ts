/** A process that runs one embedded store until it is killed: `hold-store.ts clickhouse|postgres DATA_DIR`. */
import { pino } from "pino";
import { startEmbeddedClickHouse } from "../../server/embedded/embedded-clickhouse.ts";
import { startEmbeddedPostgres } from "../../server/embedded/embedded-postgres.ts";

const [store, dataDir] = process.argv.slice(2);
if (dataDir === undefined) throw new Error("usage: hold-store.ts clickhouse|postgres DATA_DIR");
const start = store === "clickhouse" ? startEmbeddedClickHouse : startEmbeddedPostgres;
const held = await start({ dataDir, log: pino({ level: "silent" }) });
process.stdout.write(`${held.pid()}\n`);
// The process stays, as a service does; the store's pipe alone would not keep it.
setInterval(() => undefined, 60_000);
