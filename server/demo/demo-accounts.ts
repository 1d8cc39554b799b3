/**
 * Who is in the demonstration: a partner, resellers, and the organizations below them, each with a character of its own. Days are
 * counted from the first of the history.
 */

/** When in a week an organization meets, in its own time zone. */
export type Rhythm = "office" | "school" | "clinic" | "community" | "around_the_clock";

export interface DemoOrganization {
  id: string;
  name: string;
  /** Below which it began; some move (`demoMoves`). */
  reseller: string;
  timeZone: string;
  rhythm: Rhythm;
  /** The language that it speaks, as transcriptions name it. */
  language: string;
  /** Meetings on a busy day of full size. */
  meetingsPerDay: number;
  /** Participants of a usual meeting. */
  meetingSize: number;
  /** Minutes of a usual meeting. */
  meetingMinutes: number;
  /** On which it became a customer; 0 for those who were there before. */
  joinedOnDay: number;
  /** On which it met for the last time; Infinity for those who stay. */
  leftOnDay: number;
}

export const demoPartners = [{ id: "meridian", name: "Meridian Alliance" }] as const;

export const demoResellers = [
  { id: "brightwater", name: "Brightwater Communications", parent: "partner:meridian" },
  { id: "kestrel", name: "Kestrel Cloud Partners", parent: "partner:meridian" },
  { id: "altamar", name: "Altamar Telecom", parent: "all" },
] as const;

/** Customers for more than a year when the history begins, and so with a year to compare with. */
export const oldOrganizations = ["fernhill-university", "thornbury-law", "cascadia-health", "sakura-learning"];
/** On trial: who became a customer later than this. */
export const trialFromDay = 60;
/** Did not pay, and was suspended; meets no more since. */
export const suspendedOrganization = "quarry-street-films";
/** Ended its contract. */
export const cancelledOrganization = "wharf-street-gallery";
/** Answers around the clock, with people and with automatic agents. */
export const agentOrganizations = ["northgate-helpline", "prairie-support", "pacific-care-line"];

/** What they use until the move stays with the reseller they had. */
export const demoMoves = [
  { organization: "pinecrest-library", to: "brightwater", onDay: 50 },
  { organization: "kiwi-makers", to: "kestrel", onDay: 70 },
] as const;

const usual: Record<Rhythm, { size: number; minutes: number }> = {
  office: { size: 4.5, minutes: 38 },
  school: { size: 11, minutes: 46 },
  clinic: { size: 2.4, minutes: 22 },
  community: { size: 9, minutes: 55 },
  around_the_clock: { size: 3, minutes: 40 },
};

type Row = [
  ...[id: string, name: string, timeZone: string, rhythm: Rhythm, language: string],
  ...[joinedOnDay?: number, leftOnDay?: number],
];

