/**
 * /v1/shared: a dashboard for whoever has the token of a link or of an embedding, and nothing else. Tokens come in bodies, so that
 * no log, history or `Referer` has them; no cookie is read or set; whatever opens nothing is answered alike.
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { askedFor, type ClickHouse } from "../../clickhouse/client.ts";
import type { MeterSummary } from "../../contract/meters.ts";
import { nodeAddress } from "../../contract/node-address.ts";
import { parseRange, spanOf } from "../../contract/ranges.ts";
import {
  askSharedPanelSchema,
  openSharedViewSchema,
  type SharedMeter,
  type SharedPanelAnswer,
  type SharedView,
  sharedPanelAnswerSchema,
  sharedViewSchema,
} from "../../contract/shared-views.ts";
import { type UsageAnswer, type UsageQuery, usageQuerySchema } from "../../contract/usage.ts";
import { type UsageQuestion, usageQueryOf } from "../../contract/usage-question.ts";
import { zoneOf } from "../../contract/zone-names.ts";
import { Questions } from "../../fairness/questions.ts";
import type { CustomMeters } from "../../meters/custom-meters.ts";
import { ProblemError } from "../../problem.ts";
import {
  builtInSummaries,
  type OpenedView,
  openSharedView,
  questionOfPanel,
  type SharedViewSource,
} from "../../reports/shared-views.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { tenantOf } from "../../tree/tenant-of.ts";
import { changesNothing, createRouter, problemResponses } from "../app-pieces.ts";
import { askUsage, type UsageSources } from "../ask-usage.ts";
import { isWithinReach } from "../authenticate.ts";
import type { HttpEnv } from "../http-env.ts";
import { rawAnswer } from "../raw-answer.ts";
import { jsonAnswer, jsonBody } from "../route-parts.ts";
import { sayWatermark } from "../say-watermark.ts";
import { SharedFigures, sharedAnswerMs } from "../shared-figures.ts";

export interface SharedViewsRoutesDeps extends SharedViewSource, Omit<UsageSources, "customMeters"> {
  clickhouse: ClickHouse;
  tree: NodeTree;
  customMeters: Pick<CustomMeters, "find">;
  now?: () => number;
}

const refreshSeconds = 60;

const openSharedViewRoute = createRoute({
  method: "post",
  path: "/v1/shared/view",
  [changesNothing]: true,
  operationId: "openSharedView",
  tags: ["Usage"],
  summary: "Open a shared dashboard",
  description:
    "Needs only the token of a link or an embedding. The answer is the same whether a token is unknown, expired or revoked, or the person who created it can no longer share the dashboard.",
  security: [],
  request: { body: jsonBody(openSharedViewSchema) },
  responses: { 200: jsonAnswer("The dashboard", sharedViewSchema), ...problemResponses(400, 404, 429, 503) },
});

const askSharedPanelRoute = createRoute({
  method: "post",
  path: "/v1/shared/figures",
  [changesNothing]: true,
  operationId: "askSharedPanel",
  tags: ["Usage"],
  summary: "Get the data of a panel of a shared dashboard",
  description: `The panel's query for the token's node; nothing else can be requested. An answer is reused for ${sharedAnswerMs / 1_000} s for everyone.`,
  security: [],
  request: { body: jsonBody(askSharedPanelSchema) },
  responses: { 200: jsonAnswer("The data", sharedPanelAnswerSchema), ...problemResponses(400, 404, 429, 503) },
});

export function sharedViewsRoutes(deps: SharedViewsRoutesDeps): OpenAPIHono<HttpEnv> {
  const { tree, customMeters, now = Date.now } = deps;
  const figures = new SharedFigures(now);
  /** Readings for all who look, as many and each as large as questions may be; nobody's leaving ends one. */
  const readings = new Questions();
  const app = createRouter();

  app.openapi(openSharedViewRoute, async (c) => {
    return await answerInTurn(c, c.req.valid("json").token, async (opened) => {
      return c.json(describe(opened, tree, customMeters, now()), 200);
    });
  });

  app.openapi(askSharedPanelRoute, async (c) => {
    const { token, panel: place } = c.req.valid("json");
    return await answerInTurn(c, token, async (opened) => {
      const panel = opened.panels.find((one) => one.panel === place);
      if (!panel) throw new ProblemError("not_found", "the dashboard has no such panel", { field: "panel" });
      // As of the beginning of the time for which an answer stands: all who ask within it ask the same.
      const asOfMs = Math.floor(now() / sharedAnswerMs) * sharedAnswerMs;
      const { question, only = null } = questionOfPanel(opened, panel, customMeters, asOfMs);
      const { groupBy: group_by = null } = question;
      const query = queryOf(question);
      const reader = { reach: opened.reach };
      const text = await figures.ask(JSON.stringify([panel.node, opened.reach, query]), async () => {
        const reading = { id: opened.caller, tenant: tenantOf(opened.node, tree) };
        return await readings.answer(reading, new AbortController().signal, async (asker) => {
          const store = askedFor(deps.clickhouse, asker);
          const asked = { query, nodes: [panel.node], reader, store, becomeLarge: () => asker.becomeLarge() };
          const { answers, isLarge } = await askUsage(deps, asked, now());
          return { text: JSON.stringify(answers[0]), isKept: !isLarge };
        });
      });
      const answer = JSON.parse(text) as UsageAnswer;
      sayWatermark(c, answer.watermark);
      const named: Omit<SharedPanelAnswer, "answer"> = { only, group_by, names: namesIn(answer, group_by, opened) };
      return rawAnswer(c.body(`{"answer":${text},${JSON.stringify(named).slice(1)}`, 200, jsonType));
    });
  });

  /** What `answer` gives, in a turn of the tenant whose figures are shown. */
  async function answerInTurn<Answer>(
    c: Context<HttpEnv>,
    token: string,
    answer: (opened: OpenedView) => Promise<Answer>,
  ): Promise<Answer> {
    c.header("cache-control", "no-store");
    const { address } = c.get("client")();
    figures.checkStranger(address);
    const opened = await openSharedView(deps, token, now());
    if (!opened) {
      figures.countStranger(address);
      throw new ProblemError("not_found", "nothing can be seen with this link: it has expired or was revoked");
    }
    const { caller, node } = opened;
    figures.countRequest({ caller, tenant: tenantOf(node, tree) });
    const inTurn = c.get("inTurn");
    if (!inTurn) return await answer(opened);
    let answered: { with: Answer } | undefined;
    await inTurn({ id: caller, node }, async () => {
      answered = { with: await answer(opened) };
    });
    if (!answered) throw new Error("a turn ended without an answer");
    return answered.with;
  }

  /** What the nodes are called that groups stand for, as far as whoever made the token may know it. */
  function namesIn({ meters }: UsageAnswer, groupBy: string | null, { reach }: OpenedView): Record<string, string> {
    const kind = (["partner", "reseller", "organization"] as const).find((one) => one === groupBy);
    if (kind === undefined) return {};
    const keys = meters.flatMap(({ groups = [] }) => groups.flatMap(({ key, is_other }) => (is_other ? [] : [key])));
    const addresses = [...new Set(keys.filter((key) => key !== ""))].map((key) => nodeAddress(kind, key));
    const known = addresses.flatMap((address) => {
      const node = isWithinReach({ reach }, tree, address) ? tree.get(address) : undefined;
      return node ? [[address, node.name] as const] : [];
    });
    return Object.fromEntries(known);
  }
  return app;
}

