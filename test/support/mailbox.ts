/** A mail server in this process, and what it was sent. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import PostalMime, { type Email } from "postal-mime";
import { SMTPServer } from "smtp-server";
import { createMailer, type Mailer } from "../../server/mail/mailer.ts";

export interface Mailbox {
  /** `smtp://…`, for a service in a process of its own. */
  url: string;
  mailer: Mailer;
  mails: Email[];
  close(): Promise<void>;
}

export async function openMailbox(): Promise<Mailbox> {
  const mails: Email[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    onData(stream, _session, done) {
      buffer(stream)
        .then((raw) => PostalMime.parse(raw))
        .then(
          (mail) => {
            mails.push(mail);
            done();
          },
          (error: Error) => done(error),
        );
    },
  });
  // A sender that is killed resets its connection; without a listener that would end this process.
  server.on("error", () => undefined);
  const listener = server.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const url = `smtp://127.0.0.1:${port}`;
  const mailer = createMailer({ smtpUrl: url, from: "Tidemark <usage@example.com>" });
  return {
    url,
    mailer,
    mails,
    async close() {
      mailer.close();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
