/**
 * `npm run bench:reports`: a list of BENCH_CSV_ROWS records (1,000,000) as CSV and of BENCH_XLSX_ROWS (200,000) as Excel, and a
 * report over BENCH_ORGANIZATIONS organizations (10,000) in every format: seconds, and how much memory the server takes for it at
 * most, each in a server that was just started and has made a small one of the kind before.
 */
import { setTimeout as delay } from "node:timers/promises";
import { type ReportRun, reportFormats } from "../../server/contract/reports.ts";
import { Emitter } from "../../server/emitter/emitter.ts";
import { UsageApi } from "../../server/programs/usage-api.ts";
import { forgetPeak, residentBytes } from "../support/process-memory.ts";
import { startService } from "../support/service.ts";

const csvRows = Number(process.env.BENCH_CSV_ROWS ?? 1_000_000);
const xlsxRows = Number(process.env.BENCH_XLSX_ROWS ?? 200_000);
const organizations = Number(process.env.BENCH_ORGANIZATIONS ?? 10_000);
const maxCsvMegabytes = 150;
const maxXlsxMegabytes = 250;
const eventsAtOnce = 5_000;
const visibleWithinMs = 10 * 60_000;
const firstMs = Date.UTC(2026, 2, 1);
const spanMs = 30 * 24 * 3_600_000;

const service = await startService({ TIDEMARK_EVENTS_PER_SECOND: "1000000" });
const { url, rootKey: key } = service;
const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };

const seconds = (sinceMs: number) => `${((performance.now() - sinceMs) / 1_000).toFixed(1)} s`;
const megabytes = (bytes: number) => bytes / 1024 ** 2;

/** Their times are spread over March 2026. */
async function send(of: string, count: number, organization: (place: number) => string): Promise<void> {
  const startedAtMs = performance.now();
  const emitter = new Emitter({ url, key, eventsPerRequest: eventsAtOnce, concurrency: 3 });
  for (let start = 0; start < count; start += eventsAtOnce)
    await emitter.send(
      Array.from({ length: Math.min(eventsAtOnce, count - start) }, (_, index) => {
        const place = start + index;
        return {
          id: `${of}-${place}`,
          type: "transcription.completed",
          organization: organization(place),
          time: new Date(firstMs + Math.floor((place * spanMs) / count)).toISOString(),
          value: "1.25",
          properties: { language: "en", model: "standard" },
        };
      }),
    );
  const { accepted, rejected, rejections } = await emitter.flush();
  if (accepted !== count)
    throw new Error(`${accepted} of ${count} events were taken: ${JSON.stringify(rejections[0])}`);
  await new UsageApi({ url, key }).whenVisible(visibleWithinMs);
  console.log(`${accepted} events of ${of} are stored, ${rejected} rejected: ${seconds(startedAtMs)}`);
}

/** `maxMegabytes`: what it may take beyond what the server had. */
async function measure(
  title: string,
  {
    warmUp,
    work,
    maxMegabytes,
  }: { warmUp: () => Promise<unknown>; work: () => Promise<string>; maxMegabytes?: number },
): Promise<void> {
  await service.restart();
  await warmUp();
  const pid = service.pid();
  await forgetPeak(pid);
  const beforeBytes = await residentBytes(pid, "VmRSS");
  const startedAtMs = performance.now();
  const what = await work();
  const took = seconds(startedAtMs);
  const peakBytes = await residentBytes(pid, "VmHWM");
  const grown = megabytes(peakBytes - beforeBytes);
  const bound = maxMegabytes === undefined ? "" : ` (${grown < maxMegabytes ? "below" : "NOT below"} ${maxMegabytes})`;
  console.log(
    `${title}: ${took}, ${what}; ${grown.toFixed(0)} MB of memory${bound}, the server with it ${megabytes(peakBytes).toFixed(0)} MB`,
  );
}

async function download(path: string, accept: string): Promise<string> {
  const answer = await fetch(`${url}${path}`, { headers: { ...headers, accept } });
  if (!answer.ok || !answer.body) throw new Error(`${path} was answered ${answer.status}: ${await answer.text()}`);
  let bytes = 0;
  for await (const piece of answer.body) bytes += piece.length;
  return `${megabytes(bytes).toFixed(1)} MB`;
}

async function ask(method: "GET" | "POST", path: string, body?: object): Promise<ReportRun> {
  const answer = await fetch(`${url}${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) });
  if (!answer.ok) throw new Error(`${method} ${path} was answered ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as ReportRun;
}

async function makeReport(report: string, node: string): Promise<string> {
  const range = { from: "2026-03-01", to: "2026-04-01", tz: "Europe/Berlin" };
  let run = await ask("POST", "/v1/report-runs", { report, node, ...range, formats: reportFormats });
  for (; run.state === "queued" || run.state === "running"; await delay(100))
    run = await ask("GET", `/v1/report-runs/${run.id}`);
  if (run.state !== "done") throw new Error(`the run ended ${run.state}: ${run.error}`);
  return run.files.map(({ format, bytes }) => `${format} ${bytes} bytes`).join(", ");
}

try {
  await send("csv", csvRows, () => "csv");
  await send("xlsx", xlsxRows, () => "xlsx");
  await send("many", organizations, (place) => `many-${place}`);
  const small = "/v1/records?node=organization:many-0";
  const excel = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
  await measure(`${csvRows} records as CSV`, {
    warmUp: () => download(small, "text/csv"),
    work: () => download("/v1/records?node=organization:csv", "text/csv"),
    maxMegabytes: maxCsvMegabytes,
  });
  await measure(`${xlsxRows} records as Excel`, {
    warmUp: () => download(small, excel),
    work: () => download("/v1/records?node=organization:xlsx", excel),
    maxMegabytes: maxXlsxMegabytes,
  });
  for (const report of ["organizations", "usage"])
    await measure(`the report ${report} over ${organizations} organizations in every format`, {
      warmUp: () => makeReport(report, "organization:many-0"),
      work: () => makeReport(report, "all"),
    });
} finally {
  await service.stop();
}