const jsonType = { "content-type": "application/json" };

const withoutUndefined = (query: object) =>
  Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined));

/** Throws `invalid_request` where the panel was stored with what no question may have, such as a filter that is too long. */
function queryOf(question: UsageQuestion): UsageQuery {
  const { data } = usageQuerySchema.safeParse(withoutUndefined(usageQueryOf(question)));
  if (!data) throw new ProblemError("invalid_request", "the panel's query is not valid", { field: "panel" });
  return data;
}

function describe(
  opened: OpenedView,
  tree: Pick<NodeTree, "get">,
  customMeters: Pick<CustomMeters, "find">,
  nowMs: number,
): SharedView {
  const { view, node, panels, query, theme, expiresAt } = opened;
  const read = (name: string) => query.get(name) ?? undefined;
  const tz = zoneOf(read("tz"));
  const range = parseRange(read("range"), read("from"), read("through"), read("to"));
  const { from, to, firstDay, lastDay, days } = spanOf(range, tz, nowMs);
  const nameOf = (address: string) => tree.get(address)?.name ?? address;
  return {
    name: view.name,
    node,
    node_name: nameOf(node),
    range: { from, to, first_day: firstDay, last_day: lastDay, days, tz },
    panels: panels.map(({ panel, title, width, node: of }) => {
      return { panel, title, width, node: of, node_name: nameOf(of) };
    }),
    meters: metersShown(opened, customMeters, nowMs),
    theme,
    expires_at: expiresAt.toISOString(),
    refresh_seconds: refreshSeconds,
  };
}

/** Nobody is told of meters that people made and that no panel shows. */
function metersShown(opened: OpenedView, customMeters: Pick<CustomMeters, "find">, nowMs: number): SharedMeter[] {
  const shown = new Map<string, SharedMeter>();
  const add = (known: readonly MeterSummary[], isBuiltIn: boolean) => {
    for (const { meter, title, adds_up } of known) shown.set(meter, { meter, title, adds_up, is_built_in: isBuiltIn });
  };
  add(builtInSummaries, true);
  for (const panel of opened.panels) add(questionOfPanel(opened, panel, customMeters, nowMs).made, false);
  return [...shown.values()];
}
