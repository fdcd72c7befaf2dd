/**
 * The tray and window icon as pixels: a honeycomb cell, filled while training, a ring while idle, with a notch in trouble,
 * so that the three looks differ by shape and not by colour alone. Drawn here because Electron reads no SVG and three
 * sizes of three looks are not worth nine files. Knows no Electron: bytes out, BGRA as `nativeImage.createFromBitmap` wants.
 */
import type { TrayLook } from './tray-menu.ts';

interface Look {
  /** Radius of the hole as a share of the cell; 0 is a full cell. */
  hole: number;
  /** Part of the cell that is left out: an upright gap of this half-width. */
  gap: number;
  color: readonly [red: number, green: number, blue: number];
}

const looks: Readonly<Record<TrayLook, Look>> = {
  active: { hole: 0, gap: 0, color: [245, 166, 35] },
  idle: { hole: 0.6, gap: 0, color: [160, 160, 168] },
  trouble: { hole: 0.6, gap: 0.2, color: [229, 72, 77] },
};

/** Distance from the centre to a point in units of the hexagon's inner radius: at most 1 is inside (pointy top). */
function hexRadius(x: number, y: number): number {
  return Math.max(Math.abs(x), Math.abs(x) / 2 + (Math.abs(y) * Math.sqrt(3)) / 2);
}

function covers(look: Look, x: number, y: number): boolean {
  const radius = hexRadius(x, y);
  return radius <= 1 && radius >= look.hole && !(y < 0 && Math.abs(x) < look.gap);
}

/**
 * Pixels of a square icon, `size` x `size`, premultiplied BGRA. `template` draws black on transparent, which macOS
 * recolours itself.
 */
export function trayIconPixels(trayLook: TrayLook, size: number, template = false): Uint8Array {
  const look = looks[trayLook];
  const [red, green, blue] = template ? [0, 0, 0] : look.color;
  const samples = 4;
  const innerRadius = (size / 2) * 0.86;
  const pixels = new Uint8Array(size * size * 4);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      let hits = 0;
      for (let sample = 0; sample < samples * samples; sample++) {
        const x = (column + ((sample % samples) + 0.5) / samples - size / 2) / innerRadius;
        const y = (row + (Math.floor(sample / samples) + 0.5) / samples - size / 2) / innerRadius;
        if (covers(look, x, y)) hits++;
      }
      const alpha = hits / (samples * samples);
      pixels.set(
        [blue * alpha, green * alpha, red * alpha, 255 * alpha].map((value) => Math.round(value)),
        (row * size + column) * 4,
      );
    }
  }
  return pixels;
}
