/**
 * Whether a model can be trained on this machine: its config.json as a policy, the round that the settings ask for as a question
 * of memory, and the answer. Used before anything is loaded or fetched. Knows nothing of where models come from.
 */
import { readFile, stat } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { chooseAdapter, type AdapterRequest } from '../../native-models/policy/adapter.ts';
import { parameterCount, parameterSlots } from '../../native-models/policy/parameters.ts';
import { parsePolicyConfig, type PolicyConfig } from '../../native-models/policy/policy-config.ts';
import { fitWork, type Fit } from '../../native-models/runtime/fit-work.ts';
import type { MemoryQuestion } from '../../native-models/runtime/memory-estimate.ts';
import { planDecode } from '../../native-models/runtime/precision.ts';
import type { Config } from '../config.ts';

/** What to reckon with in place of the settings. */
export interface FitWishes {
  groupSize?: number;
  maxTokens?: number;
  promptTokens?: number;
  microBatch?: number;
  adapter?: 'auto' | 'lora' | 'full';
  method?: Config['method'];
}

/** Longest prompt that is reckoned with: a task's words with the chat template around them. */
const PROMPT_TOKENS = 96;
const MEBIBYTE = 1024 * 1024;
const MAX_CONFIG_BYTES = MEBIBYTE;
/** Left to other programs: a twentieth of what the machine has, at most this. */
const MAX_RESERVE_BYTES = 512 * MEBIBYTE;

/** @throws PolicyError */
export async function readPolicyConfig(directory: string): Promise<PolicyConfig> {
  const path = join(directory, 'config.json');
  const text = (await stat(path)).size > MAX_CONFIG_BYTES ? '' : await readFile(path, 'utf8');
  let json: unknown = null;
  try {
    json = JSON.parse(text);
  } catch {
    // null is refused below, with the words for it
  }
  return parsePolicyConfig(json);
}

/** What the settings want trained. */
export function adapterRequestOf(
  settings: Pick<Config, 'adapter' | 'loraRank' | 'loraAlpha' | 'loraTargets'>,
): AdapterRequest {
  const { adapter: mode, loraRank: rank, loraAlpha: alpha, loraTargets: targets } = settings;
  return { mode, rank, alpha, targets };
}

/** The memory that a round of these settings asks for. */
export function questionFor(config: PolicyConfig, settings: Config, wishes: FitWishes = {}): MemoryQuestion {
  const { ownObjective, peerObjective, method, klWeight } = settings;
  const isBridge = (wishes.method ?? method) === 'bridge';
  const request = adapterRequestOf({ ...settings, adapter: wishes.adapter ?? settings.adapter });
  const adapter = chooseAdapter(parametersOf(config), request);
  // A copy that cannot be had with all weights trained is refused when the policy is opened.
  const decode = adapter ? planDecode(settings.decodePrecision, { config, adapted: true, provider: 'cpu' }) : null;
  return {
    config,
    adapter,
    decode: decode?.precision ?? 'f32',
    work: {
      prompts: settings.promptsPerRound,
      groupSize: wishes.groupSize ?? settings.groupSize,
      promptTokens: wishes.promptTokens ?? PROMPT_TOKENS,
      completionTokens: wishes.maxTokens ?? settings.maxNewTokens,
      microBatchTokens: wishes.microBatch ?? settings.microBatchTokens,
    },
    objectives: new Set([ownObjective, peerObjective, ...(isBridge ? ['sft'] : [])]).size,
    scoring: true,
    reference: klWeight > 0,
    bridge: isBridge ? { rank: settings.bridgeRank } : null,
  };
}

export function fitOf(config: PolicyConfig, settings: Config, available = memoryFor(settings)): Fit {
  return fitWork(questionFor(config, settings), available, settings.recomputeActivations);
}

/** Into which the work is to fit: what the settings allow, else what is free now less a reserve for other programs. */
export function memoryFor({ maxMemoryMegabytes }: Config, freeBytes: () => number = unreservedBytes): number {
  return maxMemoryMegabytes > 0 ? maxMemoryMegabytes * MEBIBYTE : freeBytes();
}

function unreservedBytes(): number {
  const allowed = process.constrainedMemory();
  const total = allowed > 0 ? Math.min(allowed, totalmem()) : totalmem();
  return Math.max(0, availableBytes() - Math.min(MAX_RESERVE_BYTES, total / 20));
}

export function parametersOf(config: PolicyConfig): number {
  return parameterCount(parameterSlots(config));
}

/** As far as the system tells: what a container allows counts, too. */
function availableBytes(): number {
  return process.availableMemory();
}
