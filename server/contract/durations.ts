/** Lengths of time in ms. A day is one of UTC: 24 hours; in a zone that changes its clock a day may be shorter or longer. */
export const secondMs = 1_000;
export const minuteMs = 60 * secondMs;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;
export const weekMs = 7 * dayMs;
