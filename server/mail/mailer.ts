/** The only door to the mail server. */
import { createTransport } from "nodemailer";

export interface Mail {
  to: string;
  subject: string;
  text: string;
}

export interface Mailer {
  /** Resolves when the mail server has taken the mail; rejects when it refuses or does not answer in time. */
  send(mail: Mail): Promise<void>;
  close(): void;
}

/** A person waits for the answer of some requests that send mail. */
const timeoutMs = 10_000;

/** `smtpUrl`: `smtp://user:password@host:587` or `smtps://…`; `from`: an address, with a name or without. */
export function createMailer({ smtpUrl, from }: { smtpUrl: string; from: string }): Mailer {
  const url = new URL(smtpUrl);
  const isTls = url.protocol === "smtps:";
  const transport = createTransport({
    host: url.hostname,
    port: Number(url.port) || (isTls ? 465 : 587),
    secure: isTls,
    ...(url.username !== "" && {
      auth: { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) },
    }),
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    async send({ to, subject, text }) {
      // As an object: an address in a string could name several receivers.
      await transport.sendMail({ from, to: { name: "", address: to }, subject, text });
    },
    close: () => transport.close(),
  };
}
