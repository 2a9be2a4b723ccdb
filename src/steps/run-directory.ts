/**
 * Removes a run's directory on a host, and its parent when nothing else is in it. Arguments: the directory; `1` to
 * keep the images.
 */
export const REMOVE_RUN_DIRECTORY_SCRIPT = `
if [ -n "$2" ]; then
  find "$1" -mindepth 1 -maxdepth 1 ! -name images -exec rm -rf {} +
else
  rm -rf "$1"
fi
rmdir "\${1%/*}" 2> /dev/null
:
`;
