/** Instants as RFC 3339 writes them, to the millisecond of UTC: the one reading of them, in events, questions and settings. */

/** The form only; that the calendar has the day is checked where the instant is read. */
export const instantPattern =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])[Tt ](?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

const msPerDay = 86_400_000;
const daysInMonth = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * The milliseconds since 1970 UTC of a text that has RFC 3339 form; digits below the millisecond are dropped.
 * NaN for a date or a leap second that no calendar has (2026-02-30; :60 anywhere but at the end of a UTC day). A leap
 * second is the first second of the next day, as POSIX time counts it.
 */
export function parseInstant(text: string): number {
  const year = digits(text, 0, 4);
  const month = digits(text, 5, 2);
  const day = digits(text, 8, 2);
  if (day > (daysInMonth[month - 1] ?? 0)) return Number.NaN;
  if (month === 2 && day === 29 && !isLeapYear(year)) return Number.NaN;
  const second = digits(text, 17, 2);
  let at = 19;
  let fraction = 0;
  if (text.charCodeAt(at) === 46) {
    let scale = 100;
    for (at++; isDigit(text.charCodeAt(at)); at++) {
      fraction += (text.charCodeAt(at) - 48) * scale;
      scale = scale === 100 ? 10 : scale === 10 ? 1 : 0;
    }
  }
  const sign = text.charCodeAt(at);
  let offsetMinutes = 0;
  if (sign === 43 || sign === 45) {
    offsetMinutes = digits(text, at + 1, 2) * 60 + digits(text, at + 4, 2);
    if (sign === 45) offsetMinutes = -offsetMinutes;
  }
  const minutes = digits(text, 11, 2) * 60 + digits(text, 14, 2) - offsetMinutes;
  const ms = daysSince1970(year, month, day) * msPerDay + minutes * 60_000 + second * 1000 + fraction;
  if (second === 60 && (ms - fraction) % msPerDay !== 0) return Number.NaN;
  return ms;
}

function digits(text: string, at: number, count: number): number {
  let number = 0;
  for (let index = at; index < at + count; index++) number = number * 10 + text.charCodeAt(index) - 48;
  return number;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function isLeapYear(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

/** Days of the proleptic Gregorian calendar, in years that begin in March so that the leap day is the last. */
function daysSince1970(year: number, month: number, day: number): number {
  const marchYear = month > 2 ? year : year - 1;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const century = Math.floor(marchYear / 100);
  return marchYear * 365 + Math.floor(marchYear / 4) - century + Math.floor(century / 4) + dayOfYear - 719_468;
}
