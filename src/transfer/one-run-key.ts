import { FlowError } from '../errors/flow-error.ts';
import { commandOn } from '../host/command-on.ts';
import type { CommandResult, Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import { PACED_CONNECTION } from './paced-connection.ts';
import { RECEIVE_IMAGES, RECEIVE_SCRIPT } from './image-stream.ts';

/** What the key of the run may ask for besides: to throw away what it sends. */
const TAKE_ZEROS = 'criu-flow-zeros';

/** How the source reaches the destination: what ssh_config says there, resolved on the controller. */
export interface DestinationAccess {
  readonly hostName: string;
  readonly port: number;
  readonly user: string;
  /** The destination's host keys that the controller knows, as `type base64`. */
  readonly hostKeys: readonly string[];
}

/**
 * Makes a key pair that lives for one run, in a directory of the run (0700) on the source, and the ssh_config with
 * which the source reaches the destination under the name `destination`, with the controller's host keys.
 * Arguments: the directory, the run's id, host name, port, user, and bytes a second, or nothing where there is no limit; the host keys
 * come on stdin.
 * @see ssh_config(5), ProxyCommand: what stands there a shell reads, so that it has no value of a recipe or of a host
 */
const KEY_SCRIPT: string = `
set -e
umask 077
mkdir -p "$1"
cd "$1"
[ -f key ] || ssh-keygen -q -t ed25519 -N '' -C "criu-flow-$2" -f key
sed 's/^/criu-flow-destination /' > known_hosts
cat > config <<EOF
Host destination
  HostName $3
  Port $4
  User $5
  IdentityFile $1/key
  IdentitiesOnly yes
  IdentityAgent none
  BatchMode yes
  HostKeyAlias criu-flow-destination
  UserKnownHostsFile $1/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  ConnectTimeout 10
  ServerAliveInterval 2
  ServerAliveCountMax 3
  Compression no
  Ciphers ^aes128-gcm@openssh.com
  ControlPath $1/master
EOF
if [ -n "$6" ]; then
  cat > paced.pl <<'EOF'
${PACED_CONNECTION}
EOF
  printf '%s\n' "$3" "$4" "$6" > paced
  cat > connect <<'EOF'
cd "\${0%/*}" || exit
{ read -r host; read -r port; read -r rate; } < paced
# ssh throws away what it says here.
exec perl ./paced.pl "$host" "$port" "$rate" 2> paced.log
EOF
  echo "  ProxyCommand sh $1/connect" >> config
fi
cat key.pub
`;

/**
 * Lets the key in, for nothing but rsync's server and what takes the images, for one day at most. Arguments: the run's directory, the run's id,
 * the public key, and the one port of 127.0.0.1 that it may be forwarded to, or nothing, and the one that may be forwarded to it. What is created to do so is noted in the run's directory before, for REVOKE_SCRIPT.
 * @see sshd(8), AUTHORIZED_KEYS FILE FORMAT: restrict, command, expiry-time, port-forwarding, permitopen.
 */
export const AUTHORIZE_SCRIPT: string = `
set -e
umask 077
mkdir -p "$1"
cat > "$1/transfers-only" <<'EOF'
here=\${0%/*}
note() { echo "$$ $(cut -d ' ' -f 22 "/proc/$$/stat")" >> "$here/transfer-servers"; }
case $SSH_ORIGINAL_COMMAND in
'rsync --server '*)
  set -f
  note
  exec $SSH_ORIGINAL_COMMAND ;;
${RECEIVE_IMAGES})
  umask 077
  note
  cd "$here/images" || exit
  . "$here/receive-images" ;;
${TAKE_ZEROS})
  note
  exec cat > /dev/null ;;
esac
echo "this key is for the transfers of one run only" >&2
exit 1
EOF
cat > "$1/receive-images" <<'EOF'
${RECEIVE_SCRIPT}
EOF
cd
[ -d .ssh ] || { : > "$1/created-ssh-directory"; mkdir -p .ssh; }
exec 9< .ssh
flock 9
[ -f .ssh/authorized_keys ] || { : > "$1/created-authorized-keys"; : > .ssh/authorized_keys; }
[ -z "$(tail -c 1 .ssh/authorized_keys)" ] || echo >> .ssh/authorized_keys
forwarding=
[ -z "$4$5" ] || forwarding="port-forwarding,permitopen=\\"127.0.0.1:\${4:-1}\\",permitlisten=\\"127.0.0.1:\${5:-1}\\","
echo "restrict,\${forwarding}expiry-time=\\"$(date -d '+1 day' +%Y%m%d%H%M)\\",command=\\"sh $1/transfers-only\\" $3" >> .ssh/authorized_keys
`;

/**
 * Takes the key away again, and ends who came with it: a source that lost its power does not say so, and TCP asks only after two
 * hours. Idempotent. The file is written anew beside itself and renamed: whoever is cut off here, or
 * finds the disk full, must not have locked the host's own people out. Arguments: the run's directory, the run's id.
 */
export const REVOKE_SCRIPT = `
cd && [ -d .ssh ] || exit 0
exec 9< .ssh
flock 9
file=$(readlink -f .ssh/authorized_keys)
new=$file.criu-flow-$2
without_key() { grep -a -v " criu-flow-$2\\$" "$file" > "$new" || [ $? -eq 1 ]; }
if [ -f "$file" ] && grep -a -q " criu-flow-$2\\$" "$file"; then
  cp -p -- "$file" "$new" && without_key "$@" && sync -- "$new" && mv -f -- "$new" "$file" ||
    { rm -f -- "$new"; exit 1; }
fi
while read -r pid start; do
  now=$(sed 's/^.*) //' "/proc/$pid/stat" | cut -d ' ' -f 20)
  [ "$now" != "$start" ] || kill "$pid"
done 2> /dev/null < "$1/transfer-servers"
[ ! -f "$1/created-authorized-keys" ] || [ -s .ssh/authorized_keys ] || rm -f .ssh/authorized_keys
[ ! -f "$1/created-ssh-directory" ] || rmdir .ssh 2> /dev/null
:
`;

/**
 * Opens the connection that the transfer uses, before anything is frozen: a new one costs 0.2 s. Who keeps it open is written down.
 * Argument: the key's directory.
 * @see ssh(1), `-O check`
 */
const CONNECT_SCRIPT = `
ssh -F "$1/config" -o ControlMaster=yes -o ControlPersist=yes -N -f destination > /dev/null 2> "$1/log" < /dev/null ||
  { log=$1/paced.log; [ -s "$log" ] || log=$1/log; tail -n 1 "$log" >&2; exit 1; }
ssh -F "$1/config" -O check destination 2>&1 | sed -n 's/.*(pid=\\([0-9]*\\)).*/\\1/p' > "$1/master.pid"
`;

/**
 * Lets a port of this host lead to the same one of the destination, through the open connection. Whether sshd there allows it, it says
 * only when somebody connects: that is tried, while nobody listens there. Arguments: the key's directory, the port.
 * @see ssh(1), -W and -O forward; sshd_config(5), AllowTcpForwarding
 */
const FORWARD_SCRIPT = `
said=$(timeout 20 ssh -F "$1/config" -o ControlPath=none -W "127.0.0.1:$2" destination 2>&1 < /dev/null)
case $said in *prohibited*) printf '%s\\n' "$said" >&2; exit 3 ;; esac
ssh -F "$1/config" -O forward -L "127.0.0.1:$2:127.0.0.1:$2" destination > /dev/null 2> "$1/log" ||
  { tail -n 1 "$1/log" >&2; exit 4; }
`;

/**
 * Sends zeros over the new connection, as many as there will be images, 64 MiB at most. TCP learns the path only as data
 * flow: the first megabytes of a connection travel several times slower than those after, under BBR for tenths of a
 * second, and that must not be in the pause. Two seconds at most, for slow paths. A failure here is none: the
 * transfer itself will tell. Prints the seconds since boot before and after, and how it ended. Arguments: the key's directory, the size in bytes.
 */
const WARM_UP_SCRIPT = `
read -r began _ < /proc/uptime
head -c "$2" /dev/zero | timeout 2 ssh -F "$1/config" destination ${TAKE_ZEROS} > /dev/null 2>&1
code=$?
read -r ended _ < /proc/uptime
# What was on its way then is not to be taken for what comes next.
[ "$code" -eq 0 ] || ssh -F "$1/config" destination ${TAKE_ZEROS} < /dev/null > /dev/null 2>&1
echo "$began $ended $code"
`;

const LONGEST_WARM_UP_BYTES = 64 * 1024 * 1024;

/**
 * Closes one. An ssh whose link was cut may not come to its end by itself: then it is ended. Argument: the key's directory, which is in
 * its command line.
 */
const disconnectScript = (socket: 'master' | 'memory'): string => `
[ ! -S "$1/${socket}" ] || timeout 5 ssh -F "$1/config" -o ControlPath="$1/${socket}" -O exit destination 2> /dev/null
{ read -r pid < "$1/${socket}.pid"; } 2> /dev/null || exit 0
rounds=0
while tr '\\0' ' ' 2> /dev/null < "/proc/$pid/cmdline" | grep -qF "$1/config "; do
  [ "$rounds" -lt 20 ] || { kill -KILL "$pid" 2> /dev/null; exit 0; }
  rounds=$((rounds + 1))
  sleep 0.05
done
`;

const DISCONNECT_SCRIPT = disconnectScript('master');
const CLOSE_MEMORY_PATH_SCRIPT = disconnectScript('memory');

/**
 * Opens a connection of its own, by which a port of the destination leads back to the same one here. The workload waits for memory as long
 * as it is silent, and is lost when it is closed: so it may be silent for ten minutes. Arguments: the key's directory, the port.
 * @see ssh(1), -f with ExitOnForwardFailure; ssh_config(5), ServerAliveInterval
 */
const OPEN_MEMORY_PATH_SCRIPT = `
set -- "$1" "$2" -F "$1/config" -o ControlPath="$1/memory"
directory=$1 port=$2
shift 2
ssh "$@" -o ControlMaster=yes -o ServerAliveInterval=30 -o ServerAliveCountMax=20 -o ExitOnForwardFailure=yes \\
  -R "127.0.0.1:$port:127.0.0.1:$port" -N -f destination > /dev/null 2> "$directory/log" < /dev/null ||
  { tail -n 1 "$directory/log" >&2; exit 1; }
ssh "$@" -O check destination 2>&1 | sed -n 's/.*(pid=\\([0-9]*\\)).*/\\1/p' > "$directory/memory.pid"
`;

/** The same for a script in a directory beside that of the key. */
export const CUT_SCRIPT: string = `
set -- "$(cd "\${0%/*}/.." && pwd)/ssh"
${DISCONNECT_SCRIPT}`;

export interface DirectPathOptions {
  readonly source: Host;
  readonly destination: Host;
  readonly access: DestinationAccess;
  readonly runId: string;
  /** The run's directory, the same path on both hosts. */
  readonly runDirectory: string;
  /** How many bytes of images are to be expected. */
  readonly imageBytes: number;
  /** A port of 127.0.0.1 on the source that leads to the same one of the destination. @default none */
  readonly port?: number | undefined;
  /** A port of 127.0.0.1 on the destination that may be led to the same one of the source, see {@link openMemoryPath}. @default none */
  readonly portBack?: number | undefined;
  /** Bytes that are sent in a second at most. @default no limit */
  readonly bandwidthLimit?: number | undefined;
  /** Opens another way to the destination's sshd when the source cannot reach it, and says where that begins. @default none */
  readonly detour?: (why: string) => Promise<Pick<DestinationAccess, 'hostName' | 'port'>>;
}

/** What ssh says when nothing answers where it was to connect to. @see OpenSSH sshconnect.c */
const NOT_REACHED = /Could not resolve|refused|No route to host|unreachable|timed out/i;

/**
 * Opens a straight ssh path from the source to the destination for one run.
 * @returns milliseconds that {@link WARM_UP_SCRIPT} took, ten at a time; infinite where not all arrived
 * @throws FlowError TRANSFER_FAILED when the source cannot reach the destination.
 */
export async function openDirectPath(options: DirectPathOptions): Promise<number> {
  const { source, destination, access, runId, runDirectory, imageBytes, port, portBack } = options;
  const limit = String(options.bandwidthLimit ?? '');
  const directory = keyDirectory(runDirectory);
  const makeKey = ({
    hostName,
    port: sshPort,
  }: Pick<DestinationAccess, 'hostName' | 'port'>): Promise<CommandResult> =>
    mustRunScript(source, KEY_SCRIPT, [directory, runId, hostName, String(sshPort), access.user, limit], {
      what: 'Making a key for this run',
      stdin: access.hostKeys.map((key) => `${key}\n`).join(''),
    });
  const { stdout: publicKey } = await makeKey(access);
  await mustRunScript(
    destination,
    AUTHORIZE_SCRIPT,
    [runDirectory, runId, publicKey.trim(), ...[port, portBack].map((each) => String(each ?? ''))],
    { what: 'Letting the source in' },
  );
  const connect = (): Promise<CommandResult> =>
    mustRunScript(source, CONNECT_SCRIPT, [directory], { what: 'Connecting to the destination', allow: [1] });
  let connected = await connect();
  if (connected.exitCode !== 0 && options.detour && NOT_REACHED.test(connected.stderr)) {
    await makeKey(await options.detour(connected.stderr.trim()));
    connected = await connect();
  }
  if (connected.exitCode !== 0) {
    throw new FlowError('TRANSFER_FAILED', `${source.name} cannot reach ${destination.name} by ssh`, {
      host: source.name,
      evidence: connected.stderr.trim(),
      hint: `The images go straight from the source to the destination: let ${source.name} connect to ${access.hostName} port ${access.port}.`,
      command: commandOn(source, ['nc', '-vz', access.hostName, String(access.port)]),
    });
  }
  if (port !== undefined) await forward(source, destination, directory, port);
  // Of what is limited no more than takes a second.
  const warmUpBytes = Math.min(imageBytes, LONGEST_WARM_UP_BYTES, options.bandwidthLimit ?? Infinity);
  const warmedUp = await mustRunScript(source, WARM_UP_SCRIPT, [directory, String(warmUpBytes)], {
    what: 'Warming the connection up',
  });
  const [began = 0, ended = 0, exitCode] = warmedUp.stdout.split(' ').map(Number);
  return exitCode === 0 ? 1000 * (ended - began) : Infinity;
}

async function forward(source: Host, destination: Host, directory: string, port: number): Promise<void> {
  const { exitCode, stderr } = await mustRunScript(source, FORWARD_SCRIPT, [directory, String(port)], {
    what: 'Opening the tunnel',
    allow: [3, 4],
  });
  if (exitCode === 0) return;
  const isProhibited = exitCode === 3;
  throw new FlowError(
    'TRANSFER_FAILED',
    isProhibited
      ? `sshd on ${destination.name} does not forward ports`
      : `Port ${port} of 127.0.0.1 on ${source.name} cannot be led to ${destination.name}`,
    {
      host: isProhibited ? destination.name : source.name,
      evidence: stderr.trim().split('\n')[0] ?? '',
      hint: isProhibited
        ? 'The memory is streamed through ssh: set `AllowTcpForwarding local` there, or use `transfer/rsync`.'
        : 'Somebody else took it meanwhile: run again.',
      ...(isProhibited ? { command: commandOn(destination, ['sshd', '-T']) } : {}),
    },
  );
}

/** The ssh_config on the source that names the destination `destination`. */
export function directPathConfig(runDirectory: string): string {
  return `${keyDirectory(runDirectory)}/config`;
}

function keyDirectory(runDirectory: string): string {
  return `${runDirectory}/ssh`;
}

/** Connects the source anew after its connection broke. @returns whether it could */
export async function reopenDirectPath(source: Host, runDirectory: string): Promise<boolean> {
  await closeDirectPath(source, runDirectory);
  const { exitCode } = await mustRunScript(source, CONNECT_SCRIPT, [keyDirectory(runDirectory)], {
    what: 'Connecting to the destination anew',
    allow: [1],
  });
  return exitCode === 0;
}

/** Closes the source's end. Idempotent. */
export async function closeDirectPath(source: Host, runDirectory: string): Promise<void> {
  await mustRunScript(source, DISCONNECT_SCRIPT, [keyDirectory(runDirectory)], {
    what: 'Closing the connection',
  });
}

/**
 * Lets a port of 127.0.0.1 on the destination lead to the same one of the source, by a connection of its own. The straight path is open,
 * and its key allows the port.
 * @throws FlowError TRANSFER_FAILED
 */
export async function openMemoryPath(
  source: Host,
  destination: Host,
  { runDirectory, port }: { readonly runDirectory: string; readonly port: number },
): Promise<void> {
  const { exitCode, stderr } = await mustRunScript(
    source,
    OPEN_MEMORY_PATH_SCRIPT,
    [keyDirectory(runDirectory), String(port)],
    { what: 'Opening the way for the memory', allow: [1] },
  );
  if (exitCode === 0) return;
  throw new FlowError(
    'TRANSFER_FAILED',
    `Port ${port} of 127.0.0.1 on ${destination.name} cannot be led to ${source.name}`,
    {
      host: destination.name,
      evidence: stderr.trim(),
      hint: 'The memory is fetched through ssh: set `AllowTcpForwarding remote` or `yes` there, or use another strategy.',
      command: commandOn(destination, ['sshd', '-T']),
    },
  );
}

/** Closes that. What was not fetched by then is lost. Idempotent. */
export async function closeMemoryPath(source: Host, runDirectory: string): Promise<void> {
  await mustRunScript(source, CLOSE_MEMORY_PATH_SCRIPT, [keyDirectory(runDirectory)], {
    what: 'Closing the way of the memory',
  });
}
