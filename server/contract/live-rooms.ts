/** How many rooms a live view has. */

/** As many are pushed, the longest-running. */
export const usualRooms = 100;
/** As many may be asked for. */
export const maxRooms = 1_000;
