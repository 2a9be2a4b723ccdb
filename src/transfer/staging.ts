import { posix } from 'node:path';
import { BOOT_FUNCTION } from '../host/boot-function.ts';
import type { FilePlan } from '../plan/plan.ts';

/**
 * Where a file of the workload waits on the destination: beside its place, so that taking the place is a rename on one
 * file system, and what was there before stays until the run has ended well.
 */
export interface StagedFile {
  readonly path: string;
  readonly staged: string;
  readonly before: string;
}

export function stagedFile(file: FilePlan, runId: string): StagedFile {
  const { dir, base } = posix.parse(file.path);
  const prefix = posix.join(dir, `.criu-flow-${runId}-${base}`);
  return { path: file.path, staged: `${prefix}.staged`, before: `${prefix}.before` };
}

/** From where to where rsync copies a file; directories with a slash at the end. */
export function stagingPath(
  { path, staged }: StagedFile,
  slash: string,
): { readonly from: string; readonly to: string } {
  return { from: `${path}${slash}`, to: `${staged}${slash}` };
}

/** Arguments for the scripts below: each file's three paths in turn. */
export function stagingArguments(files: readonly StagedFile[]): string[] {
  return files.flatMap((file) => [file.path, file.staged, file.before]);
}

/**
 * Notes the boot and its own arguments for whoever finds them after a crash. Makes the parent directories, noting which
 * ones, and refuses what cannot be renamed into place. Arguments: the run's directory, then path, staged and before of
 * each file.
 */
export const STAGE_PREPARE_SCRIPT: string = `
set -e
${BOOT_FUNCTION}
run=$1
shift
umask 077
mkdir -p "$run"
boot > "$run/boot"
for argument; do printf '%s\\0' "$argument"; done > "$run/staging"
sync "$run/boot" "$run/staging" "$run"
number=0
while [ $# -gt 0 ]; do
  number=$((number + 1))
  if mountpoint -q -- "$1" 2> /dev/null; then echo "$1 is a mount point" >&2; exit 3; fi
  parent=\${1%/*}
  if [ ! -d "\${parent:-/}" ]; then
    missing=$parent
    while [ -n "\${missing%/*}" ] && [ ! -d "\${missing%/*}" ]; do missing=\${missing%/*}; done
    printf '%s\\n%s\\n' "$parent" "$missing" > "$run/parents-$number"
    (umask 022; mkdir -p "$parent")
  fi
  shift 3
done
`;

/** `there PATH`: whether something has that name, be it a symbolic link that leads nowhere. */
const THERE_FUNCTION = `
there() { [ -e "$1" ] || [ -L "$1" ]; }
`;

/**
 * Puts the first copy of the files on the disk: what the workload had synced before it moved must outlive a power cut after that, too. Of
 * whole file systems, which is one flush however many files there are. Arguments as above.
 * @see syncfs(2)
 */
export const SYNC_FIRST_SCRIPT = `
run=$1
shift
: > "$run/first-copy"
while [ $# -gt 0 ]; do
  parent=\${2%/*}
  sync -f -- "\${parent:-/}" || exit 1
  shift 3
done
`;

/**
 * `sync_changes RUN_DIRECTORY …`: puts what has changed in the files since then on the disk, by the times at which their inodes changed; the files
 * may take their places meanwhile. Arguments as above.
 * @see find(1), -cnewer; fsync(2)
 */
export const SYNC_CHANGES_FUNCTION: string = `
${THERE_FUNCTION}
sync_one() (
  if [ -L "$1" ]; then
    return 0
  elif [ -d "$1" ]; then
    # It may have taken its place since it was looked at: dash gives 2 for that.
    cd -- "$1" 2> /dev/null || return 1
    set --
    [ ! -f "$run/first-copy" ] || set -- -cnewer "$run/first-copy"
    # What criu makes and removes there meanwhile is no failure.
    complaints=$(find . \\( -type f -o -type d \\) "$@" -print0 | LC_ALL=C xargs -0 -r sync 2>&1 | grep -v 'No such file')
    [ -z "$complaints" ] || { printf '%s\\n' "$complaints" >&2; return 2; }
  elif [ -f "$1" ]; then
    sync -- "$1" || { ! there "$1" || return 2; return 1; }
  else
    ! there "$1" || return 0
    return 1
  fi
)
sync_changes() {
  run=$1
  shift
  while [ $# -gt 0 ]; do
    # Which may have taken its place since.
    sync_one "$2" || { [ $? -ne 2 ] && sync_one "$1"; } || { echo "$1 cannot be synced" >&2; return 1; }
    shift 3
  done
}
`;

/**
 * Puts each staged file into its place. Arguments as above. Each rename is noted before it is made, by the name of a file, which a power cut
 * cannot empty: `swapped-N.replaced` when it takes the place of something, else `swapped-N.new`. Idempotent.
 */
export const STAGE_SWAP_SCRIPT: string = `
set -e
${THERE_FUNCTION}
run=$1
shift
number=0
while [ $# -gt 0 ]; do
  number=$((number + 1))
  if ! there "$2"; then
    { [ -f "$run/swapped-$number.new" ] || [ -f "$run/swapped-$number.replaced" ]; } && there "$1" ||
      { echo "$2 is missing" >&2; exit 1; }
    shift 3
    continue
  fi
  note=new
  ! there "$1" || note=replaced
  : > "$run/swapped-$number.$note"
  [ "$note" = new ] || mv -T -- "$1" "$3"
  mv -T -- "$2" "$1"
  shift 3
done
`;

/**
 * Puts back what was there before, whatever had been done, be it a part of an undo. Idempotent. Goes on past what cannot
 * be put back, and fails then. Arguments as above.
 */
export const STAGE_UNDO_SCRIPT: string = `
${THERE_FUNCTION}
put_back() {
  # With nothing at \`before\`, nothing was moved, or all was put back already: what is in place is the original.
  if there "$3"; then
    there "$2" || rm -rf -- "$1" || return
    mv -T -- "$3" "$1" || return
  elif [ -f "$run/swapped-$number.new" ]; then
    there "$2" || rm -rf -- "$1" || return
  fi
  rm -f "$run/swapped-$number.new" "$run/swapped-$number.replaced" && rm -rf -- "$2"
}
run=$1
shift
number=0
status=0
while [ $# -gt 0 ]; do
  number=$((number + 1))
  put_back "$@" || status=1
  if [ -f "$run/parents-$number" ]; then
    { read -r parent; read -r top; } < "$run/parents-$number"
    while rmdir -- "$parent" 2> /dev/null && [ "$parent" != "$top" ]; do parent=\${parent%/*}; done
    rm -f "$run/parents-$number"
  fi
  shift 3
done
exit $status
`;

/** Removes what was there before, once the move is final. Arguments as above. */
export const STAGE_FINISH_SCRIPT = `
shift
while [ $# -gt 0 ]; do
  rm -rf -- "$2" "$3"
  shift 3
done
`;
