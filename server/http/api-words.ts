/** The texts of the API's description beside its routes. */

/** The order is the one in which people need them; every operation has one of these. */
export const operationTags = [
  { name: "Events", description: "Send usage events, correct them, and see what was rejected" },
  { name: "Usage", description: "What was used, by meter, node and window, and why a figure is what it is" },
  { name: "Live", description: "What is live now" },
  { name: "Records", description: "The events, sessions and jobs behind the figures" },
  { name: "Meters", description: "Built-in and custom meters" },
  { name: "Nodes", description: "Partners, resellers, organizations and agents, and how they stand below each other" },
  { name: "Plans", description: "What may be used at which price, and the models that it is priced by" },
  { name: "Subscriptions", description: "Which node has which plan, and what is left of it" },
  { name: "Billing", description: "Charges, statements and payments" },
  { name: "Alerts", description: "Rules, the alerts that they make, and where these are sent" },
  { name: "Reports", description: "Reports, their runs, and schedules to send them by" },
  { name: "Keys", description: "API keys" },
  { name: "Users", description: "People and their roles" },
  { name: "Account", description: "Signing in, and one's own account" },
  { name: "Audit", description: "Who changed what" },
  { name: "Operations", description: "The health of the service, and repairs" },
] as const;

/** Describes what OpenAPI has no form for. */
const liveContract = `## Live over Socket.IO

Connect a Socket.IO 4 client to this server, path \`/socket.io\`, with a key as \`auth: { token }\` or as a bearer header, or with the session's cookie from this server's own pages. A refused connection is a \`connect_error\` whose \`data.code\` is \`unauthenticated\`, \`forbidden\` or \`too_many_sockets\`.

- \`live:watch\` (sent by the client): \`(node | null, answer)\`. \`null\` is the caller's own node. \`answer\` gets \`{ ok: true, snapshot }\` or \`{ ok: false, code, message }\` with the code \`forbidden\` (no such node within the caller's; an agent is known from its first event on), \`too_fast\` or \`superseded\` (a later \`live:watch\` took its place). A socket watches one node: the last that it asked for. Without \`answer\` the snapshot comes as \`live:snapshot\`.
- \`live:snapshot\` (sent by the server): what \`GET /v1/live\` answers, and \`sequence\`.
- \`live:changed\` (sent by the server): \`{ node, sequence, at, watermark, levels }\` when a level has changed, four times a second at most, and at least every five seconds.

\`sequence\` grows by one with each change of a node. Messages may be lost: after a gap, or after connecting again, send \`live:watch\` again. Rights are checked again every two seconds; a socket whose key or session was revoked is cut within five.`;

export const apiDescription = [
  "Usage metrics with exact peaks and minutes at every level of the account tree. Every answer is limited to the caller's subtree.",
  "Begin with a guide: [live sessions](/docs/guides/live-sessions), [jobs](/docs/guides/jobs), [calls](/docs/guides/calls), [testing what sends](/docs/guides/testing). [Events](/docs/events) and [meters](/docs/meters) have a reference each; [sending events](/docs/emitters) has emitters to install.",
  "Every write takes `Idempotency-Key`: the same request with the same key is carried out once and answered alike for 24 hours; with another body it is answered 422. `definitions.idempotency_keys` of `GET /v1/limits` says how many keys are taken in a day, and how large an answer is kept: a request whose answer is not is carried out once all the same, and answered 409 when it is repeated.",
  "Requests take turns, fairly between tenants: a caller with too many at once waits, then is answered 429 or 503 with `Retry-After`. An answer that would be too large is a 400 whose `field` names what to narrow. A question ends when its connection is closed. `GET /v1/limits` has the bounds.",
  liveContract,
  "An edit takes `If-Match` with the `ETag` that was read: it is answered 412 when something changed meanwhile.",
].join("\n\n");
