import { area } from "../area.ts";

export const timeTexts = area("time", {
  now: "now",
  seconds: (seconds: number) => `${seconds} s`,
  minutes: (minutes: number) => `${minutes} min`,
  hours: (hours: number) => `${hours} h`,
  days: (days: number) => `${days} d`,
  hoursMinutes: (hours: number, minutes: string) => `${hours} h ${minutes}`,
  daysHours: (days: number, hours: number) => `${days} d ${hours} h`,
  justNow: "just now",
  ago: (age: string) => `${age} ago`,
  untilEnd: (end: string) => `until ${end}`,
  throughLastDay: (lastDay: string) => `through ${lastDay}`,
});
