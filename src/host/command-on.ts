import type { Host } from './host.ts';
import { quoteArguments } from './quote.ts';
import { sshConfigOption } from './ssh-args.ts';

/**
 * A command for a person to paste into a shell of this machine, which runs exactly these arguments on the host. It reaches the
 * host as criu-flow does.
 * @param options `terminal`: the program talks with the person
 * @throws FlowError INPUT_INVALID for arguments that no program can have
 */
export function commandOn(
  host: Pick<Host, 'name' | 'sshConfigFile'>,
  argv: readonly string[],
  { terminal = false }: { readonly terminal?: boolean } = {},
): string {
  if (host.name === 'local') return quoteArguments(argv);
  const { name: destination, sshConfigFile } = host;
  const config = sshConfigOption({ destination, sshConfigFile });
  // The shell of the host reads what comes after its name.
  return quoteArguments([
    'ssh',
    ...config,
    ...(terminal ? ['-t'] : []),
    '--',
    destination,
    quoteArguments(argv),
  ]);
}
