/** People who sign in with e-mail and password. */
import { eq } from "drizzle-orm";
import type { Redis } from "ioredis";
import { type Author, recordChange, system } from "../audit/record-change.ts";
import type { SignIn } from "../contract/accounts.ts";
import { definitionLimits } from "../contract/definition-limits.ts";
import type { Postgres } from "../postgres/client.ts";
import { userRoles, users } from "../postgres/schema/accounts.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { handOverToAddressOwner, lockAddress } from "./account-use.ts";
import { newId } from "./actor.ts";
import { hashSecret, newSecret } from "./credential-cache.ts";
import { type LinkState, setPasswordByLink, stateOfLink } from "./password-links.ts";
import { Passwords } from "./passwords.ts";
import { offersTo, takeRoles } from "./role-offers.ts";
import { confirmTotp, takeSecondFactor } from "./second-factor.ts";
import { SignInLimits, type SignInOrigin } from "./sign-in-limits.ts";
import { issueToken, replacePassword } from "./user-tokens.ts";

export interface AdminAccount {
  /** Set when the account is new and no password was given: the only copy. */
  generatedPassword?: string;
}

export type SignInResult =
  | { outcome: "signed_in"; userId: string }
  | { outcome: "refused" }
  /** The password is right; a code of the second factor is needed too. */
  | { outcome: "code_needed" }
  | { outcome: "too_fast"; retryAfterSeconds: number };

/** With `redis` the attempts at all processes count together; while it is away each process counts its own. */
export function createUsers(
  { postgres, tree }: UsersDeps,
  { redis, now = Date.now }: { redis?: Redis | undefined; now?: (() => number) | undefined } = {},
): Users {
  return new Users({ postgres, tree }, redis, now);
}

interface UsersDeps {
  postgres: Postgres;
  tree: Pick<NodeTree, "isWithin">;
}

export class Users {
  readonly #postgres: Postgres;
  readonly #tree: Pick<NodeTree, "isWithin">;
  readonly #limits: SignInLimits;
  readonly #passwords = new Passwords();
  readonly #now: () => number;

  constructor({ postgres, tree }: UsersDeps, redis: Redis | undefined, now: () => number) {
    this.#postgres = postgres;
    this.#tree = tree;
    this.#now = now;
    this.#limits = new SignInLimits(postgres, redis, now);
  }

