import { FlowError } from '../errors/flow-error.ts';
import { quoteArguments } from '../host/quote.ts';
import { knownHostKeys, resolveSsh } from '../host/ssh-config.ts';
import type { DestinationAccess } from './one-run-key.ts';

/**
 * How another host reaches the destination: what this machine's ssh configuration and known_hosts say.
 * @throws FlowError TRANSFER_FAILED when the destination is this machine, or its keys are in a certificate only.
 */
export async function destinationAccess(
  destination: string,
  sshConfigFile: string | undefined,
): Promise<DestinationAccess> {
  if (destination === 'local') {
    throw new FlowError('TRANSFER_FAILED', 'The source cannot reach a destination that is called `local`', {
      hint: 'Name it as the source reaches it, for example root@host; or share a file system, and use `transfer/shared`.',
    });
  }
  const resolved = await resolveSsh(destination, sshConfigFile);
  const keys = await knownHostKeys(resolved);
  if (keys.length === 0) {
    throw new FlowError('HOST_KEY_UNKNOWN', `No host key of ${destination} is in known_hosts`, {
      host: destination,
      hint: 'The source is told which keys to accept. A host certificate alone is not enough for it.',
      command: quoteArguments(['ssh-keyscan', '-p', String(resolved.port), resolved.hostName]),
    });
  }
  return {
    hostName: resolved.hostName,
    port: resolved.port,
    user: resolved.user,
    hostKeys: keys.map((key) => `${key.type} ${key.key}`),
  };
}
