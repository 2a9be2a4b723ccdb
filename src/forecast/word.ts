import type { Word } from './forecast.ts';

/** What is known only while the run runs: how it is shown, and what it is. */
const HOLES = {
  run: ['<run>', "the run's id; in the name of an nft table with _ for each -"],
  dir: ['<dir>', '/var/lib/criu-flow/RUN-1, the directory of the run on both hosts'],
  pid: ['<pid>', 'the process id of the workload, which is looked for when the run begins'],
  'shell-job': [
    '[--shell-job]',
    'is there when the workload belongs to a session that does not move with it',
  ],
  slash: ['[/]', 'is there when it is a directory'],
  port: ['<port>', 'a port of 127.0.0.1 from 600 to 1023 that is free on both hosts'],
} as const;

/** Stands in a text for what is not known yet, until {@link toWord} shows it. No value can hold a NUL. */
export function hole(name: keyof typeof HOLES): string {
  return `\0${HOLES[name][0]}\0`;
}

/** Stands for what a template will read: `results.NAME.PART`, or `inputs.NAME` of a secret. */
export function lateHole(name: string): string {
  return `\0<${name.replace(/^inputs\./, 'secret ')}>\0`;
}

/** A text with its holes shown. */
export function toWord(text: string): Word {
  const parts = text.split('\0');
  const needs = new Set(parts.filter((_, index) => index % 2 === 1));
  return needs.size === 0 ? text : { text: parts.join(''), needs: [...needs] };
}

/** What placeholders mean, as they are shown. */
export function meaningOf(shown: string): string {
  const known = Object.values(HOLES).find(([each]) => each === shown);
  if (known) return known[1];
  return shown.startsWith('<secret ')
    ? 'a secret, which is read when the run begins'
    : 'what an earlier step has left';
}
