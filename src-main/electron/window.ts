/**
 * The one window: isolated, sandboxed, without Node, unable to leave our own page. Opens web links of the allow-list in
 * the user's browser. Knows nothing of nodes or trays; every decision is in `navigation.ts`.
 */
import { BrowserWindow, session, shell } from 'electron';
import type { NativeImage, Session, WebContents } from 'electron';
import { appPage, externalLink, isAppPage } from './navigation.ts';

/** The app needs no camera, location, notification or any other web permission, so all are refused. */
export function refusePermissions(ofSession: Session): void {
  ofSession.setPermissionRequestHandler((_contents, _permission, callback) => callback(false));
  ofSession.setPermissionCheckHandler(() => false);
  ofSession.setDevicePermissionHandler(() => false);
}

/** Keeps any web contents, whoever made them, on our page. Registered for `web-contents-created`. */
export function confine(contents: WebContents): void {
  contents.on('will-frame-navigate', (event) => {
    if (!isAppPage(event.url)) event.preventDefault();
  });
  contents.on('will-redirect', (event) => {
    if (!isAppPage(event.url)) event.preventDefault();
  });
  contents.on('will-attach-webview', (event) => event.preventDefault());
  contents.setWindowOpenHandler(({ url }) => {
    const link = externalLink(url);
    if (link !== null) void shell.openExternal(link);
    return { action: 'deny' };
  });
}

export function createWindow(options: { preloadPath: string; icon: NativeImage; dark: boolean }): BrowserWindow {
  refusePermissions(session.defaultSession);
  const window = new BrowserWindow({
    width: 1180,
    height: 800,
    minWidth: 360,
    minHeight: 480,
    show: false,
    title: 'Waggle',
    icon: options.icon,
    autoHideMenuBar: true,
    backgroundColor: options.dark ? '#121214' : '#ffffff',
    webPreferences: {
      preload: options.preloadPath,
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webSecurity: true,
      webviewTag: false,
      navigateOnDragDrop: false,
      spellcheck: false,
    },
  });
  void window.loadURL(appPage);
  return window;
}
