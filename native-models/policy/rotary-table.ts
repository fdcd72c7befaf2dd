/** Rotary tables: cos and sin of position * theta^(-2i/Dh), [positions, Dh/2]. Source: RoFormer (arXiv 2104.09864). */
import type { PolicyConfig } from './policy-config.ts';

export function rotaryTable(config: PolicyConfig, positions: number): { cos: Float32Array; sin: Float32Array } {
  const half = config.headDim / 2;
  const cos = new Float32Array(positions * half);
  const sin = new Float32Array(positions * half);
  for (let p = 0; p < positions; p++) {
    for (let i = 0; i < half; i++) {
      const angle = p * config.ropeTheta ** (-i / half);
      cos[p * half + i] = Math.cos(angle);
      sin[p * half + i] = Math.sin(angle);
    }
  }
  return { cos, sin };
}
