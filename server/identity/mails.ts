/** The mails that accounts send. A token stands behind `#`, which browsers send to no server and no log keeps. */
import type { Mail } from "../mail/mailer.ts";

export function passwordPage(publicUrl: string, token: string): string {
  return `${publicUrl}/set-password#${token}`;
}

export function invitationMail(to: string, url: string, invitedBy: string): Mail {
  const text = [
    `${oneLine(invitedBy)} has invited you to Tidemark.`,
    "",
    "Choose a password here, within seven days:",
    url,
    "",
    "If you did not expect this, you need not do anything.",
  ];
  return { to, subject: "You are invited to Tidemark", text: `${text.join("\n")}\n` };
}

/** To who has an account already; the roles are theirs once they accept. */
export function offerMail(
  to: string,
  token: string,
  { publicUrl, offeredBy }: { publicUrl: string; offeredBy: string },
): Mail {
  const text = [
    `${oneLine(offeredBy)} offers you a role in Tidemark.`,
    "",
    "Sign in as you do already, and accept or decline it here, within seven days:",
    `${publicUrl}/account#${token}`,
    "",
    "If you did not expect this, you need not do anything.",
  ];
  return { to, subject: "A role for you in Tidemark", text: `${text.join("\n")}\n` };
}

export function resetMail(to: string, url: string): Mail {
  const text = [
    "Somebody, hopefully you, asked for a new password for Tidemark.",
    "",
    "Choose one here, within the hour:",
    url,
    "",
    "If it was not you, you need not do anything: your password stays as it is.",
  ];
  return { to, subject: "A new password for Tidemark", text: `${text.join("\n")}\n` };
}

/** A new password leaves passkeys as they are, so whoever has the account must be told about a new one. */
export function passkeyMail(to: string, name: string, publicUrl: string): Mail {
  const text = [
    `A passkey, “${oneLine(name)}”, was added to your account. It signs in without your password.`,
    "",
    "If it was not you, remove it here and change your password:",
    `${publicUrl}/account`,
  ];
  return { to, subject: "A new passkey for Tidemark", text: `${text.join("\n")}\n` };
}

/** A key's name may be anything; a mail's lines are ours. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").slice(0, 100);
}
