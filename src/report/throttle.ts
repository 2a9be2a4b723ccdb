/** Lets something through at most once an interval, for each key. */
export interface Throttle {
  /** True when it is time again; counts as taken then. */
  take(key: string): boolean;
  /** Starts the key's interval now, without taking. */
  restart(key: string): void;
}

/** @param now milliseconds of a monotonic clock */
export function createThrottle(intervalMs: number, now: () => number): Throttle {
  const takenAtMs = new Map<string, number>();
  return {
    take(key) {
      const last = takenAtMs.get(key);
      const time = now();
      if (last !== undefined && time - last < intervalMs) return false;
      takenAtMs.set(key, time);
      return true;
    },
    restart(key) {
      takenAtMs.set(key, now());
    },
  };
}
