/** A program that offers events to an emitter with a spool, says so, and stays: what kills it is up to who started it. */
import { Emitter } from "../../server/emitter/emitter.ts";

const [url = "", directory = "", count = "0", withinMs] = process.argv.slice(2);
const emitter = new Emitter({ url, key: "tmk_test", spool: { directory }, eventsPerRequest: 50, maxAgeMs: 600_000 });
if (withinMs !== undefined) emitter.closeOnExit(Number(withinMs));
for (let index = 0; index < Number(count); index++)
  emitter.offer({ id: `${process.pid}-${index}`, type: "chat.posted", organization: "acme" });
console.log("offered");
setInterval(() => undefined, 60_000);
