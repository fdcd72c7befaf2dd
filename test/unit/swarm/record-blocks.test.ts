import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BLOCK_BYTES, bytesOf, RecordBlocks } from '../../../src-main/swarm/records/record-blocks.ts';
import type { Stored } from '../../../src-main/swarm/records/record-blocks.ts';

test('a block is used again when all in it are dropped, and not before', () => {
  const blocks = new RecordBlocks();
  const half = Buffer.alloc(BLOCK_BYTES / 2, 1);
  const [a, b, c] = [blocks.store(half), blocks.store(half), blocks.store(Buffer.alloc(10, 3))];
  assert.equal(blocks.bytes, 2 * BLOCK_BYTES);
  blocks.drop(a);
  assert.equal(blocks.bytes, 2 * BLOCK_BYTES);
  blocks.drop(b);
  assert.equal(blocks.bytes, BLOCK_BYTES);
  const d = blocks.store(Buffer.alloc(BLOCK_BYTES, 4));
  assert.equal(d.block, a.block, 'its memory is used again');
  assert.ok(bytesOf(c).equals(Buffer.alloc(10, 3)));
  blocks.drop(c);
  blocks.drop(d);
  assert.ok(blocks.bytes <= BLOCK_BYTES, 'at most the block that is being filled');
});

test('first in, first out for hours takes no more memory than what is held', () => {
  const blocks = new RecordBlocks();
  const memories = new Set<object>();
  const held: { stored: Stored; fill: number }[] = [];
  for (let i = 0; i < 50_000; i++) {
    const size = 100 + ((i * 31) % 4_000);
    const stored = blocks.store(Buffer.alloc(size, i % 251));
    memories.add(stored.block);
    held.push({ stored, fill: i % 251 });
    if (held.length > 200) {
      const oldest = held.shift()!;
      const bytes = bytesOf(oldest.stored);
      assert.ok(bytes.every((byte) => byte === oldest.fill));
      blocks.drop(oldest.stored);
    }
  }
  assert.ok(blocks.bytes <= 200 * 4_100 + 2 * BLOCK_BYTES, String(blocks.bytes));
  assert.ok(memories.size <= 16, `${String(memories.size)} blocks were made`);
});

test('what is larger than a block is refused', () => {
  assert.throws(() => new RecordBlocks().store(Buffer.alloc(BLOCK_BYTES + 1)), RangeError);
});
