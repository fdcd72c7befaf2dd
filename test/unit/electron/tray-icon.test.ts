import assert from 'node:assert/strict';
import { test } from 'node:test';
import { trayIconPixels } from '../../../src-main/electron/tray-icon.ts';
import type { TrayLook } from '../../../src-main/electron/tray-menu.ts';

const looks: TrayLook[] = ['active', 'idle', 'trouble'];
const alphaAt = (pixels: Uint8Array, size: number, x: number, y: number) => pixels[(y * size + x) * 4 + 3];

test('the three looks differ in shape, not only in colour', () => {
  const silhouettes = looks.map((look) =>
    trayIconPixels(look, 32, true)
      .filter((_, index) => index % 4 === 3)
      .join(),
  );
  assert.equal(new Set(silhouettes).size, 3);
});

test('the cell is full while training, hollow otherwise, and its corners are clear', () => {
  const size = 32;
  assert.equal(alphaAt(trayIconPixels('active', size), size, 16, 16), 255);
  assert.equal(alphaAt(trayIconPixels('idle', size), size, 16, 16), 0);
  for (const look of looks) {
    const pixels = trayIconPixels(look, size);
    assert.equal(pixels.length, size * size * 4);
    assert.equal(alphaAt(pixels, size, 0, 0), 0);
    assert.equal(alphaAt(pixels, size, 4, 16), 255);
  }
});

test('pixels are premultiplied: no colour exceeds its alpha; a template is black', () => {
  const pixels = trayIconPixels('active', 16);
  for (let index = 0; index < pixels.length; index += 4) {
    const [blue, green, red, alpha] = pixels.subarray(index, index + 4);
    assert.ok(Math.max(blue!, green!, red!) <= alpha!);
  }
  const template = trayIconPixels('active', 16, true);
  assert.ok(template.every((value, index) => index % 4 === 3 || value === 0));
});
