/** Why events were not taken, or are doubted, in words that go on after a colon; the codes themselves are the API's. */
import type { RejectionCode, WarningCode } from "@contract/events.ts";
import { ingestTexts as t } from "../texts/en/ingest.ts";

const words: Record<RejectionCode, string> = t.rejections;

/** A code that this page does not know is shown as it is. */
export const rejectionWords = (code: string): string => words[code as RejectionCode] ?? code;

const warnings: Record<WarningCode, string> = t.warningReasons;

/** A code that this page does not know is shown as it is. */
export const warningWords = (code: string): string => warnings[code as WarningCode] ?? code;
