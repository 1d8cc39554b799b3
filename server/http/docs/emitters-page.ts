/** The page that shows how to send events from a terminal, from JavaScript, Python and Go. Tests run what it shows. */
import { readFile } from "node:fs/promises";
import { Hono } from "hono";
import { html, raw } from "hono/html";
import { ProblemError } from "../../problem.ts";
import type { HttpEnv } from "../http-env.ts";
import { framedPage, snippet } from "./page-frame.ts";

/** Made by the build: the emitter as packages to install. Seen from the sources in server/http/docs/ or the built server in dist/server/. */
const packageFolder = new URL(
  import.meta.url.endsWith(".ts") ? "../../../dist/emitter/" : "../emitter/",
  import.meta.url,
);

/** GET /docs/emitters, and what it tells to install. */
export function emittersPage(): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  app.get("/docs/emitters", (c) => c.html(page));
  for (const [name, type] of [
    ["tidemark-emitter.tgz", "application/gzip"],
    ["tidemark_emitter.py", "text/x-python; charset=utf-8"],
  ] as const)
    app.get(`/docs/emitters/${name}`, async (c) => {
      const bytes = await readFile(new URL(name, packageFolder)).catch(() => undefined);
      if (!bytes) throw new ProblemError("not_found", "this service was started without being built: `npm run build`");
      return c.body(new Uint8Array(bytes), 200, { "content-type": type });
    });
  return app;
}

const curl = `curl --silent --show-error --fail-with-body --retry 4 --retry-connrefused \\
  "$TIDEMARK_URL/v1/events?strict=true" \\
  -H "Authorization: Bearer $TIDEMARK_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{
    "id": "chat-5821",
    "type": "chat.posted",
    "organization": "acme",
    "user": "u1"
  }'
`;

const typescript = `import { env } from "node:process";
import { Emitter } from "tidemark-emitter";

const { TIDEMARK_URL: url = "", TIDEMARK_KEY: key = "" } = env;
const emitter = new Emitter({ url, key });
emitter.closeOnExit();

const presence = emitter.joined({ organization: "acme", session: "s1", user: "u1", room: "daily" });
emitter.offer({ type: "chat.posted", organization: "acme", session: "s1", user: "u1" });
presence.left();
`;

const browser = `import { Beacon } from "tidemark-emitter/beacon";

const beacon = new Beacon({ url: "https://tidemark.example.com", key: "tmk_…" });
beacon.offer({ type: "chat.posted", organization: "acme", user: "u1" });
`;

const python = `import os

from tidemark_emitter import Emitter

with Emitter(os.environ["TIDEMARK_URL"], os.environ["TIDEMARK_KEY"]) as emitter:
    emitter.offer("chat.posted", "acme", user="u1")
    emitter.offer("call.completed", "acme", agent="a1", seconds="20")
`;

