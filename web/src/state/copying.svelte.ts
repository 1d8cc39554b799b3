/** Whether the text was copied. Without HTTPS there is no clipboard, and a browser may refuse it. */
export const copyText = (text: string): Promise<boolean> => isDone(() => navigator.clipboard.writeText(text));

/** The same for a PNG, which may still be under way: the clipboard opens only while a press is being answered. */
export const copyPicture = (png: Promise<Blob>): Promise<boolean> =>
  isDone(() => navigator.clipboard.write([new ClipboardItem({ "image/png": png })]));

async function isDone(copy: () => Promise<void>): Promise<boolean> {
  try {
    await copy();
    return true;
  } catch {
    return false;
  }
}

const saidForMs = 2_500;

/** What became of copying, for as long as that is worth saying. */
export class Copying {
  outcome = $state<"idle" | "copied" | "failed">("idle");

  async run(copying: Promise<boolean>): Promise<void> {
    this.outcome = (await copying) ? "copied" : "failed";
    setTimeout(() => {
      this.outcome = "idle";
    }, saidForMs);
  }
}
