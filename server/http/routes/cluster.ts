/**
 * What ingest nodes ask of each other. Not part of the API: no key and no session opens these, only a signature with the
 * secret that the nodes share (server/cluster/peers.ts).
 */
import type { OpenAPIHono } from "@hono/zod-openapi";
import { NotMineError } from "../../cluster/peers.ts";
import { ingestLocally, parseSent } from "../../cluster/route-events.ts";
import type { RunningCluster } from "../../cluster/run-node.ts";
import { deriveBodySchema, tokenBodySchema } from "../../cluster/start-cluster.ts";
import { parseJson } from "../../json/parse-json.ts";
import { ProblemError } from "../../problem.ts";
import { createRouter } from "../app-pieces.ts";
import type { HttpEnv } from "../http-env.ts";
import { readBody } from "../read-body.ts";

export interface ClusterRoutesDeps {
  cluster: RunningCluster;
  /** Runs a job of this process now; joins the run that is under way. */
  runJob: (name: string) => Promise<void>;
}

/** The events of a request as JSON are at most this much larger than its body was. */
const maxBodyBytes = 64 * 1024 * 1024;

export function clusterRoutes({ cluster, runJob }: ClusterRoutesDeps): OpenAPIHono<HttpEnv> {
  const app = createRouter();

  const post = (path: string, answer: (body: Buffer) => Promise<object>) =>
    app.post(path, async (c) => {
      const { headers } = c.req.raw;
      const refuse = () => new ProblemError("unauthenticated", "only the other ingest nodes may ask this");
      if (!cluster.peers.isFromPeer(headers, path)) throw refuse();
      const body = await readBody(c, maxBodyBytes, { kind: "peer", id: "" });
      if (!cluster.peers.isSignedBody(headers, body)) throw refuse();
      try {
        return c.json(await answer(body), 200);
      } catch (error) {
        if (error instanceof NotMineError) throw new ProblemError("conflict", error.message);
        throw error;
      }
    });

  post("/cluster/events", async (body) => {
    const { decision } = await ingestLocally(cluster.taking, parseSent(body));
    const { accepted, duplicates, rejected, warnings, isAborted } = decision;
    return { accepted, duplicates, rejected, warnings, isAborted };
  });
  post("/cluster/derive", async (body) => {
    const { batches } = deriveBodySchema.parse(parseJson(body.toString("utf8")));
    if (!cluster.isMaterializer()) throw new NotMineError("another node derives levels");
    const { changedNodes } = await cluster.ingest.materializer.derive(batches, Date.now());
    return { touchedNodes: [...changedNodes] };
  });
  post("/cluster/hold", async (body) => {
    await cluster.hold(tokenOf(body));
    return {};
  });
  post("/cluster/self", async () => {
    const { name, process } = cluster.membership;
    return { name, process };
  });
  post("/cluster/release", async (body) => {
    cluster.release(tokenOf(body));
    return {};
  });
  post("/cluster/jobs", async (body) => {
    if (!cluster.isMaterializer()) throw new NotMineError("another node derives levels");
    await runJob(tokenOf(body));
    return {};
  });
  return app;
}

function tokenOf(body: Buffer): string {
  return tokenBodySchema.parse(parseJson(body.toString("utf8"))).token;
}
