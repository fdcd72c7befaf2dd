/** A driver whose norm gradients come back as zeros. */
import { trialNumbers } from '../../../../native-models/runtime/provider-trial-work.ts';

process.on('message', () => {
  void trialNumbers({ provider: 'cpu', device: 0 }, 1).then((numbers) => {
    numbers['gradient of model.layers.0.input_layernorm.weight']!.fill(0);
    process.send!({ kind: 'numbers', bundled: ['cpu'], adapter: 'Wrong One', numbers });
    process.send!({ kind: 'times', trainStepMs: 0.001, decodeStepMs: 0.001, peakBytes: 1 });
  });
});
