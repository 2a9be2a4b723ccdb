import { expect, test } from 'vitest';
import { fillIn } from '../../src/host/script-line.ts';

test('variables become values, quoted or not; a bare one without a value is no word', () => {
  const line = 'arping -I "$2" "${1%/*}" $nodad';
  expect(fillIn(line, { $2: 'eth0', '${1%/*}': '10.0.0.9', $nodad: '' })).toEqual([
    ...['arping', '-I', 'eth0', '10.0.0.9'],
  ]);
  expect(fillIn('"$1" $2', { $1: '', $2: 'a' })).toEqual(['', 'a']);
});

test('a value is one word, whatever is in it', () => {
  expect(fillIn('nft "delete table inet $1; delete table arp $1"', { $1: '$2 "x"', $2: 'no' })).toEqual([
    ...['nft', 'delete table inet $2 "x"; delete table arp $2 "x"'],
  ]);
});
