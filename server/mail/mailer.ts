/** The only door to the mail server. */
import { createTransport } from "nodemailer";

export interface Mail {
  to: string;
  subject: string;
  text: string;
  html?: string;
  /** `name@host`: the same mail under the same name is one, however often it arrives. */
  messageId?: string;
  /** The `messageId` of a mail, sent or not, that those of one matter have in common. */
  matter?: string;
  headers?: Record<string, string>;
  /** One with a `cid` is a picture in the HTML. */
  attachments?: { filename: string; contentType: string; content: Buffer; cid?: string }[];
}

export interface Mailer {
  /** Resolves with the server's answer when it has taken the mail; rejects when it refuses or does not answer in time. */
  send(mail: Mail): Promise<string>;
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
    async send({ to, messageId, matter, ...mail }) {
      const { response } = await transport.sendMail({
        ...mail,
        from,
        // As an object: an address in a string could name several receivers.
        to: { name: "", address: to },
        ...(messageId !== undefined && { messageId: `<${messageId}>` }),
        ...(matter !== undefined && { references: `<${matter}>` }),
      });
      return response;
    },
    close: () => transport.close(),
  };
}
