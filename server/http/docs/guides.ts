/** The guides, as data: each leads from the first event to a figure that is true. Tests run every step as it stands. */
export interface Step {
  title: string;
  /** What is in backticks is code. */
  text: string;
  code: string;
  /** What the command prints; `…` stands for what differs from run to run. */
  answer: string;
  /** What it ends with, where that is not 0. */
  exitCode?: number;
}

export interface Guide {
  /** The end of its address. */
  name: string;
  title: string;
  lead: string;
  steps: readonly Step[];
  /** What there is to know besides. */
  notes: readonly string[];
}

const curl = "curl --silent --show-error --fail-with-body";
const bearer = `  -H "Authorization: Bearer $TIDEMARK_KEY"`;

/** `query`: how the verdict is asked for. */
function send(events: string, query = "strict=true&ack=stored"): string {
  return `${curl} "$TIDEMARK_URL/v1/events?${query}" \\
${bearer} \\
  -H "Content-Type: application/json" \\
  -d '${events}'
`;
}

function ask(path: string, accept?: string): string {
  return `${curl} "$TIDEMARK_URL${path}" \\
${bearer}${accept === undefined ? "" : ` \\\n  -H "Accept: ${accept}"`}
`;
}

const taken = (count: number) => `{"accepted":${count},"duplicates":0,"rejected":[],"warnings":[],"watermark":"…"}`;

const liveSessions: Guide = {
  name: "live-sessions",
  title: "Live sessions",
  lead: "Count the participants and minutes of meetings, classes or streams, and see them live.",
  steps: [
    {
      title: "The first event",
      text: "Ada joins a session. `id` and `time` are set once, where it happens. With `ack=stored`, the answer arrives once the event can be queried; with `strict=true`, the command fails if the event was rejected.",
      code: send(`{
    "id": "standup-1", "type": "participant.joined", "time": "2026-03-05T09:00:00Z",
    "organization": "guide-live", "session": "standup", "room": "daily", "user": "ada"
  }`),
      answer: taken(1),
    },
    {
      title: "Leave and come back",
      text: "Bob joins, leaves and comes back. Without an `interval`, the starts and ends of a user in a session are paired in order of time, so these are two intervals. `session.ended` ends whatever is still open: Ada's interval, and Bob's second one.",
      code: send(`[
    { "id": "standup-2", "type": "participant.joined", "time": "2026-03-05T09:05:00Z",
      "organization": "guide-live", "session": "standup", "room": "daily", "user": "bob" },
    { "id": "standup-3", "type": "participant.left", "time": "2026-03-05T09:20:00Z",
      "organization": "guide-live", "session": "standup", "room": "daily", "user": "bob" },
    { "id": "standup-4", "type": "participant.joined", "time": "2026-03-05T09:25:00Z",
      "organization": "guide-live", "session": "standup", "room": "daily", "user": "bob" },
    { "id": "standup-5", "type": "session.ended", "time": "2026-03-05T09:40:00Z",
      "organization": "guide-live", "session": "standup" }
  ]`),
      answer: taken(4),
    },
    {
      title: "A connection that disappears",
      text: "Cleo's phone joins and, after one sign of life, is never heard of again. It promised a sign of life within 120 seconds (`alive_within`), so its interval counts as ended at that last sign, after two minutes. Its `interval` is the ID of the connection; the same person on another device would have another one.",
      code: send(`[
    { "id": "standup-6", "type": "participant.joined", "time": "2026-03-05T09:10:00Z",
      "organization": "guide-live", "session": "standup", "room": "daily", "user": "cleo",
      "interval": "cleo-phone", "properties": { "device": "mobile", "alive_within": 120 } },
    { "id": "standup-7", "type": "participant.alive", "time": "2026-03-05T09:12:00Z",
      "organization": "guide-live", "session": "standup", "room": "daily", "user": "cleo",
      "interval": "cleo-phone", "properties": { "device": "mobile", "alive_within": 120 } }
  ]`),
      answer: taken(2),
    },
    {
      title: "See it live",
      text: "Somebody joins now: without a `time`, an event happened when it was received. The dashboard's live page counts up within a second, and so does this answer. End it with `session.ended`, or let it time out.",
      code: `now=$(date +%s)
${curl} "$TIDEMARK_URL/v1/events?strict=true&ack=stored" \\
${bearer} \\
  -H "Content-Type: application/json" \\
  -d '{ "id": "now-'$now'", "type": "participant.joined", "organization": "guide-live",
        "session": "now-'$now'", "room": "daily", "user": "ada", "properties": { "alive_within": 60 } }' &&
${ask("/v1/live?node=organization:guide-live")}`,
      answer: `${taken(1)}{"node":"organization:guide-live",…"levels":{"live_participants":1,"live_sessions":1,"active_recordings":0}…`,
    },
    {
      title: "The result",
      text: "Ada was there for 40 minutes, Bob for 15 and 15, Cleo for 2: 72 minutes from three people in one session, all three of them at once at 09:10.",
      code: ask(
        "/v1/usage?meter=participation_minutes,max_concurrent_participants,active_participants,sessions&node=organization:guide-live&from=2026-03-05&to=2026-03-06&window=total",
        "text/csv",
      ),
      answer: `start,end,partial,participation_minutes,max_concurrent_participants,active_participants,sessions
2026-03-05T00:00:00Z,2026-03-06T00:00:00Z,false,72,3,3,1
`,
    },
  ],
  notes: [
    "Recordings, captions, whiteboards, breakout rooms, broadcasts and their consumption work the same way: a start, an end, and optional signs of life. `interval` is the ID of the recording or stream.",
    "An emitter that sees only the end sends `participant.left` with `started_at`.",
  ],
};

