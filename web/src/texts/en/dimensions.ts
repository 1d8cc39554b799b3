import { area } from "../area.ts";

export const dimensionsTexts = area("dimensions", {
  labels: {
    partner: "Partner",
    reseller: "Reseller",
    organization: "Organization",
    agent: "Agent",
    user: "User",
    room: "Room",
    session: "Session",
    device: "Device",
    medium: "Medium",
    language: "Language",
    model: "Model",
    mode: "Mode",
    kind: "Kind",
    format: "Format",
    feature: "Feature",
    visibility: "Visibility",
  },
  media: {
    video_audio: "Video and audio",
    video: "Video only",
    audio: "Audio only",
    screenshare: "Screen share",
  },
  notGiven: "Not set",
});
