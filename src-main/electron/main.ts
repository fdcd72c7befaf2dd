/**
 * The desktop shell's main process: life cycle and wiring only. The node trains in a process of its own and this file
 * never sees a rollout. What can be decided without Electron is decided in the files imported here, which are tested.
 * Invariants: one instance per user; the page gets no power but `window.waggle`; quitting gives the node time to
 * checkpoint, and no more than that.
 */
import { app, dialog, ipcMain, nativeTheme, powerMonitor, protocol } from 'electron';
import type { BrowserWindow, MessagePortMain } from 'electron';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ApiFault, CallName } from '../engine/api.ts';
import { connectApi } from './api-bridge.ts';
import { createRendererHandler } from './app-protocol.ts';
import { openIpcGate } from './ipc.ts';
import { keyring } from './keyring.ts';
import { createLastingClient } from './lasting-client.ts';
import { pipeOverEventPort } from './message-pipe.ts';
import { appScheme, isAppPage, linkScheme, pageOfDeepLink, viewUrl } from './navigation.ts';
import { createNodeSupervisor } from './node-supervisor.ts';
import { createChannel, forceKill, forkNode, forkWorker } from './processes.ts';
import { answerShellQuestion, type Confirmation } from './shell-questions.ts';
import { readShellSettings, writeShellSettings } from './shell-settings.ts';
import { createTray, iconImage } from './tray.ts';
import type { TrayHandle } from './tray.ts';
import type { NodeLink, TrayAction } from './tray-menu.ts';
import { confine, createWindow } from './window.ts';

const stopDeadlineMs = 8000;
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const settingsPath = () => join(app.getPath('userData'), 'shell.json');

const lasting = createLastingClient();
let window: BrowserWindow | null = null;
let tray: TrayHandle | null = null;
let quitting = false;
/** A link that macOS handed over before there could be a window. */
let earlyLink: string | null = null;

function showLink(link: NodeLink): void {
  tray?.show(link);
}

const supervisor = createNodeSupervisor<MessagePortMain>({
  forkNode,
  forkWorker,
  createChannel,
  forceKill,
  answer: (question) => answerShellQuestion(question, { vault: keyring, confirm }),
  args: process.argv.slice(app.isPackaged ? 1 : 2),
  // Native code reads weights by path, which an asar archive has none of.
  appRoot: app.getAppPath().replace(/app\.asar$/, 'app.asar.unpacked'),
  onUp(port) {
    const client = connectApi(pipeOverEventPort(port));
    lasting.attach(client);
    client.subscribe('status', (status) => showLink({ kind: 'up', status }));
    client.invoke('status', null).then((status) => showLink({ kind: 'up', status }), ignoreGone);
  },
  onDown(restart) {
    lasting.attach(null);
    showLink({ kind: 'restarting', ...restart });
  },
  onFault(fault) {
    lasting.attach(null);
    showLink({ kind: 'failed', message: fault.message });
    void explainFault(fault);
  },
  onQuit: () => app.quit(),
});

/** The node ended between two messages; the supervisor reports that itself. */
function ignoreGone(): void {
  return;
}

async function explainFault(fault: ApiFault): Promise<void> {
  const { response } = await dialog.showMessageBox({
    type: 'error',
    title: 'Waggle',
    message: fault.message,
    detail: fault.fix,
    buttons: ['Try again', 'Quit'],
    defaultId: 0,
    cancelId: 1,
  });
  if (response === 0) supervisor.start();
  else app.quit();
}

/** Asked by the shell, so that nothing in the page can answer it. */
async function confirm({ message, detail, button }: Confirmation): Promise<boolean> {
  const options = { type: 'warning', title: 'Waggle', message, detail, buttons: [button, 'Cancel'] } as const;
  const asked = { ...options, buttons: [...options.buttons], defaultId: 1, cancelId: 1, noLink: true };
  const { response } = await (window ? dialog.showMessageBox(window, asked) : dialog.showMessageBox(asked));
  return response === 0;
}

