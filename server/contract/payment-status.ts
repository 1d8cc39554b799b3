/** What became of a statement's payment. Free of zod, so that the dashboard's bundle is too. */
export const paymentStatuses = ["open", "paid", "failed", "void", "refunded"] as const;
export type PaymentStatus = (typeof paymentStatuses)[number];

/** What may follow each; everything else is refused. */
export const nextPaymentStatuses: Readonly<Record<PaymentStatus, readonly PaymentStatus[]>> = {
  open: ["paid", "failed", "void"],
  // `failed`: charged back; `open`: taken for paid by mistake.
  paid: ["refunded", "failed", "open"],
  failed: ["paid", "open", "void"],
  void: ["open"],
  refunded: [],
};
