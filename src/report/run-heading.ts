import { sanitizeLine } from './sanitize.ts';

/** What stands over one run of a sequence: `run 2 of 3: Move the video server`. */
export function runHeading(number: number, count: number, title: string): string {
  return `run ${number} of ${count}: ${sanitizeLine(title)}`;
}
