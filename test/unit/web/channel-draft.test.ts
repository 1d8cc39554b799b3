import { expect, test } from "vitest";
import { changeChannelSchema, createChannelSchema } from "../../../server/contract/channels.ts";
import {
  channelChangeOf,
  draftOfChannel,
  newChannelDraft,
  newChannelOf,
} from "../../../web/src/state/channel-draft.ts";

const typed = { ...newChannelDraft("all"), name: " On call " };

test("addresses are taken by lines, commas and spaces, and numbers as people write them", () => {
  const mail = newChannelOf({ ...typed, to: "a@example.com, b@example.com\nc@example.com " });
  expect(createChannelSchema.parse(mail)).toMatchObject({
    name: "On call",
    to: ["a@example.com", "b@example.com", "c@example.com"],
  });
  const sms = newChannelOf({ ...typed, kind: "sms", to: "+1 (415) 555-0100\n+49 30 1234567" });
  expect(createChannelSchema.parse(sms)).toMatchObject({ to: ["+14155550100", "+49301234567"], monthly_cap: 200 });
});

test("a channel that is opened and saved unchanged stays what it is", () => {
  const common = { id: "chn_1", name: "Desk", node: "all", enabled: false, disabled_because: null, created_at: "" };
  const webhook = { ...common, kind: "webhook", url: "https://example.com/a" } as const;
  const sms = { ...common, kind: "sms", to: ["+14155550100"], monthly_cap: 7 } as const;
  const same = { name: "Desk", enabled: false };
  expect(changeChannelSchema.parse(channelChangeOf(draftOfChannel(webhook)))).toEqual({ ...same, url: webhook.url });
  expect(changeChannelSchema.parse(channelChangeOf(draftOfChannel({ ...sms, to: [...sms.to] })))).toEqual({
    ...same,
    to: sms.to,
    monthly_cap: 7,
  });
});
