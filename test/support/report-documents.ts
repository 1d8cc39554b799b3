/** Documents as reports have them, made up: one that stands on a page, and one that goes on for many with names as people have them. */
import type { ReportCell, ReportColumn, ReportDocument } from "../../server/contract/reports.ts";

const about = {
  report: "usage",
  kind: "usage" as const,
  node: "reseller:nordlicht",
  node_name: "Nordlicht Medien GmbH",
  from: "2026-03-01T00:00:00+01:00",
  to: "2026-04-01T00:00:00+02:00",
  tz: "Europe/Berlin",
  watermark: "2026-04-01T06:00:00.000Z",
  made_at: "2026-04-01T06:00:03.000Z",
};
const column = (key: string, title: string, type: ReportColumn["type"] = "text", unit: string | null = null) => ({
  key,
  title,
  type,
  unit,
});

export function shortDocument(): ReportDocument {
  const days = Array.from({ length: 31 }, (_, day): ReportCell[] => {
    const start = `2026-03-${String(day + 1).padStart(2, "0")}T00:00:00+01:00`;
    return [start, day % 7 === 6 ? "0" : String(400 + ((day * 37) % 211)), 3 + ((day * 5) % 9)];
  });
  return {
    ...about,
    name: "Usage summary",
    definitions: [{ meter: "transcribed_minutes", unit: "minutes", how: "The minutes of completed transcriptions." }],
    sections: [
      {
        id: "total",
        title: "Total usage",
        columns: [
          column("meter", "Meter"),
          column("total", "Total", "decimal"),
          column("before", "Before", "decimal"),
          column("growth", "Growth", "percent", "%"),
        ],
        rows: [
          ["Transcribed minutes", "13034.123456789", "12001.5", 8.6],
          ["Documents", "214", "260", -17.7],
        ],
        totals: [],
      },
      {
        id: "days",
        title: "By day",
        columns: [
          column("start", "Day", "instant"),
          column("value", "Transcribed minutes", "decimal", "minutes"),
          column("documents", "Documents", "integer"),
        ],
        rows: days,
        totals: [null, "13034.123456789", 214],
      },
    ],
  };
}

/** Long, in both directions, of scripts without spaces, with emoji, and without any place to break. */
export const livelyNames = [
  "Gemeinschaft zur Förderung der barrierefreien Verschriftlichung öffentlicher Sitzungen e. V., Landesverband Mecklenburg-Vorpommern",
  "אגודת המתמללים והמתורגמנים של ירושלים (Jerusalem) בע״מ",
  "الجمعية العربية للترجمة الفورية والتفريغ النصي 2026",
  "株式会社東京文字起こしサービス・国際会議支援部門",
  "한국 속기사 협회 서울지부",
  "Café Émoji 😀🎙️ & Söhne",
  "Ελληνική Ραδιοφωνία · Радио Свобода",
  "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
];

export function longDocument(rows: number): ReportDocument {
  const columns = [
    column("node", "Node"),
    column("name", "Name"),
    column("status", "Status"),
    column("plan", "Plan"),
    column("users", "Users", "integer"),
    column("usage", "Transcribed minutes", "decimal", "minutes"),
    column("quota_percent", "Used", "percent", "%"),
    column("created_at", "Created", "instant"),
  ];
  const organizations = Array.from({ length: rows }, (_, index): ReportCell[] => [
    `organization:customer-${index}`,
    livelyNames[index % livelyNames.length] ?? "",
    "active",
    "Business",
    index % 40,
    `${(index * 7919) % 100_000}.25`,
    (index * 13) % 120,
    "2025-11-03T09:30:00+01:00",
  ]);
  return {
    ...about,
    kind: "organizations",
    report: "organizations",
    name: "Usage across organizations",
    definitions: [],
    sections: [
      {
        id: "organizations",
        title: "Organizations",
        columns,
        rows: organizations,
        totals: columns.map(() => null),
      },
    ],
  };
}
