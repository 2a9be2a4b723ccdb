import { FlowError } from '../errors/flow-error.ts';
import { quoteArguments } from './quote.ts';
import type { SshTarget } from './ssh-args.ts';
import { sshConfigOption } from './ssh-args.ts';

/** What ssh says on stderr when it gives up, in the order in which it is looked for. @see OpenSSH sshconnect.c */
const unreachable: readonly (readonly [pattern: RegExp, why: string])[] = [
  [/Could not resolve hostname/, 'its name cannot be resolved'],
  [/Connection refused/, 'it refuses connections on that port'],
  [/No route to host|Network is unreachable/, 'there is no route to it'],
  [/timed out|Timeout, server|Operation timed out/i, 'it does not answer'],
  [
    /Bad configuration option|bad configuration options|Can't open user config file|Bad owner or permissions/,
    'ssh does not accept its configuration',
  ],
  [
    /kex_exchange_identification|Connection closed|Connection reset|banner|no matching/i,
    'it ended the connection',
  ],
];

/**
 * Turns the stderr of an ssh that could not connect into one error, with ssh's own line as its evidence.
 * @param knownHostsFile where a new key of this host would be written, for the hint
 */
export function sshError(target: SshTarget, stderr: string, knownHostsFile: string): FlowError {
  const host = target.destination;
  const lines = stderr.split(/\r?\n/).filter((line) => line.trim() !== '');
  const line = (pattern: RegExp): string | undefined => lines.find((candidate) => pattern.test(candidate));

  const revoked = line(/is marked as revoked|REVOKED HOST KEY/);
  if (revoked !== undefined) {
    return new FlowError('HOST_KEY_CHANGED', `The host key of ${host} is marked as revoked.`, {
      host,
      evidence: revoked,
      hint: `Do not connect. ${knownHostsFile} (or the file that ssh names) lists this key as @revoked.`,
    });
  }
  if (line(/IDENTIFICATION HAS CHANGED|Host key for .* has changed/) !== undefined) {
    return keyChanged(host, stderr, lines, knownHostsFile);
  }
  const unknown = line(/No \S+ host key is known for/);
  if (unknown !== undefined) return keyUnknown(target, unknown, knownHostsFile);
  if (line(/Host key verification failed/) !== undefined) {
    return keyUnknown(target, lines.at(-1) ?? '', knownHostsFile);
  }
  const denied = line(/Permission denied|Too many authentication failures|No more authentication methods/);
  if (denied !== undefined) {
    return new FlowError('HOST_AUTH_FAILED', `${host} does not accept any of the keys that ssh offers.`, {
      host,
      evidence: denied,
      hint: 'criu-flow never asks for a password: load a key that the host accepts (ssh-add), or name it in ssh_config (IdentityFile). The command shows what ssh tries.',
      command: quoteArguments([
        'ssh',
        '-v',
        ...sshConfigOption(target),
        '-o',
        'BatchMode=yes',
        '--',
        host,
        'true',
      ]),
    });
  }
  for (const [pattern, why] of unreachable) {
    const evidence = line(pattern);
    if (evidence !== undefined) return unreachableError(host, `${host} cannot be reached: ${why}.`, evidence);
  }
  return unreachableError(host, `${host} cannot be reached.`, lines.at(-1));
}

/** A channel that ended without saying how its command did. */
export function outcomeUnknown(host: string, program: string, evidence: string): FlowError {
  return new FlowError(
    'HOST_UNREACHABLE',
    `The connection to ${host} was lost while "${program}" ran: whether it finished is not known.`,
    {
      host,
      hint: 'It may still be running there. It was not started again: look at the host first.',
      ...(evidence === '' ? {} : { evidence }),
    },
  );
}

function unreachableError(host: string, message: string, evidence: string | undefined): FlowError {
  return new FlowError('HOST_UNREACHABLE', message, {
    host,
    ...(evidence === undefined ? {} : { evidence }),
  });
}

function keyUnknown(target: SshTarget, evidence: string, knownHostsFile: string): FlowError {
  const host = target.destination;
  const ask = ['-o', 'StrictHostKeyChecking=ask', '-o', 'BatchMode=no'];
  return new FlowError('HOST_KEY_UNKNOWN', `The host key of ${host} is not known.`, {
    host,
    evidence,
    hint:
      `The command shows the key's fingerprint and, after a yes, adds it to ${knownHostsFile}. Compare it first ` +
      'with what the host itself says: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub',
    command: quoteArguments(['ssh', ...sshConfigOption(target), ...ask, '--', host, 'true']),
  });
}

function keyChanged(
  host: string,
  stderr: string,
  lines: readonly string[],
  knownHostsFile: string,
): FlowError {
  const fingerprint = /\b(?:SHA256|MD5):\S+/.exec(stderr)?.[0].replace(/\.$/, '');
  const offending = /Offending (?:\S+ )?key in (.+):(\d+)/.exec(stderr);
  const file = offending?.[1] ?? knownHostsFile;
  const name = /Host key for (\S+) has changed/.exec(stderr)?.[1] ?? host.slice(host.lastIndexOf('@') + 1);
  const where = offending === null ? file : `${file}:${offending[2]}`;
  const shown = fingerprint === undefined ? '' : ` The host now shows ${fingerprint}.`;
  return new FlowError(
    'HOST_KEY_CHANGED',
    `The host key of ${host} is not the one in ${where}: somebody may be in between.${shown}`,
    {
      host,
      evidence: lines.find((line) => /Host key for .* has changed/.test(line)) ?? lines.at(-1) ?? '',
      hint:
        'Find out why it changed before anything else, and compare the fingerprint with what the host itself says ' +
        '(ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub). Only when it was reinstalled, the command forgets the old key.',
      command: quoteArguments(['ssh-keygen', '-f', file, '-R', name]),
    },
  );
}
