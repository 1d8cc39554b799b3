/** Pages of the dashboard in a browser, and what they show once it is there. */
import { randomUUID } from "node:crypto";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { expect } from "vitest";
import type { Figure } from "../../server/contract/usage.ts";
import { type Answer, askAt } from "./accounts.ts";
import type { TestService } from "./service.ts";

export interface Looks {
  colorScheme?: "light" | "dark";
  width?: number;
}

/** `storageState`: of a context that is signed in. */
export async function openPage(
  browser: Browser,
  url: string,
  {
    colorScheme = "light",
    width = 1280,
    storageState,
  }: Looks & { storageState?: Awaited<ReturnType<BrowserContext["storageState"]>> },
): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width, height: 800 },
    colorScheme,
    reducedMotion: "reduce",
    ...(storageState && { storageState }),
  });
  const opened = await context.newPage();
  await opened.goto(url);
  return opened;
}

/** With the service's own key; fails with what the service says where it refuses. */
export async function askAsRoot(
  { url, rootKey: key }: Pick<TestService, "url" | "rootKey">,
  method: string,
  path: string,
  body: object = {},
): Promise<Answer["body"]> {
  const answer = await askAt(url)(method, path, { key, body });
  expect([path, answer.status < 300, answer.body]).toMatchObject([path, true, {}]);
  return answer.body;
}

/** Resolves when the events can be queried; those that name no organization are of `demo`. */
export async function postEvents(service: TestService, events: readonly object[]): Promise<void> {
  const body = events.map((event) => ({ id: randomUUID(), organization: "demo", ...event }));
  expect(await askAsRoot(service, "POST", "/v1/events?ack=stored", body)).toMatchObject({ rejected: [] });
}

export const counter = async (on: Page, testid: string) =>
  Number(await on.getByTestId(testid).getAttribute("data-value"));

/** The counter as it is once the page has any figures. */
export async function settledCounter(on: Page, testid: string): Promise<number> {
  await on.locator(`[data-testid=${testid}][data-value]`).waitFor();
  return counter(on, testid);
}

export async function waitForState(on: Page, ...states: string[]): Promise<void> {
  const any = states.map((state) => `[data-testid=live-status][data-state=${state}]`).join(", ");
  await on.locator(any).waitFor();
}

export async function waitForCounter(on: Page, testid: string, value: number): Promise<void> {
  await on.locator(`[data-testid=${testid}][data-value="${value}"]`).waitFor();
}

/** A figure as an attribute of the page has it: what is not known is no figure, and no zero. */
export const attributeOf = (figure: Figure) => (figure === null ? null : String(figure));
