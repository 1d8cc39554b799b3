/**
 * Loaded before the server (`node --import`): notes, beside the data folder's log, up to which byte each segment was on disk
 * when its last sync ended. kill -9 leaves the page cache alone, a power cut does not; with these notes the killer can take
 * away what only the page cache held. Nothing of the server knows of it.
 */
import { fstatSync, mkdirSync, openSync, readlinkSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

const notes = join(process.env.TIDEMARK_DATA_DIR ?? ".", "synced");
mkdirSync(notes, { recursive: true });

const probe = await open(fileURLToPath(import.meta.url), "r");
const methods = Object.getPrototypeOf(probe);
await probe.close();

/** The open note of each handle on a segment; null for other files. */
const noteOf = new WeakMap();

function openNote(handle) {
  const path = readlinkSync(`/proc/self/fd/${handle.fd}`);
  const note = path.endsWith(".wal") ? openSync(join(notes, basename(path)), "w") : null;
  noteOf.set(handle, note);
  return note;
}

for (const name of ["datasync", "sync"]) {
  const original = methods[name];
  methods[name] = async function () {
    const known = noteOf.get(this);
    const note = known === undefined ? openNote(this) : known;
    if (note === null) return await original.call(this);
    // What is written while the sync runs may or may not be part of it: it counts as not synced.
    const { size } = fstatSync(this.fd);
    await original.call(this);
    writeSync(note, String(size).padStart(15), 0);
  };
}
