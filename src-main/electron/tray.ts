/**
 * Paints `trayView` with Electron's Tray. Holds no state but what is painted, and repaints only what changed: on Linux
 * every new menu closes an open one.
 */
import { Menu, nativeImage, Tray } from 'electron';
import type { MenuItemConstructorOptions, NativeImage } from 'electron';
import { trayIconPixels } from './tray-icon.ts';
import { trayView } from './tray-menu.ts';
import type { NodeLink, TrayAction, TrayItem, TrayLook } from './tray-menu.ts';

const isMac = process.platform === 'darwin';

/** An icon of `size` points with a double-density copy. */
export function iconImage(look: TrayLook, size: number, template = false): NativeImage {
  const bitmap = (pixels: number) => Buffer.from(trayIconPixels(look, pixels, template));
  const image = nativeImage.createFromBitmap(bitmap(size), { width: size, height: size });
  const double = nativeImage.createFromBitmap(bitmap(size * 2), { width: size * 2, height: size * 2 });
  image.addRepresentation({ scaleFactor: 2, dataURL: double.toDataURL() });
  image.setTemplateImage(template);
  return image;
}

function menuItem(item: TrayItem, act: (action: TrayAction) => void): MenuItemConstructorOptions {
  if (item.kind === 'separator') return { type: 'separator' };
  if (item.kind === 'text') return { label: item.label, enabled: false };
  return { label: item.label, enabled: item.enabled, click: () => act(item.action) };
}

export interface TrayHandle {
  show(link: NodeLink): void;
  close(): void;
}

export function createTray(act: (action: TrayAction) => void): TrayHandle {
  const trayImage = (look: TrayLook) => iconImage(look, isMac ? 18 : 16, isMac);
  const tray = new Tray(trayImage('idle'));
  tray.on('click', () => act('open'));
  let painted = '';
  let look: TrayLook = 'idle';
  return {
    show(link) {
      const view = trayView(link);
      const fingerprint = JSON.stringify(view);
      if (fingerprint === painted) return;
      painted = fingerprint;
      tray.setToolTip(view.tooltip);
      tray.setContextMenu(Menu.buildFromTemplate(view.items.map((item) => menuItem(item, act))));
      if (view.look !== look) tray.setImage(trayImage((look = view.look)));
    },
    close: () => tray.destroy(),
  };
}
