/** Who is signed in. The session itself is a cookie that scripts cannot read; the server alone knows its rights. */
import type { Me } from "@contract/accounts.ts";
import { onSignedOut, signIn as postSignIn, signOut as postSignOut, readMe } from "./api.ts";

class Session {
  /** undefined until the server has said. */
  me = $state.raw<Me | null | undefined>(undefined);

  async read(): Promise<void> {
    this.me = await readMe();
  }

  /** Throws ApiError: 401 when the address or the password is wrong. */
  async signIn(email: string, password: string): Promise<void> {
    await postSignIn({ email, password });
    await this.read();
  }

  async signOut(): Promise<void> {
    await postSignOut();
    this.me = null;
  }

  /** May the signed-in user manage keys? The server decides again at every request. */
  get isAdmin(): boolean {
    return this.me?.scopes.includes("admin") ?? false;
  }
}

export const session = new Session();

onSignedOut(() => {
  session.me = null;
});
