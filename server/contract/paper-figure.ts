/** How figures stand on paper: their thousands apart, and as many decimals as their unit has, so that they line up. Pure. */
import type { FigureAbout } from "./report-paper.ts";

const mostDecimals = 6;
const formats = new Map<number, Intl.NumberFormat>();

function format(figure: string, decimals: number): string {
  const known =
    formats.get(decimals) ??
    new Intl.NumberFormat("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  formats.set(decimals, known);
  return known.format(figure as Intl.StringNumericLiteral);
}

const minorDigits = new Map<string, number>();

/** Digits of the currency's minor unit: 2 of EUR, 0 of JPY, 3 of KWD. */
function digitsOf(currency: string | null): number {
  if (currency === null) return 2;
  const known =
    minorDigits.get(currency) ??
    new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits ??
    2;
  minorDigits.set(currency, known);
  return known;
}

/** Two decimals of an amount or a percentage, the currency's of money, none of what is counted; a little is never told as nothing. */
export function paperFigure(figure: string | number, about: FigureAbout): string {
  const text = String(figure);
  if (!/^-?\d+(?:\.\d+)?$/.test(text)) return text;
  const least = decimalsOf(text, about);
  let decimals = least;
  const isSome = /[1-9]/.test(text);
  while (isSome && decimals < mostDecimals && !/[1-9]/.test(format(text, decimals))) decimals++;
  return format(text, decimals);
}

function decimalsOf(text: string, { type, unit, currency, hasDecimals }: FigureAbout): number {
  switch (type) {
    case "integer":
      return 0;
    case "money":
      return digitsOf(currency);
    case "percent":
      return 2;
    default:
      if (unit === "count") return /\.\d*[1-9]/.test(text) ? 2 : 0;
      return unit !== null || hasDecimals ? 2 : 0;
  }
}
