/** Where the demonstration's alerts are sent: a mail server and a receiver of webhooks that take everything and keep nothing. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { SMTPServer } from "smtp-server";

export interface Sinks {
  /** At `localhost`, on a port of its own. */
  webhookUrl: string;
  smtpUrl: string;
}

/** They are there until the process ends, and hold it up for nothing. */
export async function openSinks(): Promise<Sinks> {
  const receiver = createServer((request, response) => {
    request.resume().on("end", () => response.writeHead(200).end("taken by the demonstration"));
  }).listen(0, "127.0.0.1");
  receiver.unref();
  const mail = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    onData: (stream, _session, done) => void stream.resume().on("end", () => done()),
  }).listen(0, "127.0.0.1");
  mail.unref();
  await Promise.all([once(receiver, "listening"), once(mail, "listening")]);
  const port = (server: { address(): unknown }) => (server.address() as AddressInfo).port;
  return {
    webhookUrl: `http://localhost:${port(receiver)}/alerts`,
    smtpUrl: `smtp://127.0.0.1:${port(mail)}`,
  };
}
