/** A process that answers something else. */
process.on('message', () => process.send!({ kind: 'numbers', numbers: { losses: 'low' } }));
