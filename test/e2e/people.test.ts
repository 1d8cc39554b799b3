/** People in a real browser: invited, choosing a password, a second factor, and what the audit says of it. */
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { changeTheme, expectAccessible, expectFitsWindow, launchBrowser, signIn } from "../support/browser.ts";
import { startService, type TestService } from "../support/service.ts";
import { totpCode } from "../support/totp-code.ts";

let service: TestService;
let browser: Browser;

beforeAll(async () => {
  [service, browser] = await Promise.all([startService(), launchBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await service?.stop();
});

async function open(path: string, options: BrowserContextOptions = {}, url = service.url): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    reducedMotion: "reduce",
    ...options,
  });
  const page = await context.newPage();
  await page.goto(url + path);
  return page;
}

test("a person is invited, chooses a password, sees what the role allows, and signs in with a second factor", async () => {
  const admin = await open("/people");
  await signIn(admin, service.adminEmail, service.adminPassword);
  await admin.getByTestId("user-list").waitFor();
  await admin.getByLabel("Email address").fill("mia@example.com");
  await admin.getByLabel("Role", { exact: true }).selectOption("viewer");
  await admin.getByRole("button", { name: "Invite", exact: true }).click();
  const link = (await admin.getByTestId("invitation-url").textContent()) ?? "";
  const path = /\/set-password#[\w-]{43}/.exec(link)?.[0] ?? "";
  await admin.getByTestId("user-list").getByText("mia@example.com").waitFor();
  await admin.getByText("invited", { exact: true }).waitFor();
  await expectAccessible(admin);

  const mia = await open(path);
  expect(new URL(mia.url()).hash).toBe("");
  await mia.getByLabel("New password").fill("a long enough password");
  await mia.getByLabel("Repeat the password").fill("another password");
  await mia.getByRole("button", { name: "Set password" }).click();
  await mia.getByText("The passwords do not match.").waitFor();
  await mia.getByLabel("Repeat the password").fill("a long enough password");
  await expectAccessible(mia);
  await mia.getByRole("button", { name: "Set password" }).click();
  await mia.getByRole("button", { name: "Sign in" }).click();
  await signIn(mia, "mia@example.com", "a long enough password");
  const pages = mia.getByRole("navigation", { name: "Pages" }).first();
  await pages.getByRole("link", { name: "Usage" }).waitFor();
  expect(await pages.getByRole("link", { name: "People" }).count()).toBe(0);

  await mia.getByRole("link", { name: /Your account/ }).click();
  const factor = mia.locator("section", { has: mia.getByRole("heading", { name: "Second factor" }) });
  await factor.getByLabel("Password").fill("a long enough password");
  await factor.getByRole("button", { name: "Set up" }).click();
  const secret = /[A-Z2-7]{32}/.exec((await mia.getByTestId("totp-secret").textContent()) ?? "")?.[0] ?? "";
  const code = (steps = 0) => totpCode(secret, Math.floor(Date.now() / 30_000) + steps);
  await factor.getByLabel("Code").fill(code());
  await factor.getByRole("button", { name: "Turn on" }).click();
  await mia.getByTestId("recovery-codes").waitFor();
  await expectAccessible(mia);
  await mia.getByRole("button", { name: "Sign out", exact: true }).first().click();

  await signIn(mia, "mia@example.com", "a long enough password");
  await mia.getByLabel("Code").fill("000000");
  await mia.getByRole("button", { name: "Sign in" }).click();
  await mia.getByText("The password or the code is wrong").waitFor();
  await mia.getByLabel("Code").fill(code(1));
  await mia.getByRole("button", { name: "Sign in" }).click();
  await pages.getByRole("link", { name: "Usage" }).waitFor();

  await admin.reload();
  await admin.getByText("second factor").waitFor();
  await admin.getByRole("button", { name: "Edit mia@example.com" }).click();
  await admin.getByLabel("Add a role").selectOption("manager");
  await admin.getByRole("button", { name: "Add" }).click();
  await admin.getByRole("button", { name: "Remove the role manager of everything" }).waitFor();
  await admin.getByRole("button", { name: "Done" }).click();
  const row = admin.getByTestId("user-list").getByRole("listitem").filter({ hasText: "mia@example.com" });
  await row.getByText("manager of everything").waitFor();
  await row.getByText("viewer of everything").waitFor();

  await admin.getByRole("navigation", { name: "Pages" }).first().getByRole("link", { name: "Audit" }).click();
  const changed = admin.getByTestId("audit-list").locator("li", { hasText: "user changed" }).first();
  await changed.click();
  await changed.getByText("roles:").waitFor();
  await expectAccessible(admin);
});

