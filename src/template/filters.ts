import { posix } from 'node:path';

/** What inputs are, and what a template yields. */
export type TemplateValue = string | number | boolean;

/** The filters that a template may use, each from one value to text: `{{ inputs.address | host }}`. */
export const FILTERS: Readonly<Record<string, (value: TemplateValue) => string>> = {
  /** The address of `10.0.0.9/24`; the host of `root@a`; an IPv6 address without its brackets. */
  host: (value) => {
    const [address = ''] = String(value).split('/');
    return address.slice(address.lastIndexOf('@') + 1).replace(/^\[(.*)\]$/, '$1');
  },
  /** The last part of a path. */
  basename: (value) => posix.basename(String(value)),
  /** A path without its last part. */
  dirname: (value) => posix.dirname(String(value)),
};
