/** Random bodies and questions to every route of a service, by several callers, beside somebody who asks for nothing much. */
import { Agent } from "node:http";
import { meters } from "../../server/catalog/built-in-meters.ts";
import { roles } from "../../server/contract/accounts.ts";
import { pick, type Random } from "../../server/programs/random.ts";
import { type ApiDescription, type FuzzRequest, KnownTexts, RequestMaker } from "./fuzz-requests.ts";
import { type FuzzBooks, runRequests, sendRaw, standBy } from "./run-requests.ts";

export interface FuzzedService {
  url: string;
  /** What each caller sends along; the first one asks most often. */
  callers: readonly Record<string, string>[];
  bystander: Record<string, string>;
  /** Ids of keys and people that the callers themselves need. */
  spared?: readonly string[];
  /** `METHOD /path` of all routes; without them those of the API's description are asked. */
  routes?: readonly string[];
}

export interface FuzzOptions {
  bodies: number;
  questions: number;
  lanes: number;
  random: Random;
  say: (line: string) => void;
}

export interface FuzzFindings {
  /** Every answer of 500 and above and every broken connection, one example of each kind. */
  wrong: ReadonlyMap<string, string>;
  longestWaitMs: number;
  /** The same before anything was sent. */
  quietWaitMs: number;
  /** Every route that was asked. */
  routes: readonly string[];
}

const quietAsks = 50;

/** Questions go first and last, so that half of them are about what the bodies left behind. */
export async function fuzz(
  { url, callers, bystander, spared = [], routes = [] }: FuzzedService,
  { bodies, questions, lanes, random, say }: FuzzOptions,
): Promise<FuzzFindings> {
  const agent = new Agent({ keepAlive: true });
  const described = await sendRaw(url, agent, { route: "", method: "GET", path: "/openapi.json", headers: {} });
  agent.destroy();
  const known = new KnownTexts(knownTexts, new Set(spared));
  const maker = new RequestMaker(JSON.parse(described.text) as ApiDescription, known, random, routes);
  const withCaller = (request: FuzzRequest): FuzzRequest => {
    const caller = random() < 0.7 ? callers[0] : pick([...callers, {}], random);
    return { ...request, headers: { ...request.headers, ...caller } };
  };
  const quiet = standBy(url, bystander);
  await quiet.answered(quietAsks);
  await quiet.stop();
  const waiting = standBy(url, bystander);
  const wrong = new Map<string, string>();
  const run = async (what: string, count: number, make: (turn: number) => FuzzRequest) => {
    const books = await runRequests(url, (turn) => withCaller(make(turn)), { count, lanes, known });
    for (const [kind, example] of books.wrong) wrong.set(kind, example);
    say(`${what}: ${inWords(books)}; another caller waited ${Math.round(waiting.longestMs())} ms at most`);
  };
  const first = Math.floor(questions / 2);
  await run("questions", first, (turn) => maker.question(turn));
  await run("bodies", bodies, (turn) => maker.write(turn));
  await run("questions", questions - first, (turn) => maker.question(turn));
  await waiting.stop();
  return { wrong, longestWaitMs: waiting.longestMs(), quietWaitMs: quiet.longestMs(), routes: maker.routes };
}

function inWords({ sent, statuses, reached, slowest }: FuzzBooks): string {
  const answered = [...statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${count} × ${status}`);
  return `${sent} sent, ${answered.join(", ")}; ${reached.size} routes let one through; the slowest took ${Math.round(slowest.ms)} ms: ${slowest.request}`;
}

const meterNames = meters.map(({ meter }) => meter);
const knownTexts = {
  meter: [...meterNames, "chat_posts,sessions", "participation_minutes,max_concurrent_participants"],
  key: meterNames,
  feature: meterNames,
  expression: ["chat_posts / sessions", "participation_minutes * 2 - 1"],
  type: [
    "chat.posted",
    "participant.joined",
    "participant.left",
    "transcription.completed",
    "recording.started",
    "made.up",
  ],
  organization: ["acme", "globex", "o'brien\\\t", "漢字 🌊"],
  node: ["all", "organization:acme", "organization:globex", "reseller:r1", "agent:acme/a1"],
  parent: ["all", "reseller:r1"],
  tz: ["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu"],
  group_by: ["organization", "user", "language", "model", "agent"],
  filter: ["organization", "user", "language"],
  compare: ["previous", "year", "2026-01-01/2026-02-01"],
  role: [...roles],
  currency: ["USD", "EUR", "JPY"],
  value: ["1", "12.5", "0.000000001"],
} as const;
