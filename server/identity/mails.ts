/** The mails that accounts send. A token stands behind `#`, which browsers send to no server and no log keeps. */
import type { Mail } from "../mail/mailer.ts";

export function passwordPage(publicUrl: string, token: string): string {
  return `${publicUrl}/set-password#${token}`;
}

export function invitationMail(to: string, url: string, invitedBy: string): Mail {
  const text = [
    `${oneLine(invitedBy)} has invited you to Tidemark.`,
    "",
    "Choose a password within seven days:",
    url,
    "",
    "If you did not expect this, you can ignore this email.",
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
    `${oneLine(offeredBy)} has offered you a role in Tidemark.`,
    "",
    "Sign in as usual to accept or decline it within seven days:",
    `${publicUrl}/account#${token}`,
    "",
    "If you did not expect this, you can ignore this email.",
  ];
  return { to, subject: "You have been offered a role in Tidemark", text: `${text.join("\n")}\n` };
}

export function resetMail(to: string, url: string): Mail {
  const text = [
    "Somebody, hopefully you, asked to reset your Tidemark password.",
    "",
    "Choose a new password within an hour:",
    url,
    "",
    "If it was not you, you can ignore this email: your password stays the same.",
  ];
  return { to, subject: "Reset your Tidemark password", text: `${text.join("\n")}\n` };
}

/** A new password leaves passkeys as they are, so whoever has the account must be told about a new one. */
export function passkeyMail(to: string, name: string, publicUrl: string): Mail {
  const text = [
    `The passkey “${oneLine(name)}” was added to your account. It signs in without your password.`,
    "",
    "If it was not you, remove the passkey and change your password:",
    `${publicUrl}/account`,
  ];
  return { to, subject: "A passkey was added to your Tidemark account", text: `${text.join("\n")}\n` };
}

/** A key's name may be anything; a mail's lines are ours. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").slice(0, 100);
}