const go = `package main

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"math"
	mathrand "math/rand"
	"net/http"
	"os"
	"strconv"
	"time"
)

// Event is made once, with its id and time, and sent again unchanged when it must be.
type Event struct {
	ID           string    \`json:"id"\`
	Type         string    \`json:"type"\`
	Organization string    \`json:"organization"\`
	Time         time.Time \`json:"time"\`
	User         string    \`json:"user,omitempty"\`
}

type Verdict struct {
	Accepted   int \`json:"accepted"\`
	Duplicates int \`json:"duplicates"\`
	Rejected   []struct {
		Index   int    \`json:"index"\`
		Code    string \`json:"code"\`
		Message string \`json:"message"\`
	} \`json:"rejected"\`
}

func newEvent(kind, organization, user string) Event {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		panic(err)
	}
	return Event{ID: fmt.Sprintf("%x", id), Type: kind, Organization: organization, User: user, Time: time.Now().UTC().Truncate(time.Millisecond)}
}

var client = &http.Client{Timeout: time.Minute}

// Send answers the verdict on up to 10,000 events once they are on the service's disk.
func Send(events []Event) (*Verdict, error) {
	var body bytes.Buffer
	packed := gzip.NewWriter(&body)
	lines := json.NewEncoder(packed)
	for _, event := range events {
		if err := lines.Encode(event); err != nil {
			return nil, err
		}
	}
	if err := packed.Close(); err != nil {
		return nil, err
	}
	for attempt := 0; attempt < 6; attempt++ {
		verdict, retryAfter, err := sendOnce(body.Bytes())
		if verdict != nil || err != nil {
			return verdict, err
		}
		jitter := mathrand.Float64() * math.Min(10, 0.1*math.Pow(2, float64(attempt)))
		time.Sleep(retryAfter + time.Duration(jitter*float64(time.Second)))
	}
	return nil, fmt.Errorf("no answer: keep the events and send them again later")
}

// sendOnce answers neither a verdict nor an error when the same events are to be sent again: they count once.
func sendOnce(body []byte) (*Verdict, time.Duration, error) {
	request, err := http.NewRequest(http.MethodPost, os.Getenv("TIDEMARK_URL")+"/v1/events", bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("TIDEMARK_KEY"))
	request.Header.Set("Content-Type", "application/x-ndjson")
	request.Header.Set("Content-Encoding", "gzip")
	answer, err := client.Do(request)
	if err != nil {
		return nil, 0, nil
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, 0, nil
	}
	switch {
	case answer.StatusCode < 300:
		verdict := &Verdict{}
		return verdict, 0, json.Unmarshal(text, verdict)
	case answer.StatusCode == 408 || answer.StatusCode == 429 || answer.StatusCode >= 500:
		seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After"))
		return nil, time.Duration(seconds) * time.Second, nil
	default:
		return nil, 0, fmt.Errorf("refused with %d: %s", answer.StatusCode, text)
	}
}

func main() {
	verdict, err := Send([]Event{newEvent("chat.posted", "acme", "u1")})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(verdict.Accepted, "accepted,", verdict.Duplicates, "known already")
	for _, rejected := range verdict.Rejected {
		fmt.Fprintln(os.Stderr, "not taken:", rejected.Code, rejected.Message)
	}
	if len(verdict.Rejected) > 0 {
		os.Exit(1)
	}
}
`;

const sections = [
  {
    id: "curl",
    title: "Terminal",
    about: "curl 7.76 or newer. It ends with 0 only when the event was taken.",
    code: curl,
  },
  {
    id: "typescript",
    title: "JavaScript and TypeScript",
    about: `Node 18 or newer: <code>npm install $TIDEMARK_URL/docs/emitters/tidemark-emitter.tgz</code> installs a package without
dependencies. It gathers events into requests, sends signs of life for participants, keeps events on disk with
<code>spool: { directory }</code>, and says on stderr what was not taken. With <code>closeOnExit</code> the program ends with 1 when not everything was.`,
    code: typescript,
  },
  {
    id: "browser",
    title: "Browsers",
    about: `From the same package. A page can be read by everybody who opens it: give it a key that may only send events, of one
organization. What a page cannot send before it goes away is sent by the next one.`,
    code: browser,
  },
  {
    id: "python",
    title: "Python",
    about: `Python 3.9 or newer, its standard library only: <code>curl -O $TIDEMARK_URL/docs/emitters/tidemark_emitter.py</code> brings the one
file, which does the same. Leaving the block raises an error when not everything was taken; <code>spool="/var/lib/mine/events"</code> keeps events on disk.`,
    code: python,
  },
  { id: "go", title: "Go", about: "Go 1.20 or newer, its standard library only.", code: go },
];

const content = html`<p>Set <code>TIDEMARK_URL</code> to where this service is and <code>TIDEMARK_KEY</code> to an <a href="/keys">API key</a> that may send events. <a href="/docs/events">Events</a> has every type and field, the <a href="/docs/guides">guides</a> lead from the first event to a figure, and <a href="/docs/guides/testing">one of them</a> tells how to test a program that sends.</p>
<ul>
<li>Give each event its <code>id</code> and <code>time</code> once, where it happens. An event counts once however often it is sent.</li>
<li>Send again what was not answered, or answered 408, 429 or 5xx: the same events with the same ids, after the seconds in <code>Retry-After</code> and a random time more.</li>
<li>Everything else in 4xx will be answered alike every time. Events listed under <code>rejected</code> were not taken; the others of their request were.</li>
<li>Few large requests cost less than many small ones: up to 10,000 events each.</li>
</ul>
${sections.map(
  ({ id, title, about, code }) =>
    html`<section aria-labelledby="${id}">
<h2 id="${id}">${title}</h2>
<p>${raw(about)}</p>
${snippet(id, code)}
</section>
`,
)}`;
const page = framedPage({ title: "Sending events", path: "/docs/emitters" }, content);
