/**
 * The built-in meters, as data: how events become a number. Adding a meter is one entry at the end, since charts give a meter
 * its colour by its place (web/src/charts/looks.ts): the API, the documentation, quotas and the dashboard take it from the list.
 */
import { intervalLevels } from "./levels.ts";
import type { Meter } from "./meter.ts";

const withoutSession = "A participant interval without a session counts as a session of its own.";
const averageOfAll = "The average is per event; an event without a value counts as 0.";

export const meters: readonly Meter[] = [
  {
    meter: "participation_minutes",
    title: "Participation minutes",
    unit: "minutes",
    rule: { kind: "minutes", level: "participants" },
    description:
      "The minutes participants spent in sessions, from joining to leaving, split exactly at window edges; open intervals count up to now.",
  },
  {
    meter: "max_concurrent_participants",
    title: "Peak participants",
    unit: "count",
    rule: { kind: "peak", level: "participants" },
    description:
      "The most participants at one instant in the whole subtree. Someone who leaves at an instant makes room for someone who joins at it.",
  },
  {
    meter: "max_concurrent_sessions",
    title: "Peak sessions",
    unit: "count",
    rule: { kind: "peak", level: "sessions" },
    description: `The most sessions with at least one participant at one instant in the whole subtree. ${withoutSession}`,
  },
  {
    meter: "active_participants",
    title: "Active participants",
    unit: "count",
    rule: { kind: "distinct", thing: "user", levels: ["participants"], events: false },
    description:
      "Distinct user IDs with any presence in the window, across the whole subtree; exact, never a sum of days or of children.",
  },
  {
    meter: "sessions",
    title: "Sessions",
    unit: "count",
    rule: { kind: "starts", level: "sessions" },
    description: `Sessions whose first participant joined in the window. ${withoutSession}`,
  },
  {
    meter: "chat_posts",
    title: "Chat posts",
    unit: "count",
    rule: { kind: "count", types: ["chat.posted"] },
    description: "Public and private chat messages posted in the window.",
  },
  {
    meter: "transcribed_minutes",
    title: "Transcribed minutes",
    unit: "minutes",
    rule: { kind: "sum", types: ["transcription.completed"] },
    description: `The exact decimal sum of the minutes in completed transcriptions. ${averageOfAll}`,
  },
  {
    meter: "live_participants",
    title: "Live participants",
    unit: "count",
    rule: { kind: "level", level: "participants" },
    description: "Participants in a session at the end of the window, or now if it is still in progress.",
  },
  {
    meter: "live_sessions",
    title: "Live sessions",
    unit: "count",
    rule: { kind: "level", level: "sessions" },
    description: `Sessions with at least one participant at the end of the window, or now if it is still in progress. ${withoutSession}`,
  },
  {
    meter: "recorded_minutes",
    title: "Recorded minutes",
    unit: "minutes",
    rule: { kind: "minutes", level: "recordings" },
    description:
      "The minutes that recordings ran, split exactly at window edges; recordings in progress count up to now.",
  },
  {
    meter: "max_concurrent_recordings",
    title: "Peak recordings",
    unit: "count",
    rule: { kind: "peak", level: "recordings" },
    description: "The most recordings running at one instant in the whole subtree.",
  },
  {
    meter: "captions_minutes",
    title: "Caption minutes",
    unit: "minutes",
    rule: { kind: "minutes", level: "captions" },
    description: "The minutes during which captions were enabled.",
  },
  {
    meter: "whiteboard_minutes",
    title: "Whiteboard minutes",
    unit: "minutes",
    rule: { kind: "minutes", level: "whiteboard" },
    description: "The minutes during which a whiteboard was open.",
  },
  {
    meter: "breakout_minutes",
    title: "Breakout minutes",
    unit: "minutes",
    rule: { kind: "minutes", level: "breakout" },
    description: "The minutes during which breakout rooms were open.",
  },
  {
    meter: "broadcast_minutes",
    title: "Broadcast minutes",
    unit: "minutes",
    rule: { kind: "minutes", level: "broadcast" },
    description: "The minutes that were broadcast, in any medium.",
  },
  {
    meter: "consumed_minutes",
    title: "Consumed minutes",
    unit: "minutes",
    rule: { kind: "minutes", level: "consumption" },
    description: "The minutes that were consumed, in any medium.",
  },
  {
    meter: "qa_posts",
    title: "Questions and answers",
    unit: "count",
    rule: { kind: "count", types: ["question.posted", "answer.posted"] },
    description: "Questions and answers posted in the window.",
  },
  {
    meter: "user_signups",
    title: "Sign-ups",
    unit: "count",
    rule: { kind: "count", types: ["user.signed_up"] },
    description: "Users who signed up in the window.",
  },
  {
    meter: "api_calls",
    title: "API calls",
    unit: "count",
    rule: { kind: "count", types: ["api.called"] },
    description: "API calls made in the window.",
  },
  {
    meter: "chat_sessions",
    title: "Chat sessions",
    unit: "count",
    rule: { kind: "count", types: ["chat_session.completed"] },
    description: "Chat sessions completed in the window.",
  },
  {
    meter: "emails",
    title: "E-mails",
    unit: "count",
    rule: { kind: "count", types: ["email.sent"] },
    description: "Emails sent in the window.",
  },
  {
    meter: "call_minutes",
    title: "Call minutes",
    unit: "minutes",
    rule: { kind: "sum", types: ["call.completed"] },
    description: `The exact decimal sum of the minutes in completed calls. ${averageOfAll}`,
  },
  {
    meter: "live_calls",
    title: "Live calls",
    unit: "count",
    rule: { kind: "level", level: "calls" },
    description: "Calls in progress at the end of the window, or now if it is still in progress.",
  },
  {
    meter: "max_concurrent_calls",
    title: "Peak calls",
    unit: "count",
    rule: { kind: "peak", level: "calls" },
    description:
      "The most calls at one instant in the whole subtree: calls with a start event, and completed calls that say when they started and how long they took.",
  },
  {
    meter: "failed_jobs",
    title: "Failed jobs",
    unit: "count",
    rule: { kind: "count", types: ["transcription.failed"] },
    description: "Transcription jobs reported as failed in the window.",
  },
  {
    meter: "job_turnaround",
    title: "Job turnaround",
    unit: "seconds",
    rule: { kind: "turnaround", types: ["transcription.completed"] },
    description:
      "The average time of transcription jobs completed in the window, from the first request, or from the first start if no request is known.",
  },
  {
    meter: "active_recordings",
    title: "Active recordings",
    unit: "count",
    rule: { kind: "level", level: "recordings" },
    description: "Recordings in progress at the end of the window, or now if it is still in progress.",
  },
  {
    meter: "max_participants_per_session",
    title: "Peak participants in one session",
    unit: "count",
    rule: { kind: "session_peak", level: "participants" },
    description: "The most participants at one instant inside a single session, and which session that was.",
  },
  {
    meter: "active_rooms",
    title: "Active rooms",
    unit: "count",
    rule: { kind: "distinct", thing: "room", levels: ["participants"], events: false },
    description:
      "Distinct rooms with at least one participant in the window; exact, never a sum of days or of children.",
  },
  {
    meter: "active_users",
    title: "Active users",
    unit: "count",
    rule: { kind: "distinct", thing: "user", levels: intervalLevels, events: true },
    description:
      "Distinct user IDs with any presence in the window: an interval of any level that overlaps it, or any other event in it.",
  },
  {
    meter: "documents",
    title: "Documents",
    unit: "count",
    rule: { kind: "count", types: ["transcription.completed"] },
    description: "Transcripts and captions completed in the window.",
  },
  {
    meter: "document_length",
    title: "Document length",
    unit: "count",
    rule: { kind: "events", aggregation: "sum", types: ["transcription.completed"], property: "length" },
    description: "The exact sum of the lengths of completed documents, in the unit of `length`, and their average.",
  },
  {
    meter: "transcription_accuracy",
    title: "Transcription accuracy",
    unit: "percent",
    rule: {
      kind: "events",
      aggregation: "average",
      types: ["transcription.completed"],
      property: "accuracy",
      weight: "value",
    },
    description: "The average `accuracy` of completed transcriptions, each weighted by its minutes.",
  },
  {
    meter: "feature_uses",
    title: "Feature uses",
    unit: "count",
    rule: { kind: "count", types: ["translation.completed", "glossary.used", "custom_model.used"] },
    description: "Uses of translation, glossaries and custom models in the window.",
  },
  {
    meter: "recording_storage",
    title: "Recording storage",
    unit: "minutes",
    rule: { kind: "value_level", raises: ["recording.stored"], lowers: ["recording.deleted"], by: "value" },
    description:
      "Recorded minutes in storage at the end of the window, or now if it is still in progress, with their average and peak.",
  },
  {
    meter: "sip_trunks",
    title: "SIP trunks",
    unit: "count",
    rule: { kind: "value_level", raises: ["sip.installed"], lowers: ["sip.removed"], by: "event" },
    description:
      "SIP trunks installed at the end of the window, or now if it is still in progress, with their average and peak.",
  },
];
