// Loaded into the real command (`node --import`): stops it in the moment in which its report has a line that ends so, before it goes
// on. The report is written synchronously, and a process that stops itself does so at once.
const end = `${process.env['CRIU_FLOW_PAUSE_AT']}\n`;
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = (chunk, ...rest) => {
  const result = write(chunk, ...rest);
  if (String(chunk).includes(end)) process.kill(process.pid, 'SIGSTOP');
  return result;
};
