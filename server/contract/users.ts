/** People who sign in, and their roles. */
import { z } from "zod";
import { roleGrantSchema } from "./accounts.ts";
import { nextCursorSchema } from "./cursors.ts";

export const userSchema = z.object({
  id: z.string(),
  email: z.string(),
  name: z.string().nullable(),
  status: z.enum(["invited", "active", "disabled"]),
  roles: z.array(roleGrantSchema).describe("Roles within the caller's nodes"),
  has_second_factor: z.boolean(),
  created_at: z.string(),
});
export type User = z.infer<typeof userSchema>;

export const userListSchema = z.object({ users: z.array(userSchema), next_cursor: nextCursorSchema });
export type UserList = z.infer<typeof userListSchema>;

const rolesSchema = z.array(roleGrantSchema).min(1).max(100);
const nameSchema = z.string().min(1).max(256);

export const inviteUserSchema = z.strictObject({
  email: z.email().max(256),
  name: nameSchema.optional(),
  roles: rolesSchema,
});

export const changeUserSchema = z.strictObject({
  name: nameSchema.nullable().optional(),
  roles: rolesSchema.optional().describe("Replaces the roles within the caller's nodes"),
  disabled: z.boolean().optional(),
});

export const invitationSchema = z.object({
  sent: z.boolean().describe("By email"),
  url: z.string().nullable().describe("To pass on yourself if no email was sent"),
});

export type Invitation = z.infer<typeof invitationSchema>;

export const roleOfferSchema = z.object({
  id: z.string(),
  roles: z.array(roleGrantSchema),
  offered_by: z.string().describe("A user's email address, or a key's name"),
  created_at: z.string(),
  expires_at: z.string(),
  needs_link: z
    .boolean()
    .describe(
      "Whether the `token` from the offer's link is required because nothing has proved yet that the address belongs to the user",
    ),
});
export type RoleOffer = z.infer<typeof roleOfferSchema>;

export const roleOfferListSchema = z.object({ offers: z.array(roleOfferSchema) });
export type RoleOfferList = z.infer<typeof roleOfferListSchema>;

export const acceptOfferSchema = z.strictObject({
  token: z.string().min(1).max(256).optional().describe("The part after `#` in the offer's link"),
});

export const invitedUserSchema = userSchema.extend({ invitation: invitationSchema.nullable() });
