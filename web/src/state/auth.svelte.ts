/** Who is signed in. The session itself is a cookie that scripts cannot read; the server alone knows its rights. */
import type { Action, Me } from "@contract/accounts.ts";
import { api } from "../api/client.ts";
import { readMe } from "../api/me.ts";
import { onSignedOut } from "../api/request.ts";
import { statusWordsTexts as words } from "../texts/en/status-words.ts";
import { uiTexts as t } from "../texts/en/ui.ts";

class Auth {
  /** undefined until the server has said. */
  me = $state.raw<Me | null | undefined>(undefined);
  /** Somebody was signed in, and the server says that they no longer are, without their asking. */
  hasExpired = $state(false);

  async read(): Promise<void> {
    this.me = await readMe();
    if (this.me) this.hasExpired = false;
  }

  /** Throws ApiError: 401 when the address or the password is wrong, and `second_factor_required` without a code. */
  async signIn(email: string, password: string, code?: string): Promise<void> {
    await api.signIn({ body: { email, password, code }, isSignIn: true });
    await this.read();
  }

  /** Throws as `signInWithPasskey` does. */
  async signInWithPasskey(isAutofill: boolean): Promise<void> {
    const { signInWithPasskey } = await import("../api/passkeys.ts");
    await signInWithPasskey(isAutofill);
    await this.read();
  }

  async signOut(): Promise<void> {
    await api.signOut();
    this.me = null;
    this.hasExpired = false;
  }

  /** `owner of everything, viewer of organization:acme` */
  get roles(): string {
    const roles = this.me?.roles ?? [];
    return roles
      .map(({ role, node }) => t.ofNode(words.roles[role], node === "all" ? words.everything : node))
      .join(", ");
  }

  /** May the signed-in user do this, at one node at least? The server decides again at every request. */
  may(action: Action): boolean {
    return this.me?.actions.includes(action) ?? false;
  }
}

export const auth = new Auth();

onSignedOut(() => {
  if (auth.me) auth.hasExpired = true;
  auth.me = null;
});
