/** How a person wants to be notified of alerts. Channels are notified by their rules, whatever people want for themselves. */
import { z } from "zod";
import { ruleKinds, severities } from "./rules.ts";
import { timeZoneSchema } from "./time-zones.ts";

export const bellChoices = ["at_once", "never"] as const;
export type BellChoice = (typeof bellChoices)[number];
export const mailChoices = ["at_once", "digest", "never"] as const;
export type MailChoice = (typeof mailChoices)[number];

const choiceFields = {
  kind: z.enum(ruleKinds),
  severity: z.enum(severities),
};
export const notificationChoiceSchema = z.object({
  ...choiceFields,
  bell: z.enum(bellChoices).describe("The dashboard's bell"),
  mail: z
    .enum(mailChoices)
    .describe("Email to the account's address; `digest`: once a day, with everything from that day"),
});
export type NotificationChoice = z.infer<typeof notificationChoiceSchema>;

const digestFields = {
  at: z
    .string()
    .regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, "must be HH:MM")
    .describe("Time of day in `tz`; a time that a clock change skips is the first instant after it"),
  tz: timeZoneSchema,
};

export const notificationPreferencesSchema = z.object({
  choices: z.array(notificationChoiceSchema).describe("One entry for every kind and severity"),
  digest: z.object(digestFields),
  next_digest_at: z.string(),
  address: z.string().describe("Where email is sent"),
  unsubscribed: z
    .boolean()
    .describe(
      "Whether the person unsubscribed with the link in one of these emails: then none are sent, whatever is chosen",
    ),
});
export type NotificationPreferences = z.infer<typeof notificationPreferencesSchema>;

export const changeNotificationPreferencesSchema = z.strictObject({
  choices: z
    .array(
      z.strictObject({
        ...choiceFields,
        bell: z.enum(bellChoices).optional(),
        mail: z.enum(mailChoices).optional(),
      }),
    )
    .max(ruleKinds.length * severities.length)
    .optional()
    .describe("Anything not named stays as it is"),
  digest: z.strictObject(digestFields).optional(),
  unsubscribed: z.literal(false).optional().describe("Resumes emails after unsubscribing"),
});
export type ChangeNotificationPreferences = z.infer<typeof changeNotificationPreferencesSchema>;
