/** Currencies by ISO 4217, and how many decimals the minor unit of each has. */
import { z } from "zod";

/** Those whose minor unit is not a hundredth. */
const decimalsOfCurrencies: ReadonlyMap<string, number> = new Map([
  ...[
    "BIF",
    "CLP",
    "DJF",
    "GNF",
    "ISK",
    "JPY",
    "KMF",
    "KRW",
    "PYG",
    "RWF",
    "UGX",
    "UYI",
    "VND",
    "VUV",
    "XAF",
    "XOF",
    "XPF",
  ].map((code) => [code, 0] as const),
  ...["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"].map((code) => [code, 3] as const),
  ...["CLF", "UYW"].map((code) => [code, 4] as const),
]);

export function decimalsOf(currency: string): number {
  return decimalsOfCurrencies.get(currency) ?? 2;
}

export const currencySchema = z.string().regex(/^[A-Z]{3}$/, "must be an ISO 4217 currency code, such as EUR");
