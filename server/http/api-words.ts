/** The texts of the API's description beside its routes. */
import { liveLimits } from "../contract/live.ts";

/** The order is the one in which people need them; every operation has one of these. */
export const operationTags = [
  { name: "Events", description: "Send usage events, correct them, and see what was rejected" },
  { name: "Usage", description: "What was used, by meter, node and window, and how each value came about" },
  { name: "Live", description: "What is live now" },
  { name: "Records", description: "The events, sessions and jobs behind the numbers" },
  { name: "Meters", description: "Built-in and custom meters" },
  { name: "Nodes", description: "Partners, resellers, organizations and agents, and how they relate in the tree" },
  { name: "Plans", description: "What can be used at which price, and the models that prices depend on" },
  { name: "Subscriptions", description: "Which node is on which plan, and how much of it is left" },
  { name: "Billing", description: "Charges, statements and payments" },
  { name: "Alerts", description: "Rules, the alerts they trigger, and where those are sent" },
  { name: "Reports", description: "Reports, their runs, and the schedules that send them" },
  { name: "Keys", description: "API keys" },
  { name: "Users", description: "People and their roles" },
  { name: "Account", description: "Signing in, and your own account" },
  { name: "Audit", description: "Who changed what" },
  { name: "Operations", description: "Health of the service, and repairs" },
] as const;

/** Describes what OpenAPI has no form for. */
const liveContract = `## Live over Socket.IO

Connect a Socket.IO 4 client to this server at the path \`/socket.io\`, with a key as \`auth: { token }\` or as a bearer header, or with the session's cookie from this server's own pages. A refused connection is a \`connect_error\` whose \`data.code\` is \`unauthenticated\`, \`forbidden\`, \`too_many_sockets\` or \`too_fast\` (too many credentials that nobody has came from this network); the connection is closed with it, as is one that says nothing for ${liveLimits.admittedWithinMs / 1_000} seconds.

- \`live:watch\` (sent by the client): \`(node | null, answer)\`. \`null\`, or no node at all, is the caller's own node. \`answer\` gets \`{ ok: true, snapshot }\` or \`{ ok: false, code, message }\` with the code \`forbidden\` (no such node in the caller's subtree; an agent exists from its first event on), \`too_fast\` or \`superseded\` (a later \`live:watch\` replaced it). A socket watches one node: the last one requested. The snapshot is also sent as \`live:snapshot\`, with or without \`answer\`.
- \`live:snapshot\` (sent by the server): the answer of \`GET /v1/live\`, plus \`sequence\`.
- \`live:changed\` (sent by the server): \`{ node, sequence, at, watermark, levels }\` when a level has changed, at most four times a second, and at least every five seconds.

\`sequence\` increases by one with each change of a node. Messages can be lost: after a gap or a reconnect, send \`live:watch\` again. Permissions are checked again every two seconds; a socket whose key or session was revoked is disconnected within five.`;

export const apiDescription = [
  "Usage metrics with exact peaks and minutes at every level of the account tree. Every answer is limited to the caller's subtree.",
  "Start with a guide: [live sessions](/docs/guides/live-sessions), [jobs](/docs/guides/jobs), [calls](/docs/guides/calls), [testing your integration](/docs/guides/testing). [Events](/docs/events) and [meters](/docs/meters) each have a reference, and [sending events](/docs/emitters) has emitters to install.",
  "Every write accepts `Idempotency-Key`: within 24 hours, the same request with the same key is carried out once and always gets the same answer; a different body with that key gets 422. `definitions.idempotency_keys` in `GET /v1/limits` gives the number of keys per day and the largest answer that is stored. A request with a larger answer is still carried out only once, but repeating it gets 409.",
  "Requests are queued fairly between tenants: a caller with too many at once waits, then gets 429 or 503 with `Retry-After`. An answer that would be too large gets 400, and `field` names the parameter to narrow. A query is cancelled when its connection is closed. `GET /v1/limits` lists all limits.",
  liveContract,
  "Edits accept `If-Match` with the `ETag` you read, and get 412 if something has changed since.",
].join("\n\n");
