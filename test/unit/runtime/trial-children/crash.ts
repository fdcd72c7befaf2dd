/** A driver that takes its process down. */
process.on('message', () => process.kill(process.pid, 'SIGSEGV'));
