import { area } from "../area.ts";

export const wallTexts = area("wall", {
  liveNow: ", live now",
  esc: "Esc",
  exitFullScreen: "Exit full screen",
  timesIn: (tz: string) => `Times in ${tz}`,
  liveFiguresAreRefused: (refusal: string) => `Live data was refused: ${refusal}`,
  liveRooms: "Live rooms",
  rotate: "Rotate",
  rotateHint: "Shows everything, then each pinned customer, for 30 seconds each",
  rotateNeedsPins: "Pin customers on their pages to rotate through them here",
});
