/** Statements, their payment, and what another plan would have come to, as the server tells of them. */
import type { SetPayment, StatementDetail, StatementList } from "@contract/statements.ts";
import type { WhatIf, WhatIfRequest } from "@contract/what-if.ts";
import { readCsv, searchOf, send, sendTagged, type Tagged } from "./client.ts";

export interface StatementsQuestion {
  node?: string | undefined;
  kind?: string | undefined;
  status?: string | undefined;
  cursor?: string | undefined;
  limit?: number | undefined;
}

export function readStatements(question: StatementsQuestion, signal?: AbortSignal): Promise<StatementList> {
  return send<StatementList>("GET", `/v1/statements?${searchOf(question)}`, { signal });
}

/** All that match, without a limit. */
export function readStatementsCsv(question: StatementsQuestion): Promise<Blob> {
  return readCsv(`/v1/statements?${searchOf({ ...question, limit: undefined, cursor: undefined })}`);
}

const addressOf = (id: string) => `/v1/statements/${encodeURIComponent(id)}`;

export function readStatement(id: string, signal?: AbortSignal): Promise<Tagged<StatementDetail>> {
  return sendTagged<StatementDetail>("GET", addressOf(id), { signal });
}

export function readStatementCsv(id: string): Promise<Blob> {
  return readCsv(addressOf(id));
}

/** Throws ApiError `precondition_failed` when the payment is no longer what `tag` stands for. */
export function setPayment(id: string, payment: SetPayment, tag: string | undefined): Promise<Tagged<StatementDetail>> {
  return sendTagged<StatementDetail>("POST", `${addressOf(id)}/payment`, { body: payment, ifMatch: tag });
}

export function askWhatIf(question: WhatIfRequest, signal?: AbortSignal): Promise<WhatIf> {
  return send<WhatIf>("POST", "/v1/what-if", { body: question, signal });
}
