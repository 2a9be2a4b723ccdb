import { existsSync } from 'node:fs';
import { FlowError } from '../errors/flow-error.ts';

/** Where labs keep their state. Its owner is root, and nobody else may look into it. */
export const labsDirectory = '/var/lib/criu-flow/labs';

/**
 * The directory of the lab of that name, which need not exist.
 * @throws FlowError USAGE for a name that is none
 */
export function labDirectory(name: string): string {
  if (!/^[a-z0-9][a-z0-9-]{0,31}$/.test(name)) {
    throw new FlowError('USAGE', `${JSON.stringify(name)} cannot be the name of a lab`, {
      hint: 'Use lower-case letters, digits and hyphens, at most 32.',
    });
  }
  return `${labsDirectory}/${name}`;
}

/**
 * The ssh_config(5) that reaches the hosts of a lab by their names.
 * @throws FlowError LAB_NOT_FOUND, USAGE
 */
export function labSshConfigFile(name: string): string {
  const file = `${labDirectory(name)}/ssh_config`;
  if (!existsSync(file)) throw labNotFound(name);
  return file;
}

/** The error of a command that needs a lab which is not up. */
export function labNotFound(name: string): FlowError {
  return new FlowError('LAB_NOT_FOUND', `There is no lab ${name}`, {
    hint: '`criu-flow lab status` lists the labs of this machine.',
    command: `criu-flow lab up ${name}`,
  });
}
