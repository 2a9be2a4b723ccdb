import type { MigrationLab } from '../helpers/migration-lab.ts';

/** Ends a host's sshd and all its sessions. */
export async function stopSshd(lab: MigrationLab, host: string): Promise<void> {
  await lab.sh(
    host,
    `kill "$(cat /run/sshd.pid)"
    for file in /proc/[0-9]*/cmdline; do
      pid=\${file#/proc/} pid=\${pid%/cmdline}
      case $(tr '\\0' ' ' < "$file" 2> /dev/null) in sshd*) kill -KILL "$pid" ;; esac
    done; :`,
  );
}

/**
 * Starts it as the lab does, and waits until it listens.
 * @param environment of all that it starts
 */
export async function startSshd(lab: MigrationLab, host: string, environment = ''): Promise<void> {
  await lab.sh(
    host,
    `rm -f /run/sshd.pid
    /usr/sbin/sshd -E /var/log/sshd.log \${1:+-o "SetEnv=$1"}
    until [ -s /run/sshd.pid ]; do sleep 0.01; done`,
    environment,
  );
}
