import { isIPv4, isIPv6 } from 'node:net';

/** A user name: no character that ssh, a shell or rsync reads as more than itself. */
const USER = /^[A-Za-z0-9_][A-Za-z0-9_.+-]*\$?$/;
/** A host name or an alias of ssh_config. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}$/;

/** Whether ssh(1) can take it as a destination: `name`, `user@name`, an address, an IPv6 address in brackets or not. */
export function isHost(text: string): boolean {
  const at = text.lastIndexOf('@');
  if (at !== -1 && !USER.test(text.slice(0, at))) return false;
  const name = text.slice(at + 1);
  const bare = /^\[(.*)\]$/.exec(name)?.[1];
  return bare === undefined ? isAddress(name) : isIPv6(bare);
}

/** Whether it is a host name or an IP address, with neither user nor port. */
export function isAddress(text: string): boolean {
  return NAME.test(text) || isIPv6(text);
}

/** Whether it is an IPv4 or IPv6 address with a prefix length. */
export function isCidr(text: string): boolean {
  const [address = '', prefix = '', ...rest] = text.split('/');
  if (rest.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(prefix)) return false;
  if (isIPv4(address)) return Number(prefix) <= 32;
  return isIPv6(address) && !address.includes('%') && Number(prefix) <= 128;
}
