/** Right numbers, then nothing: too slow to be timed. */
import { trialNumbers } from '../../../../native-models/runtime/provider-trial-work.ts';

process.on('message', () => {
  void trialNumbers({ provider: 'cpu', device: 0 }, 1).then((numbers) =>
    process.send!({ kind: 'numbers', bundled: ['cpu'], adapter: 'Slow One', numbers }),
  );
});
