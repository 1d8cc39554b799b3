/** The parts that descriptions of routes are made of. */
import { z } from "@hono/zod-openapi";

/** The path's `{id}`; whether there is such a thing is for the route to find out. */
export const idParams = z.object({ id: z.string().max(100) });

/** A body that has to be sent, as JSON. */
export const jsonBody = <T extends z.ZodType>(schema: T) => ({
  required: true,
  content: { "application/json": { schema } },
});

/** An answer in JSON; `description` says what it holds. */
export const jsonAnswer = <T extends z.ZodType>(description: string, schema: T) => ({
  description,
  content: { "application/json": { schema } },
});
