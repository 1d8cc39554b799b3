/** A property that fails ends there: looking for the smallest example of it takes minutes, and nobody reads it. */
import fc from "fast-check";

fc.configureGlobal({ endOnFailure: true });
