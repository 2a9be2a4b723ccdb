import { FlowError } from '../errors/flow-error.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';

/** Kinds of file systems that several hosts have at once, as stat(1) names them. */
export const NETWORK_FILE_SYSTEM: RegExp =
  /^(nfs|smb|cifs|ceph|lustre|gfs|ocfs2|v9fs|afs|gpfs|virtiofs|fhgfs|beegfs|panfs)/;

/** One process of the workload. */
export interface ProcessFacts {
  readonly pid: number;
  readonly parentPid: number;
  readonly processGroup: number;
  readonly session: number;
  /** Clock ticks since boot (field 22 of /proc/PID/stat): tells a process from a later one with the same pid. */
  readonly startTicks: number;
  /** Pid and name of the process that traces it. */
  readonly tracer?: { readonly pid: number; readonly command: string };
  readonly threads: readonly number[];
  readonly memoryBytes: number;
  readonly command: string;
  /** The path of its program, as /proc/PID/exe names it. */
  readonly executable: string;
  /** Empty when it has ended and its parent has not asked for it yet. */
  readonly workingDirectory: string;
  /** The AppArmor profile that confines it. */
  readonly appArmorProfile?: string;
}

/** The cgroup of the workload's root process, of cgroup v2. @see cgroups(7); the kernel's documentation, cgroup-v2 */
export interface CgroupFacts {
  /** Below /sys/fs/cgroup, with a slash first. */
  readonly path: string;
  /** The limits and weights of its own that are not the kernel's default, by the names of their files: `memory.max`, for example. */
  readonly limits: Readonly<Record<string, string>>;
  /** Processes of the workload that are in another one. */
  readonly outside: readonly number[];
  /** Whether others are in it, too: then neither its name nor its limits are the workload's. */
  readonly isShared: boolean;
}

/** A unix socket of the workload whose other end is outside of it. */
export interface OutsideSocket {
  /** `u_str`, `u_dgr` or `u_seq`. @see ss(8) */
  readonly kind: string;
  readonly inode: number;
  /** Of the other end; `*` for one without a name, `?` for one that cannot be told. */
  readonly path: string;
}

/** Something that a process of the workload has open. */
export interface OpenThing {
  readonly pid: number;
  readonly fd: number;
  /** What it is: as /proc/PID/fd names it, or of a device its `major:minor`, and its path. */
  readonly what: string;
}

/** A pipe that is an input or output of the workload, and that a process outside of it has open, too. */
export interface OutsidePipe {
  readonly inode: number;
  /** The other process. */
  readonly pid: number;
}

/** A file that the workload needs to find again under the same path. */
export interface FileFacts {
  readonly path: string;
  readonly sizeBytes: number;
  /** Mapped files (binaries, libraries) must be the same; open ones must exist with the same size. */
  readonly use: 'open' | 'mapped';
}

/** What is known of a workload while it still runs: plain JSON, kept in the journal. */
export interface WorkloadFacts {
  readonly rootPid: number;
  readonly processes: readonly ProcessFacts[];
  readonly files: readonly FileFacts[];
  /** Established TCP connections, as \`local:port > peer:port\`; those over loopback between two of its own are left out. */
  readonly connections: readonly string[];
  /** Whether there are such. */
  readonly hasLoopbackConnections?: true;
  /** None on a host without cgroup v2. */
  readonly cgroup?: CgroupFacts;
  readonly outsideSockets?: readonly OutsideSocket[];
  readonly outsidePipes?: readonly OutsidePipe[];
  /** Whether a file is open that is on a file system of a network. */
  readonly hasNetworkFiles?: true;
  /** The size of all files that are open or mapped and have no name any more: they travel in the images. */
  readonly ghostBytes?: number;
  /** Kinds of open files that criu does not know. */
  readonly unknownFiles?: readonly OpenThing[];
  /** Open devices that criu does not dump by itself. */
  readonly devices?: readonly OpenThing[];
  /** criu-flow itself, or its connection, is below the root process. */
  readonly hasCriuFlow?: true;
}

