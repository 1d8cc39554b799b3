/** Meters of whole jobs: how long they took, from all their events together. */
import { z } from "zod";
import { stepsOfTypes } from "../catalog/catalog.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { amountDecimals, quotient } from "../numbers/figures.ts";
import {
  boundsOf,
  chosenBy,
  chosenParams,
  type Measured,
  rangeParams,
  type Scope,
  type SplitSeries,
  seriesWithWhole,
  splitRows,
  windowOrWhole,
} from "./scope.ts";

const jobTurnarounds = defineQuery(
  "job_turnarounds",
  chosenParams.extend({ ...rangeParams.shape, types: z.array(z.string()), steps: z.array(z.string()) }),
  z.object({ ...windowOrWhole, jobs: numberColumn, took_ms: numberColumn }),
);

/** Average seconds of the jobs that were completed in a window; the total is the average over the whole range. */
export async function measureTurnaround(clickhouse: ClickHouse, scope: Scope): Promise<SplitSeries> {
  const rows = await jobTurnarounds(clickhouse, {
    ...chosenBy(scope),
    ...boundsOf(scope.range),
    types: [...stepsOfTypes.keys()],
    steps: [...stepsOfTypes.values()],
  });
  const measuredOf = ({ jobs, took_ms }: (typeof rows)[number]): Measured => ({
    figure: quotient(String(took_ms), String(1_000 * jobs), amountDecimals) ?? "0",
    hasData: jobs > 0,
  });
  return await splitRows(rows, (own) => seriesWithWhole(own, measuredOf, { figure: "0", hasData: false }));
}
