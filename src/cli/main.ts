#!/usr/bin/env node
import { version } from '../package/version.ts';

const args = process.argv.slice(2);
if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
  // Answered before anything is loaded: scripts ask it often.
  process.stdout.write(`${version()}\n`);
} else {
  // Nobody waits here: CommonJS, as which this is bundled, cannot. Until the command has ended, it has not ended well.
  process.exitCode = 1;
  void import('./program.ts')
    .then(({ main }) => main(args))
    .then((exitCode) => {
      process.exitCode = exitCode;
    });
}
