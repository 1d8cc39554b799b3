import { area } from "../area.ts";

export const brandingTexts = area("branding", {
  savedNewReportsUse: "Saved. New reports use this branding.",
  fileCouldNotBeRead: "The file could not be read.",
  branding: "Branding",
  nameColourAndLogo:
    "The name, colour and logo of reports and their mails, and how long reports are kept. Applies to every node below that has no branding of its own.",
  theBranding: "The branding",
  look: "Look",
  name: "Name",
  inherited: "Inherited",
  replacesTidemark: "Replaces Tidemark",
  colour: "Colour",
  n0f766e: "#0f766e",
  darkenedWhereItWould: "Darkened where it would be hard to read",
  chooseColour: "Choose a colour",
  logo: "Logo",
  theLogo: "The logo",
  removeLogo: "Remove logo",
  pngOrJpeg200Kb: "PNG or JPEG, 200 kB and 2,000 pixels at most",
  retention: "Retention",
  days: "Days",
  n1To3650: "1 to 3,650, for reports made from now on. Default: 90",
  setByNodeAbove: "Set by the node above this one",
  preview: "Preview",
  save: "Save",
});
