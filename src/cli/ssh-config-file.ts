/** The ssh_config that the options of a command name: a lab's, or a file; undefined for ssh's own. */
export async function configFile(options: {
  readonly lab?: string | undefined;
  readonly sshConfig?: string | undefined;
}): Promise<string | undefined> {
  if (options.lab === undefined) return options.sshConfig;
  const { labSshConfigFile } = await import('../lab/paths.ts');
  return labSshConfigFile(options.lab);
}
