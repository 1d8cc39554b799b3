/** Offers events to an emitter with a spool, prints the id of each that was taken, and stays: its end is up to who started it. */
import { Emitter } from "../../server/emitter/emitter.ts";

const [url = "", directory = "", count = "0", withinMs] = process.argv.slice(2);
const emitter = new Emitter({ url, key: "tmk_test", spool: { directory }, eventsPerRequest: 50, maxAgeMs: 600_000 });
if (withinMs !== undefined) emitter.closeOnExit({ withinMs: Number(withinMs) });
for (let index = 0; index < Number(count); index++) {
  const id = `${process.pid}-${index}`;
  if (emitter.offer({ id, type: "chat.posted", organization: "acme" })) console.log(id);
}
console.log("offered");
setInterval(() => undefined, 60_000);
