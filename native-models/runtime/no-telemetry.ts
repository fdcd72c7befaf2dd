/**
 * Imported before onnxruntime-node, wherever that is imported: its builds for Linux and macOS report each session (names and
 * hashes of the model, the machine, a device id) to their vendor unless this variable is set before the library is
 * loaded; calls of its API come too late. Waggle promises that nothing leaves the machine but what its owner shares.
 */
process.env['ORT_DISABLE_TELEMETRY'] = '1';
