/** Cuts connections that do not take what they are sent. Until it is taken it waits in memory, answers, refusals and pushes alike. */
import type { LiveServer, LiveSocket } from "./watches.ts";

type Connection = LiveSocket["conn"];

/** A slow reader never comes near it: of pushed figures only the newest waits for it, and it asks again when it has its answer. */
const maxWaiting = { messages: 64, characters: 128 * 1024 };

export function disconnectStalledClients(io: LiveServer): void {
  io.engine.on("connection", (connection: Connection) => {
    let [messages, characters] = [0, 0];
    connection.on("flush", () => {
      [messages, characters] = [0, 0];
    });
    connection.on("packetCreate", ({ data }: { data?: unknown }) => {
      if (connection.transport.writable) return;
      messages++;
      characters += typeof data === "string" ? data.length : 0;
      if (messages > maxWaiting.messages || (messages > 1 && characters > maxWaiting.characters)) cut(connection);
    });
  });
}

function cut(connection: Connection): void {
  connection.close(true);
  // The closing handshake of a WebSocket would wait behind what is not taken. The type of the transport hides its socket.
  const { socket } = connection.transport as { socket?: { terminate?: () => void } };
  socket?.terminate?.();
}
