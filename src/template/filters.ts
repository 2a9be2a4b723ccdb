import { posix } from 'node:path';
import { quote } from 'shlex';

/** What inputs are, and what a template yields. */
export type TemplateValue = string | number | boolean | readonly string[];

/** What a value is, as far as templates tell values apart. */
export type TemplateType = 'text' | 'number' | 'bool' | 'list';

/** A filter: `{{ inputs.address | host }}`, or with an argument, `{{ inputs.units | join(',') }}`. */
export interface Filter {
  /** What it takes: `scalar` is anything but a list. */
  readonly takes: 'scalar' | 'list';
  readonly yields: TemplateType;
  /** It has one argument, a text. */
  readonly hasArgument?: true;
  readonly apply: (value: TemplateValue, argument: string) => TemplateValue;
}

const fromText = (apply: (text: string) => string): Filter => ({
  takes: 'scalar',
  yields: 'text',
  apply: (value) => apply(String(value)),
});

const fromList = (
  yields: TemplateType,
  apply: (items: readonly string[], argument: string) => TemplateValue,
  more: Pick<Filter, 'hasArgument'> = {},
): Filter => ({
  takes: 'list',
  yields,
  apply: (value, argument) => apply(Array.isArray(value) ? (value as readonly string[]) : [], argument),
  ...more,
});

/** The filters that a template may use. */
export const FILTERS: Readonly<Record<string, Filter>> = {
  /** The address of `10.0.0.9/24`; the host of `root@a`; an IPv6 address without its brackets. */
  host: fromText((value) => {
    const [address = ''] = value.split('/');
    return address.slice(address.lastIndexOf('@') + 1).replace(/^\[(.*)\]$/, '$1');
  }),
  /** The last part of a path. */
  basename: fromText((value) => posix.basename(value)),
  /** A path without its last part. */
  dirname: fromText((value) => posix.dirname(value)),
  /** Text without the white space around it. */
  trim: fromText((value) => value.trim()),
  /** One word for a POSIX shell, whatever is in it. */
  quote: fromText((value) => quote(value)),
  /** The lines of a text that are not empty. */
  lines: {
    takes: 'scalar',
    yields: 'list',
    apply: (value) =>
      String(value)
        .split('\n')
        .filter((line) => line !== ''),
  },
  /** The items of a list as one text. */
  join: fromList('text', (items, separator) => items.join(separator), { hasArgument: true }),
  /** The first item of a list; nothing, an empty text, of an empty one. */
  first: fromList('text', (items) => items[0] ?? ''),
  /** The last item of a list. */
  last: fromList('text', (items) => items.at(-1) ?? ''),
  /** How many items a list has. */
  length: fromList('number', (items) => items.length),
};
