/**
 * Runs a checker or builder in a process of its own and shows its output when it finds faults.
 * Starts it by its script under node_modules with the running Node: some .bin entries are not executable everywhere.
 */
import { spawn } from 'node:child_process';

export interface Tool {
  name: string;
  /** Path below node_modules. */
  script: string;
  args: string[];
}

interface Ended {
  code: number | null;
  output: string;
}

function start(tool: Tool): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [`node_modules/${tool.script}`, ...tool.args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, FORCE_COLOR: process.stdout.isTTY ? '1' : '0' },
    });
    let output = '';
    const collect = (chunk: Buffer) => (output += chunk.toString());
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}

/** True when it found no faults. */
export async function runTool(tool: Tool): Promise<boolean> {
  const { code, output } = await start(tool);
  if (code !== 0) process.stdout.write(`--- ${tool.name} ---\n${output.trimEnd()}\n`);
  return code === 0;
}
