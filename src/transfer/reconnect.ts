/** Milliseconds that a connection which was lost may take to come back: less than the lease of what stands frozen meanwhile. */
export const RECONNECT_WITHIN_MS = 20_000;

/** Milliseconds between two attempts. */
export const RECONNECT_EVERY_MS = 500;
