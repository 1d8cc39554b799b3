/** The jobs whose last run failed, in whichever process it ran. */
import { pgTable, text, timestamp } from "drizzle-orm/pg-core";

export const failedJobs = pgTable("failed_jobs", {
  job: text("job").primaryKey(),
  failedAt: timestamp("failed_at", { withTimezone: true, precision: 3, mode: "date" }).notNull().defaultNow(),
});
