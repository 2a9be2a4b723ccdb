import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { Wire } from '../../../src/lab/vm/wire.ts';
import { temporaryDirectory } from '../../helpers/temporary-directory.ts';

test('a QEMU that is killed cuts the wire, and nothing else', async () => {
  using directory = temporaryDirectory();
  const server = createServer({ pauseOnConnect: true }).listen(directory.at('wire'));
  try {
    const connected = once(server, 'connection') as Promise<[Socket]>;
    const wire = await Wire.open(directory.at('wire'));
    const [qemu] = await connected;
    qemu.write('waiting\n');
    expect(await wire.until('waiting', 10_000)).toBe(true);
    // What it has not read resets the connection.
    wire.say('become 1');
    qemu.destroy();
    expect(await wire.until('heard', 10_000)).toBe(false);
    expect(wire.isCut).toBe(true);
  } finally {
    server.close();
  }
});
