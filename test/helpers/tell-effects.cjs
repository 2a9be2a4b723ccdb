// Loaded before the command: says on standard error which process it starts and where it connects, before it does.
for (const [binding, type, method] of [
  ['process_wrap', 'Process', 'spawn'],
  ['tcp_wrap', 'TCP', 'connect'],
  ['tcp_wrap', 'TCP', 'connect6'],
  ['pipe_wrap', 'Pipe', 'connect'],
  ['udp_wrap', 'UDP', 'send'],
  ['udp_wrap', 'UDP', 'send6'],
]) {
  const { prototype } = process.binding(binding)[type];
  const real = prototype[method];
  prototype[method] = function (...args) {
    require('node:fs').writeSync(2, `EFFECT ${type}.${method}\n`);
    return real.apply(this, args);
  };
}
const spawnSync = process.binding('spawn_sync');
const real = spawnSync.spawn;
spawnSync.spawn = (...args) => {
  require('node:fs').writeSync(2, 'EFFECT spawnSync\n');
  return real(...args);
};
const cares = process.binding('cares_wrap');
const lookUp = cares.getaddrinfo;
cares.getaddrinfo = (...args) => {
  require('node:fs').writeSync(2, 'EFFECT getaddrinfo\n');
  return lookUp(...args);
};