/** What a cgroup may be limited by, and what it has when nobody has said anything. @see the kernel's documentation, cgroup-v2 */
const LIMIT_DEFAULTS: Readonly<Record<string, string>> = {
  'memory.min': '0',
  'memory.low': '0',
  'memory.high': 'max',
  'memory.max': 'max',
  'memory.swap.max': 'max',
  'pids.max': 'max',
  'cpu.max': 'max 100000',
  'cpu.weight': '100',
  'io.weight': 'default 100',
};
const LIMIT_FILES = Object.keys(LIMIT_DEFAULTS);

/**
 * Prints NUL-separated records of the tree below a pid: \`P pid ppid pgrp session start tracer rssKiB threads exe cwd
 * command\`, \`A pid profile\`, \`G pid cgroup\`, \`L file value\` of the root's cgroup, \`S pid\` of others in that, or when that cannot be told, \`F use size path\`, \`C local remote\`, \`U kind inode
 * path\` of unix sockets to the outside, \`O inode pid\` of pipes to there, \`N\` when a file of a network is open, \`D size\` of files without a name, \`X pid fd kind\` and \`V pid fd
 * device path\` of what is not dumped, \`M\` when this script is of the tree, each field ended by TAB. One pass of awk over /proc/PID/stat finds
 * the tree; a file name may hold anything but NUL. An open file without a link (deleted, O_TMPFILE, memfd) travels in
 * the images. Argument: the root pid.
 */
