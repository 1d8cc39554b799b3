/** Colours that people give, made fit to be read on white paper. Pure. */

/** `#rrggbb`, as it is or darker, until it stands out from white by 4.5 to 1 as WCAG has it. */
export function readable(color: string): string {
  let channels = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
  while (1.05 / (luminance(channels) + 0.05) < 4.5) channels = channels.map((one) => Math.floor(one * 0.94));
  return `#${channels.map((one) => one.toString(16).padStart(2, "0")).join("")}`;
}

function luminance(channels: readonly number[]): number {
  const [red = 0, green = 0, blue = 0] = channels.map((one) => {
    const share = one / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
