/**
 * The action script with which criu holds a workload between the phases of the protocol. criu runs it at the action
 * points of criu(8) with CRTOOLS_SCRIPT_ACTION set, stdin closed and stdout in criu's log.
 *
 * - `pre-dump` (before anything is frozen): puts up the fence of the source, so that no packet reaches the service
 *   address from the freeze on: a connection that the kernel accepted for a frozen process would be lost.
 * - `post-dump` and `post-restore`: say `held`, then wait for a decision. Exit 0 is commit; anything else, the death
 *   of this script included, is abort: it fails closed.
 *
 * A decision is a file that is linked into place, so that the first one wins and is never half-written. The FIFO
 * `doorbell` only wakes the waiter. With a lease, silence of that many seconds is a decision to abort; ringing the
 * bell renews it. On abort the source puts the service address back itself, so that a lost controller is no reason
 * for a lost service.
 */
export const HOLD_SCRIPT = `#!/bin/sh
dir=\${0%/*}
cd "$dir" || exit 1
case $CRTOOLS_SCRIPT_ACTION in
pre-dump)
  [ ! -f fence.nft ] || nft -f fence.nft
  exit ;;
post-dump | post-restore) ;;
*) exit 0 ;;
esac
lease=
[ ! -f lease ] || read -r lease < lease
: > held
printf x 1<> events
while [ ! -f decision ]; do
  if [ -n "$lease" ]; then
    timeout "$lease" dd bs=1 count=1 of=/dev/null 2> /dev/null <> doorbell
    if [ $? -eq 124 ]; then
      echo 'abort lease' > decision.lease
      ln decision.lease decision 2> /dev/null
    fi
  else
    dd bs=1 count=1 of=/dev/null 2> /dev/null <> doorbell || exit 1
  fi
done
read -r decision _ < decision
[ "$decision" != commit ] || exit 0
[ ! -f address-back ] || sh address-back
exit 1
`;

/**
 * Prepares a hold's directory. Arguments: the directory, the lease in seconds or an empty string, the fence as nft
 * text or an empty string; the hold script comes on stdin.
 */
export const PREPARE_SCRIPT = `
set -e
umask 077
mkdir -p "$1"
cd "$1"
cat > hold
chmod 700 hold
mkfifo events doorbell
[ -z "$2" ] || echo "$2" > lease
[ -z "$3" ] || printf '%s\\n' "$3" > fence.nft
`;

/**
 * Runs criu, then leaves its exit code in the hold's directory and rings \`events\`. After a dump that failed or was
 * aborted the workload runs on, so its fence goes at once. Arguments: the hold's directory, the fence's table or \`-\`,
 * then criu and its arguments.
 */
export const SUPERVISE_SCRIPT = `
dir=$1 table=$2
shift 2
exec 3<> "$dir/events"
"$@" 3>&-
code=$?
[ "$code" -eq 0 ] || [ "$table" = - ] || nft delete table inet "$table" 2> /dev/null
echo "$code" > "$dir/exit.new"
mv "$dir/exit.new" "$dir/exit"
printf x >&3
exit "$code"
`;

/**
 * Waits for criu's hold or its end, at most ten seconds, and prints \`held\`, \`exit N\` or \`pending\`.
 * Arguments: the hold's directory; \`held\` to wait for either, \`exit\` to wait for the end only.
 */
export const AWAIT_SCRIPT = `
cd "$1" || exit 1
rounds=0
while [ "$rounds" -lt 10 ]; do
  if [ -f exit ]; then read -r code < exit; echo "exit $code"; exit 0; fi
  if [ "$2" = held ] && [ -f held ]; then echo held; exit 0; fi
  timeout 1 dd bs=1 count=1 of=/dev/null 2> /dev/null <> events
  rounds=$((rounds + 1))
done
echo pending
`;

/**
 * Decides a hold, rings the bell and prints the decision that counts: the first one. Arguments: the hold's
 * directory, \`commit\` or \`abort\`. Prints \`none\` when there is no such hold any more.
 */
export const DECIDE_SCRIPT = `
cd "$1" 2> /dev/null || { echo none; exit 0; }
echo "$2" > "decision.$$"
ln "decision.$$" decision 2> /dev/null
rm -f "decision.$$"
printf x 1<> doorbell
cat decision
`;