test("a passkey is added, signs in alone, is renamed, and signs nobody in once it is removed", async () => {
  // Browsers give passkeys to names, not to addresses.
  const page = await open("/account", {}, service.url.replace("127.0.0.1", "localhost"));
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("WebAuthn.enable");
  await devtools.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  const signOut = () => page.getByRole("button", { name: "Sign out", exact: true }).first().click();
  const usePasskey = () => page.getByRole("button", { name: "Continue with a passkey" }).click();

  await signIn(page, service.adminEmail, service.adminPassword);
  await page.getByRole("button", { name: "Add a passkey" }).click();
  const dialog = page.getByTestId("passkey-dialog");
  await dialog.getByLabel("Name").fill("Laptop");
  await dialog.getByLabel("Password").fill("wrong");
  await dialog.getByRole("button", { name: "Continue" }).click();
  await dialog.getByText("the password is wrong").waitFor();
  await dialog.getByLabel("Password").fill(service.adminPassword);
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Continue" }).click();
  const list = page.getByTestId("passkey-list");
  await list.getByText("never used").waitFor();

  // This authenticator chooses at once what the browser would fill in.
  await signOut();
  await list.getByText(/used .* ago/).waitFor();
  await page.evaluate(() => {
    PublicKeyCredential.isConditionalMediationAvailable = async () => false;
  });
  await signOut();
  await usePasskey();
  await list.getByRole("button", { name: "Rename Laptop" }).click();
  await dialog.getByLabel("Name").fill("Desk");
  await dialog.getByRole("button", { name: "Rename" }).click();
  await list.getByRole("button", { name: "Remove Desk" }).click();
  await dialog.getByLabel("Password").fill(service.adminPassword);
  await dialog.getByRole("button", { name: "Remove" }).click();
  await list.waitFor({ state: "detached" });

  await signOut();
  await usePasskey();
  await page.getByText("This passkey is not known here").waitFor();
  await expectAccessible(page);
});

test("a role offered to who has an account is accepted by its link, on every page", async () => {
  const key = { authorization: `Bearer ${service.rootKey}`, "content-type": "application/json" };
  const offer = async (role: string) => {
    const body = JSON.stringify({ email: "zoe@example.com", roles: [{ node: "all", role }] });
    const answer = await fetch(`${service.url}/v1/users`, { method: "POST", headers: key, body });
    return ((await answer.json()) as { invitation: { url: string } }).invitation.url.replace(
      /^.*(?=\/set-password)/,
      "",
    );
  };
  const token = (await offer("viewer")).split("#")[1];
  const body = JSON.stringify({ token, password: "a long enough password" });
  expect((await fetch(`${service.url}/v1/password`, { method: "POST", headers: key, body })).status).toBe(204);

  const page = await open(await offer("admin"));
  await page.getByLabel("New password").fill("another long password");
  await page.getByLabel("Repeat the password").fill("another long password");
  await page.getByRole("button", { name: "Set password" }).click();
  await page.getByText("This address already has an account.").waitFor();
  await page.getByRole("button", { name: "Continue" }).click();
  await signIn(page, "zoe@example.com", "a long enough password");
  const notice = page.getByTestId("role-offer");
  await notice.getByText("admin of everything").waitFor();
  await expectAccessible(page);
  await notice.getByRole("button", { name: "Accept" }).click();
  await notice.waitFor({ state: "detached" });
  await page.getByRole("navigation", { name: "Pages" }).first().getByRole("link", { name: "People" }).waitFor();
});

test("the pages of people fit a phone, in the dark too", async () => {
  const headings = { "/people": "People", "/audit": "Audit", "/account": "Your account" };
  const page = await open("/people", { viewport: { width: 360, height: 740 } });
  await signIn(page, service.adminEmail, service.adminPassword);
  await page.getByTestId("user-list").waitFor();
  for (const [path, name] of Object.entries(headings)) {
    await page.goto(service.url + path);
    await page.getByRole("heading", { level: 1, name }).waitFor();
    await page.locator("[data-testid$=-list] li").first().waitFor();
    for (const colorScheme of ["light", "dark"] as const) {
      await changeTheme(page, colorScheme);
      await expectFitsWindow(page);
      await expectAccessible(page);
    }
  }
});

test("a session that ended says so, and signing in leads back to where it was", async () => {
  const page = await open("/plans");
  await signIn(page, service.adminEmail, service.adminPassword);
  await page.getByTestId("plan-list").waitFor();
  await page.context().clearCookies();
  // Who comes back to the page has the bell read again, which finds the session gone.
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await page.getByTestId("session-expired").waitFor();
  await expectAccessible(page);
  await signIn(page, service.adminEmail, service.adminPassword);
  await page.getByRole("heading", { name: "Plans" }).waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  expect(await page.getByTestId("session-expired").count()).toBe(0);
});
