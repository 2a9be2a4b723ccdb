import { LIFT_BOTH_SCRIPT } from './fence.ts';
import { fillIn } from '../host/script-line.ts';

/** The service address and the device that carries it. */
interface ServiceAddress {
  readonly cidr: string;
  readonly device: string;
}

const ARPING = 'arping -q -U -c 3 -w 3 -I "$2" "${1%/*}"';

/**
 * Tells the neighbours where the address is now: gratuitous ARP for IPv4; for IPv6 the kernel does it by itself
 * (`ndisc_notify`). Arguments: the address, the device.
 * @see arping(8) of iputils, `-U`.
 */
const ANNOUNCE_SCRIPT = `
case $1 in
*:*) ;;
*) setsid ${ARPING} > /dev/null 2>&1 < /dev/null & ;;
esac
`;

/** How the address is announced; undefined for IPv6, which the kernel announces. */
export function announceCommand({ cidr, device }: ServiceAddress): string[] | undefined {
  if (cidr.includes(':')) return undefined;
  return fillIn(ARPING, { $2: device, '${1%/*}': cidr.replace(/\/.*/, '') });
}

/** Puts the service address back. Reads it and its device from the file `address` in the working directory. */
export const ADDRESS_BACK_SCRIPT: string = `
{ read -r cidr; read -r device; } < address
ip address replace "$cidr" dev "$device"
set -- "$cidr" "$device"
${ANNOUNCE_SCRIPT}`;

/** Lets traffic in when the workload runs: the fence's table, the address and its device are the lines of `values`. */
export const LIFT_FENCE_SCRIPT: string = `
{ read -r table; read -r cidr; read -r device; } < values
set -- "$table"
${LIFT_BOTH_SCRIPT}
set -- "$cidr" "$device"
${ANNOUNCE_SCRIPT}`;

const ADDRESS_OFF = 'ip address del "$2" dev "$3"';

/** Exit code of {@link ADDRESS_OFF_SCRIPT}: the hold was aborted meanwhile. */
export const HOLD_OVER = 3;

/**
 * Takes the service address off the source. What puts it back is on disk first, where the hold's abort finds it; a hold
 * that was aborted before it could find it has let the workload run on, so the address is put back here.
 * Arguments: the hold's directory, the address with its prefix length, the device, {@link ADDRESS_BACK_SCRIPT}.
 */
export const ADDRESS_OFF_SCRIPT: string = `
set -e
printf '%s\\n' "$2" "$3" > "$1/address"
printf '%s\\n' "$4" > "$1/on-abort.new"
mv "$1/on-abort.new" "$1/on-abort"
${ADDRESS_OFF}
[ ! -f "$1/decision" ] || {
  cd "$1"
  sh ./on-abort
  exit ${HOLD_OVER}
}
`;

/** How the address leaves the source. */
export function addressOffCommand({ cidr, device }: ServiceAddress): string[] {
  return fillIn(ADDRESS_OFF, { $2: cidr, $3: device });
}

/** Adds the service address, of which the script has `$4` and the device in `$5`; IPv6 without asking whether it is taken. */
export const ADDRESS_ADD = 'ip address add "$4" dev "$5" $nodad';

/** How the address comes to the destination. */
export function addressAddCommand({ cidr, device }: ServiceAddress): string[] {
  return fillIn(ADDRESS_ADD, { $4: cidr, $5: device, $nodad: cidr.includes(':') ? 'nodad' : '' });
}

/**
 * Takes the service address off the destination, if it is there. Arguments: the address, the device.
 */
export const ADDRESS_REMOVE_SCRIPT = `
[ -z "$(ip -o address show dev "$2" to "\${1%/*}" 2> /dev/null)" ] || ip address del "$1" dev "$2"
`;
