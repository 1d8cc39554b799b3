/** Logos that people give: small pictures of two well-known kinds, read nowhere but in the thread that sets a PDF. */
import { maxLogoBytes } from "../contract/nodes.ts";
import { ProblemError } from "../problem.ts";
import { drawsLogo } from "./render/pdf.ts";
import type { Logo } from "./render/pdf-data.ts";

const maxPixels = 2_000;

/** Reads a `data:` URL that the contract has checked. */
export function logoOf(url: string): Logo {
  const [head = "", data = ""] = url.split(",", 2);
  return { format: head.includes("image/png") ? "png" : "jpg", content: Buffer.from(data, "base64") };
}

/** Throws `invalid_request` for what is too large, or not the picture that it claims to be. */
export async function checkLogo(url: string, tenant: string): Promise<void> {
  const refuse = (message: string) => new ProblemError("invalid_request", message, { field: "branding.logo" });
  const logo = logoOf(url);
  if (logo.content.length > maxLogoBytes) throw refuse(`the logo is larger than ${maxLogoBytes / 1_000} kB`);
  const size = logo.format === "png" ? sizeOfPng(logo.content) : sizeOfJpeg(logo.content);
  if (!size) throw refuse("the logo is not a valid PNG or JPEG");
  // A small file can unfold into gigabytes.
  if (size.width > maxPixels || size.height > maxPixels || size.width === 0 || size.height === 0)
    throw refuse(`the logo is more than ${maxPixels} pixels wide or high`);
  if (!(await drawsLogo(logo, tenant))) throw refuse("the logo cannot be drawn");
}

interface Size {
  width: number;
  height: number;
}

function sizeOfPng(content: Buffer): Size | undefined {
  const isPng = content.subarray(0, 8).equals(Buffer.from("\x89PNG\r\n\x1a\n", "latin1"));
  if (!isPng || content.length < 24 || content.toString("latin1", 12, 16) !== "IHDR") return undefined;
  return { width: content.readUInt32BE(16), height: content.readUInt32BE(20) };
}

/** From the first frame header; those are C0 to CF, except three that are tables. */
function sizeOfJpeg(content: Buffer): Size | undefined {
  if (content.length < 4 || content.readUInt16BE(0) !== 0xffd8) return undefined;
  for (let at = 2; at + 9 <= content.length && content[at] === 0xff; ) {
    const marker = content[at + 1] ?? 0;
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return { height: content.readUInt16BE(at + 5), width: content.readUInt16BE(at + 7) };
    at += 2 + content.readUInt16BE(at + 2);
  }
  return undefined;
}
