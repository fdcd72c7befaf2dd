/**
 * How BRIDGE's two parts, theta and the second adapter w, make up what a runtime computes with and trains, and how its gradient
 * falls apart into theirs. Two layouts: theta is all weights and w is worked into them, or theta is a LoRA adapter and w is stacked
 * beside it, so that theta-hat costs no more than one more adapter. Knows nothing of objectives and steps.
 */
import { adapterGradient } from '../policy/adapter-gradient.ts';
import { addAdapter, adapterSlots, type AdapterConfig } from '../policy/adapter.ts';
import { parameterCount, parameterSlots, type ParameterSlot } from '../policy/parameters.ts';
import type { PolicyConfig } from '../policy/policy-config.ts';
import { gradientFromStack, putIntoStack, stackPlaces } from '../policy/stacked-adapter.ts';

export interface BridgeLayout {
  thetaSlots: readonly ParameterSlot[];
  /** Of w; null where theta is trained alone. */
  adapterSlots: readonly ParameterSlot[] | null;
  /** Writes theta with w into what the runtime trains. */
  combine(theta: Float32Array, w: Float32Array | null, into: Float32Array): void;
  /** Of theta: `gradient` itself, or a new array. */
  thetaGradient(gradient: Float32Array): Float32Array;
  /** Of w: a new array. */
  adapterGradient(gradient: Float32Array, w: Float32Array): Float32Array;
}

/** theta is all weights. */
export function wholeLayout(config: PolicyConfig, second: AdapterConfig | null): BridgeLayout {
  return {
    thetaSlots: parameterSlots(config),
    adapterSlots: second && adapterSlots(config, second),
    combine(theta, w, into) {
      into.set(theta);
      if (second && w) addAdapter(config, into, second, w);
    },
    thetaGradient: (gradient) => gradient,
    adapterGradient: (gradient, w) => adapterGradient(config, second!, w, gradient),
  };
}

/** theta is the adapter `first`; the runtime's is `stackedConfig(first, second)`. */
export function stackedLayout(config: PolicyConfig, first: AdapterConfig, second: AdapterConfig): BridgeLayout {
  const [ofTheta, ofSecond] = stackPlaces(config, first, second);
  const gradientOf = (place: typeof ofTheta, gradient: Float32Array): Float32Array => {
    const own = new Float32Array(parameterCount(place.slots));
    gradientFromStack(place, gradient, own);
    return own;
  };
  return {
    thetaSlots: ofTheta.slots,
    adapterSlots: ofSecond.slots,
    combine(theta, w, into) {
      putIntoStack(ofTheta, theta, into);
      putIntoStack(ofSecond, w!, into);
    },
    thetaGradient: (gradient) => gradientOf(ofTheta, gradient),
    adapterGradient: (gradient) => gradientOf(ofSecond, gradient),
  };
}
