/**
 * The API as the dashboard uses it: each operation under the id that it has in the OpenAPI document, which a test holds this
 * table against. What is called here is written nowhere else.
 */
import type {
  changePasswordSchema,
  confirmPasswordSchema,
  createdKeySchema,
  createKeySchema,
  keyListSchema,
  keySchema,
  meSchema,
  mySessionListSchema,
  recoveryCodesSchema,
  requestResetSchema,
  rotateKeySchema,
  setPasswordSchema,
  signInSchema,
  signInWaysSchema,
  totpCodeSchema,
  totpSecretSchema,
} from "@contract/accounts.ts";
import type { alertListSchema, alertQuerySchema, alertSchema, snoozeAlertSchema } from "@contract/alerts.ts";
import type {
  annotationListSchema,
  annotationQuerySchema,
  annotationSchema,
  changeAnnotationSchema,
  createAnnotationSchema,
} from "@contract/annotations.ts";
import type { auditListSchema, auditQuerySchema } from "@contract/audit.ts";
import type {
  channelListSchema,
  channelQuerySchema,
  channelSchema,
  createChannelSchema,
  createdChannelSchema,
  testedChannelSchema,
  updateChannelSchema,
} from "@contract/channels.ts";
import type { chargesQuerySchema, chargesSchema } from "@contract/charges.ts";
import type { pagedQuerySchema } from "@contract/cursors.ts";
import type { dataChangesQuerySchema, dataChangesSchema } from "@contract/data-changes.ts";
import type { deliveryDetailSchema, deliveryListSchema, deliveryQuerySchema } from "@contract/deliveries.ts";
import type { explainAnswerSchema, explainQuerySchema } from "@contract/explain.ts";
import type { ingestHealthQuerySchema, ingestHealthSchema } from "@contract/ingest-health.ts";
import type { jobListSchema, jobsQuerySchema } from "@contract/jobs.ts";
import type { liveAnswerSchema, liveQuerySchema } from "@contract/live.ts";
import type { meterListSchema } from "@contract/meters.ts";
import type { createModelSchema, modelListSchema, modelQuerySchema, modelSchema } from "@contract/models.ts";
import type {
  changeNodeSchema,
  createNodeSchema,
  importAnswerSchema,
  nodeDetailSchema,
  nodeListSchema,
  nodeQuerySchema,
  nodeSchema,
} from "@contract/nodes.ts";
import type {
  changeNotificationPreferencesSchema,
  notificationPreferencesSchema,
} from "@contract/notification-preferences.ts";
import type {
  notificationListSchema,
  notificationQuerySchema,
  readNotificationsAnswerSchema,
  readNotificationsSchema,
} from "@contract/notifications.ts";
import type { organizationListSchema, organizationQuerySchema } from "@contract/organizations.ts";
import type { overviewQuerySchema, overviewSchema } from "@contract/overview.ts";
import type {
  beginPasskeySchema,
  newPasskeySchema,
  passkeyCreationOptionsSchema,
  passkeyListSchema,
  passkeyRequestOptionsSchema,
  passkeySchema,
  removePasskeySchema,
  renamePasskeySchema,
  signInWithPasskeySchema,
} from "@contract/passkeys.ts";
import type { changePlanSchema, createPlanSchema, planListSchema, planSchema } from "@contract/plans.ts";
import type {
  quarantineListSchema,
  quarantineQuerySchema,
  replayAnswerSchema,
  replayRequestSchema,
} from "@contract/quarantine.ts";
import type { periodQuerySchema, periodSchema } from "@contract/quotas.ts";
import type { recordListSchema, recordsQuerySchema } from "@contract/records.ts";
import type {
  createReportSchema,
  previewReportSchema,
  reportListSchema,
  reportPreviewSchema,
  reportQuerySchema,
  reportRunSchema,
  reportSchema,
  runDifferencesSchema,
  runListSchema,
  runQuerySchema,
  startRunSchema,
  updateReportSchema,
} from "@contract/reports.ts";
import type {
  createRuleSchema,
  previewAnswerSchema,
  previewRuleSchema,
  ruleListSchema,
  ruleQuerySchema,
  ruleSchema,
  updateRuleSchema,
} from "@contract/rules.ts";
import type {
  createScheduleSchema,
  previewScheduleSchema,
  scheduleListSchema,
  schedulePreviewSchema,
  scheduleQuerySchema,
  scheduleSchema,
  slotListSchema,
  slotQuerySchema,
  slotSchema,
  updateScheduleSchema,
} from "@contract/schedules.ts";
import type {
  sessionAnswerSchema,
  sessionListSchema,
  sessionQuerySchema,
  sessionsQuerySchema,
} from "@contract/sessions.ts";
import type {
  setPaymentSchema,
  statementDetailSchema,
  statementListSchema,
  statementQuerySchema,
} from "@contract/statements.ts";
import type {
  changeSubscriptionSchema,
  createSubscriptionSchema,
  subscriptionDetailSchema,
  subscriptionListSchema,
  subscriptionQuerySchema,
} from "@contract/subscriptions.ts";
import type { usageAnswerSchema, usageQuerySchema } from "@contract/usage.ts";
import type {
  acceptOfferSchema,
  changeUserSchema,
  invitationSchema,
  invitedUserSchema,
  inviteUserSchema,
  roleOfferListSchema,
  userListSchema,
  userSchema,
} from "@contract/users.ts";
import type {
  createdViewLinkSchema,
  createViewLinkSchema,
  viewLinkListSchema,
  viewLinkSchema,
} from "@contract/view-links.ts";
import type {
  changeViewSchema,
  createViewSchema,
  viewListSchema,
  viewQuerySchema,
  viewSchema,
} from "@contract/views.ts";
import type { whatIfRequestSchema, whatIfSchema } from "@contract/what-if.ts";
import { type Body, type Csv, del, get, type OfNode, patch, post, put, type Query } from "./operation.ts";

