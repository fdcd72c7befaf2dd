/**
 * Entry of the throw-away process that tries one provider under Electron; the twin of `provider-trial-process.ts`.
 * A driver may crash it or block it for ever: the node expects both, and has main kill it.
 */
import { answerTrial } from '../../native-models/runtime/provider-trial-work.ts';
import { withHandedPort } from './handed-port.ts';

withHandedPort((pipe) => {
  pipe.onMessage((message) => void answerTrial(message, (report) => pipe.post(report)));
});
