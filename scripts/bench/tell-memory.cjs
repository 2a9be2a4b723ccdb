// Loaded before a command: says at its end the most memory that it had.
process.on('exit', () => process.stderr.write(`maxRSS ${process.resourceUsage().maxRSS} KiB\n`));
