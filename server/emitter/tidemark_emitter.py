"""Sends usage events to Tidemark from any program on Python 3.9 or newer. One file, its standard library only: copy it.

    with Emitter(url, key) as emitter:
        emitter.offer("chat.posted", "acme", user="u1")

An event gets its id and time once, here, and keeps them through every retry: however often it is sent, it counts once. What
waits is held in memory, or with `spool` in files of a folder: then it outlives the program, and the next one sends it. An
event is let go of for two reasons only: the service took it, or it rejected it by name. Whatever else happens is said on
stderr, once for each reason.
"""

import atexit
import gzip
import hashlib
import json
import os
import random
import re
import socket
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import deque
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

_SEGMENT = re.compile(r"^([0-9a-f]{12})\.(\d{12})\.ndjson$")
_LOCK = re.compile(r"^([0-9a-f]{12})\.lock$")
_LONGEST_SOCKET_PATH = 103
_LONGEST_REFUSED_PAUSE = 60
_SILENT_FAILURES = 3


class Refused(Exception):
    """The service refuses requests (a wrong key, a missing right). The events are still held, and sent again."""


class NotTaken(Exception):
    """Not everything that was offered was taken by the service; stderr says why."""


class Emitter:
    """Offers are taken without waiting and sent by a thread. `spool` is a folder that programs of one machine may share."""

    def __init__(self, url, key, spool=None, events_per_request=1000, max_age=1.0, max_held=100_000,
                 on_rejected=None, report=None, timeout=60.0):
        self._url, self._key, self._timeout = url.rstrip("/"), key, timeout
        self._per_request, self._max_age, self._max_held = min(events_per_request, 10_000), max_age, max_held
        self._on_rejected = on_rejected
        self._report = report or (lambda line: print(line, file=sys.stderr, flush=True))
        self.accepted = self.duplicates = self.rejected = 0
        self._held = 0
        self._refusal = None
        self._said = set()
        self._state = threading.Condition()
        self._due = self._closing = self._stopped = False
        self._queue = _Spool(spool, self._per_request) if spool else _Memory(self._per_request)
        self._held += self._queue.take_over()
        self._due = self._held > 0
        self._oldest = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="tidemark-emitter", daemon=True)
        self._thread.start()
        atexit.register(self._close_at_exit)

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        result = self.close()
        if failure is None and (result["unsent"] or (result["rejected"] and not self._on_rejected)):
            raise NotTaken(f"{result['unsent']} events were not sent, {result['rejected']} were rejected")

    def offer(self, type, organization, **fields):
        """Takes an event; False when it was not taken: as many are held as may be, or it cannot be held."""
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        event = {"id": str(uuid.uuid4()), "type": type, "organization": organization, "time": now, **fields}
        with self._state:
            if self._closing:
                return self._say("the emitter is closed: events offered now are not accepted")
            if self._held >= self._max_held:
                return self._say(f"the buffer is full with {self._held} events: new ones are not accepted")
            try:
                self._queue.add(json.dumps(event, ensure_ascii=False, allow_nan=False))
            except (OSError, ValueError) as error:
                return self._say(f"events cannot be buffered and are not accepted: {error}")
            if self._queue.waiting == 1:
                self._oldest = time.monotonic()
            self._held += 1
            self._state.notify_all()
        return True

    def flush(self, within=None):
        """Sends what waits, and returns when all is answered or `within` seconds are over. Raises Refused."""
        until = None if within is None else time.monotonic() + within
        with self._state:
            self._due = True
            self._state.notify_all()
            while self._held > 0:
                if self._refusal:
                    raise Refused(self._refusal)
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    return
                self._state.wait(left)

    def close(self, within=5.0):
        """Sends what waits within so many seconds; the rest stays in the spool, or is lost. Logs and returns how many."""
        with self._state:
            already, self._closing = self._closing, True
        if not already:
            atexit.unregister(self._close_at_exit)
            try:
                self.flush(within)
            except Refused:
                pass
            with self._state:
                self._stopped = True
                self._state.notify_all()
            self._thread.join(0.5)
            with self._state:
                self._queue.close()
                if self._held > 0:
                    where = self._queue.kept_in
                    self._say(f"{self._held} event(s) not sent, " + (f"kept in {where} for the next emitter with this folder" if where else "lost"))
        return {"unsent": self._held, "rejected": self.rejected}

    def _close_at_exit(self):
        result = self.close()
        if result["unsent"] or (result["rejected"] and not self._on_rejected):
            sys.stderr.flush()
            os._exit(1)

    def _run(self):
        while True:
            with self._state:
                while not self._stopped and not self._is_due():
                    self._state.wait(0.05 if self._queue.waiting else None)
                if self._stopped:
                    return
                batch = self._queue.next()
            aside = []
            if not self._post(batch.texts, aside):
                return
            with self._state:
                batch.answered(aside)
                self._held -= batch.count
                if self._queue.waiting == 0:
                    self._due = False
                self._oldest = time.monotonic()
                self._state.notify_all()

    def _is_due(self):
        waiting = self._queue.waiting
        return waiting > 0 and (self._due or waiting >= self._per_request or time.monotonic() - self._oldest >= self._max_age)

    def _post(self, texts, aside):
        """Repeats one request with the same bytes until it is answered; True then, False when the emitter was stopped."""
        body = gzip.compress("\n".join(texts).encode("utf-8", "surrogatepass"))
        attempt = refusals = 0
        while texts:
            try:
                self._count(self._attempt(body), texts)
                return True
            except urllib.error.HTTPError as error:
                answer = error.read(100_000).decode("utf-8", "replace")
                if error.code == 413 and len(texts) > 1:
                    middle = (len(texts) + 1) // 2
                    return self._post(texts[:middle], aside) and self._post(texts[middle:], aside)
                if error.code == 413:
                    aside.append(texts[0])
                    self._reject({"id": json.loads(texts[0])["id"], "code": "too_large", "field": None,
                                  "message": "is too large for a request"}, texts[0])
                    return True
                if error.code not in (408, 425, 429) and error.code < 500:
                    self._refused(f"the service refused events with {error.code}: {_reason_in(answer)}")
                    pause = min(_LONGEST_REFUSED_PAUSE, 2**refusals) * random.uniform(0.5, 1)
                    refusals += 1
                else:
                    pause = self._pause(attempt, error.headers.get("Retry-After"), f"the service answers {error.code}")
                    attempt += 1
            except (OSError, ValueError) as error:
                # Whether they arrived is unknown: the same ids are sent again, and count once.
                pause = self._pause(attempt, None, f"{self._url} cannot be reached: {getattr(error, 'reason', error)}")
                attempt += 1
            with self._state:
                self._state.wait_for(lambda: self._stopped, pause)
                if self._stopped:
                    return False
        return True

    def _attempt(self, body):
        request = urllib.request.Request(self._url + "/v1/events", data=body, headers={
            "Authorization": "Bearer " + self._key,
            "Content-Type": "application/x-ndjson",
            "Content-Encoding": "gzip",
        })
        with urllib.request.urlopen(request, timeout=self._timeout) as answer:
            return json.load(answer)

    def _pause(self, attempt, retry_after, why):
        """Full jitter below a bound that doubles up to 10 s, never before the service's own Retry-After."""
        if attempt + 1 == _SILENT_FAILURES:
            with self._state:
                self._say(f"events are not accepted now ({why}); they are kept and will be sent again", why)
        jitter = random.uniform(0, min(10, 0.1 * 2**attempt))
        if retry_after is None:
            return jitter
        try:
            asked = float(retry_after)
        except ValueError:
            try:
                asked = parsedate_to_datetime(retry_after).timestamp() - time.time()
            except (TypeError, ValueError):
                asked = 0
        return max(0, asked) + jitter

    def _count(self, verdict, texts):
        with self._state:
            self._refusal = None
            self.accepted += verdict["accepted"]
            self.duplicates += verdict["duplicates"]
        for rejection in verdict["rejected"]:
            self._reject(rejection, texts[rejection["index"]])
        with self._state:
            for warning in verdict.get("warnings", []):
                self._say(f"the service warns of event {warning['id']}: {warning['message']} ({warning['code']})", warning["code"])

    def _reject(self, rejection, text):
        with self._state:
            self.rejected += 1
            if not self._on_rejected:
                field = (rejection["field"] + " ") if rejection["field"] else ""
                reason = f"{rejection['code']} {rejection['field']}"
                self._say(f"event {rejection['id']} was rejected: {field}{rejection['message']} ({rejection['code']})", reason)
        if self._on_rejected:
            self._on_rejected(rejection, json.loads(text))

    def _refused(self, why):
        with self._state:
            self._refusal = why
            self._say(f"{why}; its events are kept and will be sent again")
            self._state.notify_all()

    def _say(self, line, reason=None):
        if (reason or line) not in self._said and len(self._said) < 100:
            self._said.add(reason or line)
            self._report("tidemark: " + line)
        return False


