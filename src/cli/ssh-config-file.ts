import { resolve } from 'node:path';

/** The ssh_config that the options of a command name: a lab's, or a file; undefined for ssh's own. */
export async function configFile(options: {
  readonly lab?: string | undefined;
  readonly sshConfig?: string | undefined;
}): Promise<string | undefined> {
  const { lab, sshConfig } = options;
  // It is written down, and printed in commands that are pasted elsewhere. `none` is ssh's word for no file.
  if (lab === undefined)
    return sshConfig === undefined || sshConfig === 'none' ? sshConfig : resolve(sshConfig);
  const { labSshConfigFile } = await import('../lab/paths.ts');
  return labSshConfigFile(lab);
}
