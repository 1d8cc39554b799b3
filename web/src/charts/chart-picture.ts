/** A chart as a picture to be passed on: with its title, range and legend, on the background of the theme as it is now. */
import { readTokens } from "./tokens.ts";

interface PictureWords {
  title: string;
  /** The days that it shows, and in which zone. */
  range: string;
  legend: readonly { label: string; color: number }[];
}

/** In CSS pixels. */
const [edge, headHeight, legendHeight] = [24, 64, 36];

/** PNG with the pixels that the drawings have, one below the other. Throws where the browser gives none. */
export async function pictureOfChart(
  drawings: readonly HTMLCanvasElement[],
  { title, range, legend }: PictureWords,
): Promise<Blob> {
  const { token, family } = readTokens();
  const width = Math.max(...drawings.map(({ clientWidth }) => clientWidth));
  const height = drawings.reduce((sum, { clientHeight }) => sum + clientHeight, 0);
  const scale = (drawings[0]?.width ?? 1) / Math.max(1, width);
  const picture = document.createElement("canvas");
  picture.width = Math.round((width + 2 * edge) * scale);
  picture.height = Math.round((height + headHeight + legendHeight + 2 * edge) * scale);
  const context = picture.getContext("2d");
  if (!context) throw new Error("this browser draws no pictures");
  context.scale(scale, scale);
  context.fillStyle = token("--surface");
  context.fillRect(0, 0, width + 2 * edge, height + headHeight + legendHeight + 2 * edge);
  const write = (text: string, x: number, y: number, font: string, color: string) => {
    context.font = `${font} ${family}`;
    context.fillStyle = token(color);
    context.fillText(text, x, y, width + edge - x);
  };
  write(title, edge, edge + 18, "600 18px", "--ink");
  write(range, edge, edge + 40, "13px", "--ink-faint");
  let top = edge + headHeight;
  for (const drawing of drawings) {
    context.drawImage(drawing, edge, top, drawing.clientWidth, drawing.clientHeight);
    top += drawing.clientHeight;
  }
  let x = edge;
  const y = edge + headHeight + height + legendHeight - 8;
  for (const { label, color } of legend) {
    context.fillStyle = token(`--series-${color}`);
    context.fillRect(x, y - 9, 10, 10);
    write(label, x + 16, y, "12px", "--ink-soft");
    x += 16 + context.measureText(label).width + 20;
  }
  return new Promise((resolve, reject) => {
    picture.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("this browser makes no PNG"))), "image/png");
  });
}