export const api = {
  // Events and usage.
  getUsage: get("/v1/usage").answers<typeof usageAnswerSchema, Query<typeof usageQuerySchema>>(),
  explainUsage: get("/v1/explain").answers<typeof explainAnswerSchema, Query<typeof explainQuerySchema>>(),
  listViews: get("/v1/views").answers<typeof viewListSchema, Query<typeof viewQuerySchema>>(),
  createView: post("/v1/views").answers<typeof viewSchema, Body<typeof createViewSchema>>(),
  getView: get("/v1/views/{id}").answers<typeof viewSchema>(),
  updateView: patch("/v1/views/{id}").answers<typeof viewSchema, Body<typeof changeViewSchema>>(),
  deleteView: del("/v1/views/{id}").answersNothing(),
  listViewLinks: get("/v1/views/{id}/links").answers<typeof viewLinkListSchema>(),
  createViewLink: post("/v1/views/{id}/links").answers<
    typeof createdViewLinkSchema,
    Body<typeof createViewLinkSchema>
  >(),
  revokeViewLink: del("/v1/views/{id}/links/{link}").answers<typeof viewLinkSchema>(),
  listAnnotations: get("/v1/annotations").answers<typeof annotationListSchema, Query<typeof annotationQuerySchema>>(),
  createAnnotation: post("/v1/annotations").answers<typeof annotationSchema, Body<typeof createAnnotationSchema>>(),
  updateAnnotation: patch("/v1/annotations/{id}").answers<
    typeof annotationSchema,
    Body<typeof changeAnnotationSchema>
  >(),
  deleteAnnotation: del("/v1/annotations/{id}").answersNothing(),
  getDataChanges: get("/v1/data-changes").answers<typeof dataChangesSchema, Query<typeof dataChangesQuerySchema>>(),
  getLive: get("/v1/live").answers<typeof liveAnswerSchema, Query<typeof liveQuerySchema>>(),
  listMeters: get("/v1/meters").answers<typeof meterListSchema, OfNode>(),
  listSessions: get("/v1/sessions").answers<typeof sessionListSchema, Query<typeof sessionsQuerySchema>>(),
  getSession: get("/v1/sessions/{organization}/{session}").answers<
    typeof sessionAnswerSchema,
    Query<typeof sessionQuerySchema>
  >(),
  listRecords: get("/v1/records").answers<typeof recordListSchema, Query<typeof recordsQuerySchema>>(),
  listJobs: get("/v1/jobs").answers<typeof jobListSchema, Query<typeof jobsQuerySchema>>(),
  getIngestHealth: get("/v1/ingest-health").answers<typeof ingestHealthSchema, Query<typeof ingestHealthQuerySchema>>(),
  listQuarantine: get("/v1/quarantine").answers<typeof quarantineListSchema, Query<typeof quarantineQuerySchema>>(),
  replayQuarantine: post("/v1/quarantine/replay").answers<
    typeof replayAnswerSchema,
    Body<typeof replayRequestSchema>
  >(),
  getOverview: get("/v1/overview").answers<typeof overviewSchema, Query<typeof overviewQuerySchema>>(),

  // The account tree and who may see it.
  listNodes: get("/v1/nodes").answers<typeof nodeListSchema, Query<typeof nodeQuerySchema>>(),
  createNode: post("/v1/nodes").answers<typeof nodeSchema, Body<typeof createNodeSchema>>(),
  getNode: get("/v1/nodes/{node}").answers<typeof nodeDetailSchema>(),
  updateNode: patch("/v1/nodes/{node}").answers<typeof nodeDetailSchema, Body<typeof changeNodeSchema>>(),
  importNodes: post("/v1/nodes/import").answers<typeof importAnswerSchema, Csv<"dry_run">>(),
  listOrganizations: get("/v1/organizations").answers<
    typeof organizationListSchema,
    Query<typeof organizationQuerySchema>
  >(),
  listUsers: get("/v1/users").answers<typeof userListSchema, Query<typeof pagedQuerySchema>>(),
  inviteUser: post("/v1/users").answers<typeof invitedUserSchema, Body<typeof inviteUserSchema>>(),
  updateUser: patch("/v1/users/{id}").answers<typeof userSchema, Body<typeof changeUserSchema>>(),
  removeUser: del("/v1/users/{id}").answersNothing(),
  resendInvitation: post("/v1/users/{id}/invitation").answers<typeof invitationSchema>(),
  listKeys: get("/v1/keys").answers<typeof keyListSchema, Query<typeof pagedQuerySchema>>(),
  createKey: post("/v1/keys").answers<typeof createdKeySchema, Body<typeof createKeySchema>>(),
  rotateKey: post("/v1/keys/{id}/rotate").answers<typeof createdKeySchema, Body<typeof rotateKeySchema>>(),
  revokeKey: del("/v1/keys/{id}").answers<typeof keySchema>(),
  listAuditEntries: get("/v1/audit").answers<typeof auditListSchema, Query<typeof auditQuerySchema>>(),

  // Signing in and the own account.
  listSignInWays: get("/v1/session/ways").answers<typeof signInWaysSchema>(),
  signIn: post("/v1/session").answers<typeof meSchema, Body<typeof signInSchema>>(),
  signOut: del("/v1/session").answersNothing(),
  beginPasskeySignIn: post("/v1/session/passkey/options").answers<typeof passkeyRequestOptionsSchema>(),
  signInWithPasskey: post("/v1/session/passkey").answers<typeof meSchema, Body<typeof signInWithPasskeySchema>>(),
  requestPasswordReset: post("/v1/password-resets").answersNothing<Body<typeof requestResetSchema>>(),
  setPassword: post("/v1/password").answersNothing<Body<typeof setPasswordSchema>>(),
  getMe: get("/v1/me").answers<typeof meSchema>(),
  listMySessions: get("/v1/me/sessions").answers<typeof mySessionListSchema>(),
  endMySession: del("/v1/me/sessions/{id}").answersNothing(),
  changePassword: post("/v1/me/password").answersNothing<Body<typeof changePasswordSchema>>(),
  beginTotp: post("/v1/me/totp").answers<typeof totpSecretSchema, Body<typeof confirmPasswordSchema>>(),
  confirmTotp: put("/v1/me/totp").answers<typeof recoveryCodesSchema, Body<typeof totpCodeSchema>>(),
  disableTotp: del("/v1/me/totp").answersNothing<Body<typeof confirmPasswordSchema>>(),
  getNotificationPreferences: get("/v1/me/notification-preferences").answers<typeof notificationPreferencesSchema>(),
  changeNotificationPreferences: patch("/v1/me/notification-preferences").answers<
    typeof notificationPreferencesSchema,
    Body<typeof changeNotificationPreferencesSchema>
  >(),
  listPasskeys: get("/v1/me/passkeys").answers<typeof passkeyListSchema>(),
  beginPasskey: post("/v1/me/passkeys/options").answers<
    typeof passkeyCreationOptionsSchema,
    Body<typeof beginPasskeySchema>
  >(),
  addPasskey: post("/v1/me/passkeys").answers<typeof passkeySchema, Body<typeof newPasskeySchema>>(),
  renamePasskey: patch("/v1/me/passkeys/{id}").answers<typeof passkeySchema, Body<typeof renamePasskeySchema>>(),
  removePasskey: del("/v1/me/passkeys/{id}").answersNothing<Body<typeof removePasskeySchema>>(),
  listMyOffers: get("/v1/me/offers").answers<typeof roleOfferListSchema>(),
  acceptOffer: post("/v1/me/offers/{id}/accept").answersNothing<Body<typeof acceptOfferSchema>>(),
  declineOffer: del("/v1/me/offers/{id}").answersNothing(),

  // Plans and what they come to.
  listModels: get("/v1/models").answers<typeof modelListSchema, Query<typeof modelQuerySchema>>(),
  createModel: post("/v1/models").answers<typeof modelSchema, Body<typeof createModelSchema>>(),
  deleteModel: del("/v1/models/{id}").answersNothing(),
  listPlans: get("/v1/plans").answers<typeof planListSchema, Query<typeof pagedQuerySchema>>(),
  createPlan: post("/v1/plans").answers<typeof planSchema, Body<typeof createPlanSchema>>(),
  getPlan: get("/v1/plans/{id}").answers<typeof planSchema>(),
  updatePlan: patch("/v1/plans/{id}").answers<typeof planSchema, Body<typeof changePlanSchema>>(),
  publishPlan: post("/v1/plans/{id}/publish").answers<typeof planSchema>(),
  listSubscriptions: get("/v1/subscriptions").answers<
    typeof subscriptionListSchema,
    Query<typeof subscriptionQuerySchema>
  >(),
  createSubscription: post("/v1/subscriptions").answers<
    typeof subscriptionDetailSchema,
    Body<typeof createSubscriptionSchema>
  >(),
  getSubscription: get("/v1/subscriptions/{id}").answers<typeof subscriptionDetailSchema>(),
  updateSubscription: patch("/v1/subscriptions/{id}").answers<
    typeof subscriptionDetailSchema,
    Body<typeof changeSubscriptionSchema>
  >(),
  getPeriod: get("/v1/period").answers<typeof periodSchema, Query<typeof periodQuerySchema>>(),
  getCharges: get("/v1/charges").answers<typeof chargesSchema, Query<typeof chargesQuerySchema>>(),
  listStatements: get("/v1/statements").answers<typeof statementListSchema, Query<typeof statementQuerySchema>>(),
  getStatement: get("/v1/statements/{id}").answers<typeof statementDetailSchema>(),
  recordPayment: post("/v1/statements/{id}/payment").answers<
    typeof statementDetailSchema,
    Body<typeof setPaymentSchema>
  >(),
  simulatePlan: post("/v1/what-if").answers<typeof whatIfSchema, Body<typeof whatIfRequestSchema>>(),

  // Alerts and where they are sent.
  listAlerts: get("/v1/alerts").answers<typeof alertListSchema, Query<typeof alertQuerySchema>>(),
  getAlert: get("/v1/alerts/{id}").answers<typeof alertSchema>(),
  acknowledgeAlert: post("/v1/alerts/{id}/acknowledge").answers<typeof alertSchema>(),
  snoozeAlert: post("/v1/alerts/{id}/snooze").answers<typeof alertSchema, Body<typeof snoozeAlertSchema>>(),
  listRules: get("/v1/rules").answers<typeof ruleListSchema, Query<typeof ruleQuerySchema>>(),
  createRule: post("/v1/rules").answers<typeof ruleSchema, Body<typeof createRuleSchema>>(),
  getRule: get("/v1/rules/{id}").answers<typeof ruleSchema>(),
  updateRule: patch("/v1/rules/{id}").answers<typeof ruleSchema, Body<typeof updateRuleSchema>>(),
  deleteRule: del("/v1/rules/{id}").answersNothing(),
  previewRule: post("/v1/rules/preview").answers<typeof previewAnswerSchema, Body<typeof previewRuleSchema>>(),
  listNotifications: get("/v1/notifications").answers<
    typeof notificationListSchema,
    Query<typeof notificationQuerySchema>
  >(),
  readNotifications: post("/v1/notifications/read").answers<
    typeof readNotificationsAnswerSchema,
    Body<typeof readNotificationsSchema>
  >(),
  listChannels: get("/v1/channels").answers<typeof channelListSchema, Query<typeof channelQuerySchema>>(),
  createChannel: post("/v1/channels").answers<typeof createdChannelSchema, Body<typeof createChannelSchema>>(),
  getChannel: get("/v1/channels/{id}").answers<typeof channelSchema>(),
  updateChannel: patch("/v1/channels/{id}").answers<typeof channelSchema, Body<typeof updateChannelSchema>>(),
  deleteChannel: del("/v1/channels/{id}").answersNothing(),
  rotateChannelSecret: post("/v1/channels/{id}/rotate-secret").answers<typeof createdChannelSchema>(),
  testChannel: post("/v1/channels/{id}/test").answers<typeof testedChannelSchema>(),
  listDeliveries: get("/v1/deliveries").answers<typeof deliveryListSchema, Query<typeof deliveryQuerySchema>>(),
  getDelivery: get("/v1/deliveries/{id}").answers<typeof deliveryDetailSchema>(),
  resendDelivery: post("/v1/deliveries/{id}/resend").answers<typeof deliveryDetailSchema>(),

  // Reports.
  listReports: get("/v1/reports").answers<typeof reportListSchema, Query<typeof reportQuerySchema>>(),
  createReport: post("/v1/reports").answers<typeof reportSchema, Body<typeof createReportSchema>>(),
  getReport: get("/v1/reports/{id}").answers<typeof reportSchema>(),
  previewReport: post("/v1/reports/preview").answers<typeof reportPreviewSchema, Body<typeof previewReportSchema>>(),
  updateReport: patch("/v1/reports/{id}").answers<typeof reportSchema, Body<typeof updateReportSchema>>(),
  deleteReport: del("/v1/reports/{id}").answersNothing(),
  createReportRun: post("/v1/report-runs").answers<typeof reportRunSchema, Body<typeof startRunSchema>>(),
  listReportRuns: get("/v1/report-runs").answers<typeof runListSchema, Query<typeof runQuerySchema>>(),
  getReportRun: get("/v1/report-runs/{id}").answers<typeof reportRunSchema>(),
  cancelReportRun: post("/v1/report-runs/{id}/cancel").answers<typeof reportRunSchema>(),
  getReportRunPreview: get("/v1/report-runs/{id}/preview").answers<typeof reportPreviewSchema>(),
  compareReportRun: get("/v1/report-runs/{id}/differences").answers<typeof runDifferencesSchema>(),
  listSchedules: get("/v1/schedules").answers<typeof scheduleListSchema, Query<typeof scheduleQuerySchema>>(),
  createSchedule: post("/v1/schedules").answers<typeof scheduleSchema, Body<typeof createScheduleSchema>>(),
  getSchedule: get("/v1/schedules/{id}").answers<typeof scheduleSchema>(),
  updateSchedule: patch("/v1/schedules/{id}").answers<typeof scheduleSchema, Body<typeof updateScheduleSchema>>(),
  deleteSchedule: del("/v1/schedules/{id}").answersNothing(),
  pauseSchedule: post("/v1/schedules/{id}/pause").answers<typeof scheduleSchema>(),
  resumeSchedule: post("/v1/schedules/{id}/resume").answers<typeof scheduleSchema>(),
  previewSchedule: post("/v1/schedules/preview").answers<
    typeof schedulePreviewSchema,
    Body<typeof previewScheduleSchema>
  >(),
  testSchedule: post("/v1/schedules/{id}/test").answers<typeof slotSchema>(),
  listScheduleSlots: get("/v1/schedules/{id}/slots").answers<typeof slotListSchema, Query<typeof slotQuerySchema>>(),
};