const FACTS_SCRIPT: string = `
root=$1
tree_of() {
  cat /proc/[0-9]*/stat 2> /dev/null | awk -v root="$1" '
    { pid = $1; sub(/^.*\\) /, ""); parent[pid] = $2 }
    END {
      for (pid in parent) {
        for (up = pid; up in parent && up != root; up = parent[up]);
        if (up == root) print pid
      }
    }' | sort -n
}
# Anybody may name a socket, be it with spaces and line feeds: an inode that is there twice is not believed.
outside_sockets() {
  {
    find $(tree_of "$root" | sed 's,.*,/proc/&/fd,') -maxdepth 1 -lname 'socket:*' -printf '%l\\n' 2> /dev/null |
      tr -dc '0-9\\n' | sort -u
    ss -Hxn 2> /dev/null
  } | awk '
    NF == 1 { own[$1]; next }
    $1 !~ /^u_(str|dgr|seq)$/ || NF < 8 { next }
    {
      inode = $(NF - 2)
      seen[inode]++
      kind[inode] = $1
      path[inode] = NF == 8 ? $5 : "?"
      peer[inode] = $NF
    }
    END {
      for (inode in own)
        if (seen[inode] == 1 && peer[inode] > 0 && !(peer[inode] in own))
          printf "U\\t%s\\t%s\\t%s\\n", kind[inode], inode, seen[peer[inode]] == 1 ? path[peer[inode]] : "?"
    }'
}
tree=$(tree_of "$root")
[ -n "$tree" ] || exit 3
for pid in $tree; do
  [ -r "/proc/$pid/stat" ] || continue
  set -- $(sed 's/^.*) //' "/proc/$pid/stat")
  state=$1 ppid=$2 pgrp=$3 session=$4 start=\${20}
  tracer=0 rss=0
  while read -r key value _; do
    case $key in TracerPid:) tracer=$value ;; VmRSS:) rss=$value ;; esac
  done < "/proc/$pid/status"
  [ "$tracer" = 0 ] || tracer="$tracer $(cat "/proc/$tracer/comm")"
  threads=$(ls "/proc/$pid/task" | tr '\\n' ',')
  exe=$(readlink "/proc/$pid/exe") cwd=$(readlink "/proc/$pid/cwd")
  command=$(tr '\\0' ' ' < "/proc/$pid/cmdline" | tr '\\t' ' ')
  # What has ended by now was read in part only.
  [ -d "/proc/$pid" ] || continue
  printf 'P\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\0' "$pid" "$ppid" "$pgrp" "$session" "$start" "$tracer" \\
    "$rss" "$threads" "$exe" "$cwd" "$command"
  profile=
  # criu goes by that directory, which a host that is a container may lack.
  [ ! -d /sys/kernel/security/apparmor ] || { read -r profile < "/proc/$pid/attr/apparmor/current"; } 2> /dev/null
  case $profile in '' | unconfined* | :*) ;; *) printf 'A\\t%s\\t%s\\0' "$pid" "\${profile% (*)}" ;; esac
  while IFS= read -r line; do
    case $line in 0::*) printf 'G\\t%s\\t%s\\0' "$pid" "\${line#0::}" ;; esac
  done 2> /dev/null < "/proc/$pid/cgroup"
done
# Whether a process is of the tree, be it since.
is_ours() {
  up=$1
  while [ "$up" != "$root" ]; do
    up=$(sed 's/^.*) [^ ]* \\([0-9]*\\) .*/\\1/' "/proc/$up/stat" 2> /dev/null)
    [ "\${up:-0}" -gt 1 ] || return
  done
}
cgroup=/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$root/cgroup" 2> /dev/null)
[ -r "$cgroup/cgroup.procs" ] || printf 'S\\t%s\\0' "$root"
for pid in $(grep -vxF -e "$tree" "$cgroup/cgroup.procs" 2> /dev/null); do
  is_ours "$pid" || { [ ! -d "/proc/$pid" ] || printf 'S\\t%s\\0' "$pid"; }
done
for limit in ${LIMIT_FILES.join(' ')}; do
  [ ! -f "$cgroup/$limit" ] || printf 'L\\t%s\\t%s\\0' "$limit" "$(cat "$cgroup/$limit")"
done
for pid in $tree; do
  find -L "/proc/$pid/fd" -maxdepth 1 -type f -links +0 -printf '%s\\t%p\\n' 2> /dev/null | while IFS='	' read -r size link; do
    printf 'F\\topen\\t%s\\t%s\\0' "$size" "$(readlink "$link")"
  done
done
for pid in $tree; do
  awk '$6 ~ /^\\// { sub(/^[^\\/]*/, ""); print }' "/proc/$pid/maps" 2> /dev/null
done | sort -u | while IFS= read -r path; do
  [ -f "$path" ] || continue
  printf 'F\\tmapped\\t%s\\t%s\\0' "$(stat -L -c %s -- "$path")" "$path"
done
directories=$(for pid in $tree; do echo "/proc/$pid/fd"; done)
find $directories -maxdepth 1 -lname 'anon_inode:*' -printf '%p\\t%l\\n' 2> /dev/null | awk -F '[/\\t]' '
  $0 !~ /anon_inode:(\\[(eventfd|eventpoll|signalfd|timerfd|fanotify|pidfd)\\]|inotify|bpf-map)$/ {
    printf "X\\t%s\\t%s\\t%s%c", $3, $5, $6, 0
  }'
# Memory, consoles, terminals, serial lines, tun and autofs criu knows. See the kernel's documentation, devices.txt; CRIU's source, files.c and tty.c.
find -L $directories -maxdepth 1 \\( -type c -o -type b \\) -printf '%y %p\\0' 2> /dev/null | tr '\\0' '\\n' |
  while read -r kind link; do
    device=$(stat -L -c '%t:%T' "$link" 2> /dev/null) || continue
    [ "$kind" = b ] || case $device in
    1:* | 4:[1-9a-f] | 4:[123][0-9a-f] | 5:[012] | 8[89a-f]:* | bc:* | cc:* | a:c8 | a:eb) continue ;;
    esac
    pid=\${link#/proc/}
    printf 'V\\t%s\\t%s\\t%s:%s\\t%s\\0' "\${pid%%/*}" "\${link##*/}" "$((0x\${device%:*}))" "$((0x\${device#*:}))" "$(readlink "$link")"
  done
# A program or library that an upgrade has replaced is mapped only. What is preallocated criu counts, too: see its source, files-reg.c (dump_ghost_file).
find -L $directories $(for pid in $tree; do echo "/proc/$pid/map_files"; done) -maxdepth 1 -type f -links 0 -printf '%D:%i %s %b %p\\n' 2> /dev/null |
  while read -r inode size blocks link; do
    [ "$size" -gt $((blocks * 512)) ] || size=$((blocks * 512))
    case $(readlink "$link") in
    /memfd:* | /dev/zero* | /SYSV* | /\\[aio\\]* | /anon_hugepage* | /drm* | /dmabuf*) ;;
    *) echo "$inode $size" ;;
    esac
  done | sort -u | while read -r _ size; do printf 'D\\t%s\\0' "$size"; done
find -L $directories -maxdepth 1 -type f -print0 2> /dev/null | xargs -0 -r stat -L -f -c %T 2> /dev/null |
  grep -qE '${NETWORK_FILE_SYSTEM.source}' && printf 'N\\0'
case "
$tree
" in *"
$$
"*) printf 'M\\0' ;; esac
find /proc/[0-9]*/fd -maxdepth 1 -lname 'pipe:*' -printf '%p\\t%l\\n' 2> /dev/null | TREE=$tree awk -F '[/\\t]' '
  BEGIN { split(ENVIRON["TREE"], pids, "\\n"); for (each in pids) ours[pids[each]] }
  # Others than its standard ones it may have from whoever started it, and not know of them.
  { if ($3 in ours) { if ($5 < 3) own[$6] } else other[$6 " " $3 " " $5] }
  END {
    for (each in other) {
      split(each, part, " ")
      if (part[1] in own) print each
    }
  }' | sort -u | while read -r pipe pid fd; do
    # It may have been forked since.
    is_ours "$pid" || [ "$(readlink "/proc/$pid/fd/$fd")" != "$pipe" ] || is_ours "$pid" ||
      { pipe=\${pipe#*[}; printf 'O\\t%s\\t%s\\0' "\${pipe%]}" "$pid"; }
  done
if command -v ss > /dev/null; then
  # Once: it looks through all of the host each time.
  ss -Htnp state established 2> /dev/null | TREE=$tree awk '
    BEGIN { split(ENVIRON["TREE"], pids, "\\n"); for (each in pids) ours[pids[each]] }
    {
      rest = $0
      while (match(rest, /pid=[0-9]+,/)) {
        if (substr(rest, RSTART + 4, RLENGTH - 5) in ours) { print $3, $4; break }
        rest = substr(rest, RSTART + RLENGTH)
      }
    }' | sort -u |
    while read -r local remote; do printf 'C\\t%s\\t%s\\0' "$local" "$remote"; done
  # Twice: one that a process which was just started has may be there once.
  for again in 1 2; do outside_sockets; done | sort | uniq -d | tr '\\n' '\\0'
fi
`;