/** From the largest to the smallest of each reseller. */
const customers: Record<(typeof demoResellers)[number]["id"], Row[]> = {
  brightwater: [
    ["fernhill-university", "Fernhill University", "Europe/London", "school", "en"],
    ["lindqvist-consulting", "Lindqvist Consulting", "Europe/Stockholm", "office", "sv"],
    ["hartmann-maschinenbau", "Hartmann Maschinenbau", "Europe/Berlin", "office", "de"],
    ["northgate-helpline", "Northgate Helpline", "Europe/London", "around_the_clock", "en"],
    ["maison-delcourt", "Maison Delcourt", "Europe/Paris", "office", "fr"],
    ["thornbury-law", "Thornbury & Vale Solicitors", "Europe/London", "office", "en"],
    ["klinik-am-see", "Klinik am See", "Europe/Zurich", "clinic", "de"],
    ["oakridge-college", "Oakridge College", "Europe/Dublin", "school", "en"],
    ["vandermeer-logistics", "Van der Meer Logistics", "Europe/Amsterdam", "office", "nl"],
    ["studio-bianchi", "Studio Bianchi", "Europe/Rome", "office", "it"],
    ["praxis-adler", "Praxis Dr. Adler", "Europe/Vienna", "clinic", "de"],
    ["stonebridge-choir", "Stonebridge Choir", "Europe/London", "community", "en"],
    ["nordlys-energi", "Nordlys Energi", "Europe/Oslo", "office", "no", 31],
    ["cafe-lingua", "Café Lingua", "Europe/Paris", "community", "fr", 58],
    [cancelledOrganization, "Wharf Street Gallery", "Europe/London", "community", "en", 0, 61],
  ],
  kestrel: [
    ["cascadia-health", "Cascadia Health", "America/Los_Angeles", "clinic", "en"],
    ["blue-mesa-schools", "Blue Mesa School District", "America/Denver", "school", "en"],
    ["harbor-and-finch", "Harbor & Finch", "America/New_York", "office", "en"],
    ["prairie-support", "Prairie Support Desk", "America/Chicago", "around_the_clock", "en"],
    ["redwood-robotics", "Redwood Robotics", "America/Los_Angeles", "office", "en"],
    ["saint-laurent-design", "Saint-Laurent Design", "America/Toronto", "office", "fr"],
    ["lakeshore-fitness", "Lakeshore Fitness", "America/Chicago", "community", "en"],
    ["delta-realty", "Delta Realty Group", "America/New_York", "office", "en"],
    ["grupo-azteca-norte", "Grupo Azteca Norte", "America/Mexico_City", "office", "es"],
    ["open-door-counseling", "Open Door Counseling", "America/New_York", "clinic", "en"],
    ["pinecrest-library", "Pinecrest Public Library", "America/Denver", "community", "en"],
    [suspendedOrganization, "Quarry Street Films", "America/Los_Angeles", "office", "en", 0, 80],
    ["juniper-analytics", "Juniper Analytics", "America/New_York", "office", "en", 44],
    ["sable-notaries", "Sable Notaries", "America/New_York", "office", "en", 85],
  ],
  altamar: [
    ["sakura-learning", "Sakura Learning", "Asia/Tokyo", "school", "ja"],
    ["banyan-softworks", "Banyan Softworks", "Asia/Kolkata", "office", "en"],
    ["costa-verde-seguros", "Costa Verde Seguros", "America/Sao_Paulo", "office", "pt"],
    ["pacific-care-line", "Pacific Care Line", "Australia/Sydney", "around_the_clock", "en"],
    ["merlion-trade", "Merlion Trade", "Asia/Singapore", "office", "en"],
    ["southern-cross-tutors", "Southern Cross Tutors", "Australia/Melbourne", "school", "en"],
    ["karoo-mining", "Karoo Mining", "Africa/Johannesburg", "office", "en"],
    ["hanok-studio", "Hanok Studio", "Asia/Seoul", "office", "ko"],
    ["clinica-aurora", "Clínica Aurora", "America/Bogota", "clinic", "es"],
    ["kiwi-makers", "Kiwi Makers", "Pacific/Auckland", "community", "en"],
    ["al-noor-academy", "Al Noor Academy", "Asia/Dubai", "school", "ar"],
    ["andes-trekking", "Andes Trekking", "America/Lima", "community", "es"],
    ["lotus-telehealth", "Lotus Telehealth", "Asia/Bangkok", "clinic", "th", 66],
  ],
};

/** The largest customer's meetings a day; the others follow by rank, as sizes of customers do (Zipf). */
const largestMeetingsPerDay = 50;
const sizeExponent = 0.75;
/** A desk that answers around the clock has many short talks whatever its rank. */
const leastAroundTheClock = 52;

export const demoOrganizations: readonly DemoOrganization[] = demoResellers.flatMap(({ id: reseller }) =>
  customers[reseller].map(
    ([id, name, timeZone, rhythm, language, joinedOnDay = 0, leftOnDay = Number.POSITIVE_INFINITY], rank) => {
      const byRank =
        largestMeetingsPerDay / (rank + 1) ** sizeExponent / (usual[rhythm].size / usual.office.size) ** 0.5;
      return {
        id,
        name,
        reseller,
        timeZone,
        rhythm,
        language,
        meetingsPerDay: rhythm === "around_the_clock" ? Math.max(byRank, leastAroundTheClock) : byRank,
        meetingSize: usual[rhythm].size,
        meetingMinutes: usual[rhythm].minutes,
        joinedOnDay,
        leftOnDay,
      };
    },
  ),
);
