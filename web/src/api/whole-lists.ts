/** Lists that are searched, counted or chosen from here, and so read whole: page after page. */
import type { KeyList } from "@contract/accounts.ts";
import type { PlanList } from "@contract/plans.ts";
import type { UserList } from "@contract/users.ts";
import { api } from "./client.ts";

interface Asked {
  signal: AbortSignal;
}

export const everyKey = async ({ signal }: Asked): Promise<Pick<KeyList, "keys">> => ({
  keys: await everyRow(
    (cursor) => api.listKeys({ query: { cursor }, signal }),
    ({ keys }) => keys,
  ),
});
export const everyUser = async ({ signal }: Asked): Promise<Pick<UserList, "users">> => ({
  users: await everyRow(
    (cursor) => api.listUsers({ query: { cursor }, signal }),
    ({ users }) => users,
  ),
});
export const everyPlan = async ({ signal }: Asked): Promise<Pick<PlanList, "plans">> => ({
  plans: await everyRow(
    (cursor) => api.listPlans({ query: { cursor }, signal }),
    ({ plans }) => plans,
  ),
});

/** The rows of all pages. */
export async function everyRow<Page extends { next_cursor: string | null }, Row>(
  read: (cursor: string | undefined) => Promise<Page>,
  rowsOf: (page: Page) => readonly Row[],
): Promise<Row[]> {
  const rows: Row[] = [];
  let cursor: string | undefined;
  do {
    const page = await read(cursor);
    rows.push(...rowsOf(page));
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  return rows;
}
