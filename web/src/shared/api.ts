/** What can be asked with the token of a link or of an embedding; no cookie goes along. */
import type {
  askSharedPanelSchema,
  openSharedViewSchema,
  sharedPanelAnswerSchema,
  sharedViewSchema,
} from "@contract/shared-views.ts";
import { type Body, post } from "../api/operation.ts";

export const sharedApi = {
  openSharedView: post("/v1/shared/view").answers<typeof sharedViewSchema, Body<typeof openSharedViewSchema>>(),
  askSharedPanel: post("/v1/shared/figures").answers<
    typeof sharedPanelAnswerSchema,
    Body<typeof askSharedPanelSchema>
  >(),
};
