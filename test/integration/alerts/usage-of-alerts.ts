/** Usage that crosses bounds, and the bounds. */
import type { CreateRule } from "../../../server/contract/rules.ts";
import type { AlertsWorld } from "../../support/alerts-world.ts";

export const postChats = (world: AlertsWorld, organization: string, count: number, time: string) =>
  world.billing.send(Array.from({ length: count }, () => ({ type: "chat.posted", organization, time })));

export const above = (bound: string, rest: object = {}) =>
  ({ kind: "threshold", meter: "chat_posts", window: "1h", above: bound, ...rest }) as CreateRule["condition"];
