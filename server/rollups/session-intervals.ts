/**
 * What is known of the intervals of a session: the rows of the table `intervals`, read from there (group-intervals.ts) or folded from events
 * by the same minima, maxima and sets (the view `intervals_mv`), so that order and repeats change nothing.
 */
import { defaultAliveWithinMs } from "../catalog/levels.ts";
import { detachString } from "./detach-string.ts";
import {
  addInstant,
  addSilence,
  addThinned,
  firstDimsFrom,
  lastOfSlices,
  signLimits,
  type TimedSilence,
  thinned,
} from "./interval-signs.ts";
import type { LevelEvent } from "./level-events.ts";
import { closingLevel, type IntervalRecord } from "./resolve-session.ts";

/** An interval as long as events can still say more about it. */
export interface KnownInterval extends IntervalRecord {
  /** When the event was that `aliveWithinMs` is of; 0: none gave one. Without a name: one of before `aliveWithinAt` was kept. */
  aliveWithinAtMs: number;
  aliveWithinAt: TimedSilence[];
  /** Without a name, the shortest silence that may be in force at some time: signs of life are thinned out by it. */
  shortestMs: number;
  /** How long it could be silent when its signs of life were thinned out (`thinned`); undefined: all are kept. */
  thinnedWithinMs: number | undefined;
  startTimes: number[];
  aliveTimes: number[];
  endTimes: number[];
  /** When the event was that `dims` are of; 0: none gave any, or before times were kept. */
  dimsAtMs: number;
  dimsAt: (readonly [number, string])[];
}

/** Which session it is: of every column the largest that an event gave. */
export interface SessionPath {
  organization: string;
  session: string;
  room: string;
  partner: string;
  reseller: string;
}

export interface SessionIntervals extends SessionPath {
  intervals: KnownInterval[];
  /** Of each interval, where storage has it; undefined: of none. */
  rooms?: string[] | undefined;
}

/** Whether it has a name by which events of other sessions may speak of it; a closing of the session is no interval. */
export const isNamedInterval = ({ level, interval }: Pick<IntervalRecord, "level" | "interval">): boolean =>
  interval !== "" && level !== closingLevel;

/** Which interval of its session an event speaks of, by `intervalKey`. */
export function intervalKeyOf(event: LevelEvent): string {
  const { level, interval } = event;
  if (level === closingLevel) return `${level}\0\0`;
  return interval === "" ? `${level}\0\0${event.user}` : `${level}\0${interval}\0`;
}

/** That interval before anything is known of it. It keeps nothing of the event's line. */
export function intervalOfEvent({ level, interval, user }: LevelEvent): KnownInterval {
  const isClosing = level === closingLevel;
  const isNamed = !isClosing && interval !== "";
  return {
    level: detachString(level),
    interval: isNamed ? detachString(interval) : "",
    pairedUser: isNamed || isClosing ? "" : detachString(user),
    startedMs: undefined,
    endedMs: undefined,
    seenMs: 0,
    aliveWithinAtMs: 0,
    aliveWithinMs: undefined,
    aliveWithinAt: isNamed ? neverFilled : [],
    shortestMs: defaultAliveWithinMs,
    thinnedWithinMs: undefined,
    startTimes: isNamed ? neverFilled : [],
    aliveTimes: isNamed ? neverFilled : [],
    endTimes: isNamed ? neverFilled : [],
    user: "",
    agent: "",
    dims: "",
    dimsAtMs: 0,
    dimsAt: isNamed ? neverFilled : [],
  };
}

/** The sets of a named interval, which has none: one for all of them. */
const neverFilled: never[] = [];

/**
 * How much memory the sets of an interval take, which grow with every event of one without a name: in signs of some 10 bytes. A start
 * may be an interval of its own, with its edges.
 */
export function signsOf({ startTimes, aliveTimes, endTimes, aliveWithinAt, dimsAt }: KnownInterval): number {
  const lists = aliveTimes.length + endTimes.length + aliveWithinAt.length * signs.silence;
  const times = startTimes.length * signs.start + lists;
  return dimsAt.reduce((sum, [, dims]) => sum + signs.dims(dims), times);
}

const signs = { start: 16, silence: 8, letter: 0.4, dims: (dims: string) => 16 + Math.ceil(dims.length / 8) };

/**
 * How much memory the names of an interval take beyond those of usual length, and so does each of its starts where they are written:
 * in the signs of `signsOf`. A letter may take two bytes, and a name stands in a key as well.
 */
export function signsOfTexts({ interval, pairedUser, user, agent, dims, startTimes }: KnownInterval): number {
  const letters = interval.length + pairedUser.length + user.length + agent.length + dims.length;
  return Math.ceil(Math.max(0, letters - usualLetters) * signs.letter) * Math.max(1, startTimes.length);
}

const usualLetters = 100;

/**
 * What the event says, into the interval that it speaks of, which keeps nothing of its line. The same as the view `intervals_mv`. Answers
 * by how much `signsOf` the interval has grown.
 */
