/**
 * A BRIDGE cell in a process of its own, because a session of onnxruntime-node keeps the thread that runs it: the cell comes as JSON in
 * the one argument, its curves go back as the one message.
 */
import { configSchema } from '../../../src-main/config/schema.ts';
import { runBridgeCell, type BridgeCellOptions } from './bridge-cell.ts';
import { starterSet } from './round-tasks.ts';

export type BridgeProcessCell = Omit<BridgeCellOptions, 'tasks' | 'config'> & { learningRate: number };

const { learningRate, ...cell } = JSON.parse(process.argv[2]!) as BridgeProcessCell;
const config = configSchema.parse({ learningRate, cpuThreads: 1 });
const curves = await runBridgeCell({ ...cell, tasks: starterSet(), config });
process.send!(curves);
process.disconnect();
