/** A driver call that never returns: the thread is blocked. */
process.on('message', () => {
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
});