const jobs: Guide = {
  name: "jobs",
  title: "Jobs",
  lead: "Count background work: transcriptions, their minutes and accuracy, which failed, and how long each took.",
  steps: [
    {
      title: "The first event",
      text: "A transcription is requested. The same `job` on each of its steps makes them one job.",
      code: send(`{
    "id": "job-1-requested", "type": "transcription.requested", "time": "2026-03-05T09:00:00Z",
    "organization": "guide-jobs", "job": "job-1", "user": "ada"
  }`),
      answer: taken(1),
    },
    {
      title: "The job completes",
      text: "The completion gives the length of the audio, in `seconds` (or in minutes, as `value`), never how long the work took: that follows from the times.",
      code: send(`[
    { "id": "job-1-started", "type": "transcription.started", "time": "2026-03-05T09:00:20Z",
      "organization": "guide-jobs", "job": "job-1", "user": "ada" },
    { "id": "job-1-completed", "type": "transcription.completed", "time": "2026-03-05T09:04:20Z",
      "organization": "guide-jobs", "job": "job-1", "user": "ada", "seconds": 754,
      "properties": { "language": "en", "model": "standard", "kind": "transcript", "format": "vtt",
        "mode": "batch", "length": 9120, "accuracy": 96.5 } }
  ]`),
      answer: taken(2),
    },
    {
      title: "A second job, and one that fails",
      text: "Real-time captions, and a job that fails.",
      code: send(`[
    { "id": "job-2-completed", "type": "transcription.completed", "time": "2026-03-05T10:00:00Z",
      "organization": "guide-jobs", "job": "job-2", "user": "bob", "seconds": "90.5",
      "properties": { "language": "de", "model": "large", "kind": "caption", "format": "srt",
        "mode": "realtime", "length": 880, "accuracy": 91 } },
    { "id": "job-3-requested", "type": "transcription.requested", "time": "2026-03-05T11:00:00Z",
      "organization": "guide-jobs", "job": "job-3", "user": "bob" },
    { "id": "job-3-failed", "type": "transcription.failed", "time": "2026-03-05T11:01:30Z",
      "organization": "guide-jobs", "job": "job-3", "user": "bob" }
  ]`),
      answer: taken(3),
    },
    {
      title: "The jobs",
      text: "Latest change first: the job that failed after 90,000 ms, then the two that completed.",
      code: ask("/v1/jobs?node=organization:guide-jobs&from=2026-03-05&to=2026-03-06"),
      answer: `{"node":"organization:guide-jobs",…"job":"job-3","status":"failed"…"duration_ms":90000…"job":"job-2","status":"completed"…"job":"job-1","status":"completed"…"duration_ms":240000,"minutes":"12.566666667"…`,
    },
    {
      title: "The result",
      text: "754 and 90.5 seconds are exactly 14.075 minutes in two documents. The accuracy is weighted by their lengths. The one job whose request is known took 260 seconds.",
      code: ask(
        "/v1/usage?meter=transcribed_minutes,documents,transcription_accuracy,failed_jobs,job_turnaround&node=organization:guide-jobs&from=2026-03-05&to=2026-03-06&window=total",
        "text/csv",
      ),
      answer: `start,end,partial,transcribed_minutes,documents,transcription_accuracy,failed_jobs,job_turnaround
2026-03-05T00:00:00Z,2026-03-06T00:00:00Z,false,14.075,2,95.910597987,1,260
`,
    },
  ],
  notes: [
    "`group_by=language`, `model`, `kind`, `format` or `mode` breaks the usage down; `filter[language]=en` narrows it.",
    "A completion sent again with the same `id` counts once. With another `id`, it is another document.",
  ],
};

