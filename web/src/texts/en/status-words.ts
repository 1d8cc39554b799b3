import { area } from "../area.ts";

export const statusWordsTexts = area("status-words", {
  /** Of organizations and nodes above them, subscriptions, payments, and people. */
  statuses: {
    scheduled: "scheduled",
    trial: "trial",
    active: "active",
    suspended: "suspended",
    cancelled: "cancelled",
    expired: "expired",
    open: "open",
    paid: "paid",
    failed: "failed",
    void: "void",
    refunded: "refunded",
    invited: "invited",
    disabled: "disabled",
  },
  roles: {
    owner: "owner",
    admin: "admin",
    manager: "manager",
    finance: "finance",
    viewer: "viewer",
  },
  everything: "everything",
});
