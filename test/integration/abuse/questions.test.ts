import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AbusedService, startAbusedService } from "../../support/abused-service.ts";
import { type Harm, harmOf } from "../../support/bystander.ts";

const minuteMs = 60_000;
const fromMs = Date.parse("2026-03-01T00:00:00Z");
const users = 1_000;
const mebibyte = 1024 * 1024;

let world: AbusedService;
beforeAll(async () => {
  world = await startAbusedService();
  await world.store(
    Array.from({ length: 10_000 }, (_, n) => ({
      id: `e${n}`,
      type: "chat.posted",
      organization: "loud-org",
      user: `u${n % users}`,
      time: new Date(fromMs + (n % 2_000) * minuteMs + n).toISOString(),
    })),
  );
});
afterAll(() => world?.stop());

const instant = (ms: number) => new Date(ms).toISOString();
const range = (minutes: number) => `from=${instant(fromMs)}&to=${instant(fromMs + minutes * minuteMs)}`;

interface Problem {
  code: string;
  detail: string;
  field?: string;
}

async function refusal(path: string): Promise<{ status: number; type: string | null } & Problem> {
  const answer = await world.ask(path);
  return {
    ...((await answer.json()) as Problem),
    status: answer.status,
    type: answer.headers.get("content-type"),
  };
}

/** Another caller was answered all the while, and not much later than when nobody asks anything. */
function expectUnharmed({ statuses, longestMs, ratio, grownBytes }: Harm<unknown>): void {
  expect([...statuses.keys()]).toEqual([200]);
  expect(ratio, `waited ${longestMs} ms`).toBeLessThan(20);
  expect(grownBytes).toBeLessThan(350 * mebibyte);
}

describe("a question whose answer would be too large is refused by the parameter to narrow, in every form", () => {
  const minutes = `window=minute&${range(19_000)}`;
  test.each([
    ["windows of many groups", `meter=chat_posts&group_by=user&limit=1000&${minutes}`, "window"],
    ["fewer groups", `meter=chat_posts&group_by=user&limit=200&${minutes}`, "window"],
    ["groups by default", `meter=chat_posts&group_by=user&${minutes}`, "window"],
    ["groups of days", `meter=chat_posts&group_by=user&limit=1000&from=2024-01-01&to=2026-01-01`, "limit"],
    ["minutes over years", `meter=chat_posts&window=minute&from=2000-01-01&to=2026-01-01`, "window"],
    ["minutes of all time", `meter=chat_posts&window=minute&from=1900-01-01&to=2199-12-31`, "window"],
    ["days of all time", `meter=chat_posts&window=day&from=1900-01-02&to=2199-12-31&tz=America/New_York`, "window"],
    ["many meters", `meter=${Array.from({ length: 51 }, (_, n) => `m${n}`).join()}`, "meter"],
    [
      "meters over minutes",
      `meter=chat_posts,emails,api_calls,user_signups,qa_posts,documents,feature_uses,chat_sessions,call_minutes,transcribed_minutes,participation_minutes,sessions,active_users,active_rooms&${minutes}`,
      "window",
    ],
    [
      "many nodes",
      `meter=chat_posts&node=${Array.from({ length: 51 }, (_, n) => `organization:o${n}`).join()}`,
      "node",
    ],
    [
      "many filters",
      `meter=chat_posts&${Array.from({ length: 30 }, (_, n) => `filter[user][${n}]=a`).join("&")}`,
      undefined,
    ],
  ])("%s", async (_, query, field) => {
    for (const accept of ["application/json", "text/csv"]) {
      const headers = { authorization: `Bearer ${world.attacker.key}`, accept };
      const answer = await fetch(`${world.service.url}/v1/usage?${query}`, { headers });
      expect({ accept, status: answer.status }).toEqual({ accept, status: 400 });
      await answer.arrayBuffer();
    }
    const problem = await refusal(`/v1/usage?${query}`);
    expect(problem).toMatchObject({ type: "application/problem+json", code: "invalid_request" });
    if (field === undefined) expect(problem.field).toMatch(/^filter\[/);
    else expect(problem.field).toBe(field);
  });

  test("a formula of many operations", async () => {
    const formula = `chat_posts${"/3".repeat(400)}`;
    const answer = await world.ask("/v1/meters", {
      method: "POST",
      body: { meter: "thirds", title: "Thirds", formula },
    });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ field: "formula" });
  });
});

