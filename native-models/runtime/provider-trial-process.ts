/**
 * Entry of the throw-away process that tries one provider under plain Node: told which one by a message, answers with
 * numbers, then times. A driver may crash it or block it for ever; the parent expects both.
 */
import { answerTrial } from './provider-trial-work.ts';

process.on('message', (message) => void answerTrial(message, (report) => process.send?.(report)));
