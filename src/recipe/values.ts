import { isIP } from 'node:net';
import { posix } from 'node:path';
import { isPattern } from '../template/pattern.ts';
import { parseDuration } from './duration.ts';
import { parseBandwidth } from './bandwidth.ts';
import { isAddress, isCidr, isHost } from './host-name.ts';
import { describePath, type Path } from './path.ts';
import { show } from './printable.ts';

/** What a value of a recipe means; each kind has one check, for recipes, inputs and rendered templates alike. */
export type ValueKind =
  | 'host'
  | 'address'
  | 'cidr'
  | 'device'
  | 'path'
  | 'moved-path'
  | 'program'
  | 'argument'
  | 'unit'
  | 'checkpoint-series'
  | 'checkpoint-id'
  | 'count'
  | 'line'
  | 'url'
  | 'duration'
  | 'bandwidth'
  | 'pid'
  | 'port'
  | 'status'
  | 'int'
  | 'bool'
  | 'bytes'
  | 'string'
  | 'pattern'
  | 'condition'
  | 'given'
  | 'items';

/** What is wrong with a value, and what to do about it. */
export interface ValueProblem {
  readonly message: string;
  readonly hint?: string;
}

interface ValueCheck {
  /** Ends the sentence "it must be …". */
  readonly expected: string;
  isValid(value: unknown): boolean;
  /** What to do about a value that is not valid. */
  hint?(value: unknown): string | undefined;
}

/**
 * Why a value is not of its kind.
 * @param name what the message calls it, or where it is
 * @returns undefined when it is
 */
export function checkValue(name: string | Path, kind: ValueKind, value: unknown): ValueProblem | undefined {
  const check = CHECKS[kind];
  if (check.isValid(value)) return undefined;
  const hint = check.hint?.(value);
  const called = typeof name === 'string' ? name : describePath(name);
  return {
    message: `${called} must be ${check.expected}, not ${show(value)}`,
    ...(hint === undefined ? {} : { hint }),
  };
}

/** Text and numbers alike: a template that is one number yields a number. */
function text(isValid: (text: string) => boolean): (value: unknown) => boolean {
  return (value) =>
    typeof value === 'string' ? isValid(value) : typeof value === 'number' && isValid(String(value));
}

/** A whole number, or its digits. */
function integer(from: number, to: number): (value: unknown) => boolean {
  return (value) => {
    const number = typeof value === 'string' && /^-?\d{1,16}$/.test(value) ? Number(value) : value;
    return typeof number === 'number' && Number.isSafeInteger(number) && number >= from && number <= to;
  };
}

