import { area } from "../area.ts";

export const alertWordsTexts = area("alert-words", {
  percentOfLimit: (percent: string | number) => `${percent}% of the limit`,
  kinds: {
    quota: "Quota",
    threshold: "Threshold",
    unusual: "Unusual usage",
    low_usage: "Low usage",
    no_data: "No data",
    system: "Service",
    customers: "Customers",
    billing: "Billing",
  },
  severities: { info: "Info", warning: "Warning", critical: "Critical" },
  states: {
    pending: "pending",
    firing: "firing",
    resolved: "resolved",
    no_data: "no data",
  },
  deliveryKinds: {
    email: "Email",
    webhook: "Webhook",
    slack: "Slack",
    sms: "SMS",
    bucket: "Report storage bucket",
  },
  deliveryStates: {
    waiting: "waiting",
    sent: "sent",
    failed: "failed, retrying",
    given_up: "given up",
  },
  messageTypes: {
    "alert.firing": "Alert",
    "alert.resolved": "Resolved",
    "alert.reminder": "Reminder",
    "channel.test": "Test",
    report: "Report",
    digest: "Digest",
  },
});
