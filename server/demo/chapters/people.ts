/** Who signs in: a person of each role, one with roles at several organizations, one who left, one who was only just invited. */
import type { CreatedKey, CreateKey, KeyList, Role, RoleAt } from "../../contract/accounts.ts";
import { nodeAddress } from "../../contract/node-address.ts";
import type { Invitation, User, UserList } from "../../contract/users.ts";
import { AnswerError } from "../../programs/api-caller.ts";
import { demoOrganizations } from "../demo-accounts.ts";
import type { Chapter, Stage } from "../stage.ts";

export interface DemoPerson {
  email: string;
  name: string;
  roles: RoleAt[];
  /** Stays invited, or may not sign in any more. */
  becomes?: "invited" | "disabled";
}

const at = (node: string, role: Role): RoleAt => ({ node, role });

/** Whom the story speaks of; every other organization's administrator has only a name. */
export const partnerOwner = "nora.winter@meridian.example";
export const resellerOwner = "piet.hansen@brightwater.example";
export const resellerAdmin = "lucia.romero@altamar.example";
export const accountManager = "sam.osei@kestrel.example";
export const bookkeeper = "irene.kowalski@kestrel.example";
export const consultant = "tom.ashdown@ashdown-advisers.example";

/** With an administrator who signs in; of the others nobody does. */
const everySoMany = 6;

export const demoPeople: readonly DemoPerson[] = [
  { email: partnerOwner, name: "Nora Winter", roles: [at("partner:meridian", "owner")] },
  { email: resellerOwner, name: "Piet Hansen", roles: [at("reseller:brightwater", "owner")] },
  { email: resellerAdmin, name: "Lucía Romero", roles: [at("reseller:altamar", "admin")] },
  { email: accountManager, name: "Sam Osei", roles: [at("reseller:kestrel", "manager")] },
  { email: bookkeeper, name: "Irene Kowalski", roles: [at("reseller:kestrel", "finance")] },
  {
    email: "ada.abel@fernhill-university.example",
    name: "Ada Abel",
    roles: [at("organization:fernhill-university", "viewer")],
  },
  {
    email: consultant,
    name: "Tom Ashdown",
    roles: [
      at("organization:fernhill-university", "manager"),
      at("organization:cascadia-health", "viewer"),
      at("organization:sakura-learning", "viewer"),
    ],
  },
  {
    email: "ruth.vance@altamar.example",
    name: "Ruth Vance",
    roles: [at("reseller:altamar", "viewer")],
    becomes: "invited",
  },
  {
    email: "leo.brandt@brightwater.example",
    name: "Leo Brandt",
    roles: [at("reseller:brightwater", "admin")],
    becomes: "disabled",
  },
  ...demoOrganizations
    .filter((_, place) => place % everySoMany === 0)
    .map(({ id, name }) => ({
      email: `it@${id}.example`,
      name: `IT of ${name}`,
      roles: [at(nodeAddress("organization", id), "admin")],
    })),
];

/** Those who do something in the later chapters. */
const acting = new Set([partnerOwner, resellerOwner, resellerAdmin, accountManager]);
const mailWithinMs = 10_000;

/** The token of the link that was mailed; undefined where the demonstration does not see its mails, or none came in time. */
async function tokenFor(stage: Stage, email: string): Promise<string | undefined> {
  const { mailsUrl } = stage.settings;
  if (mailsUrl === undefined) return undefined;
  return await stage.waitFor(async () => {
    const response = await fetch(`${mailsUrl}${encodeURIComponent(email)}`, { signal: stage.signal });
    return /\/set-password#([\w-]+)/.exec(await response.text())?.[1];
  }, mailWithinMs);
}

/** Chooses a password by the invitation's link, as its reader would. */
async function accept(stage: Stage, email: string, { url }: Invitation): Promise<boolean> {
  const { password } = stage.settings;
  const token = url === null ? await tokenFor(stage, email) : url.split("#")[1];
  if (password === undefined || token === undefined) return false;
  try {
    await stage.api.post("/v1/password", { token, password });
    return true;
  } catch (error) {
    // An administrator's password may be shorter than people may choose.
    if (error instanceof AnswerError && error.status === 400) return false;
    throw error;
  }
}

async function invite(stage: Stage, { email, name, roles, becomes }: DemoPerson): Promise<void> {
  const { api } = stage;
  const user = await api.post<User & { invitation: Invitation | null }>("/v1/users", { email, name, roles });
  if (becomes === "invited" || !user.invitation || !(await accept(stage, email, user.invitation))) return;
  if (acting.has(email)) await stage.signIn(email);
  if (becomes !== "disabled") return;
  const accepted = (await api.get<UserList>("/v1/users?limit=1000")).users.find((one) => one.email === email);
  if (accepted) await api.patch<User>(`/v1/users/${accepted.id}`, { disabled: true });
}

const keys: readonly (CreateKey & { isRevoked?: true })[] = [
  { name: "Kestrel: meeting servers", node: "reseller:kestrel", scopes: ["ingest"] },
  { name: "Kestrel: warehouse", node: "reseller:kestrel", scopes: ["read"] },
  { name: "Altamar: pilot", node: "reseller:altamar", scopes: ["ingest"], isRevoked: true },
];

async function makeKeys({ api }: Stage): Promise<void> {
  const names = new Set((await api.get<KeyList>("/v1/keys?limit=1000")).keys.map(({ name }) => name));
  for (const { isRevoked, ...key } of keys) {
    if (names.has(key.name)) continue;
    const { id } = await api.post<CreatedKey>("/v1/keys", key);
    if (isRevoked) await api.delete(`/v1/keys/${id}`);
  }
}

export const people: Chapter = {
  title: `${demoPeople.length} people, who sign in with the administrator's password of the first start`,
  async tell(stage) {
    const { users } = await stage.api.get<UserList>("/v1/users?limit=1000");
    const known = new Set(users.map(({ email }) => email));
    for (const person of demoPeople) if (!known.has(person.email)) await invite(stage, person);
    await makeKeys(stage);
  },
};
