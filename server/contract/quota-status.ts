/** What a used share of a limit is called (server/billing/quota-status.ts has the rule). */
export const quotaStatuses = ["under", "moderate", "high", "over"] as const;
export type QuotaStatus = (typeof quotaStatuses)[number];
