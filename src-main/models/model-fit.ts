/**
 * Whether a model can be trained on this machine: its config.json as a policy, the round that the settings ask for as a question
 * of memory, and the answer. Used before anything is loaded or fetched. Knows nothing of where models come from.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { chooseAdapter } from '../../native-models/policy/adapter.ts';
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
const MAX_CONFIG_BYTES = 1024 * 1024;

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

/** The memory that a round of these settings asks for. */
export function questionFor(config: PolicyConfig, settings: Config, wishes: FitWishes = {}): MemoryQuestion {
  const { ownObjective, peerObjective, method, klWeight, loraRank, loraAlpha, loraTargets } = settings;
  const isBridge = (wishes.method ?? method) === 'bridge';
  const mode = wishes.adapter ?? settings.adapter;
  const request = { mode, rank: loraRank, alpha: loraAlpha, targets: loraTargets };
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

export function fitOf(config: PolicyConfig, settings: Config, available = availableBytes()): Fit {
  return fitWork(questionFor(config, settings), available);
}

export function parametersOf(config: PolicyConfig): number {
  return parameterCount(parameterSlots(config));
}

/** As far as the system tells: what a container allows counts, too. */
export function availableBytes(): number {
  return process.availableMemory();
}
