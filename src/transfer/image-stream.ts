import type { ImagesWanted } from './images-wanted.ts';
import { ROUNDS } from './rounds.ts';
import type { TransferProgress } from './progress.ts';

/** What the key of the run may ask for besides rsync: what it sends then {@link RECEIVE_SCRIPT} takes. */
export const RECEIVE_IMAGES = 'criu-flow-images';

/** Beside the images on the source: the names of those whose memory has come to the destination while it was dumped. */
export const SENT_IMAGES = 'images.sent';

/**
 * Sends the images as they are: the memory of each process that was not sent before, under its name and size, and then an archive of the rest, in which little
 * memory is. That ends as soon as the other side has all; rsync looks for the end of its children every 20 ms only, on each side.
 *
 * Begins when it is told a line on its input; at the end of that instead it sends nothing. An ssh that ends before takes it along: its pid
 * is in `sender`, beside the images, until it begins. What it has sent it prints as dd(1) tells it, with the bytes of the files before.
 * Ends as ssh does, with 255 when the connection broke; or as what could not be read. Arguments: the images' directory, the ssh_config
 * that has the destination, what of the images is wanted.
 */
const SEND_SCRIPT = `
umask 077
images=\${1%/}
sender=\${images%/*}/sender
send() {
  sh -c 'echo "$PPID"' > "$sender"
  read -r _ || return
  : > "$sender"
  cd "$images" || return
  wanted=$1 sent=0 archived= before=
  { read -r before < "\${images%/*}/${SENT_IMAGES}"; } 2> /dev/null
  set -- $(stat -c '%s %n' pages-*.img 2> /dev/null)
  while [ $# -gt 0 ]; do
    size=$1 image=$2
    shift 2
    case " $before " in
    *" $image "*) ;;
    *)
      [ "$size" -ge 1048576 ] || continue
      echo "put $size $image 0"
      echo "after $sent" >&3
      LC_ALL=C dd if="$image" bs=1M status=progress 2>&3 || return
      ;;
    esac
    echo "whole $size $image"
    sent=$((sent + size)) archived="$archived --exclude=./$image"
  done
  echo "rest $wanted"
  tar -cf - $archived --exclude='./${ROUNDS}' .
}
exec 4>&1
codes=$({
  { send "$3" 3>&4 4>&- 5>&-; echo "$?" >&5; } | {
    ssh -F "$2" destination ${RECEIVE_IMAGES} >&4 5>&-
    code=$?
    { read -r waiting < "$sender"; } 2> /dev/null && kill "$waiting"
    exit "$code"
  }
  echo "$?" >&5
} 5>&1)
sent=0
case $codes in *[!0-9]*) sent=\${codes%%[!0-9]*} ;; esac
code=\${codes##*[!0-9]}
[ "$code" -eq 0 ] || exit "$code"
exit "$sent"
`;

/**
 * Takes images, the memory into the room that was reserved for it: an archive would be unpacked into files that
 * are emptied before. In the directory of the images. Fails when the other side ends before its end. A line tells what comes:
 *
 *     in ROUND              all else is of that round
 *     put SIZE IMAGE PLACE  so many bytes of memory, from that one on
 *     whole SIZE IMAGE      nothing: that was all of it
 *     drop SIZE IMAGE       nothing: there is no such memory
 *     rest WANTED           an archive of the rest, and then nothing more
 *     over                  nothing more
 *
 * @see dd(1), `count_bytes` and `fullblock`: it reads that many bytes of a pipe and no more
 */
export const RECEIVE_SCRIPT: string = `
names=
while read -r what size name place; do
  case $what in
  in)
    case $size in *[!a-z0-9-]*) exit 1 ;; ${ROUNDS}) mkdir -p "$size" && cd "$size" || exit ;; *) exit 1 ;; esac
    continue ;;
  rest)
    # Room that was made for more processes than there are, or for those that are in the archive. What was streamed stays.
    [ "$size" = without-memory ] || for image in pages-*.img; do
      case " $names " in *" $image "*) ;; *) rm -f "$image" ;; esac
    done
    exec tar -xf - ;;
  over) exit 0 ;;
  esac
  case $size:$place in *[!0-9:]* | :*) exit 1 ;; esac
  case $name in */* | [!p]*) exit 1 ;; pages-[0-9]*.img) ;; *) exit 1 ;; esac
  case $what in
  put)
    dd of="$name" bs=1M count="$size" seek="$place" iflag=count_bytes,fullblock oflag=seek_bytes conv=notrunc status=none || exit ;;
  whole) names="$names $name"; truncate -s "$size" "$name" || exit ;;
  drop) rm -f "$name" ;;
  *) exit 1 ;;
  esac
done
exit 1
`;

/** The command on the source that sends images. */
export function sendImagesCommand(
  { sshConfigFile, from }: { readonly sshConfigFile: string; readonly from: string },
  images: ImagesWanted,
): string[] {
  return ['sh', '-c', SEND_SCRIPT, 'criu-flow', from, sshConfigFile, images];
}

/**
 * Makes of what {@link sendImagesCommand} prints how far it is: `after 1024`, and `1048576 bytes (1.0 MB, 1.0 MiB) copied, 0.5 s, 2.1 MB/s`.
 * @returns what takes each line
 */
export function readStreamProgress(onProgress: (progress: TransferProgress) => void): (line: string) => void {
  let beforeBytes = 0;
  return (line) => {
    const after = /^after (\d+)$/.exec(line)?.[1];
    if (after !== undefined) beforeBytes = Number(after);
    const [, bytes, seconds] = /^(\d+) bytes .*copied, ([\d.]+) s/.exec(line) ?? [];
    if (bytes === undefined) return;
    onProgress({
      doneBytes: beforeBytes + Number(bytes),
      bytesPerSecond: Number(bytes) / Math.max(Number(seconds), 0.001),
      remainingMs: undefined,
    });
  };
}
