/**
 * Runs the checkers of a stage side by side, each in a process of its own, and shows the output of those that fail.
 * Starts them by their script under node_modules with the running Node: some .bin entries are not executable everywhere.
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

function runTool(tool: Tool): Promise<Ended> {
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

/** Names of the tools that found faults. */
export async function runTools(tools: readonly Tool[]): Promise<string[]> {
  const failed: string[] = [];
  const watch = async (tool: Tool) => {
    const { code, output } = await runTool(tool);
    if (code === 0) return;
    failed.push(tool.name);
    process.stdout.write(`--- ${tool.name} ---\n${output.trimEnd()}\n`);
  };
  await Promise.all(tools.map(watch));
  return failed;
}
