/**
 * Which errors mean that memory ran out, whoever ran out of it: the runtime's allocator, the C++ library below it, V8's array
 * buffers, or a graphics driver. They are told by their words, for none of them has a code. Knows nothing of what was computed.
 */

/** Code of such a fault in the compute protocol. */
export const OUT_OF_MEMORY = 'outOfMemory';

const words = [
  /failed to allocate memory/i, // ONNX Runtime's arena
  /bad[ _]alloc(ation)?\b/i, // std::bad_alloc
  /array buffer allocation failed/i, // V8
  /out[ _]of[ _](device[ _]|host[ _])?memory/i, // CUDA, Vulkan, Direct3D
  /CUDA_ERROR_OUT_OF_MEMORY|cudaErrorMemoryAllocation|E_OUTOFMEMORY|ENOMEM/,
];

export function isOutOfMemory(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (code === OUT_OF_MEMORY) return true;
  return typeof message === 'string' && words.some((pattern) => pattern.test(message));
}