test("the largest answers that there may be leave others their turn, and their memory is bounded", async () => {
  const questions = [
    `meter=chat_posts&group_by=user&limit=120&window=minute&${range(2_000)}&tz=America/New_York`,
    `meter=chat_posts&window=minute&${range(19_000)}&compare=previous&tz=Asia/Kolkata`,
    `meter=active_users&group_by=user&limit=120&window=minute&${range(2_000)}`,
    `meter=participation_minutes&window=hour&from=2024-03-01&to=2026-03-01&tz=Europe/Amsterdam`,
  ];
  const harm = await harmOf(world.bystander, async () =>
    Promise.all(
      [...questions, ...questions].map(async (question, index) => {
        const headers = {
          authorization: `Bearer ${world.attacker.key}`,
          accept: index < 4 ? "application/json" : "text/csv",
        };
        // On a slow machine the last of them is told to come back.
        const ask = () => fetch(`${world.service.url}/v1/usage?${question}`, { headers });
        let answer = await ask();
        while (answer.status === 503) {
          await delay(1000 * Number(answer.headers.get("retry-after")));
          answer = await ask();
        }
        const text = await answer.text();
        return {
          status: answer.status,
          isWhole: index >= 4 || typeof JSON.parse(text) === "object",
          bytes: text.length,
        };
      }),
    ),
  );
  for (const { status, isWhole } of harm.result) expect({ status, isWhole }).toEqual({ status: 200, isWhole: true });
  expect(Math.max(...harm.result.map(({ bytes }) => bytes))).toBeGreaterThan(10 * mebibyte);
  expectUnharmed(harm);
});

test("a formula of many divisions over many windows leaves others their turn", async () => {
  const formula = `chat_posts${"/7.000000001/(chat_posts+1.5)".repeat(33)}`;
  const made = await world.ask("/v1/meters", {
    method: "POST",
    body: { meter: "sevenths", title: "Sevenths", formula },
  });
  expect(made.status).toBe(201);
  const harm = await harmOf(world.bystander, async () => {
    const answer = await world.ask(`/v1/usage?meter=sevenths&window=minute&${range(19_000)}`);
    await answer.arrayBuffer();
    return answer.status;
  });
  expect(harm.result).toBe(200);
  expectUnharmed(harm);
});

test("hundreds of questions of one caller wait for each other, are answered or told when to come back, and hold nobody up", async () => {
  const harm = await harmOf(world.bystander, async () => {
    const answers = await Promise.all(
      Array.from({ length: 260 }, async (_, n) => {
        const answer = await world.ask(`/v1/usage?meter=chat_posts&window=hour&${range(2_000 + n)}`);
        await answer.arrayBuffer();
        return { status: answer.status, retryAfter: answer.headers.get("retry-after") };
      }),
    );
    return answers;
  });
  const statuses = new Set(harm.result.map(({ status }) => status));
  expect([...statuses].filter((status) => ![200, 429, 503].includes(status))).toEqual([]);
  expect(harm.result.some(({ status }) => status === 200)).toBe(true);
  // Whether more wait at once than may, which is a 429, depends on how fast they come.
  for (const { status, retryAfter } of harm.result) if (status !== 200) expect(Number(retryAfter)).toBeGreaterThan(0);
  expectUnharmed(harm);
});

test("reloading again and again leaves nothing behind: the questions of closed connections end", async () => {
  const harm = await harmOf(world.bystander, async () => {
    for (let reload = 0; reload < 20; reload++) {
      const leaving = new AbortController();
      const asked = Array.from({ length: 6 }, () =>
        world
          .ask(
            `/v1/usage?meter=active_users,max_concurrent_participants&group_by=user&window=minute&limit=100&${range(2_000)}`,
            {
              signal: leaving.signal,
            },
          )
          .catch(() => undefined),
      );
      await world.ask("/v1/me");
      leaving.abort();
      await Promise.all(asked);
    }
    const answer = await world.ask(`/v1/usage?meter=chat_posts&window=day&${range(2_000)}`);
    await answer.arrayBuffer();
    return answer.status;
  });
  expect(harm.result).toBe(200);
  expectUnharmed(harm);
});