export function foldEvent(
  record: KnownInterval,
  event: LevelEvent,
  limits: { plainAlives: number } = signLimits,
): number {
  const { timeMs, startedMs, action } = event;
  if (action === "start") foldStart(record, timeMs);
  if (startedMs > 0) foldStart(record, startedMs);
  if (action === "end") record.endedMs = Math.max(record.endedMs ?? 0, timeMs);
  record.seenMs = Math.max(record.seenMs, timeMs);
  record.user = larger(record.user, event.user);
  record.agent = larger(record.agent, event.agent);
  if (record.interval !== "") {
    foldDims(record, timeMs, event.dims);
    if (event.aliveWithinMs > 0) foldAliveWithin(record, timeMs, event.aliveWithinMs);
    return 0;
  }
  let added = 0;
  if (event.aliveWithinMs > 0 && action !== "end") added += addAliveWithin(record, timeMs, event.aliveWithinMs);
  if (action === "start") added += addInstant(record.startTimes, timeMs) * signs.start;
  if (startedMs > 0) added += addInstant(record.startTimes, startedMs) * signs.start;
  if (action === "alive") added += addAlive(record, timeMs, limits);
  if (action === "end") added += addInstant(record.endTimes, timeMs);
  if (event.dims !== "") added += addDims(record, timeMs, event.dims);
  return added;
}

/** That of the latest that gave one counts; of those of one instant the longer. */
function foldAliveWithin(record: KnownInterval, atMs: number, ms: number): void {
  const { aliveWithinAtMs, aliveWithinMs = 0 } = record;
  if (atMs < aliveWithinAtMs || (atMs === aliveWithinAtMs && ms <= aliveWithinMs)) return;
  record.aliveWithinAtMs = atMs;
  record.aliveWithinMs = ms;
}

function addAliveWithin(record: KnownInterval, atMs: number, ms: number): number {
  record.shortestMs = Math.min(record.shortestMs, ms);
  return addSilence(record.aliveWithinAt, [atMs, ms], record.thinnedWithinMs) * signs.silence;
}

function addAlive(record: KnownInterval, atMs: number, { plainAlives }: { plainAlives: number }): number {
  const { aliveTimes, thinnedWithinMs } = record;
  if (thinnedWithinMs !== undefined) return addThinned(aliveTimes, atMs, thinnedWithinMs);
  const grown = addInstant(aliveTimes, atMs);
  return aliveTimes.length > plainAlives ? grown - thinOut(record) : grown;
}

/** Answers by how much less it has. */
function thinOut(record: KnownInterval): number {
  const { aliveTimes, aliveWithinAt, shortestMs } = record;
  record.thinnedWithinMs = shortestMs;
  record.aliveTimes = thinned(aliveTimes, shortestMs);
  record.aliveWithinAt = lastOfSlices(aliveWithinAt, shortestMs);
  const silences = aliveWithinAt.length - record.aliveWithinAt.length;
  return aliveTimes.length - record.aliveTimes.length + silences * signs.silence;
}

/** Whether it may be silent for less than when its signs of life were thinned out: then storage has others that count. */
export function isOutdated({ thinnedWithinMs, shortestMs }: KnownInterval): boolean {
  return thinnedWithinMs !== undefined && thinnedWithinMs !== shortestMs;
}

/** Those of the earliest that gave any count; of those of one instant the larger. */
export function foldDims(record: Pick<KnownInterval, "dims" | "dimsAtMs">, atMs: number, dims: string): void {
  if (dims === "" || (record.dims !== "" && atMs > record.dimsAtMs)) return;
  const isEarlier = record.dims === "" || atMs < record.dimsAtMs;
  record.dimsAtMs = atMs;
  record.dims = larger(isEarlier ? "" : record.dims, dims);
}

function addDims({ dimsAt }: KnownInterval, timeMs: number, dims: string): number {
  let index = firstDimsFrom(dimsAt, timeMs);
  if (index === 0 && dimsAt.length >= signLimits.most) return 0;
  for (; dimsAt[index]?.[0] === timeMs; index++) if (dimsAt[index]?.[1] === dims) return 0;
  // One text for all signs that say the same, as those beside it do if any does.
  const known = [dimsAt[index - 1]?.[1], dimsAt[index]?.[1]].find((text) => text === dims);
  dimsAt.splice(index, 0, [timeMs, known ?? detachString(dims)]);
  const over = dimsAt.length > signLimits.most ? dimsAt.shift() : undefined;
  return signs.dims(dims) - (over ? signs.dims(over[1]) : 0);
}

/** What an event, or a row of what events said, says of where the session is. */
export function foldPath(
  session: SessionPath,
  { room, partner, reseller }: Omit<SessionPath, "organization" | "session">,
) {
  session.room = larger(session.room, room);
  session.partner = larger(session.partner, partner);
  session.reseller = larger(session.reseller, reseller);
}

function foldStart(record: KnownInterval, startMs: number): void {
  record.startedMs = Math.min(record.startedMs ?? startMs, startMs);
}

export const intervalKey = ({
  level,
  interval,
  pairedUser,
}: Pick<IntervalRecord, "level" | "interval" | "pairedUser">) => `${level}\0${interval}\0${pairedUser}`;
export const sessionKey = ({ organization, session }: Pick<SessionPath, "organization" | "session">) =>
  `${organization}\0${session}`;

const beyondPlain = /[\ud800-\uffff]/;
/** The larger one as ClickHouse orders texts, by their bytes in UTF-8; of `b` a text of its own. */
export function larger(a: string, b: string): string {
  if (a === b || b === "") return a;
  if (a === "") return detachString(b);
  if (beyondPlain.test(a) && beyondPlain.test(b))
    return Buffer.compare(Buffer.from(a), Buffer.from(b)) > 0 ? a : detachString(b);
  return a > b ? a : detachString(b);
}
