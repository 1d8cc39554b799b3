/** Objects whose keys are words of users. */
import { z } from "zod";

/**
 * As `z.record`, but with every key that was sent: `__proto__`, which would be left out in silence because it names what an
 * object inherits, is refused by its name.
 */
export function recordByWords<K extends z.core.$ZodRecordKey, V extends z.ZodType>(key: K, value: V) {
  return z.preprocess(
    (sent, context) => {
      if (typeof sent === "object" && sent !== null && Object.hasOwn(sent, "__proto__"))
        context.issues.push({ code: "custom", message: "cannot be a name", path: ["__proto__"], input: sent });
      return sent;
    },
    z.record(key, value),
  );
}
