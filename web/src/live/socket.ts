/** The only socket: all that listens on a page shares it, and it is open while anything does. */
import type { ClientToServerEvents, ServerToClientEvents } from "@contract/live.ts";
import { io, type Socket } from "socket.io-client";
import { readMe } from "../api/me.ts";

export type LiveSocket = Socket<ServerToClientEvents, ClientToServerEvents>;

const refusedRetryMs = 2_000;
/** All who lost the server at once come back one by one, within twice this. */
const returnAfterMs = 2_000;
let shared: LiveSocket | undefined;
let listeners = 0;
let watchers = 0;
let retryTimer: ReturnType<typeof setTimeout> | undefined;

/** The socket, until `leaveSocket`. It may be connected already. */
export function joinSocket(): LiveSocket {
  listeners += 1;
  shared ??= openSocket();
  return shared;
}

export function leaveSocket(): void {
  listeners -= 1;
  if (listeners > 0) return;
  clearTimeout(retryTimer);
  shared?.disconnect();
  shared = undefined;
}

export function beginWatch(): void {
  watchers += 1;
}

/** Where nothing watches the figures of a node any more, the server is to push none: a new connection is in no room. */
export function endWatch(): void {
  watchers -= 1;
  setTimeout(() => {
    if (watchers === 0 && shared?.connected) shared.disconnect().connect();
  });
}

function openSocket(): LiveSocket {
  const socket: LiveSocket = io({
    transports: ["websocket", "polling"],
    // Where something on the way lets no WebSocket through.
    tryAllTransports: true,
    reconnectionDelay: returnAfterMs,
    reconnectionDelayMax: 5_000,
    randomizationFactor: 1,
    timeout: 5_000,
  });
  // After the server closed the connection itself the client would not try again.
  socket.on("disconnect", (reason) => {
    if (reason !== "io server disconnect") return;
    clearTimeout(retryTimer);
    retryTimer = setTimeout(() => socket.connect(), Math.random() * 2 * returnAfterMs);
  });
  // A refused connection is not tried again by itself. Any request shows whether the session is over.
  socket.on("connect_error", () => {
    if (socket.active) return;
    retryTimer = setTimeout(() => {
      socket.connect();
      readMe().catch(() => {});
    }, refusedRetryMs);
  });
  return socket;
}
