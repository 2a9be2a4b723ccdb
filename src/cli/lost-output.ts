/**
 * Lets the process go on when its output has nowhere to go: a reader that has gone (`| head`, EPIPE), a terminal that
 * was closed (EIO), a full disk. A run that ended for that reason would end in the middle.
 */
export function surviveLostOutput(): void {
  let isTold = false;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (isTold || error.code === 'EPIPE') return;
    isTold = true;
    process.stderr.write(`criu-flow: standard output cannot be written, going on: ${error.message}\n`);
  });
  // There is no third stream to say it on.
  process.stderr.on('error', () => {});
}