  /**
   * Makes the first administrator, the owner of `all`. For an account that exists a given password is put in
   * force, and its sessions end if that changes it: so a lost password is replaced by setting one and starting again.
   */
  async ensureAdmin({ email, password }: { email: string; password?: string | undefined }): Promise<AdminAccount> {
    const account = accountOf(email);
    const [existing] = await this.#postgres.db.select().from(users).where(eq(users.email, account));
    if (existing) {
      if (
        password !== undefined &&
        !(await this.#passwords.matches(existing.passwordHash, password, { known: account }))
      ) {
        const passwordHash = await this.#passwords.hash(password, account);
        await this.#postgres.transaction((tx) => replacePassword(tx, existing, passwordHash, system));
      }
      return {};
    }
    const chosen = password ?? newSecret().slice(0, 20);
    const passwordHash = await this.#passwords.hash(chosen, account);
    const isMade = await this.#postgres.transaction(async (tx) => {
      const [made] = await tx
        .insert(users)
        .values({ id: newId("usr"), email: account, passwordHash, emailVerifiedAt: new Date(this.#now()) })
        .onConflictDoNothing()
        .returning({ id: users.id });
      if (made) {
        const roles = [{ node: "all", role: "owner" as const }];
        await tx.insert(userRoles).values(roles.map((role) => ({ ...role, userId: made.id })));
        const after = { email: account, roles };
        await recordChange(tx, { by: system, node: "all", action: "user.created", subject: made.id, after });
      }
      return made !== undefined;
    });
    return isMade && password === undefined ? { generatedPassword: chosen } : {};
  }

  /**
   * `code`: of the second factor, where the account has one. Unknown accounts and wrong passwords take the same time and
   * answer. Throws `overloaded` where too many wait: of the account, or of those who never signed in from where they are.
   */
  async signIn({ email, password, code }: SignIn, origin: SignInOrigin): Promise<SignInResult> {
    const account = accountOf(email);
    const attempt = await this.#limits.begin(account, origin);
    if (typeof attempt === "number") return tooFast(attempt);
    const [user] = await this.#postgres.db.select().from(users).where(eq(users.email, account));
    const turn = attempt.isUsual ? { known: account } : "stranger";
    const isRight = await this.#passwords.matches(user?.passwordHash, password, turn);
    if (!user || !isRight || user.disabledAt) return { outcome: "refused" };
    if (user.totpSince) {
      if (code === undefined) {
        await attempt.passwordAccepted();
        return { outcome: "code_needed" };
      }
      const waitMs = await attempt.beforeCode();
      if (waitMs > 0) return tooFast(waitMs);
      if (!(await takeSecondFactor(this.#postgres, user, code, this.#now()))) return { outcome: "refused" };
    }
    await attempt.succeeded();
    return { outcome: "signed_in", userId: user.id };
  }

  /** Remembers where the user signed in, in whatever way: attempts from there are counted apart from those of others. */
  async rememberOrigin(userId: string, origin: SignInOrigin): Promise<void> {
    await this.#limits.remember(userId, origin);
  }

  /**
   * The account of an e-mail address that an identity provider has verified; made, with the roles that wait for it, for who
   * is invited and comes for the first time. Undefined where there is none, or it is disabled.
   */
  async arrive(email: string, address: string | null): Promise<string | undefined> {
    const account = accountOf(email);
    const nowMs = this.#now();
    return await this.#postgres.transaction(async (tx) => {
      await lockAddress(tx, account);
      const [user] = await tx.select().from(users).where(eq(users.email, account)).for("update");
      if (user?.disabledAt) return undefined;
      const author = (id: string): Author => ({ kind: "user", id, name: account, address });
      if (user) {
        await handOverToAddressOwner(tx, user, { by: author(user.id), nowMs });
        return user.id;
      }
      const offers = await offersTo(tx, account, nowMs);
      const [first] = offers;
      if (!first) return undefined;
      const { id, name } = first;
      await tx.insert(users).values({ id, email: account, name, emailVerifiedAt: new Date(nowMs) });
      let taken = 0;
      for (const offer of offers) {
        // The others stay offered: nobody keeps somebody out by offering them too much.
        if (taken + offer.roles.length > definitionLimits.roles.ofUser) continue;
        taken += offer.roles.length;
        await takeRoles(tx, offer, id, author(id));
      }
      return id;
    });
  }

  /**
   * Whose password may be set anew, for an account that has one and is not asked for too often. Undefined otherwise; the
   * person who asks is not told which it was.
   */
  async requestReset(email: string, origin: SignInOrigin): Promise<{ userId: string; email: string } | undefined> {
    const account = accountOf(email);
    if (!(await this.#limits.mayReset(account, origin))) return undefined;
    const [user] = await this.#postgres.db.select().from(users).where(eq(users.email, account));
    return user?.passwordHash && !user.disabledAt ? { userId: user.id, email: account } : undefined;
  }

  /** The token of a mail to the user, to set a new password with. */
  async issueReset(userId: string): Promise<string> {
    const reset = { userId, purpose: "password_reset", shownTo: null } as const;
    return await issueToken(this.#postgres.db, reset, this.#now());
  }

  /** With the token of an invitation or of a reset; an invalid token is refused before anything is hashed. The link's state where it is not usable; "too_fast" after too many tries with it. */
  async setPassword(
    token: string,
    password: string,
    address: string | null,
  ): Promise<{ userId: string } | Exclude<LinkState, "usable"> | "too_fast"> {
    const link = { token, nowMs: this.#now(), tree: this.#tree };
    const state = await stateOfLink(this.#postgres, link);
    if (state !== "usable") return state;
    if ((await this.#limits.throttleSelfCheck(hashSecret(token))) > 0) return "too_fast";
    const passwordHash = await this.#passwords.hash(password, hashSecret(token));
    return await setPasswordByLink(this.#postgres, { ...link, passwordHash, address });
  }

  /** Whether it is the user's password; "too_fast" after too many wrong ones. */
  async isPassword(userId: string, password: string): Promise<boolean | "too_fast"> {
    const [user] = await this.#postgres.db.select().from(users).where(eq(users.id, userId));
    if (!user) return false;
    if ((await this.#limits.throttleSelfCheck(userId)) > 0) return "too_fast";
    const isRight = await this.#passwords.matches(user.passwordHash, password, { known: user.email });
    if (isRight) await this.#limits.selfCheckSucceeded(userId);
    return isRight;
  }

  /** As `confirmTotp`; "too_fast" after too many wrong codes. */
  async confirmSecondFactor(userId: string, code: string, by: Author): Promise<string[] | "too_fast" | undefined> {
    if ((await this.#limits.throttleSelfCheck(userId)) > 0) return "too_fast";
    const codes = await confirmTotp(this.#postgres, { userId, code, by, nowMs: this.#now() });
    if (codes) await this.#limits.selfCheckSucceeded(userId);
    return codes;
  }

  /** The caller has checked the present password. All sessions of the user end. */
  async changePassword(userId: string, password: string, by: Author): Promise<void> {
    const passwordHash = await this.#passwords.hash(password, userId);
    await this.#postgres.transaction(async (tx) => {
      const [user] = await tx.select().from(users).where(eq(users.id, userId)).for("update");
      if (user) await replacePassword(tx, user, passwordHash, by);
    });
  }
}

/** Lower case, so that one address is one account. */
export function accountOf(email: string): string {
  return email.trim().toLowerCase();
}

function tooFast(waitMs: number): SignInResult {
  return { outcome: "too_fast", retryAfterSeconds: Math.ceil(waitMs / 1000) };
}
