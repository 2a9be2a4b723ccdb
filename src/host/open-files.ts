import type { HostFiles } from './files.ts';
import type { Host } from './host.ts';

/**
 * Opens the way to a host's files.
 * @throws FlowError HOST_UNREACHABLE, HOST_KEY_UNKNOWN, HOST_KEY_CHANGED, HOST_AUTH_FAILED, INPUT_INVALID, TOOL_MISSING
 */
export async function openFiles(host: Pick<Host, 'name' | 'sshConfigFile'>): Promise<HostFiles> {
  if (host.name === 'local') {
    const { LocalFiles } = await import('./local-files.ts');
    return new LocalFiles();
  }
  const { SftpFiles } = await import('./sftp.ts');
  return SftpFiles.connect({ destination: host.name, sshConfigFile: host.sshConfigFile });
}
