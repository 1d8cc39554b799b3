import { describe, expect, it } from "vitest";
import { brandingChangeOf, draftOfBranding } from "../../../web/src/state/branding-draft.ts";

const branded = { branding: { name: "Acme", color: "#0f766e", logo: "data:image/png;base64,AAAA" }, report_days: 30 };
const plain = { branding: null, report_days: null };

describe("the branding that a person fills in", () => {
  it("changes nothing that was not touched", () => {
    for (const before of [branded, plain]) expect(brandingChangeOf(draftOfBranding(before), before)).toEqual({});
    const draft = { ...draftOfBranding(branded), days: "60" };
    expect(brandingChangeOf(draft, branded)).toEqual({ report_days: 60 });
  });

  it("keeps what stays beside what changes, for the branding is replaced as a whole", () => {
    const draft = { ...draftOfBranding(branded), name: " Acme & Co " };
    expect(brandingChangeOf(draft, branded)).toEqual({ branding: { ...branded.branding, name: "Acme & Co" } });
  });

  it("looks as what is above it where all of it was taken away", () => {
    const draft = { name: "", color: "", logo: "", days: "" };
    expect(brandingChangeOf(draft, branded)).toEqual({ branding: null, report_days: null });
  });
});