async function explainCloseToTray(owner: BrowserWindow): Promise<void> {
  const settings = await readShellSettings(settingsPath());
  if (!settings.closeToTrayExplained) {
    await dialog.showMessageBox(owner, {
      type: 'info',
      title: 'Waggle',
      message: 'Waggle goes on training in the background.',
      detail: 'Open, pause or quit it from its icon in the tray, or start it once more to get this window back.',
      buttons: ['Understood'],
    });
    await writeShellSettings(settingsPath(), { ...settings, closeToTrayExplained: true });
  }
  owner.hide();
}

/** `page`: an address within our page; null leaves the window where it is. */
function openWindow(page: string | null): void {
  if (!window) {
    const created = createWindow({
      preloadPath: here('./preload.cjs'),
      icon: iconImage('active', 64),
      dark: nativeTheme.shouldUseDarkColors,
    });
    window = created;
    created.on('close', (event) => {
      if (quitting) return;
      event.preventDefault();
      explainCloseToTray(created).catch(() => created.hide());
    });
    created.on('closed', () => (window = null));
    created.once('ready-to-show', () => created.show());
  } else {
    if (window.isMinimized()) window.restore();
    window.show();
    window.focus();
  }
  if (page !== null) void window.loadURL(page);
}

function command(name: Extract<CallName, 'pause' | 'resume' | 'finish'>): void {
  lasting.client.invoke(name, null).catch((thrown: unknown) => {
    dialog.showErrorBox('Waggle', thrown instanceof Error ? thrown.message : String(thrown));
  });
}

const trayActions: Record<TrayAction, () => void> = {
  open: () => openWindow(null),
  leaderboard: () => openWindow(viewUrl('leaderboard')),
  pause: () => command('pause'),
  resume: () => command('resume'),
  finish: () => command('finish'),
  quit: () => app.quit(),
};

function startShell(): void {
  protocol.handle(appScheme, createRendererHandler(here('../../renderer')));
  openIpcGate(ipcMain, { client: lasting.client, isAppPage });
  tray = createTray((action) => trayActions[action]());
  showLink({ kind: 'starting' });
  powerMonitor.on('suspend', () => supervisor.sendPower('suspend'));
  powerMonitor.on('resume', () => supervisor.sendPower('resume'));
  powerMonitor.on('shutdown', () => app.quit());
  supervisor.start();
  const link = pageOfDeepLink(process.argv) ?? earlyLink;
  if (link !== null || !process.argv.includes('--hidden')) openWindow(link);
}

/** Electron's quit is held back once, until the node has checkpointed or its deadline has passed. */
function quitAfterCheckpoint(event: { preventDefault(): void }): void {
  if (quitting) return;
  quitting = true;
  event.preventDefault();
  void supervisor.stop(stopDeadlineMs).finally(() => {
    tray?.close();
    app.quit();
  });
}

app.enableSandbox();
// A clone registers nothing with the system; packages also do so by their installers (electron-builder.yml, protocols).
if (app.isPackaged) app.setAsDefaultProtocolClient(linkScheme);
protocol.registerSchemesAsPrivileged([
  { scheme: appScheme, privileges: { standard: true, secure: true, supportFetchAPI: true } },
]);
app.on('web-contents-created', (_event, contents) => confine(contents));

if (!app.requestSingleInstanceLock()) app.quit();
else {
  app.on('second-instance', (_event, argv) => openWindow(pageOfDeepLink(argv)));
  app.on('open-url', (event, url) => {
    event.preventDefault();
    const page = pageOfDeepLink([url]);
    if (!app.isReady()) earlyLink = page;
    else openWindow(page);
  });
  app.on('activate', () => openWindow(null));
  app.on('window-all-closed', () => {
    // The tray keeps the app alive; only an explicit quit ends it.
  });
  app.on('before-quit', quitAfterCheckpoint);
  app.whenReady().then(startShell, (thrown: unknown) => {
    dialog.showErrorBox('Waggle cannot start', String(thrown));
    app.exit(1);
  });
}
