/** Mails that callers cause and their receivers did not ask for: invitations, offers and links, over and over. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { MailLimits } from "../../server/mail/mail-limits.ts";
import { type Accounts, ownAccounts } from "../support/accounts.ts";
import { type Mailbox, openMailbox } from "../support/mailbox.ts";

let accounts: Accounts;
let mailbox: Mailbox;
beforeAll(async () => {
  mailbox = await openMailbox();
  accounts = await ownAccounts({ mailer: mailbox.mailer });
  for (const id of ["r1", "r2"]) await accounts.tree.createNode({ kind: "reseller", id, name: id, parent: "all" });
});
afterAll(async () => {
  await accounts.close();
  await mailbox.close();
});

const invite = (key: string, email: string, node = "reseller:r1") =>
  accounts.ask("POST", "/v1/users", { key, body: { email, roles: [{ node, role: "viewer" }] } });
const mailsTo = (email: string) => mailbox.mails.filter(({ to }) => to?.[0]?.address === email);
const tokenOf = (text: string | undefined) => /#([\w-]{43})\s/.exec(text ?? "")?.[1] ?? "";

test("the sixth invitation by one caller to one address within an hour is answered like the others, goes nowhere, and leaves the link of the last mail good", async () => {
  const { key } = await accounts.makeKey("reseller:r1");
  const email = "invited@example.com";
  const first = await invite(key, email);
  const answers: unknown[] = [first.body.invitation];
  for (let n = 0; n < 3; n++) answers.push((await invite(key, email)).body.invitation);
  for (let n = 0; n < 3; n++)
    answers.push((await accounts.ask("POST", `/v1/users/${first.body.id}/invitation`, { key })).body);
  expect(answers).toEqual(Array(7).fill({ sent: true, url: null }));
  expect(mailsTo(email)).toHaveLength(5);
  const body = { token: tokenOf(mailsTo(email).at(-1)?.text), password: "a long enough password" };
  expect((await accounts.ask("POST", "/v1/password", { body })).status).toBe(204);
});

test("many keys of one tenant cause no more mails to one address, and another tenant's invitation still goes", async () => {
  const email = "wanted@example.com";
  for (let n = 0; n < 4; n++) {
    const { key } = await accounts.makeKey("reseller:r1");
    for (let mail = 0; mail < 4; mail++) expect((await invite(key, email)).status).toBe(201);
  }
  expect(mailsTo(email)).toHaveLength(10);
  const { key } = await accounts.makeKey("reseller:r2");
  await invite(key, email, "reseller:r2");
  expect(mailsTo(email)).toHaveLength(11);
});

test("who may not invite takes nothing of what others may", async () => {
  const email = "untouched@example.com";
  const { key: other } = await accounts.makeKey("reseller:r2");
  for (let n = 0; n < 30; n++) expect((await invite(other, email)).status).toBe(403);
  const { key } = await accounts.makeKey("reseller:r1");
  await invite(key, email);
  expect(mailsTo(email)).toHaveLength(1);
});

test("of all callers together twenty mails an hour go to one address, of one caller a hundred to all", async () => {
  const limits = new MailLimits();
  const go = async (count: number, ask: (n: number) => Promise<boolean>) => {
    const asked = await Promise.all(Array.from({ length: count }, (_, n) => ask(n)));
    return asked.filter(Boolean).length;
  };
  expect(await go(50, (n) => limits.mayInvite({ id: `k${n}`, tenant: `t${n}` }, "one@example.com"))).toBe(20);
  expect(await go(200, (n) => limits.mayInvite({ id: "k", tenant: "t" }, `a${n}@example.com`))).toBe(100);
});
