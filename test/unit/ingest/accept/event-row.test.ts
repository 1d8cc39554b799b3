import fc from "fast-check";
import { expect, test } from "vitest";
import { EventLines } from "../../../../server/ingest/accept/event-lines.ts";
import {
  escapeColumn,
  lineColumns,
  maxQuarantinedBytes,
  quarantineColumns,
  renderQuarantineRow,
  splitEventLine,
  unescapeColumn,
} from "../../../../server/ingest/accept/event-row.ts";
import {
  parseRequestRecord,
  readLoggedRequest,
  renderRequestRecord,
} from "../../../../server/ingest/accept/request-record.ts";

const anyText = fc.string({
  unit: fc.oneof(
    fc.constantFrom("\t", "\n", "\\", "\r", "\0", "\b", "t", "N"),
    fc.string({ unit: "binary", maxLength: 3 }),
  ),
});

test("any text survives as a column that has neither tabs nor line ends", () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const column = escapeColumn(text);
      expect(column).not.toMatch(/[\t\n\r\0]/);
      expect(unescapeColumn(column)).toBe(text);
    }),
  );
});

test("sealing reads identity, body and time from any event line, and leaves the rest as it was", () => {
  fc.assert(
    fc.property(anyText, anyText, fc.boolean(), fc.maxSafeNat(), (organization, id, isChecked, timeMs) => {
      const stored = [
        escapeColumn(organization),
        escapeColumn(id),
        "18446744073709551615",
        String(timeMs),
        ...lineColumns.slice(5).map(() => "x"),
      ].join("\t");
      expect(splitEventLine(`${isChecked ? 1 : 0}\t${stored}`)).toEqual({
        isChecked,
        organization,
        id,
        bodyHash: "18446744073709551615",
        timeMs,
        stored,
      });
    }),
  );
  expect(() => splitEventLine("1\tacme\tx")).toThrow("too few columns");
});

test("a record gives back the lines it was made of, and a cut one is refused", () => {
  const line = fc.string({ unit: "grapheme" }).filter((text) => !text.includes("\n"));
  fc.assert(
    fc.property(fc.nat(), fc.array(line), fc.array(line), fc.string(), (receivedAtMs, events, quarantined, name) => {
      const place = { organization: name, partner: "p", reseller: name, agent: "" };
      const outcomes = [{ ...place, key: "key_1", outcome: "late" as const, reason: "over_1h", events: 3 }];
      const record = { receivedAtMs, events, quarantined, outcomes };
      const payload = renderRequestRecord(record);
      expect(parseRequestRecord(payload)).toEqual(record);
      expect(() => parseRequestRecord(payload.subarray(0, -1))).toThrow();
    }),
  );
});

test("a record describes its event lines without reading them, and they are stored as they were logged", () => {
  const column = fc.string({ unit: "grapheme" });
  const event = fc.record({ isChecked: fc.boolean(), organization: column, id: column });
  fc.assert(
    fc.property(fc.array(fc.array(event)), fc.nat(60), fc.nat(60), (requests, a, b) => {
      const lines: string[] = [];
      const eventLines = new EventLines();
      for (const request of requests) {
        const events = request.map(({ isChecked, organization, id }) =>
          [isChecked ? 1 : 0, escapeColumn(organization), escapeColumn(id), "1", "5", "x"].join("\t"),
        );
        lines.push(...events);
        const record = { receivedAtMs: 5, events, quarantined: ["q"], outcomes: [] };
        const logged = readLoggedRequest(renderRequestRecord(record));
        expect(logged.eventCount).toBe(events.length);
        expect(logged.unchecked).toBe(request.filter(({ isChecked }) => !isChecked).length);
        expect(new Set(logged.organizations)).toEqual(new Set(request.map(({ organization }) => organization)));
        eventLines.add(logged.eventBytes, logged.eventCount);
      }
      expect(eventLines.length).toBe(lines.length);
      const [from, to] = [Math.min(a, b), Math.max(a, b)];
      const text = Buffer.concat(eventLines.bytes(from, to)).toString("utf8");
      expect(text).toBe(
        lines
          .slice(from, to)
          .map((line) => `${line}\n`)
          .join(""),
      );
      for (const [index, line] of lines.entries()) expect(eventLines.line(index)).toBe(line);
    }),
  );
});

test("a rejected event is kept up to 64 KiB, cut between characters", () => {
  const row = (raw: string) =>
    renderQuarantineRow({
      receivedAtMs: 5,
      organization: "a\tb",
      id: "i",
      code: "not_json",
      field: "",
      message: "m",
      key: "k",
      raw,
    });
  const columns = row(`é${"漢".repeat(40_000)}`).split("\t");
  expect(columns).toHaveLength(quarantineColumns.length);
  expect(columns.slice(0, 7)).toEqual(["5", "a\\tb", "i", "not_json", "", "m", "k"]);
  const kept = columns[7] as string;
  expect(kept).toMatch(/^é漢+$/);
  expect(Buffer.byteLength(kept)).toBeLessThanOrEqual(maxQuarantinedBytes);
  expect(Buffer.byteLength(kept)).toBeGreaterThan(maxQuarantinedBytes - 4);
  expect(row("short").endsWith("\tshort")).toBe(true);
});
