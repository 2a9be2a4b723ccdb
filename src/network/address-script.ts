/**
 * Takes the service address off the source. What puts it back is on disk first, where the hold's abort finds it.
 * Arguments: the hold's directory, the address with its prefix length, the device.
 */
export const ADDRESS_OFF_SCRIPT = `
set -e
printf 'ip address replace %s dev %s\\narping -q -U -c 2 -w 2 -I %s %s > /dev/null 2>&1 &\\n' "$2" "$3" "$3" "\${2%/*}" > "$1/address-back.new"
mv "$1/address-back.new" "$1/address-back"
ip address del "$2" dev "$3"
`;

/**
 * Takes the service address off the destination, if it is there. Arguments: the address, the device.
 */
export const ADDRESS_REMOVE_SCRIPT = `
[ -z "$(ip -o address show dev "$2" to "$1" 2> /dev/null)" ] || ip address del "$1" dev "$2"
`;

/**
 * Tells the neighbours where the address is now: gratuitous ARP for IPv4, an unsolicited neighbour advertisement by
 * the kernel's own \`ndisc_notify\` behaviour for IPv6. Arguments: the address, the device.
 * @see arping(8) of iputils, \`-U\`.
 */
export const ANNOUNCE_SCRIPT = `
address=\${1%/*}
case $address in
*:*) ;;
*) setsid arping -q -U -c 3 -w 3 -I "$2" "$address" > /dev/null 2>&1 < /dev/null & ;;
esac
`;
