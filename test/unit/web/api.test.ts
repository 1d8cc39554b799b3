import { afterEach, describe, expect, it, vi } from "vitest";
import { api } from "../../../web/src/api/client.ts";
import { readMe } from "../../../web/src/api/me.ts";
import { ApiError, onSignedOut } from "../../../web/src/api/request.ts";
import { readUsage, usageAddress } from "../../../web/src/api/usage.ts";

const signedOut = vi.fn();
onSignedOut(signedOut);

afterEach(() => {
  vi.unstubAllGlobals();
  signedOut.mockReset();
});

function answerWith(respond: () => Response | Promise<Response>) {
  const asked = vi.fn((_address: string, _init?: RequestInit) => Promise.resolve().then(respond));
  vi.stubGlobal("fetch", asked);
  return asked;
}

const refused = (status: number, code: string, more: object = {}, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify({ type: "about:blank", title: code, status, code, detail: "why", ...more }), {
    status,
    headers: { "content-type": "application/problem+json", ...headers },
  });

async function failure(act: () => Promise<unknown>): Promise<ApiError> {
  const thrown: unknown = await act().then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(ApiError);
  return thrown as ApiError;
}

describe("a refusal", () => {
  it("carries the cause, the field, the wait and the request id", async () => {
    answerWith(() => refused(503, "store_unavailable", { field: "from", request_id: "r1" }, { "retry-after": "7" }));
    expect(await failure(() => api.listMeters())).toMatchObject({
      code: "store_unavailable",
      message: "why",
      status: 503,
      field: "from",
      requestId: "r1",
      retryAfterSeconds: 7,
      isPassing: true,
    });
  });

  it("carries the request id of the header when a proxy answers without a problem", async () => {
    answerWith(() => new Response("<h1>Bad gateway</h1>", { status: 502, headers: { "x-request-id": "r2" } }));
    expect(await failure(() => api.listMeters())).toMatchObject({
      code: "unexpected_answer",
      requestId: "r2",
      isPassing: true,
    });
  });

  it("that trying again cannot help is not passing", async () => {
    for (const status of [400, 403, 404, 500]) {
      answerWith(() => refused(status, "invalid_request"));
      expect((await failure(() => api.listMeters())).isPassing).toBe(false);
    }
  });
});

describe("an answer that does not come", () => {
  it("is shown as such, and passes", async () => {
    answerWith(() => Promise.reject(new TypeError("Failed to fetch")));
    expect(await failure(() => api.listMeters())).toMatchObject({ code: "unreachable", status: 0, isPassing: true });
  });

  it("because nobody wants it any more is no failure of the service", async () => {
    answerWith(() => Promise.reject(new DOMException("aborted", "AbortError")));
    await expect(api.listMeters()).rejects.toMatchObject({ name: "AbortError" });
  });

  it("in full is shown as such", async () => {
    answerWith(() => new Response('{"meters": ['));
    expect(await failure(() => api.listMeters())).toMatchObject({ code: "unexpected_answer", status: 200 });
  });
});

describe("a session that ended", () => {
  it("is reported once to the page by any request", async () => {
    answerWith(() => refused(401, "unauthenticated"));
    await failure(() => api.listMeters());
    expect(signedOut).toHaveBeenCalledOnce();
  });

  it("is not what a wrong password means", async () => {
    answerWith(() => refused(401, "unauthenticated"));
    await failure(() => api.signIn({ body: { email: "a@b", password: "wrong" }, isSignIn: true }));
    expect(signedOut).not.toHaveBeenCalled();
  });

  it("is nobody signed in, not an error, to who asks", async () => {
    answerWith(() => refused(401, "unauthenticated"));
    expect(await readMe()).toBeNull();
  });
});

describe("a usage question", () => {
  const question = {
    meters: ["sessions", "chat_posts"],
    from: "2026-11-01",
    to: "now",
    window: "day",
    tz: "UTC",
  } as const;

  it("is asked of the caller's own node when none is named", async () => {
    const asked = answerWith(() => Response.json({}));
    await readUsage(question);
    expect(asked.mock.calls[0]?.[0]).toBe(
      "/v1/usage?meter=sessions%2Cchat_posts&from=2026-11-01&to=now&window=day&tz=UTC",
    );
  });

  it("keeps whatever a node's id holds within its parameter", () => {
    const node = "organization:a&b=c/d#é +";
    const { searchParams } = new URL(usageAddress({ ...question, node }), "http://localhost");
    expect(searchParams.get("node")).toBe(node);
  });
});
