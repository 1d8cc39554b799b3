/** The examples and the rules of CloudEvents 1.0.2: its core text, JSON event format and HTTP protocol binding. */
import { describe, expect, test } from "vitest";
import { cloudEventToUsageEvent, isJsonType } from "../../../../server/ingest/accept/cloudevents.ts";
import { explainForm, hasEventForm } from "../../../../server/ingest/accept/event-gate.ts";
import { bodyFormOf, readBody } from "../../../../server/ingest/accept/read-body.ts";

/** What a request comes to: its usage events, and the attributes at fault of the others. */
function read(headers: Record<string, string>, body: unknown) {
  const bytes = Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
  const given = new Headers(headers);
  const { events, unreadable, isPlain } = readBody(bytes, bodyFormOf(given), given);
  return { events, faults: [...unreadable].map(([index, { code, field }]) => [index, code, field]), isPlain };
}

const required = { specversion: "1.0", id: "A234-1234-1234", source: "/mycontext", type: "com.example.someevent" };
const structured = { "content-type": "application/cloudevents+json" };
const batched = { "content-type": "application/cloudevents-batch+json" };
const binary = {
  "ce-specversion": "1.0",
  "ce-id": "A234-1234-1234",
  "ce-source": "/mycontext",
  "ce-type": "com.example.someevent",
};

describe("structured mode", () => {
  test("the media type is recognised in any case and with any parameters, in UTF-8 only", () => {
    const types = [
      "application/cloudevents+json; charset=UTF-8",
      'Application/CloudEvents+JSON;charset="utf-8"',
      "application/cloudevents+json ; foo=bar",
    ];
    for (const type of types) expect(read({ "content-type": type }, required).faults, type).toEqual([]);
    const latin = new Headers({ "content-type": "application/cloudevents+json; charset=iso-8859-1" });
    expect(() => bodyFormOf(latin)).toThrow("UTF-8");
    // Another event format is not taken for binary mode, whatever headers stand beside it.
    for (const type of ["application/cloudevents+xml", "application/cloudevents-batch+avro"])
      expect(() => bodyFormOf(new Headers({ ...binary, "content-type": type })), type).toThrow("Content-Type");
  });

  test("the headers of binary mode say nothing about an event in structured mode", () => {
    expect(read({ ...binary, ...structured, "ce-id": "other" }, required).events).toMatchObject([{ id: required.id }]);
  });

  test("every attribute but those that become fields is kept as a property, dataschema and unknown ones too", () => {
    const event = {
      ...required,
      time: "2018-04-05T17:31:00Z",
      subject: "acme",
      datacontenttype: "application/json",
      dataschema: "https://example.com/schema",
      comexampleextension1: "value",
      comexampleothervalue: 5,
      comexampleflag: false,
      comexamplenothing: null,
      data: { user: "u1", properties: { language: "en" } },
    };
    expect(read(structured, event).events).toEqual([
      {
        id: required.id,
        type: required.type,
        time: "2018-04-05T17:31:00Z",
        organization: "acme",
        user: "u1",
        properties: {
          source: "/mycontext",
          dataschema: "https://example.com/schema",
          comexampleextension1: "value",
          comexampleothervalue: 5,
          comexampleflag: false,
          language: "en",
        },
      },
    ]);
  });

  test("null members of the data are as if they were not there", () => {
    const none = { organization: null, user: null, time: null, value: null, properties: null, note: null };
    const event = { ...required, subject: "acme", data: { ...none, visibility: "public" } };
    const { id, type } = required;
    const properties = { visibility: "public", source: "/mycontext" };
    expect(read(structured, event).events).toEqual([{ id, type, organization: "acme", properties }]);
  });

  test("the organization is that of the data, else the subject; a subject that is another is kept", () => {
    const event = { ...required, subject: "building/7", data: { organization: "acme" } };
    expect(read(structured, event).events).toEqual([
      expect.objectContaining({ organization: "acme", properties: { source: "/mycontext", subject: "building/7" } }),
    ]);
  });

  test.each([
    ["specversion", { specversion: undefined }],
    ["specversion", { specversion: "0.3" }],
    ["specversion", { specversion: 1.0 }],
    ["id", { id: "" }],
    ["id", { id: null }],
    ["id", { id: 7 }],
    ["source", { source: undefined }],
    ["source", { source: "" }],
    ["type", { type: undefined }],
    ["type", { type: ["a"] }],
    ["time", { time: 1_522_949_460 }],
    ["time", { time: "" }],
    ["subject", { subject: "" }],
    ["dataschema", { dataschema: 5 }],
    ["datacontenttype", { datacontenttype: "text/xml", data: '<much wow="xml"/>' }],
    ["datacontenttype", { datacontenttype: "" }],
    ["data", { data: "text" }],
    ["data", { data: [1] }],
    ["data", { data: 5 }],
    ["data_base64", { data_base64: "not base64!" }],
    ["data_base64", { data_base64: "e30" }],
    ["data_base64", { data_base64: Buffer.from("no JSON").toString("base64") }],
    ["data_base64", { data_base64: Buffer.from([0x22, 0xff, 0x22]).toString("base64") }],
    ["data_base64", { data_base64: Buffer.from("[]").toString("base64") }],
    ["data_base64", { data: {}, data_base64: "e30=" }],
  ])("an error names the attribute: %s of %j", (field, fields) => {
    expect(cloudEventToUsageEvent({ ...required, ...fields })).toMatchObject({
      fault: { code: "invalid_cloudevent", field },
    });
  });

  test("data in base64 is the JSON that it codes, whatever characters that holds", () => {
    const data = { organization: "acme", user: 'a"b\\c\td' };
    const { events, isPlain } = read(structured, {
      ...required,
      data_base64: Buffer.from(JSON.stringify(data)).toString("base64"),
    });
    expect(events).toEqual([expect.objectContaining(data)]);
    expect(isPlain).toBe(false);
  });

  test("a type is JSON when its subtype is json or ends with +json, with any parameters", () => {
    for (const type of ["application/json", "text/json; charset=utf-8", "application/vnd.x+json", "APPLICATION/JSON"])
      expect(isJsonType(type), type).toBe(true);
    for (const type of ["application/jsonp", "text/plain", "application/json-seq", "json"])
      expect(isJsonType(type), type).toBe(false);
  });
});

