import { defineConfig } from "drizzle-kit";

/** drizzle-kit reads the default export. */
export default defineConfig({
  dialect: "postgresql",
  schema: "./server/postgres/schema/*.ts",
  out: "./server/postgres/migrations",
});
