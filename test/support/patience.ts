/**
 * How long tests wait before something counts as hung, in ms. None of it says how fast anything has to be: a machine that is a third
 * as fast, and busy with something else, must get there.
 */

/** For a state that is waited for. */
export const patienceMs = 180_000;

/** For a service to recover or to store what it has, with stores that were killed. */
export const recoveryPatienceMs = 300_000;

/** For one test, or for what runs before and after the tests of a file. */
export const testPatienceMs = 900_000;