const calls: Guide = {
  name: "calls",
  title: "Calls",
  lead: "Count call minutes exactly, and how many calls ran at the same time.",
  steps: [
    {
      title: "The first event",
      text: "A call of 20 seconds has ended. Send `seconds` as measured: they are stored exactly, and divided by 60 only once, when a value is returned. `started_at` lets the call count towards calls running at the same time.",
      code: send(`{
    "id": "call-1", "type": "call.completed", "time": "2026-03-05T09:00:20Z",
    "organization": "guide-calls", "agent": "a1", "user": "ada",
    "started_at": "2026-03-05T09:00:00Z", "seconds": 20
  }`),
      answer: taken(1),
    },
    {
      title: "Two more",
      text: "The second call runs during the first; the third starts when the second ends. An end frees its place before a start at the same instant.",
      code: send(`[
    { "id": "call-2", "type": "call.completed", "time": "2026-03-05T09:00:30Z",
      "organization": "guide-calls", "agent": "a1", "user": "bob",
      "started_at": "2026-03-05T09:00:10Z", "seconds": 20 },
    { "id": "call-3", "type": "call.completed", "time": "2026-03-05T09:00:50Z",
      "organization": "guide-calls", "agent": "a2", "user": "cleo",
      "started_at": "2026-03-05T09:00:30Z", "seconds": 20 }
  ]`),
      answer: taken(2),
    },
    {
      title: "Follow a call while it runs",
      text: "Its start is sent as it happens, so that it counts as a live call. The same `interval` on all three events makes them one call; only `call.completed` carries its length.",
      code: send(`[
    { "id": "call-4-started", "type": "call.started", "time": "2026-03-05T10:00:00Z",
      "organization": "guide-calls", "agent": "a1", "user": "ada", "interval": "call-4" },
    { "id": "call-4-ended", "type": "call.ended", "time": "2026-03-05T10:02:00Z",
      "organization": "guide-calls", "agent": "a1", "user": "ada", "interval": "call-4" },
    { "id": "call-4", "type": "call.completed", "time": "2026-03-05T10:02:00Z",
      "organization": "guide-calls", "agent": "a1", "user": "ada", "interval": "call-4",
      "started_at": "2026-03-05T10:00:00Z", "seconds": 120 }
  ]`),
      answer: taken(3),
    },
    {
      title: "The result",
      text: "Three calls of 20 seconds are exactly 1 minute, plus 2 more. At most two calls ran at the same time.",
      code: ask(
        "/v1/usage?meter=call_minutes,max_concurrent_calls&node=organization:guide-calls&from=2026-03-05&to=2026-03-06&window=total",
        "text/csv",
      ),
      answer: `start,end,partial,call_minutes,max_concurrent_calls
2026-03-05T00:00:00Z,2026-03-06T00:00:00Z,false,3,2
`,
    },
  ],
  notes: [
    "`group_by=agent` breaks the minutes down by agent.",
    "A negative length is rejected. A completed call without `seconds` or `value` is accepted with the warning `missing_value`: it adds no minutes.",
  ],
};

const faulty = `[
    { "id": "good", "type": "call.completed", "organization": "guide-testing", "seconds": 20 },
    { "id": "bad", "type": "call.completed", "organization": "guide-testing", "seconds": -20 },
    { "id": "doubtful", "type": "call.completed", "organization": "guide-testing" }
  ]`;

const testing: Guide = {
  name: "testing",
  title: "Testing your integration",
  lead: "See what would happen to events before they count, and make tests fail for those that would be lost.",
  steps: [
    {
      title: "Check without sending: dry_run",
      text: "With `dry_run=true`, every event is checked as usual and none is accepted: nothing is stored, created or remembered. The second one would be rejected, the third accepted with a warning.",
      code: send(faulty, "dry_run=true"),
      answer: `{"accepted":2,"duplicates":0,"rejected":[{"index":1,"id":"bad","code":"invalid_field","field":"seconds","message":"…"}],"warnings":[{"index":2,"id":"doubtful","code":"missing_value",…}],"watermark":"…","dry_run":true}`,
    },
    {
      title: "Fail on a rejection: strict",
      text: "A request with rejected events still gets 202, because the other events were accepted. With `strict=true` it gets 422 with the same verdict, so that a client that only looks at the status fails; this command exits with 22. Together with `dry_run=true`, it is a check for CI.",
      code: send(faulty, "dry_run=true&strict=true"),
      answer: `{…"status":422,"code":"events_rejected",…"rejected":[{"index":1,"id":"bad",…}]…`,
      exitCode: 22,
    },
    {
      title: "Nothing was counted",
      text: "The organization does not even exist: this is the usage of everything below the root.",
      code: ask(
        "/v1/usage?meter=call_minutes&from=2026-03-05&to=2026-03-06&window=total&filter%5Borganization%5D=guide-testing",
        "text/csv",
      ),
      answer: `start,end,partial,call_minutes
2026-03-05T00:00:00Z,2026-03-06T00:00:00Z,false,0
`,
    },
  ],
  notes: [
    "A test that needs to read usage sends to an organization of its own with `ack=stored`: the answer arrives once the events can be queried.",
    "Rejected events are kept for 90 days with their reason. On the dashboard's *Ingest* page and with `GET /v1/quarantine`, you can fix them and send them again.",
  ],
};

export const guides: readonly Guide[] = [liveSessions, jobs, calls, testing];
