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
      text: "Ada joins a session. `id` and `time` are given once, where it happens; with `ack=stored` the answer comes when the event can be queried, with `strict=true` the command fails when it was rejected.",
      code: send(`{
    "id": "standup-1", "type": "participant.joined", "time": "2026-03-05T09:00:00Z",
    "organization": "guide-live", "session": "standup", "room": "daily", "user": "ada"
  }`),
      answer: taken(1),
    },
    {
      title: "Come, go and come back",
      text: "Bob joins, leaves and comes back. Without an `interval` the starts and ends of a user in a session are paired in order of time, so these are two intervals. `session.ended` ends whatever is still open: Ada, and Bob's second one.",
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
      title: "A connection that vanishes",
      text: "Cleo's phone joins and is never heard of again after its last sign of life. It promised one within 120 seconds (`alive_within`), so it counts as ended at that sign, after two minutes. Its `interval` is the id of the connection: the same person on another device would be another one.",
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
      text: "Somebody joins now: without a `time` it is the moment of receipt. The dashboard's live page counts up within a second, and so does this answer. End it with `session.ended`, or let it time out.",
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
      title: "The right figure",
      text: "Ada was there for 40 minutes, Bob for 15 and 15, Cleo for 2: 72 minutes of three people in one session, all three of them at once at 09:10.",
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
    "Recordings, captions, whiteboards, breakout rooms, broadcasts and what is consumed of them work alike: a start, an end, and signs of life where there are some. `interval` is the id of the recording or stream.",
    "An emitter that sees only the end sends `participant.left` with `started_at`.",
  ],
};

const jobs: Guide = {
  name: "jobs",
  title: "Jobs",
  lead: "Count what is done in the background: transcriptions, their minutes, their accuracy, what failed and how long it took.",
  steps: [
    {
      title: "The first event",
      text: "A transcription is asked for. The same `job` on each of its steps is what makes them one job.",
      code: send(`{
    "id": "job-1-requested", "type": "transcription.requested", "time": "2026-03-05T09:00:00Z",
    "organization": "guide-jobs", "job": "job-1", "user": "ada"
  }`),
      answer: taken(1),
    },
    {
      title: "It is done",
      text: "The completion says how long the audio is, in `seconds` (or in minutes, as `value`), never how long the work took: that follows from the times.",
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
      title: "Another, and one that fails",
      text: "Captions in real time, and a job that comes to nothing.",
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
      text: "The latest change first: the failed one after 90,000 ms, then the two that were completed.",
      code: ask("/v1/jobs?node=organization:guide-jobs&from=2026-03-05&to=2026-03-06"),
      answer: `{"node":"organization:guide-jobs",…"job":"job-3","status":"failed"…"duration_ms":90000…"job":"job-2","status":"completed"…"job":"job-1","status":"completed"…"duration_ms":240000,"minutes":"12.566666667"…`,
    },
    {
      title: "The right figure",
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
    "`group_by=language`, `model`, `kind`, `format` or `mode` divides the figures, `filter[language]=en` narrows them.",
    "A completion that is sent again with the same `id` counts once. With another `id` it is another document.",
  ],
};

const calls: Guide = {
  name: "calls",
  title: "Calls",
  lead: "Count the minutes of calls exactly, and how many ran at one time.",
  steps: [
    {
      title: "The first event",
      text: "A call of 20 seconds is over. Send `seconds` as they are: they are kept, and divided by 60 once, where a figure is written. `started_at` lets it count among the calls that ran at one time.",
      code: send(`{
    "id": "call-1", "type": "call.completed", "time": "2026-03-05T09:00:20Z",
    "organization": "guide-calls", "agent": "a1", "user": "ada",
    "started_at": "2026-03-05T09:00:00Z", "seconds": 20
  }`),
      answer: taken(1),
    },
    {
      title: "Two more",
      text: "The second one runs while the first does, the third begins when the second ends: an end makes room before a start at the same instant.",
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
      title: "A call that is seen while it runs",
      text: "Its start is told when it begins, which is what live calls are counted by. The same `interval` on all three makes them one call; only `call.completed` carries its length.",
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
      title: "The right figure",
      text: "Three calls of 20 seconds are exactly 1 minute, and 2 more. At most two calls ran at one time.",
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
    "`group_by=agent` divides the minutes by agent.",
    "A negative length is rejected. A completed call without `seconds` or `value` is taken with the warning `missing_value`: it adds no minutes.",
  ],
};

const faulty = `[
    { "id": "good", "type": "call.completed", "organization": "guide-testing", "seconds": 20 },
    { "id": "bad", "type": "call.completed", "organization": "guide-testing", "seconds": -20 },
    { "id": "doubtful", "type": "call.completed", "organization": "guide-testing" }
  ]`;

const testing: Guide = {
  name: "testing",
  title: "Testing what sends",
  lead: "See what would become of events before they count, and let tests fail on the ones that would be lost.",
  steps: [
    {
      title: "Ask without sending: dry_run",
      text: "With `dry_run=true` every event is checked as usual and none is taken: nothing is stored, made or remembered. The second one would be rejected, the third taken with a warning.",
      code: send(faulty, "dry_run=true"),
      answer: `{"accepted":2,"duplicates":0,"rejected":[{"index":1,"id":"bad","code":"invalid_field","field":"seconds","message":"…"}],"warnings":[{"index":2,"id":"doubtful","code":"missing_value",…}],"watermark":"…","dry_run":true}`,
    },
    {
      title: "Fail on a rejection: strict",
      text: "A request whose events were rejected is answered 202 all the same, for the others were taken. With `strict=true` it is answered 422, with the same verdict, so that a client that looks at the status alone fails; this command ends with 22. Together with `dry_run=true` it is a check for CI.",
      code: send(faulty, "dry_run=true&strict=true"),
      answer: `{…"status":422,"code":"events_rejected",…"rejected":[{"index":1,"id":"bad",…}]…`,
      exitCode: 22,
    },
    {
      title: "Nothing was counted",
      text: "The organization is not even known: this is what the whole of it has used.",
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
    "A test that wants to see figures sends to an organization of its own, with `ack=stored`: the answer comes once they can be queried.",
    "What was rejected is kept for 90 days with its reason, in the dashboard's page *Ingest* and in `GET /v1/quarantine`, and can be mended and sent again.",
  ],
};

export const guides: readonly Guide[] = [liveSessions, jobs, calls, testing];