describe("batched mode", () => {
  test("an empty batch is a batch, and each event of another has its own verdict", () => {
    expect(read(batched, [])).toMatchObject({ events: [], faults: [] });
    expect(read(batched, [required, { ...required, id: undefined }, 7, required]).faults).toEqual([
      [1, "invalid_cloudevent", "id"],
      [2, "not_an_object", null],
    ]);
    expect(() => read(batched, required)).toThrow("not an array");
    expect(() => read(batched, "")).toThrow("empty");
  });
});

describe("binary mode", () => {
  test("an attribute that is named as an object's prototype is refused by its name, as in the JSON form", () => {
    const named = { ...binary, "ce-subject": "acme", "ce-__proto__": "x" };
    for (const { events } of [
      read(named, ""),
      read(structured, `{"specversion":"1.0","id":"i","source":"/s","type":"t","subject":"acme","__proto__":"x"}`),
    ]) {
      expect(hasEventForm(events[0])).toBe(false);
      expect(explainForm(events[0])).toMatchObject({ code: "invalid_field", field: "properties.__proto__" });
    }
  });

  const json = { ...binary, "content-type": "application/json; charset=utf-8" };

  test("the body is the data, and every ce- header an attribute, in any case of letters", () => {
    const headers = { ...json, "CE-Subject": "acme", "ce-comexampleextension": "42", "ce-dataschema": "/schema" };
    expect(read(headers, { user: "u1" }).events).toEqual([
      {
        id: required.id,
        type: required.type,
        organization: "acme",
        user: "u1",
        properties: { source: "/mycontext", comexampleextension: "42", dataschema: "/schema" },
      },
    ]);
  });

  test.each([
    ["Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"],
    ["%22quoted%22", '"quoted"'],
    ['"a \\"b\\" c"', 'a "b" c'],
    ["100%", "100%"],
    ["100%25%20sure", "100% sure"],
    ["%2525", "%25"],
    ["lower%c3%b6", "lowerö"],
  ])("the header %s is %s", (header, value) => {
    const { events, isPlain } = read({ ...json, "ce-subject": "acme", "ce-note": header }, {});
    expect(events).toMatchObject([{ properties: { note: value } }]);
    expect(isPlain).toBe(!/["\\]/.test(value));
  });

  test.each(["a%FFb", "%C0%80", "%ED%A0%80", "caf\u00e9", "%e2%82"])(
    "the header %s is no UTF-8 and is refused by its name",
    (header) => {
      const { faults } = read({ ...json, "ce-subject": header }, { organization: "acme" });
      expect(faults).toEqual([[0, "invalid_cloudevent", "subject"]]);
    },
  );

  test("a header that is UTF-8 without being encoded is read as that", () => {
    const bytes = Buffer.from("café €", "utf8").toString("latin1");
    const { events } = read({ ...json, "ce-subject": "acme", "ce-note": bytes }, {});
    expect(events).toMatchObject([{ properties: { note: "café €" } }]);
  });

  test("a missing or wrong field is named as in the other modes", () => {
    for (const name of ["specversion", "id", "source", "type"]) {
      const { [`ce-${name}`]: _, ...headers } = { ...json } as Record<string, string>;
      expect(read(headers, {}).faults, name).toEqual([[0, "invalid_cloudevent", name]]);
    }
    expect(read({ ...json, "content-type": "text/plain" }, "text").faults).toEqual([
      [0, "invalid_cloudevent", "datacontenttype"],
    ]);
    expect(read(json, "[1]").faults).toEqual([[0, "invalid_cloudevent", "data"]]);
    expect(() => read(json, "{")).toThrow("JSON");
  });

  test("an event without data needs no body and no content type", () => {
    expect(read({ ...binary, "ce-subject": "acme" }, "").events).toMatchObject([{ organization: "acme" }]);
  });

  test("headers cannot stand for the data or its type, or reach an object's prototype", () => {
    const headers = {
      ...json,
      "ce-subject": "acme",
      "ce-data": "x",
      "ce-data_base64": "e30=",
      "ce-datacontenttype": "text/xml",
      "ce-__proto__": "x",
    };
    const { events, faults } = read(headers, { user: "u1" });
    expect(faults).toEqual([]);
    expect(events).toMatchObject([{ user: "u1", properties: { source: "/mycontext" } }]);
  });
});
