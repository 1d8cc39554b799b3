import { area } from "../area.ts";

export const brandingTexts = area("branding", {
  savedNewReportsUse: "Saved. New reports use this branding.",
  fileCouldNotBeRead: "The file could not be read.",
  branding: "Branding",
  nameColourAndLogo:
    "The name, colour and logo shown on reports and their emails, and how long reports are kept. Applies to every node below that has no branding of its own.",
  theBranding: "The branding",
  look: "Look",
  name: "Name",
  inherited: "Inherited",
  replacesTidemark: "Shown instead of Tidemark",
  colour: "Colour",
  exampleColour: "#0f766e",
  darkenedToBeReadable: "Darkened where it would be hard to read",
  chooseColour: "Choose a colour",
  logo: "Logo",
  theLogo: "The logo",
  removeLogo: "Remove logo",
  logoRequirements: "PNG or JPEG, up to 200 kB and 2,000 pixels",
  retention: "Retention",
  days: "Days",
  daysRange: "1 to 3,650, for reports created from now on. Default: 90",
  setByNodeAbove: "Set by the node above this one",
  preview: "Preview",
  save: "Save",
});