def _reason_in(answer):
    try:
        problem = json.loads(answer)
        return problem.get("detail") or problem.get("title") or answer[:1000]
    except (ValueError, AttributeError):
        return answer[:1000]


class _Batch:
    def __init__(self, texts, count, answered):
        self.texts, self.count, self.answered = texts, count, answered


class _Memory:
    kept_in = None

    def __init__(self, per_request):
        self._per_request, self._texts = per_request, deque()

    @property
    def waiting(self):
        return len(self._texts)

    def add(self, text):
        self._texts.append(text)

    def next(self):
        texts = [self._texts.popleft() for _ in range(min(self._per_request, len(self._texts)))]
        return _Batch(texts, len(texts), lambda aside: None)

    def take_over(self):
        return 0

    def close(self):
        pass


class _Spool:
    """A file of lines for each request. A lock is a socket that its holder listens on: free once its process is gone."""

    def __init__(self, directory, per_request):
        if not hasattr(socket, "AF_UNIX"):
            raise OSError("a spool needs a system with Unix sockets")
        os.makedirs(directory, mode=0o700, exist_ok=True)
        self.kept_in, self._per_request = os.path.realpath(directory), per_request
        self._mark = os.urandom(6).hex()
        self._lock = socket.socket(socket.AF_UNIX)
        self._lock.bind(self._lock_path(self._mark))
        self._lock.listen(8)
        self._whole, self._file, self._number, self.waiting = deque(), None, 0, 0

    def add(self, text):
        if self._file is None:
            self._path, self._count, self._size = self._next_path(), 0, 0
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        line = text.encode("utf-8", "surrogatepass") + b"\n"
        try:
            done = 0
            while done < len(line):
                done += os.pwrite(self._file, line[done:], self._size + done)
        except OSError:
            os.ftruncate(self._file, self._size)  # A full disk may have taken a part of the line.
            raise
        self._size += len(line)
        self._count += 1
        self.waiting += 1
        if self._count >= self._per_request:
            self._close_file()

    def next(self):
        if not self._whole:
            self._close_file()
        path, count = self._whole.popleft()
        self.waiting -= count

        def answered(aside):
            if aside:
                with open(os.path.join(self.kept_in, "not-taken.ndjson"), "a", encoding="utf-8") as file:
                    file.write("\n".join(aside) + "\n")
            os.unlink(path)

        return _Batch(_lines_of(path), count, answered)

    def take_over(self):
        """Takes the files of emitters that have ended; returns how many events that was."""
        names = sorted(os.listdir(self.kept_in))
        marks = {match.group(1) for name in names for match in [_SEGMENT.match(name) or _LOCK.match(name)] if match}
        free = {mark for mark in marks if mark != self._mark and self._is_free(mark)}
        taken = 0
        for name in names:
            match = _SEGMENT.match(name)
            if not match or match.group(1) not in free:
                continue
            path = self._next_path()
            try:
                os.rename(os.path.join(self.kept_in, name), path)
            except FileNotFoundError:
                continue  # Another emitter was faster.
            count = len(_lines_of(path))
            self._whole.append((path, count))
            self.waiting += count
            taken += count
        for mark in free:
            try:
                os.unlink(self._lock_path(mark))
            except FileNotFoundError:
                pass
        return taken

    def close(self):
        self._close_file()
        self._lock.close()
        os.unlink(self._lock_path(self._mark))

    def _close_file(self):
        if self._file is None:
            return
        os.close(self._file)
        self._file = None
        if self._count:
            self._whole.append((self._path, self._count))
        else:
            os.unlink(self._path)

    def _next_path(self):
        self._number += 1
        return os.path.join(self.kept_in, f"{self._mark}.{self._number:012d}.ndjson")

    def _lock_path(self, mark):
        path = os.path.join(self.kept_in, mark + ".lock")
        if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
            return path
        name = hashlib.sha256(os.fsencode(path)).hexdigest()[:24]
        return os.path.join(tempfile.gettempdir(), f"tidemark-{name}.lock")

    def _is_free(self, mark):
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(self._lock_path(mark))
            except (ConnectionRefusedError, FileNotFoundError):
                return True
            except OSError:
                pass
        return False


def _lines_of(path):
    """Whole lines only: what a machine that lost power had not written to its end was never sent, and cannot be."""
    with open(path, encoding="utf-8", errors="surrogatepass", newline="\n") as file:
        lines = file.read().split("\n")[:-1]

    def is_whole(line):
        try:
            return isinstance(json.loads(line), dict)
        except ValueError:
            return False

    return [line for line in lines if is_whole(line)]