const CHECKS: Readonly<Record<ValueKind, ValueCheck>> = {
  host: {
    expected: 'a host as ssh names it, such as `root@host-a`',
    isValid: text(isHost),
    hint: (value) =>
      asText(value).startsWith('-')
        ? 'ssh would take what begins with a dash for an option.'
        : /:\d+$/.test(asText(value))
          ? 'Put the port into ~/.ssh/config, under an alias.'
          : undefined,
  },
  address: { expected: 'a host name or an IP address', isValid: text(isAddress) },
  cidr: {
    expected: 'an address with its prefix length, such as `10.0.0.9/24`',
    isValid: text(isCidr),
    hint: (value) =>
      isIP(asText(value)) === 0 ? undefined : 'Add the prefix length of its network, for example `/24`.',
  },
  device: {
    expected: 'a network device such as `eth0`',
    // See dev_valid_name in the kernel; a leading dash would be an option of ip(8).
    isValid: text(
      (name) => /^[^\s/:\p{Cc}-][^\s/:\p{Cc}]{0,14}$/u.test(name) && name !== '.' && name !== '..',
    ),
  },
  path: { expected: 'an absolute path', isValid: text(isAbsolutePath) },
  'moved-path': {
    expected: 'an absolute path below `/`, without `.`, `..` or needless slashes',
    isValid: text((path) => isAbsolutePath(path) && path !== '/' && isNormal(path)),
    hint: (value) =>
      typeof value === 'string' &&
      isAbsolutePath(value) &&
      !value.split('/').includes('..') &&
      withoutEnd(value) !== ''
        ? `Write ${withoutEnd(value)}.`
        : undefined,
  },
  program: {
    expected: 'the name or the path of a program',
    isValid: text((name) => name !== '' && !name.startsWith('-') && !name.includes('\0')),
  },
  argument: {
    expected: 'text without NUL characters',
    isValid: (value) => typeof value !== 'object' && !asText(value).includes('\0'),
  },
  string: { expected: 'text without NUL characters', isValid: text((value) => !value.includes('\0')) },
  unit: {
    expected: 'a systemd unit such as `video.service`',
    // See systemd.unit(5): valid characters, and at most 255 of them.
    isValid: text((name) => /^[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]{0,254}$/.test(name)),
  },
  'checkpoint-series': {
    expected: 'a name of letters, digits, `.`, `_` and `-`, at most 64 of them, such as `video`',
    isValid: (value) => /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(asText(value)),
  },
  'checkpoint-id': {
    expected: '`latest`, or the number of a checkpoint',
    isValid: (value) => /^(latest|0*[1-9][0-9]{0,8})$/.test(asText(value)),
  },
  count: { expected: 'a whole number from 1 to 10000', isValid: integer(1, 10_000) },
  line: {
    expected: 'one line of text, at most 200 characters',
    isValid: (value) => /^[^\p{Cc}\u2028\u2029]{1,200}$/u.test(asText(value)),
  },
  url: { expected: 'an http or https URL without a password', isValid: text(isUrl), hint: urlHint },
  duration: {
    expected: 'a duration from `1ms` to `500h`, such as `2s`',
    isValid: (value) => typeof value === 'string' && parseDuration(value) !== undefined,
    hint: (value) =>
      /^\d{1,6}$/.test(asText(value)) && Number(value) > 0
        ? `Add the unit, for example \`${asText(value)}s\`.`
        : undefined,
  },
  bandwidth: {
    expected: 'a bandwidth from `1Mbit/s` to less than `4GiB/s`, such as `50MiB/s`',
    isValid: (value) => typeof value === 'string' && parseBandwidth(value) !== undefined,
    hint: (value) =>
      /^\d{1,6}$/.test(asText(value)) && Number(value) > 0
        ? `Add the unit, for example \`${asText(value)}MiB/s\`.`
        : /^\d+ *[kmg](i?b|bit|bp)(s|ps|\/s)?$/i.test(asText(value))
          ? 'The units are KiB/s, MiB/s, GiB/s, kbit/s, Mbit/s and Gbit/s, without a space.'
          : undefined,
  },
  // The kernel's limit of pid_max on 64 bits is 2^22.
  pid: { expected: 'a process id from 1 to 4194304', isValid: integer(1, 4_194_304) },
  port: { expected: 'a port from 1 to 65535', isValid: integer(1, 65_535) },
  status: { expected: 'an HTTP status from 100 to 599', isValid: integer(100, 599) },
  int: { expected: 'a whole number', isValid: integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER) },
  bool: { expected: '`true` or `false`', isValid: (value) => typeof value === 'boolean' },
  bytes: {
    expected: 'a size such as `64MiB`',
    isValid: (value) => typeof value === 'string' && /^\d{1,15}(B|KiB|MiB|GiB|TiB)$/.test(value),
    hint: (value) =>
      /^\d{1,15}$/.test(asText(value))
        ? `Add the unit, for example \`${asText(value)}MiB\`.`
        : /^\d+ *[kmgt]i?b?$/i.test(asText(value))
          ? 'The units are B, KiB, MiB, GiB and TiB, without a space.'
          : undefined,
  },
  pattern: {
    expected: 'a regular expression of JavaScript',
    isValid: text((pattern) => isPattern(pattern)),
    hint: () => 'It has the flag `u`; a backslash in double quotes is written twice.',
  },
  condition: {
    expected: 'true or false',
    isValid: (value) => typeof value === 'boolean',
    hint: (value) =>
      typeof value === 'string' ? 'Write a template: "{{ inputs.mode == \'careful\' }}".' : undefined,
  },
  // Which values it takes, the input says that it is given to.
  given: { expected: 'a value', isValid: (value) => ['string', 'number', 'boolean'].includes(typeof value) },
  items: {
    expected: 'a list',
    isValid: Array.isArray,
    hint: (value) => (typeof value === 'string' ? 'Write `[one, two]`, or a template of a list.' : undefined),
  },
};

/** Scalars as text. Anything else is empty: a mapping without a prototype has no text of its own. */
function asText(value: unknown): string {
  const isScalar = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
  return isScalar ? String(value) : '';
}

function isAbsolutePath(path: string): boolean {
  return path.startsWith('/') && !/\p{Cc}/u.test(path) && path.length <= 4095;
}

function isNormal(path: string): boolean {
  return path === posix.normalize(path) && !path.endsWith('/');
}

function withoutEnd(path: string): string {
  return posix.normalize(path).replace(/\/$/, '');
}

function isUrl(value: string): boolean {
  if (!URL.canParse(value) || /[\s\p{Cc}]/u.test(value)) return false;
  const url = new URL(value);
  return /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
}

function urlHint(value: unknown): string | undefined {
  if (/^https?:\/\/[^/[]*:[^/]*:/.test(asText(value)))
    return 'An IPv6 address stands in brackets: http://[fd00::9]/.';
  if (/^https?:\/\/[^/]*@/.test(asText(value)))
    return 'A plan is kept on disk: ask with a `command` check instead.';
  return undefined;
}
