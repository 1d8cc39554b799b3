/** In whose name reports come, and how long they are kept: a setting of a node that holds for all below it. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { crc32, deflateSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { renderMail } from "../../../server/delivery/render-mail.ts";
import { createReportsWorld, type ReportsWorld, reseller } from "../../support/reports-world.ts";

const execute = promisify(execFile);
const organization = "organization:told-0";
let world: ReportsWorld;
let folder: string;
beforeAll(async () => {
  [world, folder] = await Promise.all([createReportsWorld(), mkdtemp(join(tmpdir(), "tidemark-branding-"))]);
});
afterAll(async () => {
  await world?.close();
  await rm(folder, { recursive: true, force: true });
});

function pngChunk(name: string, content: Buffer): Buffer {
  const said = Buffer.concat([Buffer.from(name, "latin1"), content]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(content.length);
  sum.writeUInt32BE(crc32(said));
  return Buffer.concat([length, said, sum]);
}

/** A red picture; `claimed` is what its header says of its size. */
function png(size: number, claimed = size): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(claimed, 0);
  header.writeUInt32BE(claimed, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const row = Buffer.concat([Buffer.from([0]), Buffer.alloc(size * 3, Buffer.from([200, 30, 30]))]);
  const pixels = deflateSync(Buffer.concat(Array.from({ length: size }, () => row)));
  const signature = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
  return Buffer.concat([
    signature,
    pngChunk("IHDR", header),
    pngChunk("IDAT", pixels),
    pngChunk("IEND", Buffer.alloc(0)),
  ]);
}

const url = (content: Buffer, type = "image/png") => `data:${type};base64,${content.toString("base64")}`;
const patch = (node: string, body: object, key = world.key) =>
  world.ask("PATCH", `/v1/nodes/${encodeURIComponent(node)}`, { key, body });

async function pdfOf(node: string): Promise<string> {
  const run = await world.run("usage", { node, formats: ["pdf"] });
  const file = join(folder, `${run.id}.pdf`);
  await writeFile(file, await world.bytes(run.files[0]?.url ?? ""));
  return file;
}

test("a report comes in the name, with the logo, of the nearest node above that has one", async () => {
  const brand = { name: "Brightwater #panic() =1+1", color: "#ffcc00", logo: url(png(40)) };
  expect(await patch(reseller, { branding: brand })).toMatchObject({ status: 200, body: { branding: brand } });
  const file = await pdfOf(organization);
  const { stdout: text } = await execute("pdftotext", ["-layout", file, "-"]);
  expect(text).toContain(brand.name);
  const { stdout: images } = await execute("pdfimages", ["-list", file]);
  expect(images.trim().split("\n")).toHaveLength(3);

  expect((await patch(organization, { branding: { name: "Own name" } })).status).toBe(200);
  const { stdout: own } = await execute("pdftotext", ["-layout", await pdfOf(organization), "-"]);
  expect(own).toContain("Own name");
  expect(own).not.toContain("Brightwater");
  expect((await patch(organization, { branding: null })).body.branding).toBeNull();
  const audit = await world.ask("GET", `/v1/audit?node=${reseller}&limit=1000`, { key: world.key });
  expect(JSON.stringify(audit.body)).not.toContain("base64");
});

test("what is no small picture is refused as a logo, and changes nothing", async () => {
  const before = await world.ask("GET", `/v1/nodes/${encodeURIComponent(reseller)}`, { key: world.key });
  const broken = png(40);
  broken.fill(0, 50, 60);
  for (const logo of [
    url(Buffer.from("<svg xmlns='http://www.w3.org/2000/svg'/>"), "image/svg+xml"),
    url(Buffer.from("<script>alert(1)</script>")),
    url(png(4, 30_000)),
    url(broken),
    url(png(4), "image/jpeg"),
    url(Buffer.concat([png(4), Buffer.alloc(210_000)])),
    "https://example.com/logo.png",
    `${url(png(4))}" onload="x`,
  ]) {
    const refused = await patch(reseller, { branding: { logo } });
    expect(refused, logo.slice(0, 60)).toMatchObject({ status: 400, body: { field: "branding.logo" } });
  }
  for (const color of ["red", "#12", "#12345g", "#0f766e; background: url(//x)"])
    expect(await patch(reseller, { branding: { color } })).toMatchObject({
      status: 400,
      body: { field: "branding.color" },
    });
  const after = await world.ask("GET", `/v1/nodes/${encodeURIComponent(reseller)}`, { key: world.key });
  expect(after.body).toEqual(before.body);
});

test("reports made from then on are kept for as long as the nearest node says", async () => {
  const keptDays = async (node: string) => {
    const run = await world.run("activity", { node, formats: ["json"] });
    return Math.round((Date.parse(run.expires_at) - Date.parse(run.requested_at)) / 86_400_000);
  };
  expect(await keptDays(organization)).toBe(90);
  const byItself = await patch(reseller, { report_days: 7 });
  expect(byItself, "from above alone").toMatchObject({ status: 403, body: { field: "report_days" } });
  expect(await patch(reseller, { report_days: 7 }, world.root)).toMatchObject({
    status: 200,
    body: { report_days: 7 },
  });
  expect(await keptDays(organization)).toBe(7);
  await patch(organization, { report_days: 400 });
  expect(await keptDays(organization)).toBe(400);
  await patch(organization, { report_days: null });
  await patch(reseller, { report_days: null }, world.root);
  expect(await keptDays(organization)).toBe(90);
  expect(await patch(reseller, { report_days: 0 })).toMatchObject({ status: 400, body: { field: "report_days" } });
});

test("a mail comes in the same name, in which markup stays text", () => {
  const frame = { id: "d", to: "a@example.com", matter: null, unsubscribeUrl: "http://x/u", publicUrl: "http://x" };
  const message = { subject: "s", lines: [], url: "http://x", button: "Open", data: null };
  const brand = { name: "<b>Bright</b>", color: "#7a5c00", logoCid: "brand-logo" };
  const figures = [{ label: "Margin of <i>Told</i>", value: "31.10 EUR" }];
  const chart = { title: "Days: <u>Minutes</u>", text: '"><s>at most 5', bars: [0, 50, 100], first: "1", last: "3" };
  const { html = "", text } = renderMail({ ...message, figures, chart, brand }, frame);
  expect(html).not.toMatch(/<[iub]>|<s>/);
  for (const height of [0, 36, 72]) expect(html).toContain(`style="height: ${height}px; background: #7a5c00"`);
  expect(html).toContain('aria-label="&quot;&gt;&lt;s&gt;at most 5"');
  expect(text).toContain("Margin of <i>Told</i>: 31.10 EUR");
  expect(html).toContain("&lt;b&gt;Bright&lt;/b&gt;");
  expect(html).toContain('src="cid:brand-logo"');
  expect(html).toContain("background: #7a5c00");
  expect(html).not.toContain("Tidemark");
});
