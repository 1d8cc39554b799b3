/**
 * Where the demonstration's messages go: a receiver of webhooks that takes everything and keeps nothing, and a mail server that
 * keeps the last mail to each of its people, so that they can accept their invitations.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { SMTPServer } from "smtp-server";

export interface Sinks {
  /** At `localhost`, on a port of its own. */
  webhookUrl: string;
  smtpUrl: string;
  /** Answers the last mail to the address that stands behind it, empty where there is none. Nobody else can guess it. */
  mailsUrl: string;
}

/** People of the demonstration alone: whoever reads a mail of the administrator's could take that account. */
const isOfDemo = (address: string) => /@[a-z0-9-]+\.example$/i.test(address);
const maxMails = 200;

/** They are there until the process ends, and hold it up for nothing. */
export async function openSinks(): Promise<Sinks> {
  const mails = new Map<string, string>();
  const mailsPath = `/mails/${randomBytes(16).toString("hex")}/`;
  const receiver = createServer((request, response) => {
    const { url = "" } = request;
    const answer = url.startsWith(mailsPath)
      ? (mails.get(decodeURIComponent(url.slice(mailsPath.length))) ?? "")
      : "taken by the demonstration";
    request.resume().on("end", () => response.writeHead(200).end(answer));
  }).listen(0, "127.0.0.1");
  receiver.unref();
  const mail = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    onData: (stream, { envelope }, done) => {
      text(stream).then((raw) => {
        for (const { address } of envelope.rcptTo)
          if (isOfDemo(address) && (mails.has(address) || mails.size < maxMails)) mails.set(address, unfolded(raw));
        done();
      }, done);
    },
  }).listen(0, "127.0.0.1");
  mail.unref();
  await Promise.all([once(receiver, "listening"), once(mail, "listening")]);
  const port = (server: { address(): unknown }) => (server.address() as AddressInfo).port;
  const receiverUrl = `http://localhost:${port(receiver)}`;
  return {
    webhookUrl: `${receiverUrl}/alerts`,
    mailsUrl: receiverUrl + mailsPath,
    smtpUrl: `smtp://127.0.0.1:${port(mail)}`,
  };
}

/** Long lines of quoted-printable are broken by a `=` at their end. */
const unfolded = (raw: string) => raw.replace(/=\r?\n/g, "");
