/** An account tree on a Postgres database of its own, which goes with it. */
import { pino } from "pino";
import { connectPostgres, type Postgres } from "../../server/postgres/client.ts";
import { NodeTree } from "../../server/tree/node-tree.ts";
import { ownPostgres } from "./stores.ts";

export interface OwnTree {
  postgres: Postgres;
  tree: NodeTree;
  close(): Promise<void>;
}

export async function ownTree(): Promise<OwnTree> {
  const database = await ownPostgres();
  const postgres = connectPostgres(database.url);
  const tree = await NodeTree.load(postgres, pino({ level: "silent" }));
  return {
    postgres,
    tree,
    async close() {
      await tree.close();
      await postgres.close();
      await database.drop();
    },
  };
}
