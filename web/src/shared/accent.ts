/** The colour that an embedding page chooses, made darker or lighter until it can be seen on the theme's surface. Pure. */

/** Red, green and blue, 0 to 255. */
type Rgb = readonly number[];

/** WCAG 2.2, 1.4.11: what has to be seen to understand a chart, and what has the focus. */
const leastContrast = 3;
const steps = 20;

/** `#rrggbb` as it is where it stands out from `surface`, else the nearest towards `ink` that does. */
export function visibleAccent(accent: string, surface: string, ink: string): string {
  const [from, to, ground] = [rgbOf(accent), rgbOf(ink), rgbOf(surface)];
  for (let step = 0; step <= steps; step++) {
    const mixed = from.map((part, place) => Math.round(part + ((to[place] ?? 0) - part) * (step / steps)));
    if (contrast(mixed, ground) >= leastContrast) return hexOf(mixed);
  }
  return ink;
}

/** The build writes `#fff` for `#ffffff`. */
function rgbOf(hex: string): Rgb {
  const digits = hex.slice(1);
  const value = Number.parseInt(digits.length === 3 ? digits.replace(/./g, "$&$&") : digits, 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

const hexOf = (rgb: Rgb) => `#${rgb.map((part) => part.toString(16).padStart(2, "0")).join("")}`;

/** By WCAG 2.2: 1 to 21. */
export function contrast(a: Rgb, b: Rgb): number {
  const [dark = 0, light = 0] = [luminance(a), luminance(b)].sort((one, other) => one - other);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(rgb: Rgb): number {
  const [red = 0, green = 0, blue = 0] = rgb.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
