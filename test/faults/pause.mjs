// Loaded into the real command (`node --import`): stops the controller in the moment in which its report says that a boundary
// is reached, before it goes on. The report is written synchronously, and a process that stops itself does so at once.
const boundary = process.env['CRIU_FLOW_PAUSE_AT'];
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = (chunk, ...rest) => {
  const result = write(chunk, ...rest);
  for (const line of String(chunk).split('\n').filter(Boolean)) {
    const event = JSON.parse(line);
    if (boundary === `${event.kind} ${event.stepId ?? event.phase ?? ''}`.trim()) {
      process.kill(process.pid, 'SIGSTOP');
    }
  }
  return result;
};