/**
 * Looks at the process tree below \`rootPid\`. Changes nothing.
 * @throws FlowError WORKLOAD_NOT_FOUND when it has just ended.
 */
export async function readWorkload(host: Host, rootPid: number): Promise<WorkloadFacts> {
  const result = await mustRunScript(host, FACTS_SCRIPT, [String(rootPid)], {
    what: 'Looking at the workload',
    allow: [3],
  });
  const facts = parseFacts(rootPid, result.stdout);
  if (facts.processes.length === 0) {
    throw new FlowError('WORKLOAD_NOT_FOUND', `Process ${rootPid} on ${host.name} has ended`, {
      host: host.name,
      hint: 'Nothing was touched.',
    });
  }
  return facts;
}

/** Exported for its test: the records of the script as data. */
export function parseFacts(rootPid: number, text: string): WorkloadFacts {
  const processes: ProcessFacts[] = [];
  const files = new Map<string, FileFacts>();
  const connections: (readonly [string, string])[] = [];
  const profiles = new Map<number, string>();
  const cgroups = new Map<number, string>();
  const limits: Record<string, string> = {};
  const outsideSockets: OutsideSocket[] = [];
  const outsidePipes: OutsidePipe[] = [];
  const unknownFiles: OpenThing[] = [];
  const devices: OpenThing[] = [];
  let ghostBytes = 0;
  let [isShared, hasNetworkFiles, hasCriuFlow] = [false, false, false];
  for (const record of text.split('\0')) {
    const [kind, ...fields] = record.split('\t');
    if (kind === 'P') processes.push(parseProcess(fields));
    if (kind === 'F') {
      const [use, size, ...path] = fields;
      const file: FileFacts = {
        use: use === 'open' ? 'open' : 'mapped',
        sizeBytes: Number(size),
        path: path.join('\t'),
      };
      if (!files.has(file.path) && file.path.startsWith('/')) files.set(file.path, file);
    }
    const [first = '', second = '', third = ''] = fields;
    if (kind === 'A') profiles.set(Number(first), second);
    if (kind === 'G') cgroups.set(Number(first), second);
    if (kind === 'L' && second !== LIMIT_DEFAULTS[first]) limits[first] = second;
    if (kind === 'S') isShared = true;
    if (kind === 'U') outsideSockets.push({ kind: first, inode: Number(second), path: third });
    const isKnown = outsidePipes.some(({ inode }) => inode === Number(first));
    if (kind === 'O' && !isKnown) outsidePipes.push({ inode: Number(first), pid: Number(second) });
    if (kind === 'X') unknownFiles.push({ pid: Number(first), fd: Number(second), what: third });
    if (kind === 'V') {
      const path = fields.slice(3).join('\t');
      devices.push({ pid: Number(first), fd: Number(second), what: `${third} ${path}` });
    }
    if (kind === 'D') ghostBytes += Number(first);
    if (kind === 'N') hasNetworkFiles = true;
    if (kind === 'M') hasCriuFlow = true;
    if (kind === 'C') {
      const [local = '', remote = ''] = fields;
      connections.push([local, remote]);
    }
  }
  const ends = new Set(connections.map(([local, remote]) => `${plain(local)} ${plain(remote)}`));
  const isInside = ([local, remote]: readonly [string, string]): boolean =>
    /^(127\.|\[::1\])/.test(plain(local)) && ends.has(`${plain(remote)} ${plain(local)}`);
  processes.sort((a, b) => Number(b.pid === rootPid) - Number(a.pid === rootPid) || a.pid - b.pid);
  const path = cgroups.get(rootPid);
  const outside = [...cgroups].filter(([, other]) => other !== path).map(([pid]) => pid);
  return {
    rootPid,
    processes: processes.map((each) => {
      const appArmorProfile = profiles.get(each.pid);
      return appArmorProfile === undefined ? each : { ...each, appArmorProfile };
    }),
    files: [...files.values()],
    connections: [
      ...new Set(
        connections.filter((each) => !isInside(each)).map(([local, remote]) => `${local} > ${remote}`),
      ),
    ],
    ...(connections.some(isInside) && { hasLoopbackConnections: true }),
    // The root of a cgroup namespace has the limits of the container that the host is.
    ...(path !== undefined && { cgroup: { path, limits: path === '/' ? {} : limits, outside, isShared } }),
    ...(outsideSockets.length > 0 && { outsideSockets }),
    ...(outsidePipes.length > 0 && { outsidePipes }),
    ...(hasNetworkFiles && { hasNetworkFiles }),
    ...(ghostBytes > 0 && { ghostBytes }),
    ...(unknownFiles.length > 0 && { unknownFiles }),
    ...(devices.length > 0 && { devices }),
    ...(hasCriuFlow && { hasCriuFlow }),
  };
}

