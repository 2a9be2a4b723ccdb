import { expect } from 'vitest';
import type { MigrationLab } from './migration-lab.ts';

/**
 * Numbers its writes, each into the next of its hot pages, which must have the number that it wrote there before; and writes to one page after
 * the other of the rest, once. Says with `/srv/writer/ask` there how many pages were ever wrong. Arguments: MiB of memory, MiB of hot
 * pages, hot pages that it writes to each 10 ms.
 */
const WRITER = `
import mmap, os, struct, sys, time
total, hot, burst = int(sys.argv[1]) * 256, int(sys.argv[2]) * 256, int(sys.argv[3])
memory = mmap.mmap(-1, total * 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
def put(page, number): struct.pack_into('<QQ', memory, page * 4096, page, number)
def has(page, number): return struct.unpack_from('<QQ', memory, page * 4096) == (page, number)
for page in range(total): put(page, 0)
number = turns = wrong = 0
open('/srv/writer/pid', 'w').write(str(os.getpid()))
while True:
    for _ in range(burst):
        number += 1
        wrong += not has(number % hot, max(number - hot, 0))
        put(number % hot, number)
    if hot + turns < total:
        put(hot + turns, turns + 1)
        turns += 1
    if wrong: open('/srv/writer/wrong', 'w').write(str(wrong))
    if os.path.exists('/srv/writer/ask'):
        os.remove('/srv/writer/ask')
        for page in range(hot, total):
            wrong += not has(page, page - hot + 1 if page - hot < turns else 0)
        with open('/srv/writer/answer.new', 'w') as answer:
            answer.write(f'{number > 0} {wrong} wrong\\n')
        os.rename('/srv/writer/answer.new', '/srv/writer/answer')
    time.sleep(0.01)
`;

/**
 * Starts it on `a`.
 * @param numbers MiB of memory, MiB of hot pages, hot pages that it writes to each 10 ms
 * @returns its pid
 */
export async function startWriterOn(
  lab: MigrationLab,
  ...numbers: readonly [totalMiB: number, hotMiB: number, burst: number]
): Promise<number> {
  for (const host of ['a', 'b']) await lab.sh(host, 'rm -rf /srv/writer; mkdir -p /srv/writer');
  return Number(
    await lab.sh(
      'a',
      `printf %s "$1" > /shared/examples/writer.py
      shift
      cd /
      setsid python3 /shared/examples/writer.py "$@" < /dev/null > /dev/null 2>&1 &
      timeout 100 sh -c 'until [ -s /srv/writer/pid ]; do sleep 0.1; done'
      cat /srv/writer/pid`,
      WRITER,
      ...numbers.map(String),
    ),
  );
}

/** It runs there, and no page of its memory is wrong, nor ever was. */
export async function expectWritten(lab: MigrationLab, host: 'a' | 'b'): Promise<void> {
  const ask = 'rm -f /srv/writer/answer; touch /srv/writer/ask';
  const answer = `${ask}; timeout 120 sh -c 'until [ -s /srv/writer/answer ]; do sleep 0.1; done'; cat /srv/writer/answer`;
  expect(await lab.sh(host, `${answer}; cat /srv/writer/wrong 2> /dev/null || :`)).toBe('True 0 wrong');
}
