/**
 * `boot` prints what tells one boot of a host from the next; in a container, one start from the next. For the scripts
 * that run on hosts.
 */
export const BOOT_FUNCTION = `
boot() { echo "$(cat /proc/sys/kernel/random/boot_id) $(sed 's/^.*) //' /proc/1/stat | cut -d ' ' -f 20)"; }
`;
