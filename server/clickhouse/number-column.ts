import { z } from "zod";

/** A number in a row as ClickHouse writes it: one of 64 bits comes as text. */
export const numberColumn = z.coerce.number();
