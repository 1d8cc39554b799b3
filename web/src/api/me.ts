import type { Me } from "@contract/accounts.ts";
import { api } from "./client.ts";
import { ApiError } from "./request.ts";

/** Who is signed in; null when nobody is. */
export async function readMe(): Promise<Me | null> {
  try {
    return await api.getMe();
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return null;
    throw error;
  }
}
