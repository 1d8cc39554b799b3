/** The node in the tree that a row belongs to, as an expression that an index holds and conditions name alike. */
import { type SQL, type SQLWrapper, sql } from "drizzle-orm";

/** The node itself, or the organization of an agent: agents are not in the tree. */
export const placeOf = (node: SQLWrapper): SQL =>
  sql`(CASE WHEN ${node} LIKE 'agent:%' THEN 'organization:' || split_part(substr(${node}, 7), '/', 1) ELSE ${node} END)`;
