/**
 * What this machine has, as far as it tells: processor, memory, graphics cards, battery, system. Every query has a time limit,
 * because some of them run a vendor's tool that can hang; what could not be read is said in `unknown` instead of guessed.
 * Knows nothing of providers: whether a card can compute is what the provider trial finds out.
 */
import { cpus, freemem, release, totalmem } from 'node:os';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import systeminformation from 'systeminformation';
import { describeError } from '../../base/errors.ts';
import { safeLine } from '../../base/sanitise-text.ts';
import type { HardwareReport } from '../api.ts';

/** All of the report but what the provider trial finds out. */
export type MachineReport = Omit<HardwareReport, 'verdicts' | 'trying'>;
type Gpu = MachineReport['gpus'][number];

/** The part of systeminformation that is asked, so that tests can stand in for it. */
export interface HardwareQueries {
  cpu(): Promise<{ manufacturer: string; brand: string; physicalCores: number; cores: number }>;
  mem(): Promise<{ total: number; available: number }>;
  graphics(): Promise<{
    controllers: { vendor: string; model: string; vram: number | null; memoryTotal?: number; driverVersion?: string }[];
  }>;
  battery(): Promise<{ hasBattery: boolean; isCharging: boolean; percent: number }>;
}

const defaultTimeLimitMs = 8000;

/** Never rejects; takes at most a little over `timeLimitMs`, for the queries run side by side. */
export async function readHardware(
  options: { timeLimitMs?: number; queries?: HardwareQueries } = {},
): Promise<MachineReport> {
  const queries: HardwareQueries = options.queries ?? systeminformation;
  const timeLimitMs = options.timeLimitMs ?? defaultTimeLimitMs;
  const unknown: string[] = [];
  const ask = async <T, R>(part: string, query: () => Promise<T>, read: (answer: T) => R, otherwise: R): Promise<R> => {
    try {
      return read(await withTimeLimit(query, timeLimitMs));
    } catch (error) {
      unknown.push(`${part}: ${safeLine(describeError(error), 200)}`);
      return otherwise;
    }
  };
  const [cpu, memory, gpus, battery] = await Promise.all([
    ask('processor', () => queries.cpu(), readCpu, fallbackCpu()),
    ask(
      'memory',
      () => queries.mem(),
      ({ total, available }) => ({ totalBytes: total, freeBytes: available }),
      { totalBytes: totalmem(), freeBytes: freemem() },
    ),
    ask(
      'graphics cards',
      () => queries.graphics(),
      ({ controllers }) => controllers.map(readGpu),
      [],
    ),
    ask('battery', () => queries.battery(), readBattery, { present: false, charging: null, percent: null }),
  ]);
  for (const gpu of gpus) if (gpu.vramBytes === null) unknown.push(`memory of ${gpu.name}`);
  return {
    cpu,
    memory,
    gpus,
    battery,
    os: { platform: process.platform, release: release(), arch: process.arch },
    unknown,
  };
}

function fallbackCpu(): MachineReport['cpu'] {
  const threads = cpus();
  return {
    model: safeLine(threads[0]?.model ?? '', 100) || 'unknown',
    cores: Math.max(1, threads.length),
    threads: Math.max(1, threads.length),
  };
}

function readCpu(cpu: Awaited<ReturnType<HardwareQueries['cpu']>>): MachineReport['cpu'] {
  const fallback = fallbackCpu();
  const model = safeLine(`${cpu.manufacturer} ${cpu.brand}`, 100);
  return {
    model: model === '' ? fallback.model : model,
    cores: cpu.physicalCores || fallback.cores,
    threads: cpu.cores || fallback.threads,
  };
}

/** MiB of a card's memory; 0 and absurd values mean that the driver did not say. */
export function isCardSize(mebibytes: number | null | undefined): mebibytes is number {
  return typeof mebibytes === 'number' && mebibytes > 0 && mebibytes < 4 * 1024 * 1024;
}

function readGpu(controller: Awaited<ReturnType<HardwareQueries['graphics']>>['controllers'][number]): Gpu {
  const mebibytes = controller.memoryTotal ?? controller.vram;
  const driver = safeLine(controller.driverVersion ?? '', 60);
  return {
    name: safeLine(controller.model, 100) || 'unnamed graphics card',
    vendor: safeLine(controller.vendor, 60),
    vramBytes: isCardSize(mebibytes) ? mebibytes * 1024 * 1024 : null,
    driver: driver === '' ? null : driver,
  };
}

function readBattery(battery: Awaited<ReturnType<HardwareQueries['battery']>>): MachineReport['battery'] {
  if (!battery.hasBattery) return { present: false, charging: null, percent: null };
  return {
    present: true,
    charging: battery.isCharging,
    percent: Number.isFinite(battery.percent) ? Math.min(100, Math.max(0, battery.percent)) : null,
  };
}

/** Rejects where the query takes longer; what it still does is not waited for. */
export async function withTimeLimit<T>(query: () => Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  try {
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs);
    });
    return await Promise.race([query(), limit]);
  } finally {
    clearTimeout(timer);
  }
}

const run = promisify(execFile);

/**
 * Resident bytes of processes, cheap enough for every few seconds: /proc on Linux, one `ps` on macOS, one `tasklist` on Windows.
 * A process that is gone is left out.
 */
export async function residentBytes(pids: readonly number[]): Promise<Map<number, number>> {
  const found = new Map<number, number>();
  const rest = pids.filter((pid) => Number.isInteger(pid) && pid > 0);
  if (rest.includes(process.pid)) found.set(process.pid, process.memoryUsage.rss());
  await Promise.all(
    rest
      .filter((pid) => pid !== process.pid)
      .map(async (pid) => {
        const bytes = await residentBytesOf(pid).catch(() => null);
        if (bytes !== null && bytes > 0) found.set(pid, bytes);
      }),
  );
  return found;
}

async function residentBytesOf(pid: number): Promise<number | null> {
  if (process.platform === 'linux') {
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kibibytes === undefined ? null : Number(kibibytes) * 1024;
  }
  if (process.platform === 'win32') {
    const { stdout } = await run('tasklist', ['/FI', `PID eq ${pid}`, '/FO', 'CSV', '/NH'], {
      timeout: 3000,
      windowsHide: true,
    });
    // The last column is for people: "123,456 K" with the separators of the country.
    const size = /"([^"]*)"\s*$/.exec(stdout.trim())?.[1]?.replace(/\D/g, '');
    return size === undefined || size === '' ? null : Number(size) * 1024;
  }
  const { stdout } = await run('ps', ['-o', 'rss=', '-p', String(pid)], { timeout: 3000 });
  return Number(stdout.trim()) * 1024;
}
