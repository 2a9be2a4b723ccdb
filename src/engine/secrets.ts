import { readFile } from 'node:fs/promises';
import { FlowError } from '../errors/flow-error.ts';
import type { Host } from '../host/host.ts';
import type { Plan, SecretSource } from '../plan/plan.ts';

/** A shorter text could not be told from others when it is to be hidden. */
const MIN_CHARACTERS = 4;

/**
 * Reads the values of secret inputs, on the machine that runs criu-flow. They live in memory only.
 * @throws FlowError SECRET_UNAVAILABLE, which never holds a part of the value
 */
export async function readSecrets(
  secrets: Plan['secrets'],
  local: Host,
): Promise<ReadonlyMap<string, string>> {
  const values = new Map<string, string>();
  for (const [name, source] of Object.entries(secrets)) {
    const value = (await read(name, source, local)).replace(/\r?\n$/, '');
    if (value.length < MIN_CHARACTERS) {
      throw unavailable(name, source, value === '' ? 'it is empty' : 'it has fewer than 4 characters');
    }
    values.set(name, value);
  }
  return values;
}

/** As {@link readSecrets}, but what cannot be read is told of and left out: a workload is put right without it. */
export async function readSecretsLeniently(
  secrets: Plan['secrets'],
  local: Host,
  warn: (text: string) => void,
): Promise<ReadonlyMap<string, string>> {
  const values = new Map<string, string>();
  for (const [name, source] of Object.entries(secrets)) {
    try {
      for (const [, value] of await readSecrets({ [name]: source }, local)) values.set(name, value);
    } catch (error) {
      if (!(error instanceof FlowError)) throw error;
      warn(`${error.message}. Commands that need it will fail.`);
    }
  }
  return values;
}

async function read(name: string, source: SecretSource, local: Host): Promise<string> {
  if ('env' in source) {
    const value = process.env[source.env];
    if (value === undefined) throw unavailable(name, source, 'it is not set');
    return value;
  }
  if ('file' in source) {
    try {
      return await readFile(source.file, 'utf8');
    } catch (error) {
      throw unavailable(
        name,
        source,
        error instanceof Error && 'code' in error ? String(error.code) : 'unreadable',
      );
    }
  }
  const { exitCode, stdout } = await local.run(source.command);
  // What it said may be the secret.
  if (exitCode !== 0) throw unavailable(name, source, `it ended with exit code ${exitCode}`);
  return stdout;
}

function unavailable(name: string, source: SecretSource, why: string): FlowError {
  const where =
    'env' in source
      ? `the variable ${source.env}`
      : 'file' in source
        ? `the file ${source.file}`
        : `the command ${source.command.join(' ')}`;
  return new FlowError('SECRET_UNAVAILABLE', `The secret ${name} cannot be read from ${where}: ${why}`, {
    hint: 'It is read when a run begins, and again when it is resumed or rolled back.',
  });
}