/** An address of IPv4, however a socket of IPv6 has it. */
function plain(address: string): string {
  return address.replace(/^\[::ffff:([\d.]+)\]/, '$1');
}

function parseProcess(fields: readonly string[]): ProcessFacts {
  const [
    pid,
    ppid,
    group,
    session,
    start,
    tracer = '0',
    rssKiB,
    threads = '',
    exe = '',
    cwd = '',
    ...command
  ] = fields;
  const [tracerPid = '0', ...tracerCommand] = tracer.split(' ');
  return {
    pid: Number(pid),
    parentPid: Number(ppid),
    processGroup: Number(group),
    session: Number(session),
    startTicks: Number(start),
    ...(tracerPid === '0' ? {} : { tracer: { pid: Number(tracerPid), command: tracerCommand.join(' ') } }),
    threads: threads.split(',').filter(Boolean).map(Number),
    memoryBytes: Number(rssKiB) * 1024,
    command: command.join(' ').trim(),
    executable: exe,
    workingDirectory: cwd,
  };
}

/** Every id of the tree that must be free where it is restored: processes and threads. */
export function idsOf(facts: WorkloadFacts): number[] {
  const ids = facts.processes.flatMap((process) => [process.pid, ...process.threads]);
  return [...new Set(ids)].toSorted((a, b) => a - b);
}
