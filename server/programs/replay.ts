/** `npm run replay -- <csv.gz> [--url URL] [--key KEY] [--seed N]` */
import { SingleBar } from "cli-progress";
import { readCommandLine } from "./connection.ts";
import { readFlights } from "./flights.ts";
import { runProgram } from "./program.ts";
import { describeReplay, replayFlights } from "./replay-flights.ts";

await runProgram("npm run replay -- <csv.gz> [--url URL] [--key KEY] [--seed N]", async (args) => {
  const { operands, seed, url, key } = readCommandLine(args, ["csv.gz"]);
  const flights = await readFlights(operands[0] as string);
  const bar = new SingleBar({
    format: "{bar} {percentage}% | {value} of {total} events | {duration_formatted}",
    hideCursor: true,
    noTTYOutput: true,
    notTTYSchedule: 5_000,
  });
  let isStarted = false;
  try {
    const result = await replayFlights(flights, {
      connection: { url, key },
      seed,
      onProgress: (sent, total) => {
        if (!isStarted) bar.start(total, 0);
        isStarted = true;
        bar.update(sent);
      },
      onPosted: () => {
        bar.stop();
        console.log("everything is sent; waiting until it can be queried");
      },
    });
    console.log(describeReplay(result));
    return result.rejected === 0;
  } finally {
    bar.stop();
  }
});
